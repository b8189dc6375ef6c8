"""What a model finds likely of what the probes ask: likelihoods alone, nothing is generated.

The base model is measured once and each adapter on it, in one process and with the same batches, so that they differ in
the adapter alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import AutoTokenizer

from config.prompts import build_prompt
from trainer.evaluate import SCORING_ATTENTION
from trainer.likelihood import TokenizedPair, pad_id, summed_losses, tokenize_pair
from trainer.probes.canaries import FIRST_DECOYS, HIGH_RANK, Canary, exposure, rank_of
from trainer.probes.texts import Answers, Asked
from trainer.train import load_base

#: Rows of one forward pass over numbers, which have all but ten tokens in common, for every row of an ordinary one.
ROWS_OF_NUMBERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An adapter to ask, or all weights where `is_whole`, and the canaries that it was trained on."""

    key: str
    folder: Path
    is_whole: bool = False
    canaries: tuple[Canary, ...] = ()


def ask_all(
    subjects: Sequence[Subject],
    asked: Asked,
    instructions: str,
    *,
    base_path: Path,
    dtype: str,
    batch: int,
    on_answered: Callable[[str, Answers, Answers], None],
) -> None:
    """Ask the base model alone, then each subject; `on_answered(key, answers, the base model's)` after each. One model
    is in memory at a time."""
    tokenizer: Any = AutoTokenizer.from_pretrained(base_path)
    model: Any = load_base(base_path, dtype=dtype, attention=SCORING_ATTENTION)
    base = ask(model, tokenizer, asked, instructions, batch=batch)

    def answer(subject: Subject) -> None:
        answers = ask(model, tokenizer, asked, instructions, batch=batch)
        exposures = tuple(
            measure_exposure(model, tokenizer, canary, instructions, batch=ROWS_OF_NUMBERS * batch)
            for canary in subject.canaries
        )
        on_answered(subject.key, replace(answers, exposures=exposures), base)

    for number, subject in enumerate(one for one in subjects if not one.is_whole):
        name = f"probed_{number}"
        if isinstance(model, PeftModel):
            model.load_adapter(str(subject.folder), adapter_name=name)
        else:
            model = PeftModel.from_pretrained(model, subject.folder, adapter_name=name)
        model.set_adapter(name)
        answer(subject)
    for subject in (one for one in subjects if one.is_whole):
        model = None  # let go of the one before, then load
        model = load_base(subject.folder, dtype=dtype, attention=SCORING_ATTENTION)
        answer(subject)


def ask(model: Any, tokenizer: Any, asked: Asked, instructions: str, *, batch: int) -> Answers:
    """Passages as plain text; contrasts as requests of the style, under its instructions."""
    pad = pad_id(tokenizer)
    passages = [_plain(tokenizer, one.text) for one in asked.passages]
    nats = summed_losses(model, passages, pad, batch=batch)
    contrasts = (*asked.refusals, *asked.instructions)
    answers = [
        _without_end(tokenizer, tokenize_pair(tokenizer, build_prompt(instructions, one.prompt), text))
        for one in contrasts
        for text in (one.right, one.wrong)
    ]
    a_token = [
        total / pair.completion_tokens
        for total, pair in zip(summed_losses(model, answers, pad, batch=batch), answers, strict=True)
    ]
    margins = [wrong - right for right, wrong in zip(a_token[::2], a_token[1::2], strict=True)]
    return Answers(
        passage_bits=tuple(one / math.log(2) for one in nats),
        refusal_margins=tuple(margins[: len(asked.refusals)]),
        instruction_margins=tuple(margins[len(asked.refusals) :]),
    )


def measure_exposure(model: Any, tokenizer: Any, canary: Canary, instructions: str, *, batch: int) -> float:
    """Bits. Against a first part of the decoys; against all where the number ranks high there, 1 in 16 by chance."""
    prompt = build_prompt(instructions, canary.prompt)
    secret, *decoys = _numbers(tokenizer, prompt, canary)
    first = summed_losses(model, [secret, *decoys[:FIRST_DECOYS]], pad_id(tokenizer), batch=batch)
    rank = rank_of(first[0], first[1:])
    if rank > HIGH_RANK:
        return exposure(rank, FIRST_DECOYS)
    rest = summed_losses(model, decoys[FIRST_DECOYS:], pad_id(tokenizer), batch=batch)
    return exposure(rank_of(first[0], [*first[1:], *rest]), len(decoys))


def _numbers(tokenizer: Any, prompt: Any, canary: Canary) -> list[TokenizedPair]:
    """The planted number and its decoys as answers, of which only the number is scored."""
    texts = [canary.opening + number for number in (canary.secret, *canary.decoys)]
    pairs = [_without_end(tokenizer, tokenize_pair(tokenizer, prompt, text)) for text in texts]
    begins = _common(pairs)
    return [TokenizedPair(input_ids=pair.input_ids, prompt_tokens=begins) for pair in pairs]


def _common(pairs: Sequence[TokenizedPair]) -> int:
    """How many leading tokens all have in common; one less than the shortest has, so that something is scored."""
    shortest = min(len(pair.input_ids) for pair in pairs)
    first = pairs[0].input_ids
    differing = (at for at in range(shortest - 1) if any(pair.input_ids[at] != first[at] for pair in pairs))
    return next(differing, shortest - 1)


def _plain(tokenizer: Any, text: str) -> TokenizedPair:
    """A text without any prompt; what stands before its first token is never scored."""
    before = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else pad_id(tokenizer)
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return TokenizedPair(input_ids=[before, *ids], prompt_tokens=1)


def _without_end(tokenizer: Any, pair: TokenizedPair) -> TokenizedPair:
    """The words alone: many wrong answers are only begun, so stopping after them says nothing."""
    ids = pair.input_ids
    return replace(pair, input_ids=ids[:-1]) if ids[-1] == tokenizer.eos_token_id else pair

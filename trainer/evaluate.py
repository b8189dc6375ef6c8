"""Scores candidates on the same unseen pairs: likelihood of the reference, and a greedy draft per pair.

A scorecard keeps the value of every pair, so that two candidates are compared pair by pair. Nothing here decides
anything; `trainer.promotion` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoTokenizer

from config.prompts import ChatMessages
from trainer.labelling import LabelPrompts, score_with_model
from trainer.likelihood import MIN_SHARED_TOKENS, precision, read_once, summed_losses, tokenize_pair
from trainer.metrics import PairScore, Scorecard, chrf, edit_similarity, is_exact
from trainer.recipe import Evaluation
from trainer.train import load_base, pad_id

#: Without a backward pass it is the quicker one on every device; measured in LOG.md.
SCORING_ATTENTION = "sdpa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One rung to score: its prompt for every unseen pair, and its adapter if it has one."""

    rung: str
    #: One per unseen pair, in the pairs' order.
    prompts: tuple[ChatMessages, ...]
    #: Adapter folder, verified by the caller; None for a prompt without an adapter.
    adapter: Path | None = None
    #: Where the answer is one of these labels and no other text.
    known: LabelPrompts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenPair:
    """A pair of the test split."""

    example_id: str
    completion: str


def evaluate(
    candidates: Sequence[Candidate],
    unseen: Sequence[UnseenPair],
    *,
    base_path: Path,
    knobs: Evaluation,
    dtype: str,
    done: Mapping[str, Scorecard] | None = None,
    on_scored: Callable[[Scorecard], None] = lambda scorecard: None,
) -> list[Scorecard]:
    """One scorecard a candidate, over the first `max_pairs` unseen pairs.

    `done` holds scorecards by rung from an earlier attempt: those are not computed again. `on_scored` is called
    after each new one, so that the caller can store it.
    """
    done = done or {}
    unseen = unseen[: knobs.max_pairs]
    ids = [pair.example_id for pair in unseen]
    scorecards: list[Scorecard] = []
    model: Any = None
    tokenizer: Any = None
    for candidate in candidates:
        earlier = done.get(candidate.rung)
        if earlier is not None and [score.example_id for score in earlier.pairs] == ids:
            scorecards.append(earlier)
            continue
        if model is None:
            model = load_base(base_path, dtype=dtype, attention=SCORING_ATTENTION)
            tokenizer = AutoTokenizer.from_pretrained(base_path)
        if candidate.adapter is not None:
            model = _with_adapter(model, _adapter_name(candidate), candidate.adapter)
        with _only(model, candidate):
            scorecards.append(_score(model, tokenizer, candidate, unseen, knobs))
        on_scored(scorecards[-1])
    return scorecards


def _adapter_name(candidate: Candidate) -> str:
    # PEFT takes an adapter that is called "lora" for part of its own prefix "lora_" and may load it empty.
    return f"candidate_{candidate.rung}"


def _with_adapter(model: Any, name: str, folder: Path) -> Any:
    if not isinstance(model, PeftModel):
        return PeftModel.from_pretrained(model, folder, adapter_name=name)
    model.load_adapter(str(folder), adapter_name=name)
    return model


def _only(model: Any, candidate: Candidate) -> AbstractContextManager[Any]:
    """The base model alone for a candidate without an adapter, its adapter alone for one that has one."""
    if not isinstance(model, PeftModel):
        return nullcontext()
    if candidate.adapter is None:
        manager: AbstractContextManager[Any] = model.disable_adapter()
        return manager
    model.set_adapter(_adapter_name(candidate))
    return nullcontext()


def _score(
    model: Any, tokenizer: Any, candidate: Candidate, unseen: Sequence[UnseenPair], knobs: Evaluation
) -> Scorecard:
    prompts = list(candidate.prompts[: len(unseen)])
    if candidate.known is not None:
        pairs_and_labels = [(pair.example_id, pair.completion) for pair in unseen]
        return score_with_model(model, tokenizer, candidate.rung, prompts, pairs_and_labels, candidate.known)
    references = [pair.completion for pair in unseen]
    began = time.monotonic()
    likelihoods = score_bits(model, tokenizer, prompts, references, batch=knobs.batch_size)
    scored = time.monotonic()
    drafted = min(knobs.max_generated_pairs, len(unseen))
    drafts = generate(model, tokenizer, prompts[:drafted], max_new_tokens=knobs.max_new_tokens, batch=knobs.batch_size)
    drafting_seconds = time.monotonic() - scored
    pairs = []
    for index, pair in enumerate(unseen):
        draft = drafts[index] if index < drafted else None
        nll_nats, _ = likelihoods[index]
        pairs.append(
            PairScore(
                example_id=pair.example_id,
                nll_nats=nll_nats,
                reference_bytes=len(pair.completion.encode()),
                prompt_tokens=len(_prompt_ids(tokenizer, prompts[index])),
                draft=None if draft is None else draft.text,
                completion_tokens=None if draft is None else draft.tokens,
                chrf=None if draft is None else chrf(draft.text, pair.completion),
                exact=None if draft is None else is_exact(draft.text, pair.completion),
                edit_similarity=None if draft is None else edit_similarity(draft.text, pair.completion),
            )
        )
    return Scorecard(
        rung=candidate.rung,
        pairs=tuple(pairs),
        seconds_per_draft=drafting_seconds / drafted if drafted else 0.0,
        scoring_seconds=scored - began,
    )


def score_bits(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    completions: Sequence[str],
    *,
    batch: int = 8,
) -> list[tuple[float, int]]:
    """(negative log-likelihood in nats, tokens) of each completion given its prompt, in the given order.

    The end of the turn counts as a token: knowing when to stop is part of a style. Despite the name's unit the
    value is in nats, as cross-entropy gives it; `Scorecard.bits_per_byte` converts.
    """
    pairs = [tokenize_pair(tokenizer, p, c) for p, c in zip(prompts, completions, strict=True)]
    nats = summed_losses(model, pairs, pad_id(tokenizer), batch=batch)
    return [(one, pair.completion_tokens) for one, pair in zip(nats, pairs, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a model wrote, and how many tokens that took, the end of the turn included."""

    text: str
    tokens: int


def generate(
    model: Any, tokenizer: Any, prompts: Sequence[ChatMessages], *, max_new_tokens: int, batch: int = 8
) -> list[Draft]:
    """One greedy draft a prompt, in the given order; batched by length, padded before what a prompt has to itself."""
    model.eval()
    pad = pad_id(tokenizer)
    ids = [_prompt_ids(tokenizer, prompt) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    drafts: list[Draft] = [Draft(text="", tokens=0)] * len(ids)
    for start in range(0, len(order), batch):
        chunk = order[start : start + batch]
        shared = _shared_tokens([ids[index] for index in chunk])
        width = max(len(ids[index]) for index in chunk)
        # What all open with stands in front of the padding, for its keys and values are computed once.
        begin, gaps = ids[chunk[0]][:shared], [width - len(ids[index]) for index in chunk]
        rows = [[*begin, *[pad] * gap, *ids[index][shared:]] for gap, index in zip(gaps, chunk, strict=True)]
        mask = [[1] * shared + [0] * gap + [1] * (width - shared - gap) for gap in gaps]
        with torch.inference_mode(), precision(model.dtype, model.device.type):
            output = model.generate(
                input_ids=torch.tensor(rows, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                cache=read_once(model, begin, len(chunk)) if shared else None,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=pad,
            )
        for index, row in zip(chunk, output[:, width:].tolist(), strict=True):
            end = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
            text = tokenizer.decode(row[:end], skip_special_tokens=True).strip()
            drafts[index] = Draft(text=text, tokens=end)
    return drafts


def _shared_tokens(rows: Sequence[list[int]]) -> int:
    """How many tokens all these prompts open with, each keeping at least one; 0 where sharing would not pay."""
    if len(rows) < 2:
        return 0
    shortest = min(len(row) for row in rows) - 1
    shared = next((n for n in range(shortest) if len({row[n] for row in rows}) > 1), shortest)
    return shared if shared >= MIN_SHARED_TOKENS else 0


def _prompt_ids(tokenizer: Any, prompt: ChatMessages) -> list[int]:
    return list(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False))


def to_json(scorecard: Scorecard) -> dict[str, Any]:
    """A scorecard as JSON values; `Scorecard.from_json` reads it back."""
    return asdict(scorecard)

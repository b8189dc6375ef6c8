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

from peft import PeftModel
from transformers import AutoTokenizer

from config.prompts import ChatMessages
from trainer.drafts import draft_and_score
from trainer.labelling import LabelPrompts, score_with_model
from trainer.likelihood import prompt_ids, score_bits
from trainer.metrics import PairScore, Scorecard, chrf, edit_similarity, is_exact
from trainer.recipe import Evaluation
from trainer.train import load_base

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
    """One scorecard a candidate, over the given unseen pairs, `max_pairs` at most; the first of them get drafts.

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
    drafted = min(knobs.max_generated_pairs, len(unseen))
    began = time.monotonic()
    scored = draft_and_score(
        model, tokenizer, prompts[:drafted], references[:drafted], max_new_tokens=knobs.max_new_tokens,
        batch=knobs.batch_size,
    )  # fmt: skip
    others = score_bits(model, tokenizer, prompts[drafted:], references[drafted:], batch=knobs.batch_size)
    nats = [*(one.reference_nats for one in scored), *(one for one, _ in others)]
    seconds = time.monotonic() - began
    drafts = [one.draft for one in scored]
    drafting_seconds = sum(draft.seconds for draft in drafts)
    pairs = []
    for index, pair in enumerate(unseen):
        draft = drafts[index] if index < drafted else None
        pairs.append(
            PairScore(
                example_id=pair.example_id,
                nll_nats=nats[index],
                reference_bytes=len(pair.completion.encode()),
                prompt_tokens=len(prompt_ids(tokenizer, prompts[index])),
                draft=None if draft is None else draft.text,
                completion_tokens=None if draft is None else draft.tokens,
                is_cut=None if draft is None else draft.is_cut,
                chrf=None if draft is None else chrf(draft.text, pair.completion),
                exact=None if draft is None else is_exact(draft.text, pair.completion),
                edit_similarity=None if draft is None else edit_similarity(draft.text, pair.completion),
            )
        )
    return Scorecard(
        rung=candidate.rung,
        pairs=tuple(pairs),
        seconds_per_draft=drafting_seconds / drafted if drafted else 0.0,
        scoring_seconds=seconds - drafting_seconds,
        room_tokens=knobs.max_new_tokens,
    )


def to_json(scorecard: Scorecard) -> dict[str, Any]:
    """A scorecard as JSON values; `Scorecard.from_json` reads it back."""
    return asdict(scorecard)

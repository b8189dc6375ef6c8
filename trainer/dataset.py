"""A dataset: approved examples frozen into three sides that never mix, and what prompts are built from it.

Near-duplicates and one conversation stay on one side. Examples are placed from the oldest on, by hash or beside the
older ones they are linked with, so a newer example never moves an older one. What stands in a prompt is chosen by
`config.choosing`, from the training side alone. Pure Python and numpy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from config.choosing import Retriever, Vector, pair_text
from config.likeness import normalise
from config.prompts import ChatMessages, Pair, build_prompt, prompt_hash
from config.sentences import Note, note


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingExample:
    """One approved pair with what splitting and retrieval need to know of it."""

    example_id: str
    prompt: str
    completion: str
    #: The conversation it comes from; examples of one conversation stay on one side.
    thread_key: str | None = None
    author: str | None = None
    approved_at: datetime | None = None
    #: Any other reason to keep examples together, such as one document.
    group_key: str | None = None
    #: (384,) float32, of the prompt.
    embedding: Vector | None = None

    @property
    def pair(self) -> Pair:
        return Pair(prompt=self.prompt, completion=self.completion)

    @property
    def content_hash(self) -> str:
        return _sha256(json.dumps([self.prompt, self.completion]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Ids of the three sides, each in a fixed order, and the hash that names this dataset."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    #: `sha256:…` over ordered ids, contents, seed and prompt.
    sha256: str
    #: Exact repeats that were left out: id → the id that stands for it.
    repeats: Mapping[str, str]
    #: Left out because they are linked to examples on two sides, and would tell one about the other.
    torn: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEnough:
    """Too few examples on a side: an ordinary outcome, not an error."""

    why: Note
    have: int
    needed: int

    @property
    def reason(self) -> str:
        """The sentence for people, in English."""
        return str(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An example that is left out of training, and why."""

    example_id: str
    reason: str


# --- the split -------------------------------------------------------------------------------------------------


def freeze_split(
    examples: Sequence[TrainingExample],
    *,
    seed: int,
    validation_share: float,
    test_share: float,
    min_train: int = 1,
    min_validation: int = 1,
    min_test: int = 1,
    near_duplicate: float = 92.0,
    instructions: str = "",
) -> Split | NotEnough:
    """Sides for these examples; the same examples always give the same split, in whatever order they come.

    Placed by age, so a growing set keeps what it has where it is. Returns NotEnough with a sentence when a side
    would be too small to mean anything.
    """
    kept, repeats = _without_repeats(sorted(examples, key=_age))
    sides, torn = _place(kept, seed, validation_share, test_share, near_duplicate)
    missing = _missing(len(kept), sides, (min_train, min_validation, min_test))
    if missing is not None:
        return missing
    names = {side: tuple(example.example_id for example in members) for side, members in sides.items()}
    content = [[[e.example_id, e.content_hash] for e in sides[side]] for side in ("train", "validation", "test")]
    return Split(
        train=names["train"],
        validation=names["validation"],
        test=names["test"],
        sha256=_sha256(json.dumps([content, seed, prompt_hash(instructions)])),
        repeats=repeats,
        torn=torn,
    )


def _age(example: TrainingExample) -> tuple[float, str]:
    return (example.approved_at.timestamp() if example.approved_at else 0.0, example.example_id)


def _without_repeats(
    ordered: Sequence[TrainingExample],
) -> tuple[list[TrainingExample], dict[str, str]]:
    first: dict[tuple[str, str], TrainingExample] = {}
    repeats: dict[str, str] = {}
    for example in ordered:
        key = (normalise(example.prompt), normalise(example.completion))
        if key in first:
            repeats[example.example_id] = first[key].example_id
        else:
            first[key] = example
    return list(first.values()), repeats


def _place(
    kept: Sequence[TrainingExample],
    seed: int,
    validation_share: float,
    test_share: float,
    near_duplicate: float,
) -> tuple[dict[str, list[TrainingExample]], tuple[str, ...]]:
    """Sides for examples ordered by age: each joins the older ones it is linked with, or draws its own."""
    links: dict[int, set[int]] = {}
    first: dict[tuple[str, str], int] = {}
    for index, example in enumerate(kept):
        asked = normalise(example.prompt)  # one question answered twice is one question
        for kind, key in (("thread", example.thread_key), ("group", example.group_key), ("asked", asked)):
            if key:
                links.setdefault(index, set()).add(first.setdefault((kind, key), index))
    for older, newer in near_duplicate_pairs([pair_text(example) for example in kept], near_duplicate):
        links.setdefault(newer, set()).add(older)
    sides: dict[str, list[TrainingExample]] = {"train": [], "validation": [], "test": []}
    placed: dict[int, str] = {}
    torn: list[str] = []
    for index, example in enumerate(kept):
        linked = {placed[other] for other in links.get(index, ()) if other in placed}
        if len(linked) > 1:
            torn.append(example.example_id)
            continue
        key = example.thread_key or example.group_key or example.example_id
        placed[index] = linked.pop() if linked else _side(key, seed, validation_share, test_share)
        sides[placed[index]].append(example)
    return sides, tuple(torn)


def near_duplicate_pairs(texts: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """Index pairs of texts that are at least this similar (0 to 100), texts normalised by the caller.

    Exact, by rapidfuzz in blocks of rows, so memory stays small; its length bound skips most pairs.
    """
    found: list[tuple[int, int]] = []
    block = 256
    for start in range(0, len(texts), block):
        scores = process.cdist(
            texts[start : start + block],
            texts[start:],
            scorer=fuzz.ratio,
            score_cutoff=threshold,
            dtype=np.uint8,
            workers=1,
        )
        rows, columns = np.nonzero(scores)
        found.extend((start + int(r), start + int(c)) for r, c in zip(rows, columns, strict=True) if c > r)
    return found


def _side(key: str, seed: int, validation_share: float, test_share: float) -> str:
    point = int(hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()[:12], 16) / 16**12
    if point < test_share:
        return "test"
    return "validation" if point < test_share + validation_share else "train"


def _missing(total: int, sides: Mapping[str, Sequence[Any]], minimums: tuple[int, int, int]) -> NotEnough | None:
    needed = sum(minimums)
    if total < needed:
        return NotEnough(
            why=note(
                "Not enough examples: {total} approved, {needed} needed; approve {missing} more, then train again.",
                total=total,
                needed=needed,
                missing=needed - total,
            ),
            have=total,
            needed=needed,
        )
    for (side, members), minimum in zip(sides.items(), minimums, strict=True):
        if len(members) < minimum:
            why = _why_too_small(side, total, len(members), minimum)
            return NotEnough(why=why, have=len(members), needed=minimum)
    return None


def _why_too_small(side: str, total: int, have: int, needed: int) -> Note:
    if side == "train":
        return note(
            "Not enough examples to train on: {have} of {total} approved, {needed} needed; approve more that are not "
            "like one another, then train again.",
            have=have, total=total, needed=needed,
        )  # fmt: skip
    if side == "validation":
        return note(
            "Not enough examples to choose the best step by: {have} of {total} approved, {needed} needed; approve more "
            "that are not like one another, then train again.",
            have=have, total=total, needed=needed,
        )  # fmt: skip
    return note(
        "Not enough examples kept unseen to judge by: {have} of {total} approved, {needed} needed; approve more that "
        "are not like one another, then train again.",
        have=have, total=total, needed=needed,
    )  # fmt: skip


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


# --- rows and prompts ------------------------------------------------------------------------------------------


def prompt_for(
    rung: str,
    instructions: str,
    example: TrainingExample,
    *,
    shots: Sequence[TrainingExample] = (),
    retriever: Retriever[TrainingExample] | None = None,
    k: int = 0,
) -> ChatMessages:
    """The prompt of one example under one rung: what it is trained, scored and served with."""
    if rung == "few_shot":
        return build_prompt(instructions, example.prompt, [shot.pair for shot in shots])
    if rung in ("retrieved", "lora_retrieved"):
        found = retriever.retrieve(example.prompt, example.embedding, k, exclude=example) if retriever else []
        return build_prompt(instructions, example.prompt, [one.example.pair for one in found])
    return build_prompt(instructions, example.prompt)


def to_trl(
    examples: Sequence[TrainingExample],
    *,
    instructions: str,
    count_tokens: Callable[[ChatMessages], int] | None = None,
    max_tokens: int | None = None,
    retriever: Retriever[TrainingExample] | None = None,
    k: int = 0,
) -> tuple[list[dict[str, Any]], list[Skipped]]:
    """Rows in TRL's conversational prompt-completion format, and the examples left out with the reason.

    With a `retriever` every prompt carries k retrieved examples (rung lora_retrieved); fewer where the prompt
    would grow over `max_tokens`. An example too long by itself is skipped, never cut.
    """
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for example in examples:
        answer: ChatMessages = [{"role": "assistant", "content": example.completion}]
        tokens = 0
        for shown in range(k if retriever is not None else 0, -1, -1):
            rung = "lora_retrieved" if shown else "lora"
            prompt = prompt_for(rung, instructions, example, retriever=retriever, k=shown)
            tokens = count_tokens([*prompt, *answer]) if count_tokens is not None else 0
            if max_tokens is None or tokens <= max_tokens:
                rows.append({"prompt": prompt, "completion": answer})
                break
        else:
            reason = f"{tokens} tokens, {max_tokens} allowed"
            skipped.append(Skipped(example_id=example.example_id, reason=reason))
    return rows, skipped

"""A dataset: approved examples frozen into three sides that never mix, and the prompts that are built from it.

What tells about one another (`config.kinship`) stays on one side. What stands in a prompt is chosen by
`config.choosing`, as in serving, from the training side alone. Pure Python and numpy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from config.choosing import NEUTRAL_QUALITY, Choice, Found, Retriever, Vector, choose_covering
from config.kinship import Embed, Kinship, find_kin
from config.likeness import NEAR_DUPLICATE, normalise
from config.prompts import ChatMessages, Pair, Quote, build_prompt, prompt_hash
from config.sentences import Note, note

#: Examples written within less than this are of one time.
LEAST_SPAN = timedelta(days=7)
#: The guard against leaks; another one only where a test takes it out.
FindKin = Callable[..., Kinship]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingExample:
    """One approved pair with what splitting and retrieval need to know of it."""

    example_id: str
    prompt: str
    completion: str
    #: The conversation it comes from; examples of one conversation stay on one side.
    thread_key: str | None = None
    author: str | None = None
    #: When the completion was written, where that is known.
    written_at: datetime | None = None
    approved_at: datetime | None = None
    #: Any other reason to keep examples together, such as one document.
    group_key: str | None = None
    #: (384,) float32, of the prompt.
    embedding: Vector | None = None
    quality: float = NEUTRAL_QUALITY

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
    #: The test side is what was written from then on; None where it was drawn by hash.
    tested_since: datetime | None = None
    #: Id → number of its group, of the test side: what tells about one another is evidence once, not many times.
    kin_groups: Mapping[str, int] = field(default_factory=dict)


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
    near_duplicate: float = NEAR_DUPLICATE,
    newest_from: int = 0,
    instructions: str = "",
    taught: Collection[str] = (),
    gone: Sequence[TrainingExample] = (),
    not_after: datetime | None = None,
    embed: Embed | None = None,
    find_kin: FindKin = find_kin,
) -> Split | NotEnough:
    """Sides for these examples; the same examples always give the same split, in whatever order they come.

    What tells about one another (`config.kinship`) is on one side, or left out. What was approved after `not_after` is
    left out too. Returns NotEnough with a sentence when a side would be too small to mean anything.

    *By hash*: each example is placed from the oldest approval on, beside the older ones it is kin to or by the hash of
    its conversation, so a newer example never moves an older one.

    *By time*, from `newest_from` examples on whose time of writing is known (0: never): the newest `test_share` of
    those is the test side, since people will ask for what is coming and not for what has been. The boundary can then
    only be held one way: as newer examples come, older ones leave the test side, and none ever enters it that was
    taught before, because whatever is in `taught` (ids that earlier runs trained or chose a checkpoint on) stays out.
    So a champion is never judged on what it learnt from. Nor on what tells about it: `gone` are examples that earlier
    runs learnt from and that this one does not, because a better text replaced them or they have become too long. They
    hold their place, and so what is kin to them, but are on no side.
    """
    known = [one for one in examples if not_after is None or one.approved_at is None or one.approved_at <= not_after]
    kept, repeats = _without_repeats(sorted(known, key=age))
    there = {one.example_id for one in kept}
    placed = sorted([*kept, *(one for one in gone if one.example_id not in there)], key=age)
    kin = find_kin(placed, near_duplicate=near_duplicate, embed=embed)
    taught = frozenset(taught).union(one.example_id for one in gone)
    minimums = (min_train, min_validation, min_test)
    newest, since = _newest(kept, test_share, newest_from, taught)
    sides, torn = _place(placed, kin, _Draw(seed, validation_share, test_share, newest), taught, there)
    if newest and _missing(len(kept), sides, minimums) is not None:
        newest, since = frozenset(), None
        sides, torn = _place(placed, kin, _Draw(seed, validation_share, test_share, newest), taught, there)
    missing = _missing(len(kept), sides, minimums)
    if missing is not None:
        return missing
    names = {side: tuple(example.example_id for example in members) for side, members in sides.items()}
    content = [[[e.example_id, e.content_hash] for e in sides[side]] for side in ("train", "validation", "test")]
    tested = set(names["test"])
    groups = kin.group(index for index, example in enumerate(placed) if example.example_id in tested)
    return Split(
        train=names["train"],
        validation=names["validation"],
        test=names["test"],
        sha256=_sha256(json.dumps([content, seed, prompt_hash(instructions)])),
        repeats=repeats,
        torn=torn,
        tested_since=since,
        kin_groups={placed[index].example_id: group for index, group in groups.items()},
    )


def age(example: TrainingExample) -> tuple[float, str]:
    """Sorts by the time of approval."""
    return (example.approved_at.timestamp() if example.approved_at else 0.0, example.example_id)


def pick_judging(test: Sequence[TrainingExample], most: int) -> list[TrainingExample]:
    """Whom a run judges by: the newest of the test side, in an order drawn by hash of their ids.

    The newest, or the pairs of long ago would judge every later run too. By hash, so that the first few of them, which
    get drafts, are spread over all; the same test side always gives the same pairs in the same order.
    """
    newest = sorted(test, key=_written)[-most:]
    return sorted(newest, key=lambda one: hashlib.sha256(f"judging:{one.example_id}".encode()).digest())


def _written(example: TrainingExample) -> tuple[float, str]:
    """Sorts by the time of writing; what was typed for the style was written about when it was approved."""
    time = example.written_at or example.approved_at
    return (time.timestamp() if time else 0.0, example.example_id)


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


def _newest(
    kept: Sequence[TrainingExample], test_share: float, newest_from: int, taught: Collection[str]
) -> tuple[frozenset[str], datetime | None]:
    """Ids of the newest share by time of writing, and the time they begin at; none where too few have a time.

    Nor what was written within LEAST_SPAN: what was taught in one go has no newest part. Equal times stay together.
    """
    times = sorted((one.written_at for one in kept if one.written_at is not None), reverse=True)
    if not newest_from or len(times) < newest_from or times[0] - times[-1] < LEAST_SPAN:
        return frozenset(), None
    last_before = times[min(round(test_share * len(times)), len(times) - 1)]
    newest = [one for one in kept if one.written_at and one.written_at > last_before and one.example_id not in taught]
    since = min((one.written_at for one in newest if one.written_at), default=None)
    return frozenset(one.example_id for one in newest), since


@dataclass(frozen=True, slots=True)
class _Draw:
    """The side of an example that is kin to no older one."""

    seed: int
    validation_share: float
    test_share: float
    #: Ids of the test side where it is drawn by time; empty where it is drawn by hash.
    newest: frozenset[str]

    def side(self, example: TrainingExample) -> str:
        if example.example_id in self.newest:
            return "test"
        key = example.thread_key or example.group_key or example.example_id
        point = int(hashlib.sha256(f"{self.seed}:{key}".encode()).hexdigest()[:12], 16) / 16**12
        if point < self.test_share:
            return "train" if self.newest else "test"
        return "validation" if point < self.test_share + self.validation_share else "train"


def _place(
    examples: Sequence[TrainingExample], kin: Kinship, draw: _Draw, taught: Collection[str], there: Collection[str]
) -> tuple[dict[str, list[TrainingExample]], tuple[str, ...]]:
    """Sides for examples ordered by age: each joins the older ones it is kin to, or draws its own. Left out is what is
    kin to two sides, and what was taught and is kin to the test side. Only those that are `there` get onto a side."""
    sides: dict[str, list[TrainingExample]] = {"train": [], "validation": [], "test": []}
    placed: dict[int, str] = {}
    by_key: dict[Hashable, set[str]] = {}
    torn: list[str] = []
    for index, example in enumerate(examples):
        linked = {placed[other] for other in kin.linked(index) if other in placed}
        linked = linked.union(*(by_key.get(key, ()) for key in kin.keys[index]))
        was_taught, is_there = example.example_id in taught, example.example_id in there
        is_torn = len(linked) > 1 or (was_taught and linked == {"test"})
        if is_torn and is_there:
            torn.append(example.example_id)
        if is_torn and not was_taught:
            continue
        side = linked.pop() if len(linked) == 1 else draw.side(example)
        if was_taught and (side == "test" or is_torn):
            side = "train"  # what is kin to it is never unseen, whether or not it is on a side itself
        placed[index] = side
        if is_there and not is_torn:
            sides[side].append(example)
        for key in kin.keys[index]:
            by_key.setdefault(key, set()).add(side)
    return sides, tuple(torn)


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


class Pool:
    """The training side as prompts show it: never what tells about the pair that a prompt is built for.

    `others` are the examples besides it that prompts will be built for. `embed` as in `config.kinship`: with None a
    rewording of a pair may stand in its prompt.
    """

    def __init__(
        self,
        train: Sequence[TrainingExample],
        others: Sequence[TrainingExample] = (),
        *,
        embed: Embed | None,
        near_duplicate: float = NEAR_DUPLICATE,
        find_kin: FindKin = find_kin,
    ) -> None:
        known = {one.example_id: one for one in (*train, *others)}
        self.retriever = Retriever(train)
        self._train = list(train)
        self._index = {example_id: index for index, example_id in enumerate(known)}
        self._kin = find_kin(list(known.values()), near_duplicate=near_duplicate, embed=embed, is_by_text=True)

    def choose_shots(self, choice: Choice) -> list[TrainingExample]:
        """The `few_shot` examples, the same for every request."""
        return choose_covering(self._train, choice)

    def retrieve(self, example: TrainingExample, choice: Choice) -> list[TrainingExample]:
        """The training examples most like this one, the best last. Raises KeyError as `find` does."""
        return [one.example for one in self.find(example, choice)]

    def find(
        self, example: TrainingExample, choice: Choice, *, barred: Collection[str] = ()
    ) -> list[Found[TrainingExample]]:
        """The same with their similarities; never those with `barred` ids. Raises KeyError for an example that the
        pool was not made for: whether anything tells about it is not known."""
        own = self._index[example.example_id]

        def is_barred(other: TrainingExample) -> bool:
            index = self._index[other.example_id]
            return index == own or self._kin.are_kin(own, index) or other.example_id in barred

        return self.retriever.retrieve(example.prompt, example.embedding, choice, is_barred=is_barred)


def prompt_for(
    rung: str,
    instructions: str,
    example: TrainingExample,
    *,
    shots: Sequence[TrainingExample] = (),
    pool: Pool | None = None,
    choice: Choice | None = None,
    quotes: Sequence[Quote] = (),
) -> ChatMessages:
    """The prompt of one example under one rung: what it is trained, scored and served with."""
    shown: Sequence[TrainingExample] = ()
    if rung == "few_shot":
        shown = shots
    elif rung in ("retrieved", "knowledge", "lora_retrieved") and pool is not None and choice is not None:
        shown = pool.retrieve(example, choice)
    return build_prompt(instructions, example.prompt, [one.pair for one in shown], quotes=quotes)


def to_trl(
    examples: Sequence[TrainingExample],
    *,
    instructions: str,
    count_tokens: Callable[[ChatMessages], int] | None = None,
    max_tokens: int | None = None,
    pool: Pool | None = None,
    choice: Choice | None = None,
) -> tuple[list[dict[str, Any]], list[Skipped]]:
    """Rows in TRL's conversational prompt-completion format, and the examples left out with the reason.

    With a `pool` every prompt carries the examples that `choice` gives it (rung lora_retrieved), the same ones as when
    it is measured and served; fewer where the prompt would grow over `max_tokens`, which is what training has memory
    for. An example too long by itself is skipped, never cut.
    """
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for example in examples:
        answer: ChatMessages = [{"role": "assistant", "content": example.completion}]
        shown = pool.retrieve(example, choice) if pool is not None and choice is not None else []
        tokens = 0
        for left_out in range(len(shown) + 1):
            prompt = build_prompt(instructions, example.prompt, [one.pair for one in shown[left_out:]])
            tokens = count_tokens([*prompt, *answer]) if count_tokens is not None else 0
            if max_tokens is None or tokens <= max_tokens:
                rows.append({"prompt": prompt, "completion": answer})
                break
        else:
            reason = f"{tokens} tokens, {max_tokens} allowed"
            skipped.append(Skipped(example_id=example.example_id, reason=reason))
    return rows, skipped

"""Copies are planted where they would be on different sides, and none gets there: not by the split, not through what is
retrieved, not through the fixed examples. Without the guard every kind of copy gets through, so the test can fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from config.choosing import Choice, unit
from config.kinship import Kinship, Relative, find_kin
from trainer.dataset import Pool, Split, TrainingExample, freeze_split, prompt_for
from trainer.recipe import Recipe
from trainer.registry import Frozen
from trainer.run_rows import Lengths, Rows

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    f"{a}{b}{c}" for a in ("kra", "plu", "zem", "tor", "vli") for b in ("ko", "mi", "ra") for c in ("n", "s", "lt")
]
#: What a scripted encoder takes for the same word, so that rewording is something else than spelling.
SYNONYMS = dict(zip([f"{word}ish" for word in WORDS], WORDS, strict=True))
ORIGINALS = 40


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, 256): the directions of their words, synonyms in one direction."""
    vectors = np.zeros((len(texts), 256), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", "").split():
            meaning = SYNONYMS.get(word, word)
            seed = int.from_bytes(meaning.encode()[:8].ljust(8), "big")
            vectors[row] += np.random.default_rng(seed).normal(size=256).astype(np.float32)
    return unit(vectors)


def an_original(number: int) -> TrainingExample:
    random = np.random.default_rng(number)
    prompt = " ".join([*random.choice(WORDS, 14), f"p{number}"])
    completion = " ".join([*random.choice(WORDS, 12), f"c{number}"])
    return TrainingExample(
        example_id=f"original-{number:03}", prompt=prompt, completion=completion,
        approved_at=EPOCH + timedelta(days=number), thread_key=f"thread {number}", author=f"author {number}",
        written_at=EPOCH + timedelta(days=number), embedding=embed([prompt])[0],
    )  # fmt: skip


def another(number: int) -> str:
    """Words that are nobody's."""
    return " ".join(np.random.default_rng(10_000 + number).choice(WORDS, 13))


def changed_word(text: str) -> str:
    words = text.split()
    return " ".join([*words[:5], "otherword", *words[6:]])


def reworded(text: str) -> str:
    return " ".join(f"{word}ish" if word in WORDS else word for word in text.split()[::-1])


def punctuated(text: str) -> str:
    return "- " + text.upper().replace(" ", "  ", 2) + " !!"


#: How the copy differs from the original, besides its id, its thread and its author.
KINDS = {
    "exact": lambda one, n: {},
    "case": lambda one, n: {"prompt": one.prompt.upper(), "completion": one.completion.title()},
    "space": lambda one, n: {"prompt": one.prompt.replace(" ", " \n\t"), "completion": f" {one.completion}\u200b "},
    "punctuation": lambda one, n: {"prompt": punctuated(one.prompt), "completion": punctuated(one.completion)},
    "one word changed in the prompt": lambda one, n: {"prompt": changed_word(one.prompt)},
    "one word changed in the completion": lambda one, n: {"completion": changed_word(one.completion)},
    "same prompt, other completion": lambda one, n: {"completion": another(n)},
    "within a longer text": lambda one, n: {
        "prompt": f"{another(n)} {one.prompt} {another(n + 500)}",
        "completion": f"{another(n + 600)} {one.completion} {another(n + 700)}",
    },
    "both within a longer prompt": lambda one, n: {
        "prompt": f"{another(n)} {one.prompt} {another(n + 500)} {one.completion}", "completion": another(n + 800),
    },
    "in other words": lambda one, n: {"prompt": reworded(one.prompt), "completion": reworded(one.completion)},
    "same thread": lambda one, n: {
        "prompt": another(n), "completion": another(n + 900), "thread_key": one.thread_key,
    },
    "same author's burst": lambda one, n: {
        "prompt": another(n), "completion": another(n + 900), "author": one.author,
        "written_at": one.written_at + timedelta(minutes=50),
    },
}  # fmt: skip
#: Kin by origin alone: their texts tell nothing about one another.
BY_ORIGIN = ("same thread", "same author's burst")


def a_copy(one: TrainingExample, kind: str, number: int) -> TrainingExample:
    changes: dict[str, Any] = {
        "example_id": f"copy-{number:03}", "thread_key": f"copied thread {number}", "author": f"copier {number}",
        "approved_at": EPOCH + timedelta(days=500 + number), "written_at": EPOCH + timedelta(days=500 + number),
    } | KINDS[kind](one, number)  # fmt: skip
    copied = replace(one, **changes)
    return replace(copied, embedding=embed([copied.prompt])[0])


def find_none(examples: Sequence[Relative], **_: object) -> Kinship:
    """The guard taken out."""
    return Kinship([frozenset() for _ in examples], [])


def split_of(examples: Sequence[TrainingExample], **changes: object) -> Split:
    values = {"seed": 1, "validation_share": 0.2, "test_share": 0.4, "near_duplicate": 92.0, "embed": embed} | changes
    split = freeze_split(examples, **values)  # type: ignore[arg-type]
    assert isinstance(split, Split), split
    return split


def pool_of_a_run(train: Sequence[TrainingExample], unseen: Sequence[TrainingExample] = ()) -> Pool:
    frozen = Frozen(
        dataset_id="", instructions="", version=1, train=list(train), validation=[], test=list(unseen)
    )  # fmt: skip
    return Rows(Lengths(None, 0), Recipe(name="x"), has_labels=False, embed=embed).pool(frozen)


def count_leaks(split: Split) -> int:
    """Copies that are on another side than their original."""
    side = {one: name for name in ("train", "validation", "test") for one in getattr(split, name)}
    pairs = [(f"original-{number:03}", f"copy-{number:03}") for number in range(ORIGINALS)]
    return sum(side[a] != side[b] for a, b in pairs if a in side and b in side)


@pytest.fixture(scope="module", params=KINDS)
def planted(request: pytest.FixtureRequest) -> tuple[str, list[TrainingExample]]:
    """Originals, a copy of each, and as many that are nobody's copy."""
    originals = [an_original(number) for number in range(ORIGINALS)]
    copies = [a_copy(one, request.param, number) for number, one in enumerate(originals)]
    return request.param, [*originals, *copies, *(an_original(200 + number) for number in range(ORIGINALS))]


def test_copies_that_are_kept_unseen_are_in_their_originals_group_and_nothing_else_is(
    planted: tuple[str, list[TrainingExample]],
) -> None:
    kind, examples = planted
    split = split_of(examples)
    assert set(split.kin_groups) == set(split.test)
    members: dict[int, set[str]] = {}
    for one, group in split.kin_groups.items():
        members.setdefault(group, set()).add(one.removeprefix("original-").removeprefix("copy-"))
    assert all(len(numbers) == 1 for numbers in members.values())
    if kind not in ("exact", "case", "space"):  # of a repeat only one is left
        assert len(members) < len(split.test)
    assert len(set(split_of(examples, find_kin=find_none).kin_groups.values())) == len(
        split_of(examples, find_kin=find_none).test
    )


def test_a_chain_of_kin_is_one_group_and_what_is_not_asked_about_links_nothing() -> None:
    kin = Kinship([frozenset("a"), frozenset("ab"), frozenset(), frozenset("b"), frozenset("c")], [(2, 4)])
    assert kin.group([0, 1, 2, 3, 4]) == {0: 0, 1: 0, 3: 0, 2: 1, 4: 1}
    assert kin.group([0, 3, 2]) == {0: 0, 3: 1, 2: 2}  # 1 is what links 0 and 3


def test_no_copy_is_on_another_side_than_its_original(planted: tuple[str, list[TrainingExample]]) -> None:
    kind, examples = planted
    assert count_leaks(split_of(examples)) == 0
    assert count_leaks(split_of(examples, newest_from=100)) == 0  # the test side drawn by time
    if kind in ("exact", "case", "space"):
        return  # repeats: one of the two is left out anyhow
    if kind != "same thread":  # one conversation also draws one side
        assert count_leaks(split_of(examples, find_kin=find_none)) > ORIGINALS / 4
    assert count_leaks(split_of(examples, find_kin=find_none, newest_from=100)) > ORIGINALS / 4


@pytest.mark.parametrize("newest_from", [0, 60], ids=["by hash", "by time"])
def test_no_copy_of_what_was_learnt_and_is_gone_since_is_unseen(
    planted: tuple[str, list[TrainingExample]], newest_from: int
) -> None:
    """A better text replaces what an adapter has learnt: the adapter is not judged by what tells about the old one."""
    kind, examples = planted
    originals, copies, strangers = (examples[n * ORIGINALS : (n + 1) * ORIGINALS] for n in range(3))
    before = split_of([*originals, *strangers])
    taught = {*before.train, *before.validation}
    gone = [one for one in originals if one.example_id in taught]
    left = [one for one in originals if one.example_id not in taught]
    newer = [copy for one, copy in zip(originals, copies, strict=True) if one.example_id in taught]

    def count(gone: Sequence[TrainingExample]) -> int:
        now = split_of([*left, *newer, *strangers], taught=taught, gone=gone, newest_from=newest_from)
        assert {*now.train, *now.validation, *now.test, *now.torn}.isdisjoint(one.example_id for one in gone)
        return len({one.example_id for one in newer}.intersection(now.test))

    assert count(gone) == 0
    # One conversation also draws one side, and what is of one burst is of one time.
    if (kind, newest_from) not in (("same thread", 0), ("same author's burst", 60)):
        assert count([]) > len(newer) / 5


def test_what_is_nobodys_copy_is_not_taken_for_one(planted: tuple[str, list[TrainingExample]]) -> None:
    _, examples = planted
    kin = find_kin(examples, near_duplicate=92.0, embed=embed)
    strangers = range(2 * ORIGINALS, 3 * ORIGINALS)
    assert not [(a, b) for a, b in itertools.combinations(strangers, 2) if kin.are_kin(a, b)]


def test_no_copy_is_shown_in_the_prompt_of_its_original(planted: tuple[str, list[TrainingExample]]) -> None:
    """Also where the sides are wrong: all copies stand on the training side here, all originals are unseen."""
    kind, examples = planted
    originals, copies = examples[:ORIGINALS], examples[ORIGINALS : 2 * ORIGINALS]
    pool = pool_of_a_run([*copies, *examples[2 * ORIGINALS :]], originals)
    choice = Choice(k=8, min_similarity=-1.0)

    def count(pool: Pool) -> int:
        prompts = [prompt_for("retrieved", "", one, pool=pool, choice=choice) for one in originals]
        shown = [{message["content"] for message in prompt[:-1]} for prompt in prompts]
        return sum(copied.prompt in there for copied, there in zip(copies, shown, strict=True))

    if kind in BY_ORIGIN:  # their texts are not alike, so being shown tells nothing; the split keeps them apart
        return
    assert count(pool) == 0
    unguarded = Pool([*copies, *examples[2 * ORIGINALS :]], originals, embed=embed, find_kin=find_none)
    assert count(unguarded) > ORIGINALS / 2


def test_no_copy_is_among_the_fixed_examples(planted: tuple[str, list[TrainingExample]]) -> None:
    _, examples = planted
    split = split_of(examples)
    by_id = {one.example_id: one for one in examples}
    pool = pool_of_a_run([by_id[one] for one in split.train], [by_id[one] for one in split.test])
    unseen = {one.split("-")[1] for one in split.test}
    shots = pool.choose_shots(Choice(k=len(split.train)))
    assert len(shots) > 10
    assert not [one for one in shots if one.example_id.split("-")[1] in unseen]


def test_rows_for_training_show_no_copy_of_what_they_teach(planted: tuple[str, list[TrainingExample]]) -> None:
    kind, examples = planted
    pool = pool_of_a_run(examples)
    for original, copied in zip(examples[:ORIGINALS], examples[ORIGINALS : 2 * ORIGINALS], strict=True):
        shown = {one.example_id for one in pool.retrieve(original, Choice(k=8, min_similarity=-1.0))}
        assert shown
        assert original.example_id not in shown
        assert kind in BY_ORIGIN or copied.example_id not in shown


def test_a_style_that_one_person_taught_in_one_sitting_can_be_split() -> None:
    at_once = [
        replace(an_original(number), author="one person", written_at=EPOCH + timedelta(seconds=10 * number))
        for number in range(100)
    ]
    split = split_of(at_once, newest_from=50)
    assert split.tested_since is None
    assert min(len(split.train), len(split.validation), len(split.test)) >= 10
    kin = find_kin(at_once, near_duplicate=92.0, embed=embed)
    assert all(kin.are_kin(0, other) for other in range(1, 8))  # few enough to be about one thing
    assert not kin.are_kin(0, 8)
    grown = split_of([*at_once, *(an_original(500 + number) for number in range(40))])
    assert set(split.test) <= set(grown.test)


def test_what_was_approved_after_the_freeze_is_left_out() -> None:
    examples = [an_original(number) for number in range(100)]
    split = split_of(examples, not_after=EPOCH + timedelta(days=80))
    assert sorted([*split.train, *split.validation, *split.test]) == [f"original-{n:03}" for n in range(81)]


# ------------------------------------------------------------------------------------------------ by time


def test_with_enough_dated_examples_the_newest_judge() -> None:
    examples = [an_original(number) for number in range(100)]
    split = split_of(examples, newest_from=100, test_share=0.2)
    assert sorted(split.test) == [f"original-{number:03}" for number in range(80, 100)]
    assert split.tested_since == EPOCH + timedelta(days=80)
    assert len(split.validation) > 5
    by_hash = split_of(examples, newest_from=101, test_share=0.2)
    assert by_hash.tested_since is None
    assert sorted(by_hash.test) != sorted(split.test)


def test_what_came_in_one_go_has_no_newest_part_and_is_drawn_by_hash() -> None:
    at_once = [replace(an_original(number), written_at=EPOCH) for number in range(100)]
    split = split_of([replace(one, author=None) for one in at_once], newest_from=50)
    assert split.tested_since is None
    assert split.test


def test_by_time_nothing_that_was_taught_is_ever_unseen_again() -> None:
    """A style grows, loses what was withdrawn, and is split anew each time: the boundary moves, yet no example that a
    run learnt from comes to judge a later one."""
    everything = [an_original(number) for number in range(300)]
    random = np.random.default_rng(3)
    taught: set[str] = set()
    were_by_time = []
    for size in (120, 160, 161, 220, 300):
        withdrawn = set(random.choice(size, size // 8, replace=False)) | set(range(size - 10, size - 4))
        approved = [one for number, one in enumerate(everything[:size]) if number not in withdrawn]
        split = split_of(approved, newest_from=100, test_share=0.15, taught=frozenset(taught))
        were_by_time.append(split.tested_since is not None)
        assert not taught & set(split.test)
        taught |= {*split.train, *split.validation}
    assert sum(were_by_time) >= 4
    fewer = everything[:290]
    assert set(split_of(fewer, newest_from=100, test_share=0.15).test) & taught  # it would be, otherwise

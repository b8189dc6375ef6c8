from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from config.choosing import Choice
from trainer.dataset import (
    NotEnough,
    Pool,
    Split,
    TrainingExample,
    freeze_split,
    prompt_for,
    to_trl,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"{a}{b}" for a in ("kra", "plu", "zem", "tor", "vli", "sno", "bep") for b in ("ko", "mi", "ra", "tu")]


def an_example(number: int, **changes: object) -> TrainingExample:
    random = np.random.default_rng(number)
    values: dict[str, object] = {
        "example_id": f"e{number:04}",
        "prompt": " ".join(random.choice(WORDS, 12)) + f" {number}",
        "completion": " ".join(random.choice(WORDS, 4)),
        "approved_at": EPOCH + timedelta(minutes=number),
        "embedding": random.normal(loc=1.0, size=384).astype(np.float32),
    }
    return TrainingExample(**{**values, **changes})  # type: ignore[arg-type]


def split_of(examples: list[TrainingExample], **changes: object) -> Split:
    values: dict[str, object] = {"seed": 1, "validation_share": 0.15, "test_share": 0.2}
    split = freeze_split(examples, **{**values, **changes})  # type: ignore[arg-type]
    assert isinstance(split, Split), split
    return split


def side_of(split: Split) -> dict[str, str]:
    return {i: side for side in ("train", "validation", "test") for i in getattr(split, side)}


@settings(max_examples=25, deadline=None)
@given(st.integers(60, 120), st.integers(1, 60), st.integers(0, 5), st.randoms(use_true_random=False))
def test_adding_examples_never_moves_an_old_one(before: int, more: int, seed: int, random) -> None:
    examples = [an_example(i, thread_key=f"t{random.randrange(80)}" if i % 3 == 0 else None) for i in range(before)]
    added = [
        an_example(
            before + i,
            thread_key=f"t{random.randrange(80)}" if i % 2 else None,
            prompt=random.choice(examples).prompt if i % 5 == 0 else an_example(before + i).prompt,
        )
        for i in range(more)
    ]
    old, new = split_of(examples, seed=seed), split_of([*examples, *added], seed=seed)
    assert {i: side for i, side in side_of(new).items() if i in side_of(old)} == side_of(old)


def test_the_order_in_which_examples_come_does_not_matter() -> None:
    examples = [an_example(i) for i in range(60)]
    assert split_of(examples) == split_of(examples[::-1])


def test_one_conversation_stays_on_one_side() -> None:
    split = split_of([an_example(i, thread_key=f"t{i % 30}") for i in range(120)])
    sides = side_of(split)
    for thread in range(30):
        assert len({sides[f"e{i:04}"] for i in range(thread, 120, 30)}) == 1


def test_near_duplicates_never_meet_across_sides() -> None:
    examples = []
    for i in range(60):
        original = an_example(i)
        near = original.prompt.upper().replace(" ", "  ", 1) + "!"
        examples += [original, an_example(1000 + i, prompt=near, completion=original.completion)]
    sides = side_of(split_of(examples))
    assert all(sides[f"e{i:04}"] == sides[f"e{1000 + i:04}"] for i in range(60))


def test_one_pair_repeated_500_times_counts_once() -> None:
    same = an_example(0)
    repeated = [an_example(i, prompt=same.prompt, completion=f" {same.completion.upper()} ") for i in range(1, 501)]
    split = split_of([same, *repeated, *[an_example(i) for i in range(600, 660)]])
    assert len(split.repeats) == 500
    assert set(split.repeats.values()) == {"e0000"}


def test_an_example_linked_to_two_sides_is_left_out_and_moves_nothing() -> None:
    old = [an_example(i, group_key=f"document {i}") for i in range(60)]
    sides = side_of(split_of(old))
    train, test = (next(e for e in old if sides[e.example_id] == side) for side in ("train", "test"))
    bridge = an_example(900, prompt=train.prompt, group_key=test.group_key)
    split = split_of([*old, bridge])
    assert split.torn == ("e0900",)
    assert side_of(split) == sides


def test_too_few_examples_say_how_many_are_missing() -> None:
    outcome = freeze_split(
        [an_example(i) for i in range(3)],
        seed=1,
        validation_share=0.1,
        test_share=0.15,
        min_train=13,
        min_validation=2,
        min_test=5,
    )
    assert isinstance(outcome, NotEnough)
    assert outcome.reason == "Not enough examples: 3 approved, 20 needed; approve 17 more, then train again."


def test_the_hash_changes_with_content_seed_and_instructions_and_with_nothing_else() -> None:
    examples = [an_example(i) for i in range(60)]
    original = split_of(examples).sha256
    assert original.startswith("sha256:")
    assert original == split_of(examples).sha256
    edited = [*examples[:-1], an_example(59, completion="something else")]
    hashes = {original, split_of(edited).sha256, split_of(examples, seed=2).sha256}
    assert len({*hashes, split_of(examples, instructions="Be brief.").sha256}) == 4


def test_rows_are_in_trl_format_and_what_is_too_long_is_listed_with_its_reason_never_cut() -> None:
    short, long = an_example(1, prompt="short"), an_example(2, prompt="long " * 50)
    rows, skipped = to_trl(
        [short, long],
        instructions="Be brief.",
        count_tokens=lambda messages: sum(len(m["content"].split()) for m in messages),
        max_tokens=20,
    )
    assert rows == [
        {
            "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "short"}],
            "completion": [{"role": "assistant", "content": short.completion}],
        }
    ]
    assert [(s.example_id, s.reason) for s in skipped] == [("e0002", "56 tokens, 20 allowed")]


def test_a_prompt_with_retrieved_examples_never_holds_its_own_answer() -> None:
    examples = [an_example(i) for i in range(20)]
    rows, _ = to_trl(examples, instructions="", pool=Pool(examples, embed=None), choice=Choice(k=3))
    for example, row in zip(examples, rows, strict=True):
        shown = [m["content"] for m in row["prompt"][:-1]]
        assert len(shown) == 6
        assert example.completion not in shown
        assert example.prompt not in shown


def test_fewer_examples_are_shown_where_the_prompt_would_grow_too_long() -> None:
    examples = [an_example(i) for i in range(20)]
    rows, skipped = to_trl(
        examples,
        instructions="",
        count_tokens=lambda messages: 10 * len(messages),
        max_tokens=45,
        pool=Pool(examples, embed=None),
        choice=Choice(k=3),
    )
    assert not skipped
    assert {len(row["prompt"]) for row in rows} == {3}


def test_every_rung_gets_the_prompt_it_is_served_with() -> None:
    examples = [an_example(i) for i in range(10)]
    pool = Pool(examples[1:], examples[:1], embed=None)
    build = {
        rung: prompt_for(rung, "Be brief.", examples[0], shots=examples[1:3], pool=pool, choice=Choice(k=4))
        for rung in ("zero_shot", "few_shot", "retrieved", "lora", "lora_retrieved")
    }
    assert {rung: len(prompt) for rung, prompt in build.items()} == {
        "zero_shot": 2,
        "few_shot": 6,
        "retrieved": 10,
        "lora": 2,
        "lora_retrieved": 10,
    }

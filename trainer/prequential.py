"""Prequential evaluation: where there are too few pairs to keep some unseen, each approved one is first predicted from
those before it, and then joins them, so that none is wasted (Dawid 1984; for small data arXiv 2512.19879).

Only rungs without weights of their own can be measured so: an adapter would have to be trained anew for every pair. The
method stands here with its tests; no run judges by it yet, a style with too few pairs hears how many are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from config.choosing import Choice, Retriever, choose_covering
from config.likeness import NEAR_DUPLICATE
from config.prompts import ChatMessages, build_prompt
from config.rungs import Rung
from trainer.dataset import TrainingExample, age
from trainer.kinship import Embed, find_kin

S = TypeVar("S")

#: Pairs that are only learnt from, so that the first prediction has something to go by.
FIRST = 4


def predict_in_turn(
    examples: Sequence[TrainingExample],
    score: Callable[[TrainingExample, Sequence[TrainingExample]], S],
    *,
    first: int = FIRST,
    near_duplicate: float = NEAR_DUPLICATE,
    embed: Embed | None = None,
) -> list[S]:
    """What `score(example, earlier)` says of each example from the `first` on, in the order of approval.

    `earlier` are those approved before it, without what tells about it (`trainer.kinship`): near-copies, its own
    conversation, its author's burst. The same examples give the same result in whatever order they come.
    """
    ordered = sorted(examples, key=age)
    kin = find_kin(ordered, near_duplicate=near_duplicate, embed=embed)
    return [
        score(example, [ordered[other] for other in range(index) if not kin.are_kin(index, other)])
        for index, example in enumerate(ordered)
        if index >= first
    ]


def prompts_in_turn(
    examples: Sequence[TrainingExample],
    rung: Rung,
    instructions: str,
    choice: Choice,
    *,
    first: int = FIRST,
    near_duplicate: float = NEAR_DUPLICATE,
    embed: Embed | None = None,
) -> list[tuple[TrainingExample, ChatMessages]]:
    """Each example with the prompt that the rung would have had for it on the day it was approved.

    Raises ValueError for a rung that needs an adapter.
    """
    if rung.needs_adapter:
        raise ValueError(f"{rung.value} has weights of its own, which cannot be trained anew for every pair")

    def prompt(example: TrainingExample, earlier: Sequence[TrainingExample]) -> tuple[TrainingExample, ChatMessages]:
        shown: list[TrainingExample] = []
        if rung is Rung.FEW_SHOT:
            shown = choose_covering(earlier, choice)
        elif rung.uses_retrieval:
            shown = [one.example for one in Retriever(earlier).retrieve(example.prompt, example.embedding, choice)]
        return example, build_prompt(instructions, example.prompt, [one.pair for one in shown])

    return predict_in_turn(examples, prompt, first=first, near_duplicate=near_duplicate, embed=embed)

"""Which approved examples stand in a prompt: the ones most like the request, or a fixed set that covers the style."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from config.choosing import Choice, choose_covering
from config.kinship import Embed, kin_by_text
from config.prompt_sources import PromptSource
from db.datasets import SplitName, find_dataset_of_run, list_dataset_examples
from db.examples import Example, list_approved_examples
from db.scope import Scope
from db.search import Hit, as_candidates, find_fixed_examples, find_similar_examples
from db.styles import Style

#: No embedding could be had: examples are compared by words.
NO_VECTOR: NDArray[np.float32] = np.zeros(0, dtype=np.float32)


def retrieve_examples(
    session: Session, style: Style, request: str, vector: NDArray[np.float32], *, embedding_model: str, choice: Choice,
    barred: Collection[str] = frozenset(),
) -> list[Hit]:  # fmt: skip
    """The approved examples most like the request, the least like it first, as in training; none that is barred (ids).

    `vector` is the request's embedding of shape [dimensions], or NO_VECTOR.
    """
    hits = find_similar_examples(
        session, style.style_id, style.scope, vector, embedding_model=embedding_model, choice=choice, request=request,
        barred=barred,
    )  # fmt: skip
    return hits[::-1]


def choose_fixed_examples(
    session: Session, style: Style, *, run_id: str | None, embedding_model: str, choice: Choice,
    barred: Collection[str] = frozenset(),
) -> list[Example]:  # fmt: skip
    """The `few_shot` examples: always the same ones until the next run.

    They come from what the champion's run trained on, as when the rung was measured, less what was withdrawn since;
    without a run, from all approved examples.
    """
    return find_fixed_examples(
        session, style.style_id, style.scope, embedding_model=embedding_model, choice=choice,
        members=_trained_on(session, run_id), barred=barred,
    )  # fmt: skip


def list_kin(
    example: Example, shown: Sequence[Example], *, embedding_model: str, near_duplicate: float, embed: Embed
) -> frozenset[str]:
    """Ids of the shown examples whose texts tell about this one: a run shows none of them in its prompt. `embed` as in
    `config.kinship`; raises what it raises."""
    candidates = as_candidates([example, *shown], embedding_model)
    kin = kin_by_text(candidates, near_duplicate=near_duplicate, embed=embed)
    return frozenset(one.example_id for index, one in enumerate(candidates) if index and kin.are_kin(0, index))


#: A demonstration is short: a small model reads three of them before the text that it is asked about.
DEMONSTRATED_PROMPT_CHARS = 300
DEMONSTRATED_COMPLETION_CHARS = 1_000


def choose_demonstrations(
    session: Session, style: Style, scope: Scope, *, embedding_model: str, k: int
) -> list[Example]:
    """Approved examples that show how a text and its request belong together: short ones that cover the style.

    None whose request the model suggested by itself: it would only learn from its own words.
    """
    short = [
        example
        for example in list_approved_examples(session, style.style_id, scope)
        if len(example.prompt) <= DEMONSTRATED_PROMPT_CHARS
        and len(example.completion) <= DEMONSTRATED_COMPLETION_CHARS
        and example.prompt_source is not PromptSource.SUGGESTED
    ]
    return _choose_covering(short, embedding_model, Choice(k=k))


def _choose_covering(examples: Sequence[Example], embedding_model: str, choice: Choice) -> list[Example]:
    by_id = {one.example_id: one for one in examples}
    return [by_id[one.example_id] for one in choose_covering(as_candidates(examples, embedding_model), choice)]


def _trained_on(session: Session, run_id: str | None) -> frozenset[str]:
    dataset = find_dataset_of_run(session, run_id) if run_id else None
    if dataset is None:
        return frozenset()
    members = list_dataset_examples(session, dataset.dataset_id)
    return frozenset(frozen.example_id for frozen, _ in members if frozen.split is SplitName.TRAIN)

"""What a run does besides for a style that classifies: its labels, and the rungs without the language model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.choosing import spread_evenly
from config.kinship import kin_by_origin
from config.labels import collect_labels, vote
from config.likeness import normalise
from config.prompts import ChatMessages
from config.rungs import Rung
from config.sentences import Note, note
from trainer.calibration import Scores, fit_calibration
from trainer.classifier import fit_classifier, load_classifier
from trainer.dataset import Pool, TrainingExample
from trainer.errors import NotEnoughExamples
from trainer.labelling import LabelPrompts, label_card
from trainer.metrics import Scorecard
from trainer.recipe import Recipe
from trainer.registry import Frozen


def known_labels(frozen: Frozen) -> tuple[str, ...]:
    """Those of the training side: what an answer may be while the rungs are measured. Raises NotEnoughExamples."""
    labels = collect_labels(one.completion for one in frozen.train)
    if len(labels) < 2:
        raise NotEnoughExamples(_ONE_LABEL)
    return labels


def rare_labels(frozen: Frozen) -> tuple[Note, ...]:
    """What has to be said where there are more labels than an answer is chosen from."""
    labels, known = len(collect_labels((one.completion for one in frozen.train), limit=None)), known_labels(frozen)
    if labels == len(known):
        return ()
    return (
        note(
            "of {labels} labels the {known} most frequent can be answers, and texts of the others count as wrong; "
            "merge rare labels by editing their examples",
            labels=labels, known=len(known),
        ),
    )  # fmt: skip


#: So many pairs of the training side calibrate the neighbours at most: each is a search.
MOST_LEFT_OUT = 400
#: Pairs of a group that is a larger share of the training side do not.
MOST_OF_A_GROUP = 0.2

_ONE_LABEL = note(
    "All examples to learn from have the same label, so there is nothing to choose; approve examples of another label, "
    "then train again."
)


def label_prompts(frozen: Frozen, prompt_of: Callable[[TrainingExample], ChatMessages], recipe: Recipe) -> LabelPrompts:
    """The known labels, and the validation side's prompts under one candidate."""
    return LabelPrompts(
        labels=known_labels(frozen),
        prompts=tuple(prompt_of(one) for one in frozen.validation),
        truths=tuple(one.completion for one in frozen.validation),
        target_precision=recipe.labels.target_precision,
    )


def score_without_model(key: str, folder: Path | None, frozen: Frozen, recipe: Recipe, pool: Pool) -> Scorecard:
    """A rung without the language model; `folder` is that of a classifier, None where the neighbours vote."""
    if folder is None:
        return score_neighbours(key, frozen, recipe, pool)
    return score_logistic(key, folder, frozen, recipe)


def score_neighbours(key: str, frozen: Frozen, recipe: Recipe, pool: Pool) -> Scorecard:
    """The rung `neighbours`, as serving votes: from the training side alone, which `pool` holds.

    Nothing is fitted, so the training side can calibrate it, too: each pair by the votes of the others.
    """
    labels = known_labels(frozen)
    choice = recipe.choice(Rung.NEIGHBOURS)
    left_out, kin = _left_out(frozen.train)

    def scores(side: Sequence[TrainingExample]) -> Scores:
        rows = np.zeros((len(side), len(labels)))
        for row, one in enumerate(side):
            found = pool.find(one, choice, barred=kin.get(one.example_id, ()))
            votes = vote(labels, [(hit.example.completion, hit.similarity) for hit in found])
            rows[row] = [votes[label] for label in labels]
        return rows

    return _without_model(key, frozen, recipe, labels, scores, left_out)


def _left_out(side: Sequence[TrainingExample]) -> tuple[list[TrainingExample], dict[str, set[str]]]:
    """Pairs of the training side to calibrate on; and id → who is not there when a text like it comes in, as none is on
    the other side of the split: those of the same conversation, group or burst, itself too.

    No pair whose label none of the others has: how many labels are known, the validation side says. And none of a group
    so large that without it the training side would be another one.
    """
    groups: dict[int, list[TrainingExample]] = {}
    numbers = kin_by_origin(side).group(range(len(side)))
    for index, one in enumerate(side):
        groups.setdefault(numbers[index], []).append(one)
    group_of = {one.example_id: groups[numbers[index]] for index, one in enumerate(side)}
    times = Counter(normalise(one.completion) for one in side)
    pairs, kin = [], {}
    for one in spread_evenly(list(side), MOST_LEFT_OUT):
        label, group = normalise(one.completion), group_of[one.example_id]
        is_known = times[label] > sum(normalise(other.completion) == label for other in group)
        if is_known and len(group) <= MOST_OF_A_GROUP * len(side):
            pairs.append(one)
            kin[one.example_id] = {other.example_id for other in group}
    return pairs, kin


def fit_logistic(frozen: Frozen, embedding_model: str, folder: Path) -> None:
    """Fit the rung `logistic` on the training side and save it. The same side gives the same classifier."""
    labels = known_labels(frozen)
    classifier = fit_classifier(
        labels, _vectors(frozen.train), [one.completion for one in frozen.train],
        _vectors(frozen.validation), [one.completion for one in frozen.validation], embedding_model=embedding_model,
    )  # fmt: skip
    classifier.save(folder)


def score_logistic(key: str, folder: Path, frozen: Frozen, recipe: Recipe) -> Scorecard:
    """The rung `logistic` of this folder, which this run or an earlier one fitted."""
    classifier = load_classifier(folder)

    def scores(side: Sequence[TrainingExample]) -> Scores:
        return classifier.scores(_vectors(side))

    return _without_model(key, frozen, recipe, classifier.labels, scores)


def _vectors(side: Sequence[TrainingExample]) -> NDArray[np.float32]:
    return np.stack([one.embedding for one in side if one.embedding is not None])  # [examples, dimensions]


def _without_model(
    key: str, frozen: Frozen, recipe: Recipe, labels: Sequence[str],
    scores: Callable[[Sequence[TrainingExample]], Scores], left_out: Sequence[TrainingExample] = (),
) -> Scorecard:  # fmt: skip
    """A candidate that needs no language model: calibrated on validation, and on what of the training side can be asked
    as if it were unseen; measured on the same unseen pairs."""
    unseen = frozen.judging(recipe.evaluation.max_pairs)
    calibration = fit_calibration(
        labels, scores(frozen.validation), [one.completion for one in frozen.validation],
        target_precision=recipe.labels.target_precision,
        besides=(scores(left_out), [one.completion for one in left_out]) if left_out else None,
    )  # fmt: skip
    began = time.monotonic()
    found = scores(unseen)
    return label_card(
        key, labels, found, [(one.example_id, one.completion) for one in unseen], calibration,
        seconds=time.monotonic() - began,
    )  # fmt: skip

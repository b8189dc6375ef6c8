"""How a style that classifies comes to its answer: one of its own labels, and how sure that is.

The labels are those of the approved examples at this moment. What makes probabilities of scores, and how probable an
answer has to be, comes from the candidate's last measurement.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.errors import NotYet
from bot.texts import labels as texts
from config.labels import Calibration, collect_labels, read_calibration, vote
from config.rungs import Rung
from db.examples import list_approved_examples
from db.scorecards import find_latest_scorecard
from db.session import Database
from db.styles import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """What an answer is chosen from, and by what measure."""

    labels: tuple[str, ...]
    calibration: Calibration
    #: The scores in nats where no model has to be asked for them.
    scores: dict[str, float] | None = None


def plan_labelling(
    database: Database, style: Style, rung: Rung, base_model: str, adapter_name: str,
    *, neighbours: list[tuple[str, float]], barred: Collection[str] = frozenset(),
) -> Labelling:  # fmt: skip
    """`neighbours`: (label, similarity) of the nearest examples, where the rung is that. `barred`: ids of examples
    whose labels are not known yet. Raises NotYet with fewer than two labels."""
    with database.read() as session:
        examples = list_approved_examples(session, style.style_id, style.scope)
        row = find_latest_scorecard(
            session, style.style_id, style.scope, rung=rung, base_model=base_model, adapter_name=adapter_name
        )
    labels = collect_labels(one.completion for one in examples if one.example_id not in barred)
    if len(labels) < 2:
        raise NotYet(texts.NO_LABELS())
    return Labelling(
        labels=labels, calibration=read_calibration(row.card.get("calibration") if row else None),
        scores=vote(labels, neighbours) if rung is Rung.NEIGHBOURS else None,
    )  # fmt: skip

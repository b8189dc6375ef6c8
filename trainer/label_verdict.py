"""What a verdict on a style that classifies says besides: how often the two candidates are right. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from config.sentences import note
from trainer.label_metrics import accuracy
from trainer.metrics import Scorecard
from trainer.promotion import Promote, Verdict


def with_accuracy(verdict: Verdict, champion: str, cards: Mapping[str, Scorecard]) -> Verdict:
    """The same verdict, with the shares of right answers of the champion and of the candidate that it speaks of. The
    gate decides by the log score, so whoever reads it sees where accuracy says something else."""
    ranked = sorted(verdict.comparisons, key=lambda one: -one.gain.mean)
    other = verdict.rung if isinstance(verdict, Promote) or verdict.rung != champion else None
    other = other or (ranked[0].rung if ranked else None)
    if other is None or not (cards[other].has_labels and cards[champion].has_labels):
        return verdict
    clause = note(
        "{other} names the right label for {share:.0%} of the unseen texts, {champion} for {before:.0%}",
        other=other, share=accuracy(cards[other].pairs), champion=champion, before=accuracy(cards[champion].pairs),
    )  # fmt: skip
    return replace(verdict, also=(clause, *verdict.also))

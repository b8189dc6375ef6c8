"""What people decided in a blind trial, before what was measured: a candidate that lost against the champion is not
promoted over it. Pure.

Bits per byte on unseen pairs stand in for what people prefer; where people have said, they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from config.rungs import Rung
from config.sentences import Note, note
from trainer.metrics import Scorecard
from trainer.promotion import Keep, MoveDown, Policy, Promote, Verdict, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLoss:
    """A blind trial against the champion: comparisons with a preference, and those of them that it won."""

    wins: int
    decided: int


def heed_trials(
    verdict: Verdict, champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy,
    rungs: Mapping[str, Rung], losses: Mapping[str, TrialLoss], *, besides: Sequence[Note] = (),
) -> Verdict:  # fmt: skip
    """The same verdict, unless it speaks for a candidate that lost (`losses`, by its key): then for the best of the
    others, or for the champion, saying why. `besides`: what the verdict says of those that are no challengers any more,
    which is true of any other, too."""
    if not isinstance(verdict, Promote | MoveDown) or verdict.rung not in losses:
        return verdict
    others = decide(champion, [card for card in challengers if card.rung not in losses], policy, rungs)
    if isinstance(others, Promote | MoveDown):
        return replace(others, comparisons=verdict.comparisons, also=(*others.also, *besides))
    loss = losses[verdict.rung]
    why = note(
        "Stay on {champion}: {best} measures better or as good, but people preferred {champion} in a blind trial, "
        "where {best} was chosen in {wins} of {decided} comparisons with a preference.",
        champion=champion.rung, best=verdict.rung, wins=loss.wins, decided=loss.decided,
    )  # fmt: skip
    return Keep(rung=champion.rung, why=why, comparisons=verdict.comparisons, also=tuple(besides))

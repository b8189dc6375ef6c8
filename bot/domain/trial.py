"""When a blind trial may end: the challenger's wins among decided comparisons, looked at after every tap. Pure.

The rule is anytime-valid: it may be looked at after each tap, and stopped at any of them, and still decides wrongly in
at most ERROR_RATE of trials. It is a bet against "nobody can tell them apart". With w wins and l losses,

    M(better) = ∫ (2p)^w (2(1-p))^l dp / ½   over p from ½ to 1,     M(worse) the same over p from 0 to ½

is what a gambler has who began with 1 and bet at fair odds; both are non-negative martingales when every decided tap is
a win with probability ½ given all taps before it, so each ever reaches 1/a with probability at most a (Ville 1939; the
mixture is Robbins's, "Statistical methods related to the law of the iterated logarithm", 1970). `better` needs no more
than a probability of *at most* ½, so a challenger that is really worse is promoted no more often. Each side is given
half of ERROR_RATE. The interval is the confidence sequence of the same mixture over all of 0 to 1 (Darling & Robbins
1967): the win rates that a bet against them has not refuted. It holds the true one at all looks together in 95 % of
trials, and leaves out ½ whenever the rule has decided.

One person may tap often. That does not cost the guarantee: which of the two texts is the challenger's is a fair coin of
its own for each comparison, thrown on the server before anything is written and unknown to whoever taps. As long as the
two cannot be told apart by what is written, each decided tap is a win with probability ½ whatever was tapped before and
by whom, also by somebody who always presses A; taps need not be independent, nor come from many people. What one person
who taps often does change is whose taste is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

#: Of all trials between equals, whenever they are looked at and stopped: `better` and `worse` together.
ERROR_RATE = 0.05
_BISECTIONS = 50


class Outcome(StrEnum):
    """What the taps so far say."""

    GO_ON = "go_on"  #: Too few to tell.
    BETTER = "better"  #: The challenger, beyond the noise.
    WORSE = "worse"  #: The champion is better, beyond the noise.
    NO_DIFFERENCE = "no_difference"  #: As many comparisons as there may be, and still not to be told apart.


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The answers of a trial so far, from the challenger's side."""

    wins: int = 0
    losses: int = 0
    #: "No difference", and texts that came out the same.
    ties: int = 0

    @property
    def decided(self) -> int:
        return self.wins + self.losses

    @property
    def answered(self) -> int:
        return self.decided + self.ties


def judge(tally: Tally, most: int) -> Outcome:
    """Stop or go on, after any tap. `most`: answers after which a trial ends whatever they say."""
    if evidence(tally.wins, tally.losses) >= 2 / ERROR_RATE:
        return Outcome.BETTER
    if evidence(tally.losses, tally.wins) >= 2 / ERROR_RATE:
        return Outcome.WORSE
    return Outcome.NO_DIFFERENCE if tally.answered >= most else Outcome.GO_ON


def evidence(wins: int, losses: int) -> float:
    """M(better): how many times its stake a bet on p > ½ has won. M(worse) is the same with the numbers exchanged.

    Exact: the integral is a tail of Pascal's triangle.
    """
    decided = wins + losses
    tail = sum(math.comb(decided + 1, k) for k in range(wins + 1))
    return tail / ((decided + 1) * math.comb(decided, wins))


def win_rate_interval(wins: int, losses: int) -> tuple[float, float]:
    """The challenger's win rate among decided comparisons, lowest and highest, at all looks together."""
    decided = wins + losses
    if decided == 0:
        return 0.0, 1.0
    rate = wins / decided
    return _edge(wins, losses, 0.0, rate), _edge(wins, losses, 1.0, rate)


def _edge(wins: int, losses: int, outside: float, inside: float) -> float:
    """Where the bet against a win rate begins to refute it, between the end of the scale and what was seen."""
    if _is_possible(wins, losses, outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if _is_possible(wins, losses, middle) else (middle, inside)
    return inside


def _is_possible(wins: int, losses: int, rate: float) -> bool:
    """Is this win rate not refuted?"""
    if (rate <= 0 and wins) or (rate >= 1 and losses):
        return False
    log_seen = (wins * math.log(rate) if wins else 0.0) + (losses * math.log1p(-rate) if losses else 0.0)
    decided = wins + losses
    log_mixture = -math.log(decided + 1) - math.log(math.comb(decided, wins))
    return log_mixture - log_seen < -math.log(ERROR_RATE)

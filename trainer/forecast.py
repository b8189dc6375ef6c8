"""How many more examples? A learning curve from subsamples, carried on to sizes that nobody has trained on yet.

The curve is a power law with a floor, score(n) = floor + a·n^(-c), in bits per byte of the unseen pairs. Two to four
points cannot fix three numbers and their noise, so the answer is a distribution over curves, not one fit (Domhan et
al. 2015 do so for curves over time; Viering & Loog 2021, arXiv 2103.10948, review power laws with a floor over
examples, and what point estimates of them miss). Three kinds of not-knowing are in it:

- which pairs happened to be the unseen ones: every draw resamples whole pairs, and of pairs that tell about one another
  all or none, the same for all points and both candidates (the paired bootstrap of `trainer.metrics`);
- the training's own luck, which pairs it saw and where its weights began: a relative error per point, itself uncertain;
- the curve's bend, which few points hardly show: a prior on the exponent.

Priors. The exponent c: log-normal, median 0.3, 90 % in 0.08 to 1.1. Hestness et al. 2017 (arXiv 1712.00409) found 0.07
to 0.35 from the data of four fields, without a floor; a floor makes the rest of the curve steeper, hence the room
upwards. The drop from half the examples to all of them: half-normal, 8 % of the score (6 % was measured from 50 to 100
and from 100 to 200 pairs). The luck of a training: see `LUCK`. All of them are wide on purpose, and their worth is
measured by `tests/benchmarks/ladder/forecast.py`. Pure: numpy alone, seeded, the same points give the same forecast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from config.resampling import number_groups, sum_by_group
from trainer.metrics import Interval, Scorecard

Floats = NDArray[np.float64]

#: Every interval of a forecast: 9 of 10 should hold.
CONFIDENCE = 0.9
#: Nothing is said about more examples than this.
LIMIT_EXAMPLES = 10_000
#: Standard deviation of a training's score over what it happened to draw, relative to the score, at 100 pairs.
LUCK = 0.015
#: How uncertain that is: a factor, log-normal.
LUCK_SPREAD = 0.4
#: The exponent's median, and its spread as a factor (log-normal).
EXPONENT, EXPONENT_SPREAD = 0.3, 0.8
#: Half-normal scale of the drop from half of the examples to all, relative to the score.
DROP = 0.08
#: Draws from the posterior, and from the prior to choose them from.
DRAWS, PARTICLES = 1000, 3000
#: Sizes to a doubling: in the table, and where a crossing is looked for.
STEPS_PER_DOUBLING, STEPS_TO_CROSS = 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What one candidate scored at each size, on the same unseen pairs."""

    #: Training pairs, ascending.
    sizes: tuple[int, ...]
    #: (sizes, pairs): bits that each unseen pair's reference needs.
    bits: Floats
    #: A candidate that stays as it is, however many examples come: an earlier adapter, or a prompt without examples.
    is_constant: bool = False
    #: (pairs,): the number of each pair's group, of those that tell about one another; None where each stands alone.
    groups: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or len(self.sizes) != len(self.bits) or not self.bits.size:
            raise ValueError("A curve needs a row of bits for each size.")
        if any(a >= b for a, b in zip(self.sizes, self.sizes[1:], strict=False)) or self.sizes[0] < 1:
            raise ValueError("A curve's sizes rise.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Curves as the points allow them: score(n) = level + drop · bend(n), one a draw."""

    size: int  #: Where `level` is the score: the largest size measured.
    level: Floats
    drop: Floats  #: From half of `size` to `size`; 0 for a candidate that does not change.
    exponent: Floats
    luck: Floats  #: Relative, at 100 pairs.

    def latent(self, sizes: ArrayLike) -> Floats:
        """(draws, sizes): the score to be expected there, the luck of one training left out."""
        n = np.asarray(sizes, dtype=float)
        return self.level[:, None] + self.drop[:, None] * _bend(n[None, :] / self.size, self.exponent[:, None])

    def observed(self, sizes: ArrayLike, seed: int = 0) -> Floats:
        """(draws, sizes): what one training there would measure."""
        latent = self.latent(sizes)
        spread = self.luck[:, None] * np.abs(latent) * _shrink(np.asarray(sizes, dtype=float))[None, :]
        noise: Floats = np.random.default_rng([seed, 1]).normal(size=latent.shape)
        return latent + noise * np.where(self.drop[:, None] > 0, spread, 0.0)


def fit(
    curve: Curve, reference_bytes: ArrayLike, *, seed: int = 0, resample: bool = True, stream: int = 2
) -> Draws:  # fmt: skip
    """Draws from the curves that the points allow.

    `reference_bytes` (pairs,) divides the bits. With `resample` each draw is on other unseen pairs, as the next
    measurement will be; without, on these very pairs. Two curves of one `seed` are on the same pairs draw by draw; give
    them two `stream`s, for that one bends says nothing of the other. Raises ValueError when the lengths differ.
    """
    size = np.asarray(reference_bytes, dtype=float)
    if size.shape != curve.bits.shape[1:]:
        raise ValueError("Every pair needs its bytes.")
    scores = _scores(curve, size, seed=seed, resample=resample)  # (draws, points)
    still: Floats = np.zeros(DRAWS)
    if curve.is_constant:
        return Draws(size=curve.sizes[-1], level=scores[:, -1], drop=still, exponent=still + EXPONENT, luck=still)
    random = np.random.default_rng([seed, stream])
    exponent = EXPONENT * np.exp(EXPONENT_SPREAD * random.normal(size=PARTICLES))
    drop = DROP * np.abs(random.normal(size=PARTICLES))
    luck = LUCK * np.exp(LUCK_SPREAD * random.normal(size=PARTICLES))
    possible = drop <= 2**exponent - 1  # no text needs fewer than no bits: the floor is not below zero
    exponent, drop, luck = exponent[possible], drop[possible], luck[possible]

    n = np.asarray(curve.sizes, dtype=float)
    scale = scores[:, -1:]  # the drop and the luck are relative to the score
    relative = scores / scale  # (draws, points)
    expected = drop[:, None] * _bend(n[None, :] / n[-1], exponent[:, None])  # (particles, points)
    variance = (luck[:, None] * _shrink(n)[None, :]) ** 2
    weight = 1 / variance
    total = weight.sum(axis=1)
    # The level has a flat prior and is integrated out; what is left is how well the points' differences fit:
    # the weighted sum of squares around its own weighted mean, multiplied out so that it is three small products.
    rest = relative @ weight.T - (weight * expected).sum(axis=1)  # (draws, particles)
    squares = relative**2 @ weight.T - 2 * relative @ (weight * expected).T + (weight * expected**2).sum(axis=1)
    misfit = squares - rest**2 / total
    log_likelihood = -0.5 * misfit - 0.5 * np.log(variance).sum(axis=1) - 0.5 * np.log(total)
    chosen = _choose(log_likelihood, random)
    rows = np.arange(DRAWS)
    level = rest[rows, chosen] / total[chosen] + random.normal(size=DRAWS) / np.sqrt(total[chosen])
    return Draws(
        size=curve.sizes[-1],
        level=level * scale[:, 0],
        drop=drop[chosen] * scale[:, 0],
        exponent=exponent[chosen],
        luck=luck[chosen],
    )


def _bend(share: Floats, exponent: Floats) -> Floats:
    """0 at share 1, 1 at share 1/2, and in between and beyond as a power law goes."""
    bent: Floats = (share ** (-exponent) - 1) / (2**exponent - 1)
    return bent


def _shrink(sizes: Floats) -> Floats:
    """The luck of a draw of examples becomes less as they become more; that of the first weights does not."""
    shrunk: Floats = np.sqrt(0.5 + 0.5 * 100 / sizes)
    return shrunk


def _scores(curve: Curve, size: Floats, *, seed: int, resample: bool) -> Floats:
    if not resample:
        one: Floats = curve.bits.sum(axis=1) / size.sum()
        return np.tile(one, (DRAWS, 1))
    groups = np.arange(len(size)) if curve.groups is None else curve.groups
    bits, size = sum_by_group(curve.bits.T, groups), sum_by_group(size, groups)
    times = np.random.default_rng(seed).multinomial(len(size), np.full(len(size), 1 / len(size)), size=DRAWS)
    scores: Floats = (times @ bits) / (times @ size)[:, None]
    return scores


def _choose(log_likelihood: Floats, random: np.random.Generator) -> NDArray[np.int64]:
    """One particle a row, by its likelihood."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)).cumsum(axis=1)
    point = random.random(len(likelihood)) * likelihood[:, -1]
    chosen: NDArray[np.int64] = (likelihood < point[:, None]).sum(axis=1)
    return chosen


# ------------------------------------------------------------------------------------------------ the answers


def score_at(draws: Draws, size: int, *, pairs: int, seed: int = 0) -> Interval:
    """What a training on so many pairs would score, with its interval."""
    return _interval(draws.observed([size], seed)[:, 0], pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """At one size: what the challenger would score there, and by how much it would be better than the champion."""

    train_pairs: int
    score: Interval
    gain: Interval
    #: That it would be better at all, luck aside.
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run says about larger ones. Sizes are training pairs; `examples` are what they were taken from."""

    rung: str
    champion: str
    train_pairs: int
    examples: int
    unseen_pairs: int
    #: From the size of now, a quarter of a doubling each, up to the limit.
    table: tuple[Row, ...]
    #: The size at which the challenger overtakes, and its interval; None is "not within the limit".
    overtakes: int | None
    overtakes_low: int | None
    overtakes_high: int | None
    #: That it does within the limit.
    chance: float

    def as_json(self) -> dict[str, Any]:
        """What the database keeps, and the bot reads."""
        return {
            "rung": self.rung, "champion": self.champion, "train_pairs": self.train_pairs, "examples": self.examples,
            "unseen_pairs": self.unseen_pairs, "confidence": CONFIDENCE, "limit_examples": LIMIT_EXAMPLES,
            "overtakes": self.overtakes, "overtakes_low": self.overtakes_low, "overtakes_high": self.overtakes_high,
            "chance": round(self.chance, 3),
            "table": [
                {
                    "train_pairs": row.train_pairs, "score": _bounds(row.score), "gain": _bounds(row.gain),
                    "chance": round(row.chance, 3),
                }
                for row in self.table
            ],
        }  # fmt: skip


def make_forecast(
    rung: str,
    challenger: Curve,
    champion_name: str,
    champion: Curve,
    reference_bytes: ArrayLike,
    *,
    examples: int,
    seed: int = 0,
) -> Forecast:
    """The challenger's curve against the champion's, on the same pairs and so without what all find hard.

    `examples` is how many approved ones the challenger's largest size was taken from. A champion that is the
    challenger itself stays as it is, and the gain is that of training again.
    """
    now = challenger.sizes[-1]
    limit = max(round(LIMIT_EXAMPLES * now / max(examples, 1)), now)
    sizes = _sizes(now, limit, STEPS_PER_DOUBLING)
    own = fit(challenger, reference_bytes, seed=seed)
    other = fit(champion, reference_bytes, seed=seed, stream=3)
    gains = other.latent(sizes) - own.latent(sizes)
    scores = own.observed(sizes, seed)
    fine = _sizes(now, limit, STEPS_TO_CROSS)
    ahead = other.latent(fine) > own.latent(fine)
    crossing = np.where(ahead.any(axis=1), np.asarray(fine, dtype=float)[ahead.argmax(axis=1)], math.inf)
    pairs = challenger.bits.shape[1]
    low, middle, high = np.quantile(crossing, [_TAIL, 0.5, 1 - _TAIL], method="higher")
    return Forecast(
        rung=rung, champion=champion_name, train_pairs=now, examples=examples, unseen_pairs=pairs,
        table=tuple(
            Row(
                train_pairs=size, score=_interval(scores[:, index], pairs), gain=_interval(gains[:, index], pairs),
                chance=float((gains[:, index] > 0).mean()),
            )
            for index, size in enumerate(sizes)
        ),
        overtakes=_or_none(middle), overtakes_low=_or_none(low), overtakes_high=_or_none(high),
        chance=float(np.isfinite(crossing).mean()),
    )  # fmt: skip


_TAIL = (1 - CONFIDENCE) / 2


def _sizes(now: int, limit: int, per_doubling: int) -> list[int]:
    steps = math.ceil(per_doubling * math.log2(max(limit / now, 1)))
    between = [round(now * 2 ** (step / per_doubling)) for step in range(steps)]
    return sorted({now, *(size for size in between if size < limit), limit})


def _or_none(size: float) -> int | None:
    return int(size) if math.isfinite(size) else None


def _interval(values: Floats, pairs: int) -> Interval:
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high), n=pairs)


def _bounds(interval: Interval) -> dict[str, float]:
    return {"mean": round(interval.mean, 5), "low": round(interval.low, 5), "high": round(interval.high, 5)}


# ------------------------------------------------------------------------------------------------ from scorecards


def curve_of(points: Mapping[int, Scorecard], *, is_constant: bool = False) -> Curve:
    """A curve from scorecards by size. Raises ValueError when they are not of the same unseen pairs."""
    sizes = tuple(sorted(points))
    ids = {tuple(pair.example_id for pair in points[size].pairs) for size in sizes}
    if len(ids) != 1:
        raise ValueError("The points of a curve are scored on the same unseen pairs.")
    bits = np.array([[pair.bits for pair in points[size].pairs] for size in sizes], dtype=float)
    groups = number_groups(pair.kin_group for pair in points[sizes[0]].pairs)
    return Curve(sizes=sizes, bits=bits, is_constant=is_constant, groups=groups)


def bytes_of(card: Scorecard) -> Sequence[int]:
    """The bytes of each unseen pair's reference."""
    return [pair.reference_bytes for pair in card.pairs]

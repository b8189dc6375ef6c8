"""From scores to probabilities that mean what they say, and from those to when an answer is sure. Pure; numpy.

A temperature (Guo et al. 2017) with a weak pull towards 1, because validation sides are small, and a share that all
labels have alike (ensemble temperature scaling, Zhang et al. 2020). A correction for labels that a candidate likes
whatever it is asked (batch calibration, Zhou et al. 2023) is kept only where it makes the validation pairs clearly
likelier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from config.labels import NEVER_SURE, Calibration
from config.likeness import normalise

#: Fewer pairs than this choose no threshold: the wanted precision itself is the threshold.
MIN_PAIRS = 10
#: Nor do they, below this, tell a bias towards some labels from chance.
MIN_PAIRS_FOR_PRIOR = 20
#: By so many nats over all validation pairs the correction has to be better.
MIN_PRIOR_GAIN_NATS = 2.0
#: A threshold that so few answers pass says nothing.
MIN_ANSWERED = 5
#: As if so many more answers had been right as often as their probabilities say: of the first few on a short list all
#: may be right by luck. With 60 pairs and no such answers a rung that was right for a third was called sure at 80 %.
PRIOR_ANSWERS = 20
_TEMPERATURES = np.exp(np.linspace(math.log(0.05), math.log(20.0), 161))
#: What underflows costs this, in nats about 690: enough to be avoided, and a number.
_SMALLEST = 1e-300
_EVEN_SHARES = np.array([0, 0.01, 0.02, 0.03, 0.05, 0.075, *np.arange(0.1, 0.95, 0.05)])

Scores = NDArray[np.float64]


def fit_calibration(
    labels: Sequence[str],
    scores: Scores,
    truths: Sequence[str],
    *,
    target_precision: float,
    besides: tuple[Scores, Sequence[str]] | None = None,
) -> Calibration:
    """What fits the validation pairs best. scores: [pairs, labels] in nats; truths: the right label of each pair.

    A pair whose label is none of `labels` cannot be answered rightly: it says nothing about the temperature, but how
    many there are takes its share of every probability, and each counts against the precision. `besides`: scores and
    right labels of further pairs, whose labels are all known because they were chosen so.
    """
    validation = right_columns(labels, truths)
    known_share = round(float(((validation >= 0).sum() + 1) / (len(validation) + 1)), 4)
    if besides is not None:
        scores, truths = np.vstack([scores, besides[0]]), [*truths, *besides[1]]
    if not len(truths):
        return Calibration(threshold=target_precision, target_precision=target_precision)
    right = right_columns(labels, truths)
    known = right >= 0
    temperature, even_share, nats = _fit(scores[known], right[known])
    prior: dict[str, float] = {}
    if known.sum() >= MIN_PAIRS_FOR_PRIOR:
        liked = np.log(np.maximum(softmax(scores).mean(axis=0), 1e-6))
        corrected, corrected_share, corrected_nats = _fit((scores - liked)[known], right[known])
        if corrected_nats < nats - MIN_PRIOR_GAIN_NATS:
            temperature, even_share = corrected, corrected_share
            prior = {label: round(float(value), 4) for label, value in zip(labels, liked, strict=True)}
    fitted = Calibration(
        temperature=temperature, prior=prior, even_share=even_share, target_precision=target_precision,
        pairs=len(truths), threshold=0.0, known_share=known_share,
    )  # fmt: skip
    probabilities = calibrated(labels, scores, fitted)
    is_right = probabilities.argmax(axis=1) == right
    threshold = choose_threshold(probabilities.max(axis=1), is_right, target_precision)
    return replace(fitted, threshold=threshold)


def right_columns(labels: Sequence[str], truths: Sequence[str]) -> NDArray[np.int64]:
    """[pairs]: the column of each pair's right label; -1 where it is none of them."""
    columns = {normalise(label): column for column, label in enumerate(labels)}
    return np.array([columns.get(normalise(truth), -1) for truth in truths], dtype=np.int64)


def calibrated(labels: Sequence[str], scores: Scores, calibration: Calibration) -> Scores:
    """[pairs, labels] probabilities: `config.labels.label_probabilities` for many pairs at once."""
    prior = np.array([calibration.prior.get(label, 0.0) for label in labels])
    shares, even = softmax((scores - prior) / calibration.temperature), calibration.even_share
    return calibration.known_share * ((1 - even) * shares + even / len(labels))


def softmax(scores: Scores) -> Scores:
    weights: Scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Scores = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _fit(scores: Scores, right: NDArray[np.int64]) -> tuple[float, float, float]:
    """The temperature, the share that all labels have alike, and the nats that the pairs cost with them, the pull
    towards a temperature of 1 included."""
    if not len(right):
        return 1.0, 0.0, 0.0
    rows, labels = np.arange(len(right)), scores.shape[1]
    best = (1.0, 0.0, math.inf)
    for temperature in _TEMPERATURES:
        chances = softmax(scores / temperature)[rows, right]  # [pairs]
        mixed = (1 - _EVEN_SHARES[:, None]) * chances + _EVEN_SHARES[:, None] / labels  # [shares, pairs]
        costs = -np.log(np.maximum(mixed, _SMALLEST)).sum(axis=1) + 0.5 * math.log(temperature) ** 2
        least = int(np.argmin(costs))
        if costs[least] < best[2]:
            best = (round(float(temperature), 4), round(float(_EVEN_SHARES[least]), 4), float(costs[least]))
    return best


def choose_threshold(confidences: Scores, is_right: NDArray[np.bool_], target_precision: float) -> float:
    """The lowest confidence from which on at least the wanted share of the answers is right: by what was counted, and
    by what the probabilities promise where little was."""
    if len(confidences) < MIN_PAIRS:
        return target_precision
    order, counts = np.argsort(-confidences, kind="stable"), np.arange(1, len(confidences) + 1)
    promised = confidences[order].cumsum() / counts
    precision = (is_right[order].cumsum() + PRIOR_ANSWERS * promised) / (counts + PRIOR_ANSWERS)
    enough = [number for number in range(MIN_ANSWERED - 1, len(order)) if precision[number] >= target_precision]
    return round(float(confidences[order[enough[-1]]]) - 5e-5, 4) if enough else NEVER_SURE

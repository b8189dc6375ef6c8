"""From scores to probabilities that mean what they say, and from those to when an answer is sure. Pure; numpy.

Temperature scaling (Guo et al. 2017) with a weak pull towards 1, because validation sides are small. A correction for
labels that a candidate likes whatever it is asked (batch calibration, Zhou et al. 2023) is kept only where it makes
the validation pairs clearly likelier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from config.labels import NEVER_SURE, Calibration
from config.likeness import normalise

#: Fewer validation pairs than this choose no threshold: the wanted precision itself is the threshold.
MIN_PAIRS = 10
#: Nor do they, below this, tell a bias towards some labels from chance.
MIN_PAIRS_FOR_PRIOR = 20
#: By so many nats over all validation pairs the correction has to be better.
MIN_PRIOR_GAIN_NATS = 2.0
#: A threshold that so few answers pass says nothing.
MIN_ANSWERED = 5
_TEMPERATURES = np.exp(np.linspace(math.log(0.05), math.log(20.0), 161))

Scores = NDArray[np.float64]


def fit_calibration(
    labels: Sequence[str], scores: Scores, truths: Sequence[str], *, target_precision: float
) -> Calibration:
    """What fits the validation pairs best. scores: [pairs, labels] in nats; truths: the right label of each pair.

    A pair whose label is none of `labels` cannot be answered rightly: it says nothing about the temperature, but how
    many there are takes its share of every probability, and each counts against the precision.
    """
    if not len(truths):
        return Calibration(threshold=target_precision, target_precision=target_precision)
    right = right_columns(labels, truths)
    known = right >= 0
    temperature, nats = _fit_temperature(scores[known], right[known])
    prior: dict[str, float] = {}
    if known.sum() >= MIN_PAIRS_FOR_PRIOR:
        liked = np.log(np.maximum(softmax(scores).mean(axis=0), 1e-6))
        corrected, corrected_nats = _fit_temperature((scores - liked)[known], right[known])
        if corrected_nats < nats - MIN_PRIOR_GAIN_NATS:
            temperature = corrected
            prior = {label: round(float(value), 4) for label, value in zip(labels, liked, strict=True)}
    fitted = Calibration(
        temperature=temperature, prior=prior, target_precision=target_precision, pairs=len(truths), threshold=0.0,
        known_share=round(float((known.sum() + 1) / (len(known) + 1)), 4),
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
    return calibration.known_share * softmax((scores - prior) / calibration.temperature)


def softmax(scores: Scores) -> Scores:
    weights: Scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Scores = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _fit_temperature(scores: Scores, right: NDArray[np.int64]) -> tuple[float, float]:
    """The temperature, and the nats that the pairs cost with it, the pull towards 1 included."""
    if not len(right):
        return 1.0, 0.0
    rows = np.arange(len(right))

    def cost(temperature: float) -> float:
        scaled = scores / temperature
        highest = scaled.max(axis=1)
        normaliser = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((normaliser - scaled[rows, right]).sum() + 0.5 * math.log(temperature) ** 2)

    costs = [cost(float(temperature)) for temperature in _TEMPERATURES]
    best = int(np.argmin(costs))
    return round(float(_TEMPERATURES[best]), 4), costs[best]


def choose_threshold(confidences: Scores, is_right: NDArray[np.bool_], target_precision: float) -> float:
    """The lowest confidence from which on at least the wanted share of the answers is right."""
    if len(confidences) < MIN_PAIRS:
        return target_precision
    order = np.argsort(-confidences, kind="stable")
    precision = is_right[order].cumsum() / np.arange(1, len(order) + 1)
    enough = [number for number in range(MIN_ANSWERED - 1, len(order)) if precision[number] >= target_precision]
    return round(float(confidences[order[enough[-1]]]) - 5e-5, 4) if enough else NEVER_SURE

"""Calibration finds the temperature that made the scores, a threshold that keeps its promise, and no bias by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from config.labels import NEVER_SURE, choose_label
from trainer.calibration import calibrated, choose_threshold, fit_calibration, right_columns, softmax
from trainer.label_metrics import expected_error

LABELS = [f"label {n}" for n in range(8)]


def drawn(pairs: int, *, temperature: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Scores that are `temperature` times too large, and labels drawn from the probabilities they should mean."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 2, (pairs, len(LABELS)))
    truths = [LABELS[random.choice(len(LABELS), p=row)] for row in softmax(scores)]
    return scores * temperature, truths


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_scores_is_found(temperature: float) -> None:
    scores, truths = drawn(400, temperature=temperature)
    fitted = fit_calibration(LABELS, scores, truths, target_precision=0.8)
    assert fitted.temperature == pytest.approx(temperature, rel=0.2)
    assert not fitted.prior


def test_a_handful_of_pairs_pulls_the_temperature_only_a_little() -> None:
    scores = np.zeros((3, 8))
    scores[:, 0] = 1.0
    fitted = fit_calibration(LABELS, scores, [LABELS[0]] * 3, target_precision=0.8)
    assert 0.2 < fitted.temperature < 1.0
    assert fitted.threshold == 0.8  # too few to choose one by


def test_a_candidate_that_likes_some_labels_whatever_it_is_asked_is_corrected() -> None:
    scores, truths = drawn(100, temperature=1.0)
    liked = np.array([6.0, 0, 0, 0, 0, 0, 0, -6.0])
    before = fit_calibration(LABELS, scores, truths, target_precision=0.8)
    fitted = fit_calibration(LABELS, scores + liked, truths, target_precision=0.8)
    assert fitted.prior[LABELS[0]] > fitted.prior[LABELS[7]] + 6
    right = right_columns(LABELS, truths)

    def accuracy(of: np.ndarray, calibration: object) -> float:
        return float((calibrated(LABELS, of, calibration).argmax(axis=1) == right).mean())  # type: ignore[arg-type]

    assert accuracy(scores + liked, fitted) > accuracy(scores + liked, before) + 0.2


def test_a_bias_is_not_corrected_by_chance_where_there_is_none() -> None:
    corrected = [
        bool(fit_calibration(LABELS, *drawn(40, temperature=1.0, seed=seed), target_precision=0.8).prior)
        for seed in range(40)
    ]
    assert sum(corrected) <= 2


def test_where_scores_are_now_and_then_no_help_at_all_answers_are_as_sure_as_they_are_right() -> None:
    scores, truths = drawn(4000, temperature=1.0)
    random = np.random.default_rng(1)
    truths = [str(random.choice(LABELS)) if random.random() < 0.4 else truth for truth in truths]
    fitted = fit_calibration(LABELS, 3 * scores[:1000], truths[:1000], target_precision=0.8)
    assert fitted.even_share == pytest.approx(0.4, abs=0.1)
    assert fitted.temperature == pytest.approx(3.0, rel=0.25)
    shares = calibrated(LABELS, 3 * scores[1000:], fitted)
    right = shares.argmax(axis=1) == right_columns(LABELS, truths[1000:])
    assert expected_error(shares.max(axis=1), right) < 0.04


def test_scores_that_are_right_share_next_to_nothing_evenly() -> None:
    shares = [
        fit_calibration(LABELS, *drawn(60, temperature=1.0, seed=seed), target_precision=0.8).even_share
        for seed in range(20)
    ]
    assert float(np.mean(shares)) < 0.05


def test_many_pairs_at_once_are_what_serving_computes_one_by_one() -> None:
    scores, truths = drawn(60, temperature=2.0)
    fitted = replace(
        fit_calibration(LABELS, scores + np.arange(8) * 2.0, truths, target_precision=0.8), even_share=0.2,
    )  # fmt: skip
    assert fitted.prior
    together = calibrated(LABELS, scores, fitted)
    for row, shares in zip(scores, together, strict=True):
        served = choose_label(dict(zip(LABELS, row.tolist(), strict=True)), fitted)
        assert served.confidence == pytest.approx(float(shares.max()))


def test_answers_above_the_threshold_are_as_often_right_as_was_wanted_on_pairs_that_it_has_not_seen() -> None:
    scores, truths = drawn(4000, temperature=1.0)
    fitted = fit_calibration(LABELS, scores[:300], truths[:300], target_precision=0.8)
    shares = calibrated(LABELS, scores[300:], fitted)
    sure = shares.max(axis=1) >= fitted.threshold
    right = shares.argmax(axis=1) == right_columns(LABELS, truths[300:])
    assert 0.1 < sure.mean() < 1.0
    assert right[sure].mean() >= 0.76


def test_where_nothing_is_right_often_enough_a_person_is_always_asked() -> None:
    confidences = np.linspace(0.2, 0.9, 40)
    assert choose_threshold(confidences, np.zeros(40, dtype=bool), 0.8) == NEVER_SURE
    assert choose_threshold(confidences, np.ones(40, dtype=bool), 0.8) <= 0.2


def test_a_few_right_answers_that_nobody_would_have_promised_choose_no_threshold() -> None:
    confidences = np.linspace(0.35, 0.1, 60)
    is_right = np.zeros(60, dtype=bool)
    is_right[:5] = True  # luck
    assert choose_threshold(confidences, is_right, 0.8) == NEVER_SURE
    promised = np.linspace(0.95, 0.5, 60)  # the same where the probabilities say so, too
    assert 0.5 < choose_threshold(promised, is_right | (promised > 0.85), 0.8) < 0.95


def test_labels_that_were_never_seen_count_against_the_precision_alone() -> None:
    scores = np.tile(np.array([[4.0, 0, 0, 0, 0, 0, 0, 0]]), (20, 1))
    fitted = fit_calibration(LABELS, scores, ["never seen"] * 20, target_precision=0.8)
    assert fitted.threshold == NEVER_SURE
    assert fitted.temperature == 1.0


def test_labels_yet_to_come_take_their_share_of_every_probability() -> None:
    scores, truths = drawn(2000, temperature=1.0)
    truths = [f"new {n}" if n % 4 == 0 else truth for n, truth in enumerate(truths)]
    fitted = fit_calibration(LABELS, scores[:400], truths[:400], target_precision=0.8)
    assert fitted.known_share == pytest.approx(0.75, abs=0.01)
    shares = calibrated(LABELS, scores[400:], fitted)
    right = shares.argmax(axis=1) == right_columns(LABELS, truths[400:])
    assert expected_error(shares.max(axis=1), right) < 0.04
    sure = dict.fromkeys(LABELS, -50.0) | {LABELS[0]: 0.0}
    most = fitted.known_share * (1 - fitted.even_share * (1 - 1 / len(LABELS)))
    assert choose_label(sure, fitted).confidence == pytest.approx(most)

"""The report on forecasts says what was stored: a seed that came out as foreseen, one that did not, one that is not
complete."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.ladder.forecast_report import forecast_part, load_outcomes


def store(folder: Path, seed: int, scores: dict[int, float]) -> None:
    """Forty unseen pairs of 50 bytes each that all score the same."""
    noise = np.random.default_rng(seed).normal(1, 0.1, 40)
    points = {str(size): {"nll_nats": list(score * 50 * math.log(2) * noise)} for size, score in scores.items()}
    stored = {"seed": seed, "points": points, "reference_bytes": [50] * 40}
    (folder / f"forecast-{seed}.json").write_text(json.dumps(stored), encoding="utf-8")


def test_the_report_counts_what_held(tmp_path: Path) -> None:
    store(tmp_path, 2, {50: 1.0, 100: 0.95, 400: 0.2})
    store(tmp_path, 1, {50: 1.0, 100: 0.95, 400: 0.87})
    store(tmp_path, 3, {50: 1.0, 100: 0.95})
    outcomes = load_outcomes(tmp_path)
    assert [one.seed for one in outcomes] == [1, 2]
    text = forecast_part(outcomes)
    assert "| the forecast | **1 of 2**; on pairs that it had not seen 1 of 2 | **1 of 2** |" in text
    assert '| "it stays as it is with 100" | 0 of 2 | 0 of 2 |' in text
    # From 1.0 and 0.95, two doublings on: 0.85 in a line, 0.857 by a power law. 0.87 is near both.
    (line, law) = list(outcomes[0].guesses().values())[1:]
    assert line / outcomes[0].scores[50] == pytest.approx(0.85)
    assert law / outcomes[0].scores[50] == pytest.approx(0.95**3)
    assert "| a line through both points, over the logarithm of the pairs | 1 of 2 | 1 of 2 |" in text
    assert "| a power law through both points, without a floor | 1 of 2 | 1 of 2 |" in text
    assert "1 of 2 is compatible with an interval that holds 1% of the time" in text.replace("\n", " ")
    assert text.count("outside") == 2  # the second seed, on both halves


def test_without_stored_results_there_is_no_section(tmp_path: Path) -> None:
    assert forecast_part(load_outcomes(tmp_path)) == ""

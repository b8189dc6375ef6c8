"""docs/ladder.md: made from what is stored, honest about the last step, with commands that do not measure again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.ladder import forecast, preferences, recipes, report, sections, sections_report, study
from tests.benchmarks.ladder.costs import pays_after
from tests.benchmarks.ladder.report import DOCS, STORED, Size, load, load_all


def test_the_pages_are_what_the_stored_measurements_make() -> None:
    assert (DOCS / "ladder.md").read_text() == report.page(load_all(STORED)), "run `make ladder-report`"
    assert (DOCS / "ladder-labels.md").read_text() == sections_report.page(sections_report.load(STORED))


def test_a_step_that_turns_with_the_draw_of_training_pairs_is_not_called_better() -> None:
    said = report.page(load_all(STORED))
    assert "`lora_retrieved` **cannot be told from** `lora`: +0.013" in said
    assert "`lora_retrieved` is **worse** than `lora` on this one draw: -0.012" in said
    assert "**Whether `lora_retrieved` is better than `lora` cannot be told.**" in said
    assert "were not run" in said


def test_a_gain_over_pairs_alone_is_not_beyond_the_luck_of_draws() -> None:
    """Every pair says the same in a draw, and the draws differ: no number of pairs settles it."""
    draws = [one_draw(gain) for gain in (0.30, -0.10, 0.02)]
    gain = Size(train=40, seeds=draws).gain("lora", "lora_retrieved")
    alone = Size(train=40, seeds=draws[:1]).gain("lora", "lora_retrieved")
    assert alone.low > 0
    assert gain.low < 0 < gain.mean < gain.high


def test_a_run_pays_where_its_drafts_take_less_time() -> None:
    (size,) = load(STORED)
    assert pays_after(size, "retrieved") is None
    after, later = pays_after(size, "lora"), pays_after(size, "lora_retrieved")
    assert after is not None and later is not None and 100 < after < later


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        (study.main, ["--seeds", "1", "--name", "truth", "--unseen", "2000"]),
        (sections.main, ["--seeds", "1", "2"]),
        (forecast.main, ["--seeds", "3"]),
        (recipes.main, ["--seeds", "101", "--points", "default"]),
        (preferences.main, []),
    ],
)
def test_what_is_stored_is_said_and_not_measured_again(
    measure: object, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(measure)
    measure(["--data", "there-is-none.jsonl", *options])
    assert "already stored, nothing to measure" in capsys.readouterr().out


@pytest.mark.parametrize("measure", [recipes.main, preferences.main])
def test_data_is_asked_for_where_something_is_to_be_measured(
    measure: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(measure)
    with pytest.raises(SystemExit):
        measure([])
    assert "--data FILE is needed" in capsys.readouterr().err
    measure(["--show"])
    assert "best step" in capsys.readouterr().out


def test_the_report_goes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stored").mkdir()
    report.main(["--stored", str(tmp_path / "stored"), "--docs", str(tmp_path / "docs")])
    assert "--data debian-packages.jsonl" in capsys.readouterr().err
    assert (tmp_path / "docs" / "ladder").is_dir()


def one_draw(gain: float) -> report.Json:
    """Fifty pairs of 40 bytes, each `gain` nats easier for the second rung, give or take a little."""
    own = [30.0 + place % 7 for place in range(50)]
    return {
        "cards": {
            "lora": {"nll_nats": own, "reference_bytes": [40] * 50},
            "lora_retrieved": {
                "nll_nats": [nats - gain - 0.01 * (place % 3 - 1) for place, nats in enumerate(own)],
                "reference_bytes": [40] * 50,
            },
        }
    }

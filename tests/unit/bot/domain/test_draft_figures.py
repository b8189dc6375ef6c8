"""What drafts score: pair by pair against the champion's, and never of too few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bot.domain.draft_figures import IN_FORM, KEEPS_TERMS, DraftScores, compare_drafts, read_draft_scores
from bot.domain.ladder import Rank, ladder_lines, make_rank
from bot.texts.measured import drafts_said
from tests.unit.bot.domain.test_economy import ladder

COLUMNS = ["candidate", "bits", "95", "chrF", "exact", "edit", "tok", "s"]
CHAMPION = [float(value) for value in np.random.default_rng(0).normal(40, 15, 40)]
BETTER = [value + 5 for value in CHAMPION]


def pairs_of(chrf: list[float], group: int | None = None) -> list[dict[str, Any]]:
    drafted: list[dict[str, Any]] = [
        {
            "example_id": f"e{n}", "nll_nats": 20.0 + n % 3, "reference_bytes": 40, "chrf": value, "exact": value > 90,
            "edit_similarity": value / 100, "kin_group": None if group is None else n // group,
        }
        for n, value in enumerate(chrf)
    ]  # fmt: skip
    return [*drafted, {"example_id": "u", "nll_nats": 20.0, "reference_bytes": 40, "chrf": None}]


def scores(chrf: list[float], group: int | None = None) -> DraftScores:
    return read_draft_scores(pairs_of(chrf, group))


def rank(name: str, chrf: list[float], *, is_champion: bool = False) -> Rank:
    summary = {"chrf": float(np.mean(chrf)), "exact_match": 0.0, "edit_similarity": 0.5}
    card = {"pairs": pairs_of(chrf), "summary": summary}
    made = make_rank(rung=name, base_model="m", adapter_name="", card=card, is_champion=is_champion)
    assert made is not None
    return made


def test_a_difference_is_paired_so_what_all_drafts_have_in_common_does_not_blur_it() -> None:
    gain = compare_drafts(scores(CHAMPION), scores(BETTER))["chrf"]
    assert (gain.mean, gain.low, gain.high) == pytest.approx((5, 5, 5))


def test_related_pairs_are_evidence_once() -> None:
    noise = np.repeat(np.random.default_rng(1).normal(0, 10, 10), 4)
    other = [one + float(two) for one, two in zip(CHAMPION, noise, strict=True)]
    alone = compare_drafts(scores(CHAMPION), scores(other))["chrf"]
    grouped = compare_drafts(scores(CHAMPION, group=4), scores(other, group=4))["chrf"]
    assert grouped.high - grouped.low > 1.4 * (alone.high - alone.low)


def kept(values: Sequence[bool | None], group: int | None = None) -> DraftScores:
    """Drafts of which some have something to keep."""
    found = scores([40.0] * len(values), group)
    return {key: {**one, IN_FORM: value} for (key, one), value in zip(found.items(), values, strict=True)}


def test_shares_are_compared_draft_by_draft_where_both_have_something_to_keep() -> None:
    champion, other = kept([False] * 12 + [True] * 8 + [None] * 20), kept([True] * 12 + [True] * 8 + [True] * 20)
    found = compare_drafts(champion, other, [IN_FORM, KEEPS_TERMS])
    assert list(found) == [IN_FORM], "nobody measured the terms"
    assert (found[IN_FORM].n, found[IN_FORM].mean) == (20, 0.6)
    assert 0.3 < found[IN_FORM].low < 0.6 < found[IN_FORM].high < 0.9
    assert compare_drafts(other, champion, [IN_FORM])[IN_FORM].mean == -0.6
    assert compare_drafts(kept([False] * 9 + [None] * 31), other, [IN_FORM]) == {}, "9 drafts say nothing yet"


def test_related_drafts_are_evidence_once_for_shares_too() -> None:
    champion, other = [False] * 40, [n // 4 % 2 == 0 for n in range(40)]
    alone = compare_drafts(kept(champion), kept(other), [IN_FORM])[IN_FORM]
    grouped = compare_drafts(kept(champion, group=4), kept(other, group=4), [IN_FORM])[IN_FORM]
    assert grouped.mean == alone.mean == 0.5
    assert grouped.high - grouped.low > 1.6 * (alone.high - alone.low)


def test_drafts_that_all_agree_leave_room_for_what_none_of_them_shows() -> None:
    few, many = (compare_drafts(kept([True] * n), kept([True] * n), [IN_FORM])[IN_FORM] for n in (10, 80))
    assert few.mean == many.mean == 0
    assert few.low == pytest.approx(-0.163, abs=0.001) and few.high == -few.low
    assert many.high == pytest.approx(0.024, abs=0.001)


@pytest.mark.parametrize("n", [10, 20, 40, 80])
@pytest.mark.parametrize(("better", "worse"), [(0.0, 0.05), (0.05, 0.1), (0.1, 0.3), (0.3, 0.0), (0.2, 0.2)])
def test_the_interval_of_shares_holds_the_truth_about_as_often_as_it_says(n: int, better: float, worse: float) -> None:
    rng = np.random.default_rng(0)
    draws = rng.choice([1, -1, 0], size=(400, n), p=[better, worse, 1 - better - worse])
    held = 0
    for draw in draws:
        found = compare_drafts(kept((draw == -1).tolist()), kept((draw == 1).tolist()), [IN_FORM])[IN_FORM]
        held += found.low <= better - worse <= found.high
    assert held / len(draws) > (0.85 if n * max(better, worse) < 5 else 0.91)


def test_the_ladder_says_of_how_many_drafts_and_how_sure() -> None:
    said = drafts_said(ladder(rank("retrieved", CHAMPION, is_champion=True), rank("lora", BETTER)))
    assert said == (
        "chrF, exact, edit, length and form are of 40 drafts. More or less than the champion's, draft by draft (95 %): "
        "`lora` chrF 5.0 (5.0 to 5.0), edit 0.05 (0.05 to 0.05), exact 0% (\u22125% to 5%)."
    )


def test_too_few_drafts_say_so_and_their_figures_are_not_shown() -> None:
    few = ladder(rank("retrieved", CHAMPION[:6], is_champion=True), rank("lora", BETTER[:6]))
    assert drafts_said(few).endswith("it was measured on 6 drafts, and 10 are needed.")
    assert [line.split()[-5:] for line in ladder_lines(few, COLUMNS)[1:]] == [["\u2013"] * 5] * 2
    enough = ladder_lines(ladder(rank("lora", BETTER)), COLUMNS)
    assert enough[1].split()[-5] == f"{np.mean(BETTER):.1f}"


def test_labels_are_no_drafts() -> None:
    card = {"pairs": [{"example_id": "e", "nll_nats": 1.0, "reference_bytes": 4, "draft": "bug", "chrf": None}]}
    made = make_rank(rung="lora", base_model="m", adapter_name="", is_champion=True, card=card)
    assert made is not None and drafts_said(ladder(made)) == ""

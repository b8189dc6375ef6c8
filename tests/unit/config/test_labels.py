"""Which labels there are, how sure an answer is, and how the neighbours vote."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.labels import Calibration, choose_label, collect_labels, read_calibration, vote


def test_labels_are_the_answers_that_differ_in_more_than_case_each_in_its_usual_spelling() -> None:
    assert collect_labels(["Bug", "bug ", "bug", " ", "Feature  request"]) == ("bug", "Feature request")
    assert collect_labels(["bug", "bugs"]) == ("bug", "bugs")


def test_of_too_many_labels_the_most_frequent_are_kept() -> None:
    assert collect_labels(["a", "b", "b", "c", "c", "c"], limit=2) == ("b", "c")


@given(
    st.dictionaries(st.text(min_size=1), st.floats(-50, 0), min_size=2),
    st.floats(0.05, 20),
)
def test_probabilities_add_up_and_follow_the_scores(scores: dict[str, float], temperature: float) -> None:
    choice = choose_label(scores, Calibration(temperature=temperature, threshold=0.5))
    assert sum(share for _, share in choice.ranked) == pytest.approx(1)
    assert scores[choice.label] == pytest.approx(max(scores.values()))
    assert choice.is_sure == (choice.confidence >= 0.5)


def test_a_higher_temperature_is_less_sure_and_below_the_threshold_a_person_is_asked() -> None:
    scores = {"bug": -1.0, "question": -3.0}
    assert choose_label(scores, Calibration(threshold=0.8)).is_sure
    flat = choose_label(scores, Calibration(temperature=4.0, threshold=0.8))
    assert flat.label == "bug" and not flat.is_sure


def test_a_label_that_is_always_likely_loses_what_it_always_has() -> None:
    scores = {"bug": -1.0, "question": -1.2}
    prior = {"bug": -0.5, "question": -1.5}
    assert choose_label(scores, Calibration(prior=prior)).label == "question"
    # A label newer than the measurement is treated as the others are on average.
    assert choose_label(scores | {"new": -5.0}, Calibration(prior=prior)).label == "question"


def test_a_server_that_gave_some_labels_alone_leaves_the_rest_impossible() -> None:
    choice = choose_label({"a": -1.0, "b": -math.inf}, Calibration())
    assert dict(choice.ranked) == {"a": 1.0, "b": 0.0}
    with pytest.raises(ValueError, match="no label"):
        choose_label({"a": -math.inf}, Calibration())


def test_the_nearest_neighbours_count_most_and_no_label_is_impossible() -> None:
    scores = vote(["bug", "question", "wish"], [("question", 0.9), ("Bug", 0.5), ("bug", 0.5), ("gone", 0.99)])
    assert max(scores, key=lambda label: scores[label]) == "question"
    assert math.isfinite(scores["wish"])
    assert vote(["a", "b"], []) == pytest.approx({"a": scores_of_nothing(), "b": scores_of_nothing()})


def test_of_a_few_labels_none_is_sure_by_neighbours_that_are_far_away() -> None:
    labels = [f"label {n}" for n in range(8)]
    near, far = (vote(labels, [("label 0", similarity)] * 6) for similarity in (0.8, 0.2))
    assert choose_label(near, Calibration()).confidence > 0.9
    assert choose_label(far, Calibration()).confidence < 0.3
    assert choose_label(far, Calibration()).label == "label 0"


def test_what_all_labels_have_alike_makes_an_answer_less_sure_and_changes_no_answer() -> None:
    scores = {"a": 0.0, "b": -1.0, "c": -math.inf}
    without, with_it = (choose_label(scores, Calibration(even_share=share)) for share in (0.0, 0.3))
    assert [label for label, _ in with_it.ranked] == [label for label, _ in without.ranked]
    assert dict(with_it.ranked)["c"] == pytest.approx(0.1)
    assert with_it.confidence == pytest.approx(0.7 * without.confidence + 0.1)
    assert sum(share for _, share in with_it.ranked) == pytest.approx(1)


def scores_of_nothing() -> float:
    return vote(["x", "y"], [])["x"]


def test_a_calibration_is_read_back_as_it_was_written() -> None:
    fitted = Calibration(
        temperature=2.5, prior={"a": -1.0}, even_share=0.2, threshold=0.7, target_precision=0.8, pairs=40
    )
    assert read_calibration(fitted.as_json()) == fitted
    assert read_calibration(None).pairs == 0

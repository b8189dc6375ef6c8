from __future__ import annotations

import math

import numpy as np
import pytest

from config.words import K1, PRIOR_TEXTS, B, Bag, WordIndex, bag_of, jaccard

TEXTS = [
    "The parcel is late again",
    "Where is my parcel? My parcel, please.",
    "The invoice was charged twice",
    "",
    "Reset a password: open the settings, then reset",
]


def bm25_by_hand(query: str, text: str, texts: list[str]) -> float:
    """Robertson's formula as it is written, over plain words."""
    split = [one.lower().replace("?", "").replace(",", "").replace(".", "").replace(":", "").split() for one in texts]
    own = text.lower().replace("?", "").replace(",", "").replace(".", "").replace(":", "").split()
    mean = sum(map(len, split)) / len(split)
    total = 0.0
    for word in set(query.lower().split()):
        holding = sum(word in one for one in split)
        idf = math.log(1 + (len(split) + PRIOR_TEXTS - holding + 0.5) / (holding + 0.5))
        count = own.count(word)
        total += idf * count * (K1 + 1) / (count + K1 * (1 - B + B * len(own) / mean)) if count else 0.0
    return total


@pytest.mark.parametrize("query", ["my parcel", "reset the password", "the the parcel", "nothing known here"])
def test_scores_are_bm25_as_a_share_of_the_querys_own(query: str) -> None:
    found = WordIndex([bag_of(text) for text in TEXTS]).similarities(bag_of(query))
    by_hand = [bm25_by_hand(query, text, TEXTS) for text in TEXTS]
    highest = max(by_hand)
    if highest == 0:
        assert not found.any()
        return
    assert found / found.max() == pytest.approx(np.array(by_hand) / highest, rel=1e-5)
    assert 0 < found.max() <= 1


def test_a_text_that_is_the_query_scores_full_and_one_without_its_words_nothing() -> None:
    index = WordIndex([bag_of(text) for text in TEXTS])
    scores = index.similarities(bag_of("WHERE is my parcel; my parcel please!"))
    assert scores[1] == pytest.approx(1.0)
    assert scores[2] == 0


def test_scripts_without_blanks_are_compared_by_pairs_of_characters() -> None:
    index = WordIndex([bag_of("荷物はどこですか"), bag_of("請求書が届きません")])
    scores = index.similarities(bag_of("私の荷物はどこ"))
    assert scores[0] > 0 == scores[1]


def test_nothing_is_found_among_nothing_and_for_nothing() -> None:
    assert WordIndex([]).similarities(bag_of("parcel")).shape == (0,)
    assert WordIndex([bag_of("")]).similarities(bag_of("parcel")).tolist() == [0]
    assert not WordIndex([bag_of(text) for text in TEXTS]).similarities(bag_of("?!")).any()


def test_shared_words_are_a_share_of_all() -> None:
    def share(one: str, other: str) -> float:
        bags: list[Bag] = [bag_of(one), bag_of(other)]
        return jaccard(*bags)

    assert share("a b c", "b c d") == 0.5
    assert share("", "") == 0

"""The champion moves by compare-and-swap: row and pointer, both or neither."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from config.rungs import Rung
from db.promotions import ChampionMoved, Promotion, PromotionKind, find_promotion, get_champion
from db.scope import Scope
from db.styles import Style, get_style
from tests.support.factories import make_promotion, make_style

WORKSPACE = Scope(team_id="T1")


def _candidate(promotion):
    return promotion.rung, promotion.base_model, promotion.adapter_id


def test_of_two_promotions_at_once_one_wins_and_the_other_leaves_no_row(database):
    with database.write() as session:
        style = make_style(session)
        make_promotion(session, style, kind=PromotionKind.INITIAL)
    both_have_looked = threading.Barrier(2)
    outcomes = []

    def promote_one(actor):
        with database.read() as session:
            seen = get_style(session, style.style_id)
        both_have_looked.wait(timeout=10)
        try:
            with database.write() as session:
                make_promotion(session, session.merge(seen, load=False), actor=actor)
            outcomes.append("won")
        except ChampionMoved:
            outcomes.append("lost")

    threads = [threading.Thread(target=promote_one, args=(actor,)) for actor in ("U1", "U2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["lost", "won"]
    with database.read() as session:
        newest = get_champion(session, get_style(session, style.style_id), WORKSPACE)
        (first,) = session.scalars(select(Promotion).where(Promotion.promotion_id != newest.promotion_id))
        assert newest.replaced_id == first.promotion_id


@pytest.mark.parametrize("rung", list(Rung))
def test_a_rollback_after_a_promotion_brings_the_same_candidate_back(database, rung):
    with database.write() as session:
        style = make_style(session)
        before = make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.FEW_SHOT, base_model="old")
        promoted = make_promotion(session, style, rung=rung, base_model="new")
        replaced = find_promotion(session, promoted.replaced_id)
        assert replaced is not None
        rolled_back = make_promotion(
            session, style, kind=PromotionKind.ROLLBACK, rung=replaced.rung, base_model=replaced.base_model,
            adapter_id=replaced.adapter_id,
        )  # fmt: skip
    with database.read() as session:
        champion = get_champion(session, get_style(session, style.style_id), WORKSPACE)
        assert champion.promotion_id == rolled_back.promotion_id
        assert _candidate(champion) == _candidate(before)
        kinds = session.scalars(select(Promotion.kind).order_by(Promotion.promoted_at, Promotion.promotion_id)).all()
        assert kinds == [PromotionKind.INITIAL, PromotionKind.GATE, PromotionKind.ROLLBACK]


def test_another_scopes_champion_is_not_handed_out(database):
    with database.write() as session:
        style = make_style(session)
        make_promotion(session, style)
        with pytest.raises(LookupError):
            get_champion(session, style, Scope(team_id="T1", channel_id="C9"))


def test_a_style_without_a_promotion_has_no_champion(database):
    with database.write() as session, pytest.raises(LookupError):
        get_champion(session, make_style(session), WORKSPACE)


def test_a_promotion_that_fails_later_in_its_transaction_moves_nothing(database):
    with database.write() as session:
        style_id = make_style(session).style_id
    with pytest.raises(RuntimeError), database.write() as session:
        make_promotion(session, get_style(session, style_id))
        raise RuntimeError
    with database.read() as session:
        assert session.scalars(select(Style)).one().champion_promotion_id is None
        assert session.scalars(select(Promotion)).all() == []

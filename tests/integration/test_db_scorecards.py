"""What a candidate's drafts were allowed when it was measured last, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from config.rungs import Rung
from db.base import now_in_database
from db.scope import Scope
from db.scorecards import find_measured_room
from db.session import Database
from tests.support.factories import make_run, make_scorecard, make_style

WORKSPACE, CHANNEL = Scope(team_id="T1"), Scope(team_id="T1", channel_id="C1")
BASE = "embedded:smollm2-135m-instruct"


def card(**summary: Any) -> dict[str, Any]:
    return {"pairs": [], "summary": summary}


def test_the_latest_measurement_of_that_very_candidate_says_what_its_drafts_were_allowed(database: Database) -> None:
    with database.write() as session:
        style, other = make_style(session), make_style(session)
        older, newer, private, elsewhere = (
            make_run(session, style, base_model=BASE, scope_key=scope.key)
            for scope in (WORKSPACE, WORKSPACE, CHANNEL, WORKSPACE)
        )
        now = now_in_database(session)
        make_scorecard(session, newer, Rung.LORA, card(room_tokens=700), adapter_name="v1")
        make_scorecard(
            session, older, Rung.LORA, card(room_tokens=300), adapter_name="v1", scored_at=now - timedelta(days=1)
        )
        make_scorecard(session, newer, Rung.LORA, card(room_tokens=800), adapter_name="v2")
        make_scorecard(session, newer, Rung.RETRIEVED, card(room_tokens=None))
        make_scorecard(session, newer, Rung.FEW_SHOT, card(n=3))
        make_scorecard(session, newer, Rung.ZERO_SHOT, {"pairs": []})
        make_scorecard(session, private, Rung.LORA, card(room_tokens=900), adapter_name="v1")
        make_scorecard(session, elsewhere, Rung.LORA, card(room_tokens=950), adapter_name="v1", base_model="another")

    def room(rung: Rung, scope: Scope = WORKSPACE, style_id: str = style.style_id, **different: str) -> int | None:
        with database.read() as session:
            return find_measured_room(session, style_id, scope, rung=rung, **({"base_model": BASE} | different))

    assert room(Rung.LORA, adapter_name="v1") == 700
    assert room(Rung.LORA, adapter_name="v2") == 800
    assert room(Rung.LORA, CHANNEL, adapter_name="v1") == 900
    assert room(Rung.LORA, adapter_name="v1", base_model="another") == 950
    assert room(Rung.RETRIEVED) is room(Rung.FEW_SHOT) is room(Rung.ZERO_SHOT) is None, "nothing is said of it"
    assert room(Rung.LORA) is room(Rung.LORA, style_id=other.style_id, adapter_name="v1") is None, "never measured"

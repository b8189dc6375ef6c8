"""A judge model, from Slack: what it is sent and what never, and when its grades count. Off unless it is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, LEADS, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.drafts import Draft, DraftStatus
from db.erasure import erase_drafts_of_person
from db.examples import ExampleStatus
from db.judgements import Judgement, save_judgement
from db.styles import Style, StyleKind, get_style
from tests.support.factories import make_draft, make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

JUDGE = "judge-1"


@pytest.fixture
def judge() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def bot_settings(bot_settings: Settings, judge: ScriptedModel) -> Settings:
    return bot_settings.model_copy(update={"judge_url": judge.url, "judge_model": JUDGE})


@pytest.fixture
def style(bot: Bot) -> Style:
    return prepare_style(bot, forbidden_terms=["login"])


def prepare_style(bot: Bot, **different: Any) -> Style:
    with bot.services.database.write() as session:
        made = make_style(
            session, team_id=TEAM_ID, created_by=ANA,
            **({"name": "brand-voice", "scope_key": TEAM_ID, "channel_id": BRAND} | different),
        )  # fmt: skip
        make_promotion(session, made, rung=Rung.RETRIEVED)
        make_example(
            session, made, prompt="Say that we open late", completion="Sleep in: we open at ten.",
            status=ExampleStatus.APPROVED,
        )  # fmt: skip
    return made


def decided(bot: Bot, style: Style, **different: Any) -> str:
    values = {
        "team_id": TEAM_ID, "channel_id": BRAND, "status": DraftStatus.KEPT, "rung": Rung.RETRIEVED,
        "request": "Say that we close early", "completion": "We close at noon.",
    } | different  # fmt: skip
    with bot.services.database.write() as session:
        return make_draft(session, style, **values).draft_id


def judgements(bot: Bot) -> dict[str, int | None]:
    with bot.services.database.read() as session:
        return {one.draft_id: one.grade for one in session.scalars(select(Judgement))}


def command(person: Person, text: str) -> str:
    before = len(person.ephemerals(BRAND))
    assert person.slash("/huisstijl", text, BRAND).ok
    wait_until(lambda: len(person.ephemerals(BRAND)) > before, what=f"an answer to {text}")
    return str(person.ephemerals(BRAND)[-1])


def test_a_draft_that_somebody_decided_about_is_graded_once_by_the_rubric_of_its_style(
    bot: Bot, workspace: Workspace, model: ScriptedModel, judge: ScriptedModel, style: Style
) -> None:
    model.enqueue("We close at noon. See you!")
    judge.enqueue("4")
    mia = workspace.person(MIA)
    asked = mia.mention_bot(BRAND, "Say that we close early")

    def shown() -> dict[str, Any] | None:
        found = [one for one in mia.messages(BRAND, asked["ts"])[1:] if "keep_draft" in str(one)]
        return found[-1] if found else None

    answer = wait_until(shown, what="the draft is complete")
    assert judge.history == [], "nobody has said what they make of it"
    mia.click(BRAND, answer["ts"], "keep_draft")
    ((draft_id, grade),) = wait_until(lambda: list(judgements(bot).items()), what="it is graded")
    assert grade == 4
    (request,) = judge.history
    assert (request["model"], request["temperature"]) == (JUDGE, 0)
    assert json.loads(request["messages"][-1]["content"]) == {
        "instructions": f"{style.instructions}\nNever use these terms: “login”.",
        "approved": [{"request": "Say that we open late", "text": "Sleep in: we open at ten."}],
        "request": "Say that we close early",
        "draft": "We close at noon. See you!",
    }
    other = decided(bot, style)
    wait_until(lambda: other in judgements(bot), what="the next one is graded")
    assert len(judge.history) == 2
    assert draft_id in judgements(bot)


def test_nothing_private_and_nothing_undecided_leaves_for_the_judge(bot: Bot, judge: ScriptedModel) -> None:
    leads = prepare_style(bot, name="leads", scope_key=f"{TEAM_ID}/{LEADS}", channel_id=LEADS)
    tickets = prepare_style(bot, name="tickets", kind=StyleKind.CLASSIFY)
    style = prepare_style(bot)  # the last one: the judge has gone past the others when it comes to this
    decided(bot, leads, channel_id=LEADS)
    decided(bot, tickets, completion="bug")
    decided(bot, style, is_private=True)
    decided(bot, style, status=DraftStatus.SHOWN)
    sent = decided(bot, style, completion="The one that may be sent.")
    wait_until(lambda: sent in judgements(bot), what="it is graded")
    assert list(judgements(bot)) == [sent]
    (request,) = judge.history
    assert "The one that may be sent." in request["messages"][-1]["content"]


def test_an_answer_that_is_no_grade_is_not_asked_for_again_and_a_judge_that_is_away_is_waited_for(
    bot: Bot, judge: ScriptedModel, style: Style
) -> None:
    judge.fail(503, times=2)
    judge.enqueue("I would say it is rather good")
    draft_id = decided(bot, style)
    wait_until(lambda: draft_id in judgements(bot), seconds=15, what="it was tried until there was an answer")
    assert judgements(bot) == {draft_id: None}
    judge.enqueue("2")
    other = decided(bot, style)
    wait_until(lambda: judgements(bot).get(other) == 2, what="the next one")
    assert len(judge.history) == 4


@pytest.mark.parametrize("place", ["private", "direct"])
def test_what_was_asked_for_in_a_private_place_is_never_sent_also_of_a_style_for_all(
    place: str, bot: Bot, workspace: Workspace, judge: ScriptedModel, style: Style
) -> None:
    channel_id = (
        LEADS if place == "private" else bot.services.slack.client.conversations_open(users=MIA)["channel"]["id"]
    )
    kept_here = decided(bot, style, channel_id=channel_id, request="Tell nobody that we merge")
    sent = decided(bot, style)
    wait_until(lambda: sent in judgements(bot), what="the public one is graded")
    assert judgements(bot)[kept_here] is None
    (request,) = judge.history
    assert "merge" not in str(request)


def test_a_draft_that_the_judge_refuses_does_not_keep_the_others_waiting(
    bot: Bot, judge: ScriptedModel, style: Style
) -> None:
    judge.fail(400, code="context_length_exceeded", times=1)
    judge.enqueue("4")
    refused = decided(bot, style)
    wait_until(lambda: refused in judgements(bot), what="it is put away")
    other = decided(bot, style)
    wait_until(lambda: judgements(bot).get(other) == 4, what="the next one is graded")
    assert judgements(bot)[refused] is None


def test_the_judge_is_not_shown_what_people_made_of_a_variant_of_the_draft(
    bot: Bot, judge: ScriptedModel, style: Style
) -> None:
    first = decided(bot, style, status=DraftStatus.SHOWN)
    with bot.services.database.write() as session:
        style = get_style(session, style.style_id)
        kept = make_draft(
            session,
            style,
            team_id=TEAM_ID,
            channel_id=BRAND,
            root_id=first,
            parent_id=first,
            completion="Shut at noon.",
        )
        make_example(
            session, style, prompt="Say that we close early", completion="Shut at noon. Bye!", draft_id=kept.draft_id,
            status=ExampleStatus.APPROVED,
        )  # fmt: skip
        session.get_one(Draft, first).status = DraftStatus.DISCARDED
    wait_until(lambda: first in judgements(bot), what="it is graded")
    (request,) = judge.history
    assert "Sleep in" in str(request) and "Bye!" not in str(request)


def grade_all(bot: Bot, style: Style, grades: list[tuple[DraftStatus, int]]) -> None:
    with bot.services.database.write() as session:
        style = get_style(session, style.style_id)
        for status, grade in grades:
            draft = make_draft(
                session, style, team_id=TEAM_ID, status=status, rung=Rung.RETRIEVED, completion="We close at noon."
            )
            save_judgement(session, draft, style.scope, judge=JUDGE, grade=grade)


def test_its_grades_count_where_it_agrees_with_the_team_beyond_the_noise(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    mia = workspace.person(MIA)
    grade_all(bot, style, [(DraftStatus.KEPT, 5), (DraftStatus.DISCARDED, 2)] * 10)
    assert "Judge `judge-1`: 20 drafts graded; from 50 on" in command(mia, "status brand-voice")
    grade_all(bot, style, [(DraftStatus.KEPT, 4), (DraftStatus.DISCARDED, 1)] * 20)
    for asked in ("status brand-voice", "ladder brand-voice"):
        said = command(mia, asked)
        assert "Judge `judge-1` and the team's own votes: Spearman 0.9" in said
        assert re.search(r"Its grades, 1 to 5: `retrieved` 2\.8 \(2\.\d to 3\.\d, 60 drafts\)\.", said), said
    grade_all(bot, style, [(DraftStatus.KEPT, 1), (DraftStatus.DISCARDED, 5)] * 30)
    said = command(mia, "status brand-voice")
    assert "Its grades do not count: both would have to be above 0.3 beyond the noise." in said
    assert "Its grades, 1 to 5" not in said


def test_who_is_forgotten_leaves_no_grade(bot: Bot, style: Style) -> None:
    grade_all(bot, style, [(DraftStatus.KEPT, 5)])
    with bot.services.database.write() as session:
        (asked_by,) = {one.requested_by for one in session.scalars(select(Draft))}
        erase_drafts_of_person(session, TEAM_ID, asked_by)
    assert judgements(bot) == {}


def test_without_a_judge_there_is_none_and_half_of_one_stops_the_start() -> None:
    assert Settings(_env_file=None).judge_url == Settings(_env_file=None).judge_model == ""
    with pytest.raises(ValidationError, match="judge_url and judge_model go together"):
        Settings(_env_file=None, judge_url="https://judge.example/v1")

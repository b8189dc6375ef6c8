"""The Home tab, as each person opens it: what they see, what they may set, and that it stays true by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.home import HomeKeeper
from bot.rehearsal.blockkit import validate_view
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GUEST, LEADS, MIA, RAVI, STRANGER, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.audit import AuditEntry
from db.base import now_in_database
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.home_viewers import HomeViewer
from db.promotions import PromotionKind
from db.runs import RunStatus
from db.session import Database
from db.styles import Style, StyleReviewer, get_style
from db.teams import get_team
from tests.support import factories
from tests.support.steps import wait_for_direct
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(90)


def make_style(database: Database, name: str = "support", **different: Any) -> Style:
    """A style that has been taught, used and trained."""
    values = {"team_id": TEAM_ID, "scope_key": TEAM_ID, "channel_id": BRAND, "recipe": "tiny-test", "created_by": ANA}
    with database.write() as session:
        style = factories.make_style(session, name=name, **(values | different))
        style.reviewers = [StyleReviewer(user_id=RAVI)]
        factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED, actor=ANA)
        now = now_in_database(session)
        for number in range(12):
            factories.make_example(
                session, style, status=ExampleStatus.APPROVED, proposed_by=MIA if number else "operator",
                approved_at=now - timedelta(weeks=number % 3),
            )  # fmt: skip
        for week in range(3):
            asked = {"requested_at": now - timedelta(weeks=week), "decided_by": MIA}
            factories.make_draft(session, style, status=DraftStatus.KEPT, completion="We close at noon.", **asked)
            factories.make_draft(
                session, style, status=DraftStatus.EDITED, completion="We close", edited_completion="We close at noon",
                **asked,
            )  # fmt: skip
        session.flush()
        return style


def said(view: dict[str, Any]) -> str:
    """Everything that can be read in a view."""
    return json.dumps(view["blocks"], ensure_ascii=False)


def buttons(view: dict[str, Any]) -> dict[str, str]:
    """Label by action id."""
    elements = [one for block in view["blocks"] for one in [*block.get("elements", ()), block.get("accessory") or {}]]
    return {one["action_id"]: one["text"]["text"] for one in elements if one.get("type") == "button"}


def click(person: Person, view: dict[str, Any], action_id: str) -> dict[str, Any]:
    """Click a button of the tab; returns the tab as it is published after that."""
    assert person.click_view(view, action_id).ok
    return wait_for_home(person, lambda now: now["hash"] != view["hash"])


def wait_for_home(person: Person, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The tab, once it is as wanted, without opening it anew."""

    def look() -> dict[str, Any] | None:
        view = person.home_view()
        return view if view is not None and wanted(view) else None

    return wait_until(look, what=f"a Home tab of {person.id} as wanted")


def test_a_member_sees_every_figure_of_a_style_in_words(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    make_style(sqlite_database, monthly_budget=20.0)
    mia = workspace.person(MIA)
    bot.services.people.get_actor(TEAM_ID, MIA)
    view = mia.open_home()
    validate_view({"type": "home", "blocks": view["blocks"]}, "home")
    shown = said(view)
    assert "support" in shown and "`retrieved`" in shown
    assert "12 examples are approved. 4 are new this week." in shown and "`▁" in shown
    assert "not measured yet" in shown
    assert "people changed 25% of what they kept (95 % interval" in shown and "6 drafts)" in shown
    assert "mia (11), the operator's import (1)" in shown
    assert "2 made; 1 kept as written, 1 kept after an edit" in shown
    assert "€0.00 of €20.00 this month (0%)" in shown
    assert "*Next training:*" in shown and "12 of the 14 approved examples" in shown
    assert "*Next best step:* 2 more examples until the next training." in shown
    assert set(buttons(view).values()) == {"Show as charts"}
    assert "<!" not in shown.replace("<!date^", "")


def test_guests_strangers_and_nobody_else_get_a_polite_sentence(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    make_style(sqlite_database)
    for user_id in (GUEST, STRANGER):
        shown = said(workspace.person(user_id).open_home())
        assert "only full members" in shown and "support" not in shown and "approved" not in shown


def test_a_private_channels_style_is_seen_by_its_members_and_not_by_an_admin_outside(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    workspace.person(RAVI).invite_bot(LEADS)
    make_style(sqlite_database, "board-notes", scope_key=f"{TEAM_ID}/{LEADS}", channel_id=LEADS)
    make_style(sqlite_database)
    assert "board-notes (private channel)" in said(workspace.person(RAVI).open_home())
    shown = said(workspace.person(MIA).open_home())
    assert "board-notes" not in shown and "support" in shown


def test_nobody_sees_a_private_style_through_the_list_of_changes(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database, "secret-plans", scope_key=f"{TEAM_ID}/C0NOBODY", channel_id="C0NOBODY")
    with sqlite_database.write() as session:
        session.add(
            AuditEntry(
                audit_id="aud_1", team_id=TEAM_ID, actor=RAVI, action="style.changed", subject=style.style_id,
                detail={"changed": ["name"], "values": {"name": ["old-plans", "secret-plans"]}},
                at=now_in_database(session),
            )
        )  # fmt: skip
    ana = workspace.person(ANA)
    assert "plans" not in said(click(ana, ana.open_home(), "home_page:changes"))


def test_only_admins_find_settings_and_a_forged_page_falls_back(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    make_style(sqlite_database)
    mia, ravi, ana = (workspace.person(one) for one in (MIA, RAVI, ANA))
    assert not any(action.startswith("home_page:") for action in buttons(mia.open_home()))
    assert {"home_page:styles", "home_page:reviews"} <= set(buttons(ravi.open_home()))
    assert {"home_page:settings", "home_page:changes"} <= set(buttons(ana.open_home()))
    assert "home_page:settings" not in buttons(ravi.open_home())
    with sqlite_database.write() as session:
        session.get_one(HomeViewer, (TEAM_ID, MIA)).page = "settings"
    assert "You are looking at *Styles*." in said(mia.open_home())


def test_a_reviewer_finds_what_waits_for_them_and_opens_it_from_there(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database)
    with sqlite_database.write() as session:
        example = factories.make_example(
            session, style, status=ExampleStatus.PROPOSED, team_id=TEAM_ID, proposed_by=MIA, prompt="Say we close early"
        )
    ravi = workspace.person(RAVI)
    queue = click(ravi, ravi.open_home(), "home_page:reviews")
    validate_view({"type": "home", "blocks": queue["blocks"]}, "home")
    assert "Say we close early" in said(queue)
    assert ravi.click_view(queue, f"review_open:{example.example_id}").ok
    assert "Say we close early" in str(ravi.wait_for_modal())


def test_everybody_reads_the_tab_in_their_own_language(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    make_style(sqlite_database)
    workspace.change_user(MIA, locale="nl-NL")
    workspace.change_user(RAVI, locale="en-GB")
    assert "Beste volgende stap" in said(workspace.person(MIA).open_home())
    assert "Next best step" in said(workspace.person(RAVI).open_home())


def test_an_admin_sets_a_styles_budget_and_the_change_is_on_record_and_on_show(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database)
    ana = workspace.person(ANA)
    settings = click(ana, ana.open_home(), "home_page:settings")
    assert "Trains after 50 new approved examples." in said(settings) and "no budget set" in said(settings)
    assert "Admins are Slack's own workspace admins" in said(settings) and f"<@{RAVI}>" in said(settings)
    assert ana.click_view(settings, f"home_edit_style:{style.style_id}").ok
    done = ana.submit(ana.wait_for_modal(), {"budget": "12.5", "train_after": "80", "digest": []})
    assert done.errors is None
    with sqlite_database.read() as session:
        now = get_style(session, style.style_id)
        assert (now.monthly_budget, now.train_after_examples, now.is_digest_on) == (12.5, 80, False)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "style.changed")).one()
        assert entry.actor == ANA
        assert entry.detail["values"] == {
            "is_digest_on": [True, False], "monthly_budget": [None, 12.5], "train_after_examples": [50, 80],
        }  # fmt: skip
    changes = said(click(ana, ana.open_home(), "home_page:changes"))
    assert f"<@{ANA}> changed *support*:" in changes
    assert "monthly budget from none to 12.50" in changes and "train after from 50 to 80" in changes
    assert "weekly digest from on to off" in changes


@pytest.mark.parametrize(
    ("block_id", "value", "sentence"),
    [("zone", "Middle-earth", "no such time zone"), ("hour", "24", "0 to 23"), ("budget", "-3", "0 or more")],
)
def test_what_is_wrong_with_the_workspaces_settings_is_said_beside_the_input(
    bot: Bot, workspace: Workspace, sqlite_database: Database, block_id: str, value: str, sentence: str
) -> None:
    ana = workspace.person(ANA)
    settings = click(ana, ana.open_home(), "home_page:settings")
    assert ana.click_view(settings, "home_edit_team").ok
    done = ana.submit(ana.wait_for_modal(), {block_id: value})
    assert done.errors is not None and set(done.errors) == {block_id} and sentence in done.errors[block_id]


def test_an_admin_sets_when_the_digest_comes_and_what_all_training_may_cost(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    ana = workspace.person(ANA)
    settings = click(ana, ana.open_home(), "home_page:settings")
    assert ana.click_view(settings, "home_edit_team").ok
    values = {"zone": "Europe/Amsterdam", "weekday": "4", "hour": "16", "budget": "100"}
    assert ana.submit(ana.wait_for_modal(), values).errors is None
    wait_until(lambda: "on Friday from 16:00, time zone Europe/Amsterdam" in said(ana.open_home()))
    with sqlite_database.read() as session:
        team = get_team(session, TEAM_ID)
        assert (team.time_zone, team.digest_weekday, team.digest_hour) == ("Europe/Amsterdam", 4, 16)
        assert team.monthly_budget == 100.0
    changes = said(click(ana, ana.open_home(), "home_page:changes"))
    assert "day of the digest from Monday to Friday" in changes and "monthly budget from none to 100.00" in changes


def test_a_member_who_forges_an_admins_click_changes_nothing(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    """The button is not there; a click that claims it was is refused, in words and on record."""
    style = make_style(sqlite_database)
    mia = workspace.person(MIA)
    view = mia.open_home()
    forged = {"action_id": f"home_edit_style:{style.style_id}", "value": style.style_id, "type": "button"}
    workspace.deliver_interaction(
        "interactive",
        {
            "type": "block_actions", "team": {"id": TEAM_ID}, "user": {"id": MIA, "team_id": TEAM_ID},
            "trigger_id": "1.forged", "container": {"type": "view", "view_id": view["id"]}, "view": view,
            "actions": [forged | {"block_id": "b", "action_ts": "1.0"}],
        },
    )  # fmt: skip
    wait_for_direct(mia, "Only workspace admins")
    assert mia.open_view() is None
    with sqlite_database.read() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "style.refused")).one().actor == MIA


def test_show_as_charts_sends_two_charts_with_the_same_figures_in_words(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database)
    mia = workspace.person(MIA)
    assert mia.click_view(mia.open_home(), f"home_charts:{style.style_id}").ok
    message = wait_for_direct(mia, "in charts")
    charts = [block for block in message["blocks"] if block["type"] == "data_visualization"]
    assert [one["title"] for one in charts] == ["Approved examples", "Edit effort per week"]
    assert charts[0]["chart"]["series"][0]["data"][-1]["value"] == 12
    assert "12 in the week of" in str(message["blocks"])
    assert "people changed 25% of the drafts they kept" in str(message["blocks"])


def test_a_home_of_forty_styles_stays_inside_slacks_limits_and_can_be_paged(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    for number in range(20):
        make_style(sqlite_database, f"style-{number:02d}-{'long-name' * 5}")
    ana = workspace.person(ANA)
    view = ana.open_home()
    assert len(view["blocks"]) <= 100 and "Styles 1 to 8 of 20." in said(view)
    view = click(ana, view, "home_part:next")
    assert "Styles 9 to 16 of 20." in said(view)
    view = click(ana, view, "home_part:next")
    assert "Styles 17 to 20 of 20." in said(view) and "home_part:next" not in buttons(view)
    assert "Styles 9 to 16 of 20." in said(click(ana, view, "home_part:previous"))


def test_an_open_home_is_published_anew_when_something_changes_and_only_then(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database)
    mia = workspace.person(MIA)
    seen = mia.open_home()
    keeper = HomeKeeper(bot.services, seconds_between_looks=3600.0)
    wait_until(lambda: keeper.look_once() == 0, what="nothing to publish")
    before = len(workspace.calls("views.publish"))
    assert [keeper.look_once() for _ in range(3)] == [0, 0, 0]
    assert len(workspace.calls("views.publish")) == before
    with sqlite_database.write() as session:
        factories.make_example(session, style, status=ExampleStatus.PROPOSED)
    keeper.look_once()
    view = wait_for_home(mia, lambda now: "1 waits for review." in said(now))
    assert view["hash"] != seen["hash"]


def test_who_has_not_looked_for_half_an_hour_is_left_alone(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    style = make_style(sqlite_database)
    workspace.person(MIA).open_home()
    with sqlite_database.write() as session:
        viewer = session.get_one(HomeViewer, (TEAM_ID, MIA))
        viewer.seen_at -= timedelta(minutes=31)
        factories.make_run(session, style, team_id=TEAM_ID, status=RunStatus.QUEUED)
    assert HomeKeeper(bot.services).look_once() == 0


def test_when_slack_does_not_tell_a_role_the_tab_says_so_and_shows_nothing(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    make_style(sqlite_database)
    workspace.fail("users.info", times=5, status=500)
    shown = said(workspace.person(MIA).open_home())
    assert "did not tell me your role" in shown and "support" not in shown

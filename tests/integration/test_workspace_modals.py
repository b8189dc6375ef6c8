"""Modals, commands, shortcuts, buttons and the Home tab against a real slack-bolt app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.rehearsal.errors import PersonError
from bot.rehearsal.interactions import new_trigger
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, GENERAL, LEADS, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import bolt_app, over_sockets, web_client
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slack_bolt import App


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def text_input(block_id: str, **element: Any) -> dict[str, Any]:
    inside = {"type": "plain_text_input", "action_id": f"{block_id}_in", **element}
    return {"type": "input", "block_id": block_id, "label": plain(block_id), "element": inside}


def modal(title: str = "Teach", **fields: Any) -> dict[str, Any]:
    options = [{"text": plain(name.title()), "value": name} for name in ("warm", "dry")]
    select = {"type": "static_select", "action_id": "style", "options": options}
    blocks = [
        text_input("asked", min_length=3, max_length=20),
        text_input("good", multiline=True, max_length=3000),
        {"type": "input", "block_id": "which", "label": plain("Style"), "element": select, "optional": True},
    ]
    view = {"type": "modal", "callback_id": "teach", "title": plain(title), "submit": plain("Save")}
    return view | {"blocks": blocks, "private_metadata": "row-7"} | fields


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(options=WorkspaceOptions(ack_seconds=1.0)) as made:
        yield made


@pytest.fixture
def app(workspace: Workspace) -> Iterator[App]:
    app = bolt_app(workspace)

    @app.command("/huisstijl")
    def open_modal(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=modal())

    @app.shortcut("teach")
    def open_from_message(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        view = modal(private_metadata=body["message"]["text"])
        client.views_open(trigger_id=body["trigger_id"], view=view)

    with over_sockets(app, workspace):
        yield app


def test_a_modal_opened_by_a_command_round_trips_its_values(workspace: Workspace, app: App) -> None:
    submitted: list[dict[str, Any]] = []

    @app.view("teach")
    def take(ack: Any, view: dict[str, Any]) -> None:
        submitted.append(view)
        ack()

    mia = workspace.person(MIA)
    assert mia.slash("/huisstijl", "teach", BRAND).ok
    view = mia.wait_for_modal()
    outcome = mia.submit(view, {"asked": "a tweet", "good_in": "Hallo! 👋 שלום", "style": "warm"})
    assert (outcome.errors, outcome.view, outcome.sent) == (None, None, True)
    values = submitted[0]["state"]["values"]
    assert values["asked"]["asked_in"] == {"type": "plain_text_input", "value": "a tweet"}
    assert values["good"]["good_in"]["value"] == "Hallo! 👋 שלום"
    assert values["which"]["style"]["selected_option"]["value"] == "warm"
    assert submitted[0]["private_metadata"] == "row-7"
    assert mia.open_view() is None


def test_slacks_client_holds_back_a_submission_that_breaks_the_inputs_rules(workspace: Workspace, app: App) -> None:
    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "", BRAND)
    view = mia.wait_for_modal()
    outcome = mia.submit(view, {"asked": "x" * 21, "good": "   "})
    assert outcome.sent is False
    assert outcome.errors is not None
    assert outcome.errors["asked"] == "Must be at most 20 characters (1 too many)"
    assert outcome.errors["good"] == "This is a required field"
    assert mia.submit(view, {"asked": "xx", "good": "ok"}).errors == {"asked": "Must be at least 3 characters"}
    assert workspace.deliveries("view_submission") == []
    with pytest.raises(PersonError, match="no input nonsense"):
        mia.submit(view, {"nonsense": "?"})


def test_errors_updates_pushes_and_clear_do_what_the_app_answered(workspace: Workspace, app: App) -> None:
    @app.view("teach")
    def take(ack: Any, view: dict[str, Any]) -> None:
        said = view["state"]["values"]["good"]["good_in"]["value"]
        if said == "wrong":
            ack(response_action="errors", errors={"good": "This is a duplicate."})
        elif said == "update":
            ack(response_action="update", view=modal("Updated"))
        elif said == "push":
            ack(response_action="push", view=modal("Pushed"))
        else:
            ack(response_action="clear")

    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "", BRAND)
    view = mia.wait_for_modal()
    assert mia.submit(view, {"asked": "abc", "good": "wrong"}).errors == {"good": "This is a duplicate."}
    updated = mia.submit(view, {"asked": "abc", "good": "update"}).view
    assert updated is not None
    assert (updated["title"]["text"], updated["id"]) == ("Updated", view["id"])
    assert updated["hash"] != view["hash"]
    pushed = mia.submit(updated, {"asked": "abc", "good": "push"}).view
    assert pushed is not None
    assert (pushed["previous_view_id"], pushed["root_view_id"]) == (view["id"], view["id"])
    third = mia.submit(pushed, {"asked": "abc", "good": "push"}).view
    assert third is not None
    with pytest.raises(PersonError, match="push_limit_reached"):
        mia.submit(third, {"asked": "abc", "good": "push"})
    assert mia.submit(third, {"asked": "abc", "good": "done"}).view is None


def test_an_error_for_a_block_that_is_not_there_is_trouble_for_the_person(workspace: Workspace, app: App) -> None:
    @app.view("teach")
    def take(ack: Any) -> None:
        ack(response_action="errors", errors={"no_such_block": "?"})

    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "", BRAND)
    with pytest.raises(PersonError, match="trouble connecting"):
        mia.submit(mia.wait_for_modal(), {"asked": "abc", "good": "x"})


def test_a_submission_that_nobody_acknowledges_is_trouble_and_is_not_sent_again(workspace: Workspace) -> None:
    app = bolt_app(workspace)

    @app.command("/huisstijl")
    def open_modal(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=modal())

    mia = workspace.person(MIA)
    with over_sockets(app, workspace):
        mia.slash("/huisstijl", "", BRAND)
        with pytest.raises(PersonError, match="trouble connecting"):
            mia.submit(mia.wait_for_modal(), {"asked": "abc", "good": "x"})
    assert len(workspace.deliveries("view_submission")[0].attempts) == 1


def test_a_message_shortcut_carries_the_message_even_where_the_bot_is_not(workspace: Workspace, app: App) -> None:
    ravi = workspace.person(RAVI)
    said = ravi.post(LEADS, "We <3 plain words & short ones")
    assert ravi.shortcut("teach", LEADS, said["ts"]).ok
    assert ravi.wait_for_modal()["private_metadata"] == "We &lt;3 plain words &amp; short ones"


def test_a_person_does_not_see_a_channel_they_are_not_in(workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    with pytest.raises(PersonError, match="not in"):
        mia.messages(LEADS)
    with pytest.raises(PersonError, match="not in"):
        mia.post(LEADS, "hello?")
    with pytest.raises(PersonError, match="deactivated"):
        workspace.person("U0LEO").post(GENERAL, "hello?")


def test_a_trigger_works_once_and_not_for_long() -> None:
    with Workspace(options=WorkspaceOptions(trigger_seconds=30)) as workspace:
        client = web_client(workspace)
        trigger = new_trigger(workspace.state, MIA)
        client.views_open(trigger_id=trigger, view=modal())
        with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
            client.views_open(trigger_id=trigger, view=modal())
        with pytest.raises(SlackApiError, match="invalid_trigger_id"):
            client.views_open(trigger_id="1.2.3", view=modal())
        late = new_trigger(workspace.state, MIA)
        workspace.turn_clock(31)
        with pytest.raises(SlackApiError, match="expired_trigger_id"):
            client.views_open(trigger_id=late, view=modal())


def test_a_view_changes_only_under_the_hash_it_was_read_with(workspace: Workspace) -> None:
    client = web_client(workspace)
    opened = client.views_open(trigger_id=new_trigger(workspace.state, MIA), view=modal())["view"]
    client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal("Second"))
    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal("Third"))
    with pytest.raises(SlackApiError, match="not_found"):
        client.views_update(view_id="V0NOTHING", view=modal())
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    published = client.views_publish(user_id=MIA, view=home)["view"]
    client.views_publish(user_id=MIA, view=home, hash=published["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_publish(user_id=MIA, view=home, hash=published["hash"])


def test_closing_tells_the_app_only_where_it_asked(workspace: Workspace) -> None:
    client, mia = web_client(workspace), workspace.person(MIA)
    quiet = client.views_open(trigger_id=new_trigger(workspace.state, MIA), view=modal())["view"]
    mia.close_view(quiet)
    view = modal(notify_on_close=True)
    loud = client.views_open(trigger_id=new_trigger(workspace.state, MIA), view=view)["view"]
    mia.close_view(loud)
    assert len(workspace.deliveries("view_closed")) == 1


def test_opening_the_home_tab_shows_what_the_app_publishes_for_this_person(workspace: Workspace, app: App) -> None:
    @app.event("app_home_opened")
    def publish(event: dict[str, Any], client: Any) -> None:
        section = {"type": "section", "text": {"type": "mrkdwn", "text": f"Hello <@{event['user']}>"}}
        button = {"type": "button", "action_id": "refresh", "text": plain("Refresh")}
        blocks = [section, {"type": "actions", "elements": [button]}]
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    clicked: list[str] = []

    @app.action("refresh")
    def refresh(ack: Any, body: dict[str, Any]) -> None:
        clicked.append(body["view"]["id"])
        ack()

    view = workspace.person(NOOR).open_home()
    assert view["blocks"][0]["text"]["text"] == f"Hello <@{NOOR}>"
    assert workspace.person(NOOR).click_view(view, "refresh").ok
    assert clicked == [view["id"]]


def test_clicks_reach_the_app_and_the_answer_replaces_the_message(workspace: Workspace, app: App) -> None:
    @app.action("approve")
    def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        ack()
        respond(text=f"approved {body['actions'][0]['value']}", replace_original=True)

    @app.action("rate")
    def rate(ack: Any, body: dict[str, Any], respond: Any) -> None:
        ack()
        respond(text=f"rated {body['actions'][0]['value']}")

    button = {"type": "button", "action_id": "approve", "text": plain("Approve"), "value": "ex-1"}
    sides = {
        "positive_button": {"text": plain("Good"), "value": "up"},
        "negative_button": {"text": plain("Bad"), "value": "down"},
    }
    feedback = {"type": "feedback_buttons", "action_id": "rate", **sides}
    blocks = [
        {"type": "actions", "elements": [button]},
        {"type": "context_actions", "elements": [feedback]},
    ]
    card = web_client(workspace).chat_postMessage(channel=BRAND, text="card", blocks=blocks)
    ravi = workspace.person(RAVI)
    assert ravi.click(BRAND, card["ts"], "rate", value="down").ok
    assert wait_until(lambda: ravi.ephemerals(BRAND))[0]["text"] == "rated down"
    assert workspace.person(MIA).ephemerals(BRAND) == []
    assert ravi.click(BRAND, card["ts"], "approve").ok
    wait_until(lambda: ravi.messages(BRAND)[0]["text"] == "approved ex-1")
    assert ravi.messages(BRAND)[0]["blocks"] == []
    with pytest.raises(PersonError, match="nothing to click"):
        ravi.click(BRAND, card["ts"], "approve")


def test_a_command_answers_in_its_acknowledgement_or_fails_before_the_person(workspace: Workspace) -> None:
    app = bolt_app(workspace)

    @app.command("/draft")
    def answer(ack: Any, command: dict[str, Any]) -> None:
        ack(f"drafting {command['text']}")

    mia = workspace.person(MIA)
    with over_sockets(app, workspace):
        answered = mia.slash("/draft", " a tweet ", BRAND)
        silent = mia.slash("/unknown", "", BRAND)
    assert answered.message is not None
    assert answered.message["text"] == "drafting a tweet"
    assert (silent.ok, silent.error) == (False, "operation_timeout")
    assert [e["text"] for e in mia.ephemerals(BRAND)][-1].startswith("/unknown failed")


def test_a_response_url_works_five_times_and_not_for_ever() -> None:
    with Workspace(options=WorkspaceOptions(response_url_seconds=30)) as workspace:
        url = workspace.response_url(MIA, GENERAL)
        hook = WebhookClient(url)
        statuses = [hook.send(text=f"answer {n}", response_type="in_channel").status_code for n in range(6)]
        assert statuses == [200] * 5 + [404]
        other = WebhookClient(workspace.response_url(MIA, GENERAL))
        workspace.turn_clock(31)
        late = other.send(text="too late")
        assert (late.status_code, "expired_url" in late.body) == (404, True)
        assert len(workspace.person(MIA).messages(GENERAL)) == 5


def test_what_stands_in_an_input_outlives_an_update_and_a_new_initial_value(workspace: Workspace, app: App) -> None:
    submitted: list[dict[str, Any]] = []

    @app.view("teach")
    def take(ack: Any, view: dict[str, Any]) -> None:
        submitted.append(view["state"]["values"])
        ack()

    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "teach", BRAND)
    opened = mia.wait_for_modal()
    mia.type_in(opened, {"asked": "typed"})
    blocks = [
        text_input("asked", initial_value="from the app"),
        text_input("good", initial_value="empty before, so it stays empty"),
        text_input("new", initial_value="a new block_id is filled"),
    ]
    blocks[1]["optional"] = True
    web_client(workspace).views_update(view_id=opened["id"], view=modal() | {"blocks": blocks})
    assert mia.submit(mia.wait_for_modal(after=opened), {}).errors is None
    values = {block: next(iter(held.values()))["value"] for block, held in submitted[0].items()}
    assert values == {"asked": "typed", "good": None, "new": "a new block_id is filled"}

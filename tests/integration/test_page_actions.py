"""Everything a person can do on the page, against a real slack-bolt app: done, shown live, refused as Slack does."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from slack_bolt import App

from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BOT_USER_ID, BRAND, GENERAL, MIA, NOOR, PIM, RANDOM, TEAM_ID
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import bolt_app, over_sockets, web_client
from tests.support.page_tab import Tab
from tests.support.wait import wait_until

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def option(value: str) -> dict[str, Any]:
    return {"text": plain(value.title()), "value": value}


def text_input(block_id: str, **element: Any) -> dict[str, Any]:
    inside = {"type": "plain_text_input", "action_id": f"{block_id}_in", **element}
    return {"type": "input", "block_id": block_id, "label": plain(block_id), "element": inside}


def modal(**fields: Any) -> dict[str, Any]:
    button = {"type": "button", "action_id": "more", "text": plain("More")}
    blocks = [text_input("asked", min_length=3), {"type": "actions", "block_id": "buttons", "elements": [button]}]
    view = {"type": "modal", "callback_id": "teach", "title": plain("Teach"), "submit": plain("Save"), "blocks": blocks}
    return view | fields


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

    @app.shortcut("teach_style")
    def open_from_message(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=modal(private_metadata=body["message"]["text"]))

    with over_sockets(app, workspace):
        yield app


@pytest.fixture
def mia(workspace: Workspace) -> Iterator[Tab]:
    with Tab(workspace, MIA) as tab:
        yield tab


def test_a_message_and_its_thread_appear_for_everybody_there(workspace: Workspace, mia: Tab) -> None:
    with Tab(workspace, NOOR) as noor:
        root = mia.act("post", channel=GENERAL, text=f"A < B & <@{NOOR}>")
        mia.act("post", channel=GENERAL, text="and more", thread_ts=root["ts"])
        for tab in (mia, noor):
            seen = wait_until(partial(tab.find, GENERAL, ts=root["ts"], reply_count=1))
            assert seen["text"] == f"A &lt; B &amp; <@{NOOR}>"
            wait_until(partial(tab.find, GENERAL, text="and more", thread_ts=root["ts"]))


def test_a_refusal_is_said_in_the_language_of_who_tried(workspace: Workspace, mia: Tab) -> None:
    workspace.state.users[MIA]["locale"] = "nl-NL"
    said = mia.try_to("post", channel=GENERAL, text="a" * 50_000)
    assert said == {"ok": False, "error": "Een bericht heeft 1 tot 40.000 tekens."}
    thread = mia.try_to("post", channel=GENERAL, text="hallo", thread_ts="1.0")
    assert thread["error"].startswith("De workspace weigerde dat met Slacks fout `")
    with Tab(workspace, NOOR) as noor:
        assert (
            noor.try_to("post", channel=GENERAL, text="a" * 50_000)["error"] == "A message has 1 to 40,000 characters."
        )


def test_only_ones_own_messages_are_edited_and_deleted(workspace: Workspace, mia: Tab) -> None:
    said = mia.act("post", channel=GENERAL, text="helo")
    mia.act("edit", channel=GENERAL, ts=said["ts"], text="hello")
    mia.sees(lambda _: mia.find(GENERAL, text="hello"))
    with Tab(workspace, NOOR) as noor:
        refused = noor.try_to("delete", channel=GENERAL, ts=said["ts"])
        assert refused == {"ok": False, "error": "Only one's own messages can be changed."}
        mia.act("delete", channel=GENERAL, ts=said["ts"])
        noor.sees(lambda _: noor.find(GENERAL, ts=said["ts"]) is None)


def test_a_reaction_comes_and_goes(mia: Tab) -> None:
    ts = mia.act("post", channel=GENERAL, text="hello")["ts"]
    mia.act("react", channel=GENERAL, ts=ts, name="eyes")
    mia.sees(lambda _: (mia.find(GENERAL, ts=ts) or {}).get("reactions"))
    mia.act("react", channel=GENERAL, ts=ts, name="eyes", remove=True)
    mia.sees(lambda _: not (mia.find(GENERAL, ts=ts) or {}).get("reactions"))


def test_a_picture_is_shown_to_those_in_the_channel(workspace: Workspace, mia: Tab) -> None:
    content = base64.b64encode(PNG).decode()
    mia.act("upload", channel=GENERAL, name="../curve.png", content_base64=content, text="look")
    shown = mia.sees(lambda _: mia.find(GENERAL, text="look"))
    answer = mia.get(shown["files"][0]["page_url"])
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PNG, "image/png")
    assert mia.get(shown["files"][0]["page_url"].replace(MIA, PIM)).status_code == 404
    page = base64.b64encode(b"<script>alert(1)</script>").decode()
    mia.act("upload", channel=GENERAL, name="page.html", content_base64=page, text="a page")
    html = mia.get(mia.sees(lambda _: mia.find(GENERAL, text="a page"))["files"][0]["page_url"])
    assert (html.headers["content-disposition"], html.headers["content-type"]) == (
        "attachment",
        "application/octet-stream",
    )
    assert not mia.try_to("upload", channel=GENERAL, name="x.png", content_base64="!!")["ok"]


def test_a_command_opens_a_modal_which_complains_and_then_closes(app: App, mia: Tab) -> None:
    submitted: list[str] = []

    @app.view("teach")
    def take(ack: Any, view: dict[str, Any]) -> None:
        value = view["state"]["values"]["asked"]["asked_in"]["value"]
        submitted.append(value)
        if value == "taken":
            ack(response_action="errors", errors={"asked": "This one is taken."})
        else:
            ack()

    assert mia.act("slash", command="/huisstijl", text="style new", channel=BRAND)["ok"]
    view = mia.sees(lambda s: s["views"])[0]
    answer = mia.act("submit", view_id=view["id"], values={"asked": "no"})
    assert (answer["errors"], answer["sent"]) == ({"asked": "Must be at least 3 characters"}, False)
    mia.sees(lambda s: s["views"][0]["errors"] == {"asked": "Must be at least 3 characters"})
    mia.act("submit", view_id=view["id"], values={"asked": "taken"})
    mia.sees(lambda s: s["views"][0]["errors"] == {"asked": "This one is taken."})
    assert mia.act("submit", view_id=view["id"], values={"asked": "free"})["errors"] is None
    mia.sees(lambda s: s["views"] == [])
    assert submitted == ["taken", "free"]
    assert not mia.try_to("submit", view_id=view["id"], values={})["ok"]


def test_what_is_wrong_with_a_form_outlives_an_update_of_it(app: App, workspace: Workspace, mia: Tab) -> None:
    other = text_input("good")

    @app.view("teach")
    def refuse(ack: Any, view: dict[str, Any], client: Any) -> None:
        # Something that took longer is ready just now, and changes the window while the app looks at what was sent.
        client.views_update(view_id=view["id"], view=modal() | {"blocks": [*modal()["blocks"], other]})
        ack(response_action="errors", errors={"asked": "This one is taken."})

    mia.act("slash", command="/huisstijl", text="style new", channel=BRAND)
    view = mia.sees(lambda s: s["views"])[0]
    mia.act("submit", view_id=view["id"], values={"asked": "taken"})
    shown = mia.sees(lambda s: s["views"][0]["errors"] and s["views"])[0]
    assert (shown["errors"], len(shown["blocks"])) == ({"asked": "This one is taken."}, 3)
    web_client(workspace).views_update(view_id=view["id"], view=modal(title=plain("Again")))
    shown = mia.sees(lambda s: s["views"][0]["title"]["text"] == "Again" and s["views"])[0]
    assert shown["errors"] == {"asked": "This one is taken."}
    web_client(workspace).views_update(view_id=view["id"], view=modal(title=plain("Gone")) | {"blocks": [other]})
    shown = mia.sees(lambda s: s["views"][0]["title"]["text"] == "Gone" and s["views"])[0]
    assert shown["errors"] is None


def test_a_click_in_a_modal_pushes_another_and_closing_goes_back(app: App, mia: Tab) -> None:
    held: list[Any] = []

    @app.action("more")
    def push(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        held.append(body["view"]["state"]["values"]["asked"]["asked_in"]["value"])
        client.views_push(trigger_id=body["trigger_id"], view=modal(title=plain("More")))

    mia.act("shortcut", callback_id="teach_style", channel=GENERAL, ts=mia.act("post", channel=GENERAL, text="a")["ts"])
    view = mia.sees(lambda s: s["views"])[0]
    assert view["private_metadata"] == "a"
    click = {"view_id": view["id"], "action_id": "more", "block_id": "buttons", "values": {"asked": "typed"}}
    assert mia.act("click_view", **click)["ok"]
    mia.sees(lambda s: [v["title"]["text"] for v in s["views"]] == ["Teach", "More"])
    assert held == ["typed"]
    mia.act("close_view", view_id=mia.state["views"][-1]["id"])
    mia.sees(lambda s: [v["title"]["text"] for v in s["views"]] == ["Teach"])
    mia.act("close_view", view_id=view["id"], everything=True)
    mia.sees(lambda s: s["views"] == [])


def test_an_update_of_a_modal_arrives_with_a_new_hash(workspace: Workspace, app: App, mia: Tab) -> None:
    mia.act("slash", command="/huisstijl", text="", channel=BRAND)
    view = mia.sees(lambda s: s["views"])[0]
    web_client(workspace).views_update(view_id=view["id"], view=modal(title=plain("Saved")))
    mia.sees(lambda s: s["views"][0]["title"]["text"] == "Saved" and s["views"][0]["hash"] != view["hash"])


def test_every_kind_of_click_in_a_message_reaches_the_app(workspace: Workspace, app: App, mia: Tab) -> None:
    heard: list[dict[str, Any]] = []

    @app.action(re.compile("pick-"))
    def hear(ack: Any, body: dict[str, Any]) -> None:
        ack()
        heard.append(body["actions"][0])

    two = [option("warm"), option("dry")]
    elements: list[dict[str, Any]] = [
        {"type": "button", "text": plain("Go"), "value": "row-1"},
        {"type": "overflow", "options": two},
        {"type": "static_select", "options": two, "placeholder": plain("pick")},
        {"type": "radio_buttons", "options": two},
        {"type": "checkboxes", "options": two},
        {"type": "users_select", "placeholder": plain("who")},
        {"type": "datepicker"},
    ]
    blocks = [
        {"type": "actions", "block_id": f"b{n}", "elements": [{"action_id": f"pick-{n}", **element}]}
        for n, element in enumerate(elements)
    ]
    sides = {"positive_button": {"text": plain("Good"), "value": "up"}}
    sides["negative_button"] = {"text": plain("Bad"), "value": "down"}
    feedback = {"type": "feedback_buttons", "action_id": "pick-7", **sides}
    blocks.append({"type": "context_actions", "block_id": "b7", "elements": [feedback]})
    ts = web_client(workspace).chat_postMessage(channel=BRAND, text="pick", blocks=blocks)["ts"]
    chosen: list[dict[str, Any]] = [
        {}, {"selected": "dry"}, {"selected": "dry"}, {"selected": "warm"}, {"selected": ["warm", "dry"]},
        {"selected": NOOR}, {"selected": "2026-11-22"}, {"value": "down"},
    ]  # fmt: skip
    for number, choice in enumerate(chosen):
        click = {"channel": BRAND, "ts": ts, "action_id": f"pick-{number}", "block_id": f"b{number}"}
        assert mia.act("click", **click, **choice)["ok"], elements[number:]
    assert [a["type"] for a in heard] == [*(e["type"] for e in elements), "feedback_buttons"]
    assert heard[0]["value"] == "row-1"
    assert heard[1]["selected_option"]["value"] == "dry"
    assert [o["value"] for o in heard[4]["selected_options"]] == ["warm", "dry"]
    assert (heard[5]["selected_user"], heard[6]["selected_date"], heard[7]["value"]) == (NOOR, "2026-11-22", "down")
    unknown = {"channel": BRAND, "ts": ts, "action_id": "pick-2", "block_id": "b2", "selected": "other"}
    assert not mia.try_to("click", **unknown)["ok"]


def test_a_click_in_an_ephemeral_message_replaces_it(workspace: Workspace, app: App, mia: Tab) -> None:
    @app.action("go")
    def answer(ack: Any, respond: Any) -> None:
        ack()
        respond(text="done", replace_original=True)

    button = {"type": "button", "action_id": "go", "text": plain("Go")}
    blocks = [{"type": "actions", "block_id": "b", "elements": [button]}]
    web_client(workspace).chat_postEphemeral(channel=BRAND, user=MIA, text="only you", blocks=blocks)
    ephemeral = mia.sees(lambda _: mia.find(BRAND, text="only you", is_ephemeral=True))
    mia.act("click", channel=BRAND, ts=ephemeral["ts"], action_id="go", block_id="b")
    mia.sees(lambda _: mia.find(BRAND, text="done", is_ephemeral=True))


def test_a_click_that_nobody_acknowledges_says_so(workspace: Workspace, mia: Tab) -> None:
    button = {"type": "button", "action_id": "go", "text": plain("Go")}
    blocks = [{"type": "actions", "block_id": "b", "elements": [button]}]
    ts = web_client(workspace).chat_postMessage(channel=BRAND, text="x", blocks=blocks)["ts"]
    result = mia.act("click", channel=BRAND, ts=ts, action_id="go", block_id="b")
    assert result == {"ok": False, "error": "operation_timeout"}
    assert mia.act("slash", command="/huisstijl", text="", channel=BRAND)["error"] == "operation_timeout"
    mia.sees(lambda s: "operation_timeout" in str(s["ephemerals"].get(BRAND)))


def test_an_external_select_offers_what_the_app_answers(app: App, mia: Tab) -> None:
    @app.options("pick")
    def offer(ack: Any, payload: dict[str, Any]) -> None:
        ack(options=[option(f"{payload['value']}{n}") for n in range(2)])

    taken: list[str] = []

    @app.view("teach")
    def take(ack: Any, view: dict[str, Any]) -> None:
        taken.append(view["state"]["values"]["which"]["pick"]["selected_option"]["value"])
        ack()

    @app.command("/pick")
    def open_picker(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        element = {"type": "external_select", "action_id": "pick", "min_query_length": 1}
        block = {"type": "input", "block_id": "which", "label": plain("Which"), "element": element}
        client.views_open(trigger_id=body["trigger_id"], view=modal(blocks=[block]))

    mia.act("slash", command="/pick", text="", channel=BRAND)
    view = mia.sees(lambda s: s["views"])[0]
    asked = {"view_id": view["id"], "action_id": "pick", "block_id": "which"}
    offered = mia.act("options", **asked, value="ab")
    assert [o["value"] for o in offered] == ["ab0", "ab1"]
    assert not mia.try_to("submit", view_id=view["id"], values={"which": {"text": plain("Z"), "value": "z"}})["ok"]
    mia.act("options", **asked, value="abc")  # what was shown before can still be chosen: answers meet in any order
    mia.act("submit", view_id=view["id"], values={"which": offered[1]})
    assert taken == ["ab1"]


def test_opening_home_lets_the_app_publish_it(app: App, mia: Tab) -> None:
    @app.event("app_home_opened")
    def publish(event: dict[str, Any], client: Any) -> None:
        if event["tab"] == "home":
            section = {"type": "section", "text": plain("Your styles")}
            client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [section]})

    assert mia.state["home"] is None
    mia.act("open_home", tab="home")
    home = mia.sees(lambda s: s["home"])
    assert home["blocks"][0]["text"]["text"] == "Your styles"


def test_stop_is_heard_by_the_app(workspace: Workspace, app: App, mia: Tab) -> None:
    stopped: list[dict[str, Any]] = []

    @app.event("agent_session_stopped")
    def hear(event: dict[str, Any]) -> None:
        stopped.append(event)

    client = web_client(workspace)
    root = mia.act("post", channel=BRAND, text="a draft, please")["ts"]
    stream = client.chat_stream(
        buffer_size=1, channel=BRAND, thread_ts=root, recipient_team_id=TEAM_ID, recipient_user_id=MIA
    )
    stream.append(markdown_text="Hallo")
    ts = mia.sees(lambda _: mia.find(BRAND, stream="open"))["ts"]
    mia.act("stop_stream", channel=BRAND, ts=ts)
    mia.sees(lambda _: mia.find(BRAND, stream="stopped_by_user"))
    wait_until(lambda: stopped and stopped[0]["streaming_message_ts"] == [ts])
    assert not mia.try_to("stop_stream", channel=BRAND, ts=ts)["ok"]


def test_what_is_read_stays_read_and_never_moves_back(workspace: Workspace, mia: Tab) -> None:
    one, two = (mia.act("post", channel=GENERAL, text=text)["ts"] for text in ("one", "two"))
    mia.act("mark_read", channel=GENERAL, ts=two)
    mia.act("mark_read", channel=GENERAL, ts=one)
    mia.sees(lambda s: s["read"].get(GENERAL) == two)
    assert not mia.try_to("mark_read", channel=GENERAL, ts="now")["ok"]
    with Tab(workspace, NOOR) as noor:
        assert GENERAL not in noor.state["read"]


def test_a_member_joins_a_public_channel_and_gets_its_messages(workspace: Workspace) -> None:
    workspace.person(NOOR).post(RANDOM, "before")
    with Tab(workspace, PIM) as pim:
        assert "before" not in pim.wire
        pim.act("join", channel=RANDOM)
        pim.sees(lambda _: pim.find(RANDOM, text="before"))
        pim.act("invite", channel=RANDOM, user=BOT_USER_ID)
        pim.sees(lambda s: next(c for c in s["channels"] if c["id"] == RANDOM)["bot_is_member"])


def test_an_unknown_action_and_a_missing_argument_are_refused(mia: Tab) -> None:
    assert mia.try_to("messages", channel=GENERAL) == {"ok": False, "error": "there is no action messages"}
    assert mia.try_to("post", channel=GENERAL) == {"ok": False, "error": "missing argument 'text'"}


def test_a_permalink_leads_to_the_message_on_the_page(workspace: Workspace, mia: Tab) -> None:
    root = mia.act("post", channel=BRAND, text="root")["ts"]
    reply = mia.act("post", channel=BRAND, text="reply", thread_ts=root)["ts"]
    link = web_client(workspace).chat_getPermalink(channel=BRAND, message_ts=reply)["permalink"]
    answer = mia.get(link)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/?channel={BRAND}&ts={reply}&thread_ts={root}"

"""The page's front door: who gets in, what each person sees at first and live, and what never reaches them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bot.rehearsal.changes import Changes
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.page.sight import Sight
from bot.rehearsal.seed import (
    ANA,
    BOT_USER_ID,
    BRAND,
    GENERAL,
    GUEST,
    LEFT,
    LEGAL,
    MIA,
    NOOR,
    PACKAGES,
    PIM,
    RANDOM,
    RAVI,
    STRANGER,
    TEAM_ID,
)
from bot.rehearsal.workspace import Workspace
from config.slack_manifest import build_manifest
from tests.support.bolt_apps import web_client
from tests.support.page_tab import Tab
from tests.support.wait import wait_until

SECRET = "the Malmberg contract ends in May"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


def state_of(workspace: Workspace, user: str) -> dict[str, Any]:
    answer = httpx.get(f"{workspace.url}/page/state", params={"as": user}, trust_env=False)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


# ------------------------------------------------------------------------------------------------ the door


@pytest.mark.parametrize("path", ["/", "/page/state?as=U0MIA", "/page/file/F1?as=U0MIA", "/page/assets/x.js"])
def test_a_request_for_another_host_name_is_refused(workspace: Workspace, path: str) -> None:
    for host in ("evil.example", "evil.example:8730", "127.0.0.1.evil.example", "localhost:8730:1", ""):
        answer = httpx.get(f"{workspace.url}{path}", headers={"Host": host}, trust_env=False)
        assert answer.status_code in (400, 421), host
        assert "U0ANA" not in answer.text


def test_an_action_without_this_pages_origin_is_refused(workspace: Workspace) -> None:
    said = {"as": MIA, "action": "post", "channel": GENERAL, "text": "not me"}
    other_port = workspace.url.rpartition(":")[0] + ":3000"
    for origin in (None, "null", "http://evil.example", "https://127.0.0.1", other_port):
        headers = {"Origin": origin} if origin else {}
        answer = httpx.post(f"{workspace.url}/page/act", json=said, headers=headers, trust_env=False)
        assert answer.status_code == 403, origin
    foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert httpx.post(f"{workspace.url}/page/act", json=said, headers=foreign, trust_env=False).status_code == 421
    assert workspace.person(MIA).messages(GENERAL) == []


@pytest.mark.parametrize("path", ["/page/live?as=U0MIA", "/page/inspect/live"])
def test_a_socket_of_another_site_is_refused(workspace: Workspace, path: str) -> None:
    url = workspace.url.replace("http", "ws", 1)
    for origin in (None, "http://evil.example", "null"):
        with pytest.raises(InvalidStatus), connect(f"{url}{path}", origin=origin, proxy=None):  # type: ignore[arg-type]
            pass


def test_nobody_can_be_the_bot_or_someone_who_has_left(workspace: Workspace) -> None:
    for user in (BOT_USER_ID, LEFT, "U0NOBODY", ""):
        answer = httpx.get(f"{workspace.url}/page/state", params={"as": user}, trust_env=False)
        assert (answer.status_code, answer.json()["ok"]) == (400, False)


def test_no_secret_reaches_the_page(workspace: Workspace) -> None:
    with Tab(workspace, ANA) as ana:
        ana.act("open_home", tab="messages")
        sent = ana.wire + json.dumps(state_of(workspace, ANA))
    for name, secret in workspace.state.tokens.items():
        assert secret not in sent, name


def test_files_beside_the_built_page_are_not_served(workspace: Workspace) -> None:
    for path in ("/page/../endpoints.py", "/page/%2e%2e/endpoints.py", "/page/assets/%2e%2e/%2e%2e/guard.py"):
        answer = httpx.get(f"{workspace.url}{path}", trust_env=False)
        assert answer.status_code == 404, path


# ------------------------------------------------------------------------------------------------ who sees what


def test_each_person_sees_the_channels_they_are_in_and_what_they_could_join(workspace: Workspace) -> None:
    seen = {
        user: {c["id"]: c["is_member"] for c in state_of(workspace, user)["channels"] if c["kind"] != "im"}
        for user in (MIA, RAVI, ANA, GUEST, PIM, STRANGER)
    }
    public = {GENERAL, BRAND, PACKAGES, RANDOM, "C0PARTNERS"}
    assert seen[MIA] == dict.fromkeys(public, True)
    assert seen[RAVI] == dict.fromkeys([*public, "C0LEADS"], True)
    assert seen[ANA] == dict.fromkeys([*public, "C0LEADS", LEGAL], True)
    assert seen[GUEST] == {BRAND: True}
    assert seen[PIM] == dict.fromkeys(public, False) | {LEGAL: True}
    assert seen[STRANGER] == {"C0PARTNERS": True}


def test_a_private_channel_reaches_only_its_members_at_first_and_live(workspace: Workspace) -> None:
    client = web_client(workspace)
    workspace.person(PIM).post(LEGAL, f"before: {SECRET}")
    others = (MIA, NOOR, RAVI, GUEST, STRANGER)
    with ExitStack() as open_tabs:
        tabs = [open_tabs.enter_context(Tab(workspace, user)) for user in others]
        with Tab(workspace, PIM) as pim, Tab(workspace, ANA) as ana:
            root = pim.act("post", channel=LEGAL, text=f"live: {SECRET}")
            pim.act("post", channel=LEGAL, text=f"in the thread: {SECRET}", thread_ts=root["ts"])
            pim.act("edit", channel=LEGAL, ts=root["ts"], text=f"edited: {SECRET}")
            pim.act("react", channel=LEGAL, ts=root["ts"], name="eyes")
            client.chat_postEphemeral(channel=LEGAL, user=PIM, text=f"to Pim: {SECRET}")
            client.assistant_threads_setStatus(channel_id=LEGAL, thread_ts=root["ts"], status=SECRET)
            content = base64.b64encode(SECRET.encode()).decode()
            shared = pim.act("upload", channel=LEGAL, name="malmberg.txt", content_base64=content)
            ana.sees(lambda s: any(m.get("files") for m in s["messages"][LEGAL]))
            pim.sees(lambda s: s["ephemerals"].get(LEGAL) and s["statuses"])
            assert f"to Pim: {SECRET}" not in ana.wire
            assert SECRET in ana.wire
            # Something that all of them see comes after it, so what was meant for them has arrived.
            workspace.add_to_channel(LEGAL, NOOR)
            client.chat_postMessage(channel=BRAND, text="the last thing")
            client.chat_postMessage(channel="C0PARTNERS", text="the last thing")
            for tab in tabs:
                tab.sees(lambda s: "the last thing" in json.dumps(s["messages"]))
            for tab in tabs:
                if tab.user == NOOR:
                    continue
                assert "Malmberg" not in tab.wire, tab.user
                assert LEGAL not in tab.wire, tab.user
                assert "Malmberg" not in json.dumps(state_of(workspace, tab.user))
                assert tab.get(f"/page/file/{shared['files'][0]['id']}?as={tab.user}").status_code == 404
                assert not tab.try_to("post", channel=LEGAL, text="hello?")["ok"]
                assert not tab.try_to("join", channel=LEGAL)["ok"]
            assert ana.get(f"/page/file/{shared['files'][0]['id']}?as={ANA}").content == SECRET.encode()
            assert f"to Pim: {SECRET}" not in tabs[1].wire
            assert tabs[1].find(LEGAL, text=f"edited: {SECRET}") is not None  # Noor has just been let in


def test_who_is_shown_out_of_a_channel_loses_it_live(workspace: Workspace) -> None:
    with Tab(workspace, PIM) as pim:
        pim.act("post", channel=LEGAL, text="one")
        pim.sees(lambda s: s["messages"].get(LEGAL))
        workspace.remove_from_channel(LEGAL, PIM)
        workspace.person(ANA).post(LEGAL, SECRET)
        pim.sees(lambda s: LEGAL not in s["messages"] and all(c["id"] != LEGAL for c in s["channels"]))
        assert SECRET not in pim.wire


def test_a_guest_and_a_stranger_cannot_let_themselves_in(workspace: Workspace) -> None:
    for user in (GUEST, STRANGER):
        with Tab(workspace, user) as outsider:
            assert not outsider.try_to("join", channel=GENERAL)["ok"]


def test_somebody_deactivated_loses_their_page(workspace: Workspace) -> None:
    with Tab(workspace, MIA) as mia:
        workspace.change_user(MIA, deleted=True)
        workspace.person(ANA).post(GENERAL, SECRET)
        wait_until(lambda: not mia.is_connected, what="the socket to close")
        assert SECRET not in mia.wire
        assert not mia.try_to("post", channel=GENERAL, text="still here")["ok"]


# ------------------------------------------------------------------------------------------------ live


def test_a_streamed_answer_arrives_piece_by_piece(workspace: Workspace) -> None:
    client = web_client(workspace)
    with Tab(workspace, MIA) as mia:
        root = mia.act("post", channel=BRAND, text="a draft, please")["ts"]
        to_mia = {"channel": BRAND, "thread_ts": root, "recipient_team_id": TEAM_ID, "recipient_user_id": MIA}
        stream = client.chat_stream(buffer_size=1, **to_mia)
        pieces = ["Hallo ", "wereld 👋 ", "en ", "iedereen"]
        for number in range(len(pieces)):
            stream.append(markdown_text=pieces[number])
            so_far = {"stream": "open", "text": "".join(pieces[: number + 1])}
            wait_until(partial(mia.find, BRAND, **so_far))
        stream.stop()
        mia.sees(lambda _: mia.find(BRAND, stream="done", text="".join(pieces)))
        changes = [c for f in mia.frames[1:] for c in f["changes"]]
        assert [c["append"] for c in changes if c["type"] == "stream"] == pieces[1:]


def test_a_page_that_fell_behind_starts_again_from_the_whole(workspace: Workspace) -> None:
    workspace.state.changes = Changes(kept=3)
    mia = workspace.person(MIA)
    sight = Sight(workspace.state, MIA)
    sight.whole()
    mia.post(GENERAL, "one")
    assert [c["message"]["text"] for c in sight.changes() or ()] == ["one"]
    for number in range(5):
        mia.post(GENERAL, f"more {number}")
    assert sight.changes() is None
    assert len(sight.whole()["messages"][GENERAL]) == 6
    assert sight.changes() == []


def test_the_page_knows_what_the_installed_app_offers() -> None:
    with Workspace(app=InstalledApp.from_manifest(build_manifest())) as workspace:
        app = state_of(workspace, MIA)["app"]
    assert {"/draft", "/huisstijl"} <= {c["command"] for c in app["commands"]}
    assert all(c["description"] for c in app["commands"])
    assert "teach_style" in {s["callback_id"] for s in app["message_shortcuts"]}
    assert app["can_stop"]


def test_the_people_one_can_be_have_their_roles(workspace: Workspace) -> None:
    roles = {one["id"]: one["role"] for one in state_of(workspace, MIA)["act_as"]}
    assert roles == {
        MIA: "member", NOOR: "member", RAVI: "reviewer", ANA: "admin", GUEST: "guest", PIM: "private_member",
        STRANGER: "stranger",
    }  # fmt: skip

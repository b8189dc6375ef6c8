"""The side panel: what was delivered, called, written and sent to the model, and nothing secret among it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from websockets.sync.client import connect
from websockets.typing import Origin

from bot.app import build_app
from bot.drafting.prompt_log import PromptLog
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.page.underneath import BLOT, redact
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, RAVI
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.session import Database
from tests.support.bolt_apps import bolt_app, over_sockets, web_client
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until


def entries_of(workspace: Workspace, kind: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{workspace.url}/page/inspect", params={"limit": 2000}, trust_env=False).json()
    assert answer["ok"]
    return [entry[kind] for entry in answer["entries"] if entry["kind"] == kind]


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, tmp_path: Path) -> Iterator[tuple[Workspace, Path]]:
    """A workspace with a whole bot on it, as `huisstijl up` starts them: the panel reads its database and prompts."""
    url, prompts = sqlite_database.url.render_as_string(hide_password=False), tmp_path / "prompts.jsonl"
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace(database_url=url, prompt_log=prompts))
        model = stack.enter_context(ScriptedModel())
        values = {
            "slack_bot_token": SecretStr(workspace.bot_token), "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url, "model_url": model.url, "database_url": url, "prompt_log": prompts,
        }  # fmt: skip
        bot = build_app(settings.model_copy(update=values))
        bot.start()
        stack.callback(bot.stop)
        stack.callback(workspace.drop_connections)
        wait_until(lambda: workspace.connections > 0)
        yield workspace, prompts


def make_style(ana: Person) -> None:
    ana.slash("/huisstijl", "style new", BRAND)
    values = {
        "name": "synopsis", "instructions": "Write one line.", "kind": "draft", "channel": BRAND, "reviewers": [RAVI],
        "approvals": "1", "train_after": "0", "train_from": "0", "train_to": "0",
    }  # fmt: skip
    assert ana.submit(ana.wait_for_modal(), values).errors is None


def test_a_draft_leaves_its_delivery_calls_rows_and_the_prompt_that_was_sent(
    installation: tuple[Workspace, Path],
) -> None:
    workspace, prompts = installation
    assert entries_of(workspace, "row") == []  # what is there at the first look has not changed
    make_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    mia.mention_bot(BRAND, "a font for Sinhala")
    prompt = wait_until(lambda: entries_of(workspace, "prompt"))[0]
    assert prompt["messages"][0] == {"role": "system", "content": "Write one line."}
    assert prompt["messages"][-1] == {"role": "user", "content": "a font for Sinhala"}
    assert prompt["draft_id"].startswith("dr")
    assert stat.S_IMODE(prompts.stat().st_mode) == 0o600

    wait_until(lambda: any(call["method"] == "chat.stopStream" for call in entries_of(workspace, "call")))
    call = next(call for call in entries_of(workspace, "call") if call["method"] == "chat.startStream")
    assert (call["ok"], call["status"], call["error"]) == (True, 200, None)
    assert call["ms"] > 0
    heard = next(d for d in entries_of(workspace, "delivery") if d["type"] == "app_mention")
    assert (heard["state"], heard["user"], heard["channel"]) == ("acked", MIA, BRAND)
    assert heard["ack_ms"] > 0
    assert [a["number"] for a in heard["attempts"]] == [0]
    slash = next(d for d in entries_of(workspace, "delivery") if d["kind"] == "slash_commands")
    assert (slash["type"], slash["user"], slash["channel"]) == ("/huisstijl", ANA, BRAND)
    row = wait_until(
        lambda: [r for r in entries_of(workspace, "row") if r["columns"].get("status") == "shown"],
        what="the draft's row",
    )[0]
    assert (row["table"], row["id"]) == ("drafts", prompt["draft_id"])
    assert {r["table"] for r in entries_of(workspace, "row")} >= {"styles", "drafts", "inbox", "audit"}


def test_no_secret_reaches_the_panel(installation: tuple[Workspace, Path]) -> None:
    workspace, _ = installation
    make_style(workspace.person(ANA))
    wait_until(lambda: [d for d in entries_of(workspace, "delivery") if d["type"] == "view_submission"])
    sent = httpx.get(f"{workspace.url}/page/inspect?limit=2000", trust_env=False).text
    for name, secret in workspace.state.tokens.items():
        assert secret not in sent, name
    for key in workspace.state.response_urls:
        assert key not in sent
    for trigger in workspace.state.triggers:
        assert trigger not in sent
    assert "?ticket=" not in sent


def test_a_delivery_is_shown_while_it_waits_and_again_when_it_is_acknowledged() -> None:
    with Workspace(options=WorkspaceOptions(ack_seconds=0.2, retry_seconds=(0.3, 5.0))) as workspace:
        url, origin = workspace.url.replace("http", "ws", 1), Origin(workspace.url)
        with connect(f"{url}/page/inspect/live", origin=origin, proxy=None) as socket:
            first = json.loads(socket.recv(timeout=5))
            assert first == {"type": "entries", "entries": [], "sources": {"rows": False, "prompts": False}}
            workspace.person(MIA).mention_bot(GENERAL, "hello")
            seen: dict[str, list[Any]] = {}
            app = bolt_app(workspace)
            app.event("app_mention")(lambda ack: ack())
            with over_sockets(app, workspace):
                while not any(states[-1] == "acked" for states in seen.values()):
                    for entry in json.loads(socket.recv(timeout=10))["entries"]:
                        if entry["kind"] == "delivery":
                            seen.setdefault(entry["key"], []).append(entry["delivery"]["state"])
                            attempts = entry["delivery"]["attempts"]
    assert len(seen) == 1
    assert next(iter(seen.values()))[0] == "pending"
    assert attempts[0]["failure"] is not None
    assert attempts[-1]["acked_at"] is not None


def test_failed_calls_are_shown_with_slacks_error(tmp_path: Path) -> None:
    with Workspace() as workspace:
        workspace.fail("chat.postMessage", status=429)
        with pytest.raises(Exception, match="ratelimited"):
            web_client(workspace).chat_postMessage(channel=GENERAL, text="hello")
        call = entries_of(workspace, "call")[-1]
    assert (call["status"], call["ok"], call["error"]) == (429, False, "ratelimited")


def test_what_works_like_a_password_is_blotted_out_wherever_it_is() -> None:
    told = redact(
        {
            "trigger_id": "1.2", "view": {"blocks": [{"token": "t"}]}, "text": "xoxb-1", "a": ["http://x/response/abc"],
            "url": "ws://x/link/?ticket=abc", "response_url": "", "n": 1, "long": "x" * 9_000,
        }
    )  # fmt: skip
    assert (
        told["trigger_id"] == told["text"] == told["url"] == told["a"][0] == told["view"]["blocks"][0]["token"] == BLOT
    )
    assert (told["n"], told["response_url"], len(told["long"])) == (1, "", 4_000)


def test_a_prompt_log_that_cannot_be_written_keeps_no_draft_from_being_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = {"model": "m", "max_tokens": 1, "temperature": 0, "messages": []}
    PromptLog(tmp_path / "file" / "prompts.jsonl").add(arguments)
    PromptLog(None).add(arguments)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]

"""The terminal client: a person without Slack sees what the bot says and can do what Slack's client can."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from bot.app import Bot
from bot.rehearsal.chat import Chat, message_lines
from bot.rehearsal.workspace import Workspace, workspace_folder
from config.settings import Settings
from tests.support.wait import wait_until


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    with Workspace(folder=workspace_folder(settings)) as running:
        yield running


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def chat(bot: Bot, settings: Settings, workspace: Workspace, screen: io.StringIO) -> Iterator[Chat]:
    port = int(workspace.url.rsplit(":", 1)[1])
    opened = Chat(settings.model_copy(update={"workspace_port": port}), Console(file=screen, width=200))
    yield opened
    opened.close()


def shows(chat: Chat, screen: io.StringIO, text: str) -> None:
    def is_shown() -> bool:
        chat.show_news()
        return text in screen.getvalue()

    wait_until(is_shown, seconds=10, what=f"{text!r} on the screen")


def test_what_is_typed_is_posted_and_shown(chat: Chat, screen: io.StringIO) -> None:
    chat.obey("good morning")
    shows(chat, screen, "good morning")


def test_a_slash_command_is_answered_on_the_screen(chat: Chat, screen: io.StringIO) -> None:
    chat.obey("/huisstijl help")
    shows(chat, screen, "/draft")


def test_a_mention_without_a_style_gets_its_reason(chat: Chat, screen: io.StringIO) -> None:
    chat.obey("@huisstijl write something")
    shows(chat, screen, "There is no style here yet")


def test_somebody_else_sees_their_own_channels(chat: Chat, screen: io.StringIO) -> None:
    chat.obey(":as ana")
    chat.obey(":in leads")
    chat.obey("just us")
    shows(chat, screen, "just us")
    assert chat.person.id == "U0ANA"


def test_an_unknown_name_is_refused_with_the_names_there_are(chat: Chat) -> None:
    with pytest.raises(ValueError, match="mia"):
        chat.obey(":as nobody")


def test_blocks_become_lines_with_the_names_of_their_buttons() -> None:
    message = {
        "text": "fallback",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "Two\nlines"}},
            {"type": "divider"},
            {"type": "actions", "elements": [{"type": "button", "action_id": "keep", "text": {"text": "Keep"}}]},
        ],
    }
    assert message_lines(message) == ["Two", "lines", "─" * 20, "[Keep: keep]"]
    assert message_lines({"text": "plain"}) == ["plain"]

"""Socket Mode under faults: however the connection dies, the bot notices within its silence and nothing is lost.

Dead without a word, half-open, asked to refresh while new connections are refused, and alive but silent after a
reconnect; each scaled from 30 seconds to 3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select

from bot.app import Bot, build_app
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.inbox import InboxEvent
from tests.acceptance.conftest import bot_settings, model  # noqa: F401 - fixtures
from tests.support.proxy import SilentProxy
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

#: What production allows thirty seconds for.
NOTICED_SECONDS = 3.0


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Redelivers after 0.4, 1.4, … seconds instead of at once, one and five minutes."""
    options = WorkspaceOptions(ack_seconds=0.4, retry_seconds=(1.0, 2.0, 4.0))
    with Workspace(app=InstalledApp.from_manifest(build_manifest()), options=options) as running:
        yield running


@pytest.fixture
def proxy(workspace: Workspace) -> Iterator[SilentProxy]:
    with SilentProxy(int(workspace.url.rsplit(":", 1)[1])) as running:
        yield running


@pytest.fixture
def bot(bot_settings: Settings, workspace: Workspace, proxy: SilentProxy) -> Iterator[Bot]:  # noqa: F811
    workspace.state.url = proxy.url  # where Slack says that its websocket is
    running = build_app(
        bot_settings.model_copy(update={"socket_silence_seconds": 1.5, "socket_renew_seconds": 2.0})
    )  # fmt: skip
    running.start()
    wait_until(lambda: workspace.connections > 0, seconds=10)
    yield running
    workspace.drop_connections()
    running.stop()


def stored(bot: Bot) -> int:
    with bot.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


def refuse_new_connections(workspace: Workspace, proxy: SilentProxy) -> None:
    """As with an app token that has expired, until somebody mends it: two refusals."""
    workspace.fail("apps.connections.open", times=2, status=200, error="invalid_auth")
    workspace.ask_to_reconnect()
    workspace.drop_connections()


def silent_after_reconnect(workspace: Workspace, proxy: SilentProxy) -> None:
    workspace.spoil_next_connections(mute=1)
    workspace.drop_connections()


def deaf_after_reconnect(workspace: Workspace, proxy: SilentProxy) -> None:
    workspace.spoil_next_connections(deaf=1)
    workspace.drop_connections()


CUTS: dict[str, Callable[[Workspace, SilentProxy], None]] = {
    "closed without a word": lambda workspace, proxy: workspace.drop_connections(),
    "half-open: nothing gets through, nobody is told": lambda workspace, proxy: proxy.freeze(),
    "asked to refresh": lambda workspace, proxy: workspace.ask_to_reconnect(),
    "refused when it opens a new one": refuse_new_connections,
    "a new one that never says hello": silent_after_reconnect,
    "a new one that says hello and delivers nothing": deaf_after_reconnect,
}


@pytest.mark.alone
@pytest.mark.parametrize("cut", list(CUTS.values()), ids=list(CUTS))
def test_a_connection_that_dies_is_noticed_in_time_and_no_event_is_lost(
    bot: Bot, workspace: Workspace, proxy: SilentProxy, cut: Callable[[Workspace, SilentProxy], None]
) -> None:
    mia = workspace.person(MIA)
    mia.mention_bot(BRAND, "before")
    wait_until(lambda: stored(bot) == 1, seconds=5)
    cut(workspace, proxy)
    began = time.monotonic()
    for number in range(5):
        mia.mention_bot(BRAND, f"meanwhile {number}")
    wait_until(lambda: stored(bot) == 6, seconds=NOTICED_SECONDS + 4.0, what="every event delivered")
    lasted = time.monotonic() - began
    # Until it was noticed, and then until Slack's next redelivery, which comes within two seconds here.
    assert lasted < NOTICED_SECONDS + 2.0, lasted
    wait_until(lambda: all(delivery.state == "acked" for delivery in workspace.deliveries("app_mention")), seconds=8)
    after = time.monotonic()
    mia.mention_bot(BRAND, "after")
    wait_until(lambda: stored(bot) == 7, seconds=5)
    assert time.monotonic() - after < 1.0

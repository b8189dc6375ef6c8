"""The composition root: settings in, a bot that is ready to start out. Importing this has no effect.

ingress ─▶ inbox rows ─▶ inbox workers ─▶ listeners ─▶ operations ─▶ rows, outbox ─▶ outbox sender ─▶ Slack
                                                          ├▶ draft rows ─▶ draft workers ─▶ streamed messages
                                                          └▶ wishes (in memory) ─▶ suggester ─▶ the open modal
                                             runs' progress ─▶ run watcher ─▶ one message per run
"""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from typing import Protocol

import structlog
from slack_bolt import App

from bot.drafting.embedding import Embedder
from bot.drafting.judging import Judge
from bot.drafting.measuring import Measurer
from bot.drafting.model import ModelClient
from bot.drafting.suggestions import Suggester, Wishes
from bot.drafting.worker import DraftWorkers
from bot.errors import HuisstijlError
from bot.home import HomeKeeper
from bot.http import HttpEvents
from bot.inbox import InboxWorkers, ReadingWorker
from bot.ingress import InboxWriter, Ingress, RightOfWay
from bot.listeners import REACTIONS, ROUTES
from bot.outbox import OutboxSender
from bot.people import People
from bot.routing import Route, attach
from bot.run_watcher import RunWatcher
from bot.services import Services, Wakeups
from bot.slack import SlackGateway, make_web_client
from bot.socket_mode import SocketMode
from config.settings import Settings
from db.checkpoints import LONG_LOG_PAGES, Checkpoints
from db.session import Database
from db.upgrade import check_revision

log = structlog.get_logger()


class Part(Protocol):
    """Something with threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """Everything one bot process runs."""

    app: App
    services: Services
    #: In the order in which they start; they stop the other way round.
    parts: tuple[Part, ...]

    def start(self) -> None:
        for part in self.parts:
            part.start()
        log.info("bot.started", team_id=self.services.slack.team_id)

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()
        self.services.model.close()
        self.services.database.dispose()
        log.info("bot.stopped")


class MissingTokens(HuisstijlError):
    """The bot needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN (in HTTP mode SLACK_SIGNING_SECRET instead of the latter). Set
    both, or use `huisstijl up`, which brings a workspace of its own when there are none."""


def build_app(settings: Settings, routes: tuple[Route, ...] = ROUTES) -> Bot:
    """Assemble a bot; `routes` are what it answers to.

    Raises MissingTokens, WrongRevision, and SlackError when Slack refuses the token.
    """
    second = settings.slack_app_token if settings.slack_mode == "socket" else settings.slack_signing_secret
    if settings.slack_bot_token is None or second is None:
        raise MissingTokens
    database = Database(settings.resolved_database_url, log_pages=LONG_LOG_PAGES)
    check_revision(database)
    # A call that takes longer than half a lease is given up, so that nobody takes over what is still being sent.
    token = settings.slack_bot_token.get_secret_value()
    client = make_web_client(token, settings.slack_api_url, settings.lease_seconds / 2)
    slack = SlackGateway(client)
    wakeups = Wakeups()
    services = Services(
        settings=settings,
        database=database,
        slack=slack,
        people=People(database, slack, settings.admin_usergroup),
        model=ModelClient(settings),
        wakeups=wakeups,
        wishes=Wishes(),
    )
    writer, right_of_way = InboxWriter(database), RightOfWay()
    app = App(
        client=client,
        before_authorize=Ingress(writer, wakeups.inbox.ring, right_of_way).receive,
        process_before_response=True,  # a listener runs inside dispatch, so that the inbox knows how it ended
        request_verification_enabled=False,  # HttpEvents has verified the raw bytes before anything is parsed
    )
    attach(app, (*routes, *REACTIONS) if settings.flag_reaction else routes, services)
    secret = second.get_secret_value()
    door: Part = (
        SocketMode(app, secret, settings) if settings.slack_mode == "socket" else HttpEvents(app, secret, settings)
    )
    return Bot(
        app=app,
        services=services,
        parts=(
            Checkpoints(database),
            writer,
            OutboxSender(slack, database, settings, wakeups.outbox, right_of_way),
            InboxWorkers(app, database, settings, wakeups.inbox, right_of_way),
            ReadingWorker(app, database, settings, wakeups.reading, right_of_way),
            DraftWorkers(services),
            Suggester(services),
            Embedder(services),
            Measurer(services),
            *([Judge(services)] if settings.judge_url else []),
            RunWatcher(services),
            HomeKeeper(services),
            door,
        ),
    )


def run_bot(settings: Settings) -> None:
    """The `bot` process: works until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    bot = build_app(settings)
    bot.start()
    stop.wait()
    bot.stop()

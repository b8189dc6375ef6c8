"""The local workspace as one object: start it, hand its URL and tokens to a bot, act as its people, read its journal.

`Workspace()` lives in memory on a free port, for tests. `serve_workspace(settings)` is the newcomer's: fixed port,
state and tokens kept in the data folder.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

from bot.rehearsal import events, interactions, methods_conversations
from bot.rehearsal.burst import Timing, deliver_many
from bot.rehearsal.delivery import Deliveries
from bot.rehearsal.errors import WorkspaceError
from bot.rehearsal.loopback import LoopbackServer
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.page.endpoints import Page
from bot.rehearsal.page.underneath import Underneath
from bot.rehearsal.people import Person
from bot.rehearsal.routes import Routes
from bot.rehearsal.seed import Seed, default_seed
from bot.rehearsal.socket_mode import SocketHub
from bot.rehearsal.state import State
from bot.rehearsal.store import Store
from bot.rehearsal.web_api import Fault, WebApi
from config.slack_manifest import manifest_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bot.rehearsal.journal import Call, Delivery
    from bot.rehearsal.options import Json
    from config.settings import Settings


class Workspace:
    """A Slack-compatible server on loopback with one app installed. Start it once."""

    def __init__(
        self,
        *,
        seed: Seed | None = None,
        app: InstalledApp | None = None,
        options: WorkspaceOptions | None = None,
        folder: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        database_url: str = "",
        prompt_log: Path | None = None,
    ) -> None:
        """`folder` keeps state and tokens between restarts; without it both are gone at the end.

        `database_url` and `prompt_log` are the bot's, for the page's side panel: it only reads them.
        """
        self.seed = seed or default_seed()
        tokens = load_tokens(folder) if folder else new_tokens()
        self._store = Store(folder / "workspace.db" if folder else None)
        chosen_app, chosen_options = app or InstalledApp(), options or WorkspaceOptions()
        self.state = State(self.seed, chosen_app, chosen_options, self._store, tokens)
        self.state.deliveries = Deliveries(
            chosen_app, chosen_options, self.state.journal, self._store, tokens["signing_secret"]
        )
        self._hub = SocketHub(self.seed.app_id)
        self._hub.deliveries = self.state.deliveries
        self._web_api = WebApi(self.state, self._hub)
        self._underneath = Underneath(self.state.journal, database_url=database_url, prompts=prompt_log)
        self._server = LoopbackServer(host=host, port=port)
        self.state.url = self.url = self._server.url
        self._people: dict[str, Person] = {}
        self._people_lock = threading.Lock()

    # --- life --------------------------------------------------------------------------------------

    def start(self) -> Self:
        self._server.start(Routes(self.state, self._hub, self._web_api, Page(self.state, self._underneath)).asgi())
        self.state.deliveries.start(self._hub)
        return self

    def stop(self) -> None:
        for person in self._people.values():
            person.close()
        self.state.deliveries.stop()
        self._hub.drop_all()
        self._server.stop()
        self._underneath.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what a bot needs --------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """slack_sdk's `base_url`."""
        return f"{self.url}/api/"

    @property
    def bot_token(self) -> str:
        return self.state.tokens["bot_token"]

    @property
    def app_token(self) -> str:
        return self.state.tokens["app_token"]

    @property
    def signing_secret(self) -> str:
        return self.state.tokens["signing_secret"]

    @property
    def client_token(self) -> str:
        """What a Person in another process shows."""
        return self.state.tokens["client_token"]

    # --- people and journal ------------------------------------------------------------------------

    def person(self, user_id: str) -> Person:
        with self._people_lock:  # two threads that ask at once get the same client, and stop() closes it
            if user_id not in self._people:
                self._people[user_id] = Person(self.url, user_id, self.client_token, self.seed.bot_user_id)
            return self._people[user_id]

    def calls(self, method: str | None = None) -> list[Call]:
        """Web API calls so far, oldest first."""
        return self.state.journal.calls(method)

    def deliveries(self, event_type: str | None = None) -> list[Delivery]:
        """What was delivered to the app so far, by event or interaction type, oldest first."""
        return self.state.journal.deliveries(event_type)

    @property
    def connections(self) -> int:
        """Open Socket Mode connections."""
        return self._hub.connections

    # --- the weather -------------------------------------------------------------------------------

    def fail(
        self,
        method: str,
        *,
        times: int = 1,
        status: int = 429,
        retry_after_seconds: int = 1,
        error: str = "",
        hang_seconds: float = 0.0,
        after: bool = False,
    ) -> None:
        """Let the next `times` calls of `method` ("*": any) go wrong; see web_api.Fault.

        For a hang that then works: `status=200, hang_seconds=…`. For an error of Slack's: `status=200, error=…`.
        `after=True` carries the call out first: the answer is lost, the effect is not.
        """
        self._web_api.arm(
            Fault(
                method=method,
                times=times,
                status=status,
                retry_after_seconds=retry_after_seconds,
                error=error,
                hang_seconds=hang_seconds,
                after=after,
            )
        )

    def heal(self) -> None:
        """Nothing goes wrong on purpose any more."""
        self._web_api.disarm()

    def turn_clock(self, seconds: float) -> None:
        """Turn the workspace's clock: what lives for a while in Slack (streams, statuses, triggers, response URLs)
        ages by so much at once, and the Date that Slack answers with moves too. Redeliveries keep real time."""
        with self.state.transaction():
            self.state.turned_seconds += seconds

    def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """What Slack does every few hours: every Socket Mode connection is asked to make way for a new one."""
        self._hub.ask_to_reconnect(reason)

    def spoil_next_connections(self, *, deaf: int = 0, mute: int = 0) -> None:
        """The next Socket Mode connections are established but deliver nothing; mute ones do not even greet."""
        self._hub.spoil_next(deaf=deaf, mute=mute)

    def drop_connections(self) -> None:
        """Close every Socket Mode connection without warning."""
        self._hub.drop_all()

    # --- what an admin of the workspace does -------------------------------------------------------

    def change_channel(self, channel_id: str, **fields: Any) -> None:
        """Archive it, make it private, share it: any field of the channel."""
        with self.state.transaction():
            self.state.save_channel(self.state.channels[channel_id] | fields)

    def change_user(self, user_id: str, **fields: Any) -> None:
        """Deactivate somebody (`deleted=True`), make them admin or guest: any field of the user."""
        with self.state.transaction():
            self.state.save_user(self.state.users[user_id] | fields)

    def add_to_channel(self, channel_id: str, user_id: str, inviter: str | None = None) -> None:
        with self.state.transaction():
            channel = self.state.channels[channel_id]
            methods_conversations.add_member(self.state, channel, user_id, inviter)

    def remove_from_channel(self, channel_id: str, user_id: str) -> None:
        with self.state.transaction():
            channel = self.state.channels[channel_id]
            self.state.members(channel).remove(user_id)
            self.state.save_channel(channel)

    def uninstall_app(self) -> None:
        """The app is removed: it hears app_uninstalled and tokens_revoked, and its tokens stop working."""
        with self.state.transaction():
            bot = self.seed.bot_user_id
            events.emit(self.state, "app_uninstalled", {"type": "app_uninstalled"})
            revoked = {"type": "tokens_revoked", "tokens": {"bot": [bot], "oauth": []}}
            events.emit(self.state, "tokens_revoked", revoked)
            self.state.installed = False

    # --- raw deliveries ----------------------------------------------------------------------------

    def event_payload(self, event: Json) -> Json:
        """The event_callback body that would carry this event, with an event_id of its own."""
        return events.envelope(self.state, event, actor=event.get("user"))

    def deliver(self, payload: Json) -> Delivery:
        """Deliver this body, whether or not the app subscribed; twice with one event_id is a duplicate."""
        return self.state.deliveries.event(payload)

    def deliver_interaction(self, kind: str, payload: Json) -> Delivery:
        """Deliver an `interactive` or `slash_commands` payload as it is, valid or not."""
        return self.state.deliveries.interaction(kind, payload)

    def deliver_many(
        self, payloads: Iterable[Json], *, connections: int = 50, per_second: float | None = None
    ) -> list[Timing]:
        """Deliver these bodies once each to the app's request URL, timing every acknowledgement."""
        url = self.state.app.request_url
        if url is None:
            raise WorkspaceError("deliver_many posts signed HTTP events; this app has no request_url")
        return deliver_many(url, self.signing_secret, payloads, connections=connections, per_second=per_second)

    def response_url(self, user_id: str, channel_id: str) -> str:
        """A fresh response_url, as an interaction in this channel would carry."""
        return interactions.new_response_url(self.state, user_id, channel_id)


def new_tokens() -> dict[str, str]:
    """Secrets of a new workspace, shaped like Slack's."""
    return {
        "bot_token": f"xoxb-local-{secrets.token_hex(16)}",
        "app_token": f"xapp-1-local-{secrets.token_hex(16)}",
        "signing_secret": secrets.token_hex(16),
        "client_token": f"client-{secrets.token_hex(16)}",
    }


def load_tokens(folder: Path) -> dict[str, str]:
    """The tokens of the workspace in this folder, made at first use; only their owner may read the file."""
    path = folder / "tokens.json"
    try:
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    tokens = new_tokens()
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(tokens, file, indent=2)
    staged.replace(path)
    return tokens


def workspace_folder(settings: Settings) -> Path:
    """Where the newcomer's workspace keeps its state and tokens."""
    return settings.data_dir / "workspace"


def build_workspace(settings: Settings, app: InstalledApp | None = None) -> Workspace:
    """The newcomer's workspace, not yet started. The app in it is what our own manifest would install."""
    return Workspace(
        app=app or InstalledApp.from_manifest(manifest_for(settings)),
        options=WorkspaceOptions(journal_entries=5_000),
        folder=workspace_folder(settings),
        host=settings.workspace_host,
        port=settings.workspace_port,
        database_url=settings.resolved_database_url,
        prompt_log=settings.prompt_log,
    )


def serve_workspace(settings: Settings, app: InstalledApp | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Call from the main thread."""
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with build_workspace(settings, app):
        done.wait()

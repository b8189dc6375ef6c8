"""Publishing the Home tab: when somebody opens it or clicks in it, and by itself when what it shows has changed.

Who looked at it within half an hour counts as looking. Their view is made anew every few seconds, and published only
when it differs from what they were shown last.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import timedelta
from typing import Any

import structlog

from bot.blocks.home import home_view, sentence_view
from bot.blocks.review_queue import review_queue_blocks
from bot.domain.overview import REVIEWS
from bot.domain.values import Actor
from bot.errors import RoleUnknown, SlackError
from bot.language import speaking
from bot.operations.home import list_private_channels, read_home
from bot.operations.review_queue import read_review_queue
from bot.services import Services
from bot.texts import home as texts
from db.home_viewers import (
    HomeViewer,
    find_showing,
    forget_showing,
    list_recent_viewers,
    save_showing,
    save_viewer,
    take_showing,
)  # fmt: skip
from db.session import DatabaseUnavailable

log = structlog.get_logger()

LOOKING = timedelta(minutes=30)
#: The latest ones; more are served when they open the tab again.
MAX_VIEWERS = 25
SECONDS_BETWEEN_LOOKS = 5.0


def refresh_home(
    services: Services, team_id: str, user_id: str, *, page: str | None = None, part: int | None = None
) -> None:
    """Publish this person's tab now, on this page if one is named. Raises SlackUnavailable, DatabaseUnavailable."""
    with services.database.write() as session:
        viewer = save_viewer(session, team_id, user_id, page=page, part=part)
    view = make_view(services, viewer)
    services.slack.publish_home(user_id, view)
    with services.database.write() as session:
        save_showing(session, team_id, user_id, _digest(view))


def make_view(services: Services, viewer: HomeViewer) -> dict[str, Any]:
    """What this person may see on the page they are on, in their language."""
    try:
        actor = services.people.get_actor(viewer.team_id, viewer.user_id)
    except RoleUnknown:
        return sentence_view(texts.ROLE_UNKNOWN())
    with speaking(actor.locale, workspace=services.settings.language):
        if not actor.is_full_member:
            return sentence_view(texts.GUEST())
        channels = member_channels(services, actor)
        home = read_home(
            services.database, services.settings, actor, member_of=channels, page=viewer.page, part=viewer.part
        )
        return home_view(
            home, review_queue_blocks(read_review_queue(services.database, actor)) if home.page == REVIEWS else []
        )


def member_channels(services: Services, actor: Actor) -> frozenset[str]:
    """The private channels with styles that this person is in, as Slack says. Raises SlackUnavailable."""
    channels = list_private_channels(services.database, actor.team_id)
    return frozenset(one for one in channels if actor.user_id in services.slack.list_channel_members(one))


class HomeKeeper:
    """A thread that keeps open Home tabs true."""

    def __init__(self, services: Services, *, seconds_between_looks: float = SECONDS_BETWEEN_LOOKS) -> None:
        self._services = services
        self._pause = max(seconds_between_looks, services.settings.poll_seconds)
        self._not_before = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="home-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=20)

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self.look_once()
            except DatabaseUnavailable as error:
                log.warning("home.waiting", error=type(error).__name__)
            except Exception:
                log.exception("home.not_kept")

    def look_once(self) -> int:
        """Publish anew to everybody who looks and would see something else; returns to how many."""
        if time.monotonic() < self._not_before:
            return 0
        with self._services.database.read() as session:
            viewers = list_recent_viewers(session, LOOKING, MAX_VIEWERS)
        return sum(self._keep(viewer) for viewer in viewers if viewer.team_id == self._services.slack.team_id)

    def _keep(self, viewer: HomeViewer) -> bool:
        try:
            view = make_view(self._services, viewer)
            digest = _digest(view)
            if digest == viewer.shown_digest:
                return False
            with self._services.database.write() as session:
                if not take_showing(session, viewer, digest):
                    return False  # another bot publishes it, or the person has just clicked
            self._publish(viewer, view, digest)
        except SlackError as error:
            self._not_before = time.monotonic() + getattr(error, "retry_after_seconds", self._pause)
            log.warning("home.not_published", user_id=viewer.user_id, error=type(error).__name__)
            return False
        log.info("home.published", user_id=viewer.user_id, page=viewer.page)
        return True

    def _publish(self, viewer: HomeViewer, view: dict[str, Any], digest: str) -> None:
        is_known = False
        try:
            self._services.slack.publish_home(viewer.user_id, view)
            with self._services.database.read() as session:
                is_known = find_showing(session, viewer.team_id, viewer.user_id) == digest
        finally:
            if not is_known:  # refused, or overtaken by a click: which of the two stands is not known
                with self._services.database.write() as session:
                    forget_showing(session, viewer.team_id, viewer.user_id)


def _digest(view: dict[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()}"

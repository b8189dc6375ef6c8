"""The line in a thread while nothing of a draft is visible, and the agent session that Slack shows around it.

Neither is waited for, and it does not matter when they fail.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from bot.drafting.stream import end_session
from bot.drafting.work import Work
from bot.errors import SlackError
from bot.services import Services
from bot.texts.agent import session_title
from db.drafts import Draft, list_drafts_of_thread
from db.session import DatabaseUnavailable

#: Slack takes the line away after two minutes; where a model takes longer, it is said again.
STATUS_SECONDS = 90.0


class StatusLine:
    """Says in a draft's thread what its worker does. A draft for one person's eyes is in no thread, and has none."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def open(self, work: Work, line: str) -> None:
        """Begin the session, and say the line."""
        if work.draft.is_private:
            return
        work.status = line
        threading.Thread(target=self._open, args=(work,), name="draft-status", daemon=True).start()

    def show(self, work: Work, line: str) -> None:
        """Say another line from now on."""
        if work.draft.is_private or work.status == line:
            return
        work.status = line
        threading.Thread(target=self._say, args=(work,), name="draft-status", daemon=True).start()

    def repeat(self, work: Work) -> None:
        if work.said_status_at and time.monotonic() - work.said_status_at > STATUS_SECONDS:
            self._say(work)

    def _open(self, work: Work) -> None:
        slack, draft = self._services.slack, work.draft
        with suppress(SlackError):
            slack.begin_session(
                draft.channel_id, draft.thread_ts, user_id=draft.requested_by, title=self._find_title(draft)
            )
            work.has_session = True
        if work.has_ended:  # the draft was quicker than Slack
            end_session(slack, draft.channel_id, draft.thread_ts)
            return
        self._say(work)

    def _find_title(self, draft: Draft) -> str | None:
        """A thread is named after its first request, once."""
        with suppress(DatabaseUnavailable), self._services.database.read() as session:
            first = list_drafts_of_thread(session, draft.team_id, draft.channel_id, draft.thread_ts)[0]
            return session_title(first.request) if first.draft_id == draft.draft_id else None
        return None

    def _say(self, work: Work) -> None:
        slack, draft = self._services.slack, work.draft
        with work.status_lock, suppress(SlackError):
            if not work.shows_nothing:
                return
            work.said_status_at = time.monotonic()
            slack.set_status(draft.channel_id, draft.thread_ts, work.status)
            if not work.shows_nothing:  # the first text overtook the line, which would stay beside it
                slack.set_status(draft.channel_id, draft.thread_ts, "")

"""One message per run in its style's channel, kept true: progress while the run lasts, the result at its end.

Progress is shown when there is time for it: it is lost without harm, and never more than one update in two seconds.
The end is owed through the outbox by the one watcher that takes it, so it is said once, and survives a crash.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.blocks.run_progress import RunCard, RunEnd, end_message, progress_message
from bot.domain.progress import read_figures
from bot.domain.values import MessageRef
from bot.errors import SlackError, SlackUnavailable
from bot.language import speaking
from bot.operations.ladder import find_ladder_of_run
from bot.operations.languages import speaking_in_channel, speaking_to
from bot.operations.runs import message_key, owe_progress_message, trainer_silence_seconds
from bot.operations.verdicts import say_verdict
from bot.services import Services
from bot.texts import training as texts
from bot.texts.results import curve_said, failure_said
from db.base import now_in_database
from db.outbox import OutboxMessage, OutboxStatus, find_by_dedupe_key, owe
from db.runs import ENDED, Run, RunStatus, get_run, list_runs_to_watch, save_shown, take_end
from db.session import DatabaseUnavailable
from db.styles import Style, get_style
from db.trainers import find_live_trainer

log = structlog.get_logger()

SECONDS_BETWEEN_UPDATES = 2.0

#: Text and blocks.
Shown = tuple[str, list[dict[str, Any]]]


@dataclass(slots=True)
class _Memory:
    """What this process last made of a run's message, and when it may touch it again."""

    shown: Shown | None = None
    not_before: float = 0.0


class RunWatcher:
    """A thread that keeps the messages of runs up to date."""

    def __init__(self, services: Services, *, seconds_between_updates: float = SECONDS_BETWEEN_UPDATES) -> None:
        self._services = services
        self._pause = seconds_between_updates
        self._memory: dict[str, _Memory] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="run-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=20)

    def _run(self) -> None:
        language = self._services.settings.language
        while not self._stopping.is_set():
            try:
                with speaking(language, workspace=language):
                    self.look_once()
            except DatabaseUnavailable as error:
                log.warning("runs.waiting", error=type(error).__name__)
            except Exception:
                log.exception("runs.not_shown")
            self._stopping.wait(self._services.settings.poll_seconds)

    def look_once(self) -> None:
        """Bring every run's message up to date, as far as that may be done now."""
        with self._services.database.read() as session:
            runs = list_runs_to_watch(session)
        for run in runs:
            try:
                self._show(run)
            except DatabaseUnavailable:
                raise
            except Exception:  # one run's trouble does not hide the others
                log.exception("run.not_shown", run_id=run.run_id)
        watched = {run.run_id for run in runs}
        self._memory = {run_id: kept for run_id, kept in self._memory.items() if run_id in watched}

    def _show(self, run: Run) -> None:
        with self._services.database.read() as session:
            message = find_by_dedupe_key(session, message_key(run.run_id))
        if message is None:
            with self._services.database.write() as session:  # queued by something that has no channel to speak in
                owe_progress_message(session, run, get_style(session, run.style_id))
            self._services.wakeups.outbox.ring()
        elif message.result is None and message.status is not OutboxStatus.FAILED:
            return  # still on its way
        elif run.status in ENDED:
            self._show_end(run.run_id, is_message_there=message.result is not None)
        elif message.result is not None:
            self._show_progress(run, message, MessageRef(**message.result))

    # ------------------------------------------------------------------------------------------ progress

    def _show_progress(self, run: Run, message: OutboxMessage, where: MessageRef) -> None:
        memory = self._memory.setdefault(run.run_id, _Memory())
        if time.monotonic() < memory.not_before:
            return
        with self._services.database.read() as session, speaking_in_channel(session, get_style(session, run.style_id)):
            shown = progress_message(self._card(session, run))
        before = memory.shown or (message.arguments["text"], message.arguments["blocks"])
        if shown != before:
            try:
                self._services.slack.update_message(where, *shown)
            except SlackUnavailable as error:
                memory.not_before = time.monotonic() + max(error.retry_after_seconds, self._pause)
                return
            except SlackError as error:  # deleted, or the bot was removed: the end will be tried once more
                log.warning("run.progress_refused", run_id=run.run_id, error=str(error))
            memory.shown, memory.not_before = shown, time.monotonic() + self._pause
        elif run.shown_number >= run.progress_number:
            return
        self._keep_shown(run)

    def _keep_shown(self, run: Run) -> None:
        with self._services.database.write() as session:
            save_shown(session, run.run_id, run.progress_number)
            current = get_run(session, run.run_id)
            if current.is_end_shown:  # another process showed the end while we were showing this: say it again
                self._owe_end(session, current, key=f"{message_key(run.run_id)}:end:again")
                self._services.wakeups.outbox.ring()

    def _card(self, session: Session, run: Run) -> RunCard:
        style = get_style(session, run.style_id)
        return RunCard(
            run_id=run.run_id,
            style_name=style.name,
            reason=run.reason,
            kind=run.kind,
            figures=read_figures(run.status.value, run.progress),
            waiting=self._waiting(session, run),
            attempt=run.attempts,
            is_cancelling=run.is_cancel_requested,
        )

    def _waiting(self, session: Session, run: Run) -> str | None:
        """What keeps the run from going on, if something does."""
        trainer = find_live_trainer(session, trainer_silence_seconds(self._services.settings))
        if run.status is RunStatus.QUEUED:
            return texts.WAITING_FOR_TURN() if trainer else texts.WAITING_FOR_TRAINER()
        if run.lease_expires_at is not None and run.lease_expires_at < now_in_database(session):
            return texts.TRAINER_SILENT()
        return None

    # ------------------------------------------------------------------------------------------ the end

    def _show_end(self, run_id: str, *, is_message_there: bool) -> None:
        with self._services.database.write() as session:
            if not take_end(session, run_id):
                return
            run = get_run(session, run_id)
            if is_message_there:
                self._owe_end(session, run, key=f"{message_key(run_id)}:end")
                self._owe_thread(session, run)
            else:
                self._tell_in_person(session, run)
        self._services.wakeups.outbox.ring()
        log.info("run.end_shown", run_id=run_id, status=run.status.value)

    def _owe_end(self, session: Session, run: Run, *, key: str) -> None:
        style = get_style(session, run.style_id)
        with speaking_in_channel(session, style):
            text, blocks = self._end(session, run, style)
        arguments = {"ts_from": message_key(run.run_id), "text": text, "blocks": blocks}
        owe(session, team_id=run.team_id, dedupe_key=key, verb="update_message", arguments=arguments)

    def _owe_thread(self, session: Session, run: Run) -> None:
        """What belongs under the message: the loss curve, and for a failure a reply that people are notified of."""
        key = message_key(run.run_id)
        style = get_style(session, run.style_id)
        if run.curve_path:
            with speaking_in_channel(session, style):
                title = texts.curve_title(style.name)
                comment = curve_said(run.curve_alt_text, run.verdict) or title
            picture = {
                "ts_from": key,
                "store_url": self._services.settings.resolved_artifact_url,
                "path": run.curve_path,
                "filename": f"{run.run_id}.png",
                "title": title,
                "comment": comment,
            }
            owe(session, team_id=run.team_id, dedupe_key=f"{key}:curve", verb="upload_image", arguments=picture)
        if run.status is RunStatus.FAILED:
            with speaking_in_channel(session, style):
                text, _ = self._end(session, run, style)
            addressed = f"<@{run.requested_by}> {text}" if run.requested_by else text
            reply = {"ts_from": key, "text": addressed, "blocks": None}
            owe(session, team_id=run.team_id, dedupe_key=f"{key}:why", verb="post_message", arguments=reply)

    def _tell_in_person(self, session: Session, run: Run) -> None:
        """The channel never took the message (the bot is not in it): whoever asked, or made the style, hears it."""
        style = get_style(session, run.style_id)
        user_id = run.requested_by or style.created_by
        with speaking_to(session, run.team_id, user_id):
            text, blocks = self._end(session, run, style)
        arguments = {"user_id": user_id, "text": text, "blocks": blocks}
        key = f"{message_key(run.run_id)}:end"
        owe(session, team_id=run.team_id, dedupe_key=key, verb="post_direct", arguments=arguments)

    def _end(self, session: Session, run: Run, style: Style) -> Shown:
        verdict = run.verdict or {}
        has_succeeded = run.status is RunStatus.SUCCEEDED
        return end_message(
            RunEnd(
                style_name=style.name,
                status=run.status.value,
                kind=run.kind,
                reason=run.reason,
                is_promoted=bool(verdict.get("promoted")),
                sentence=say_verdict(session, run) if has_succeeded else failure_said(run.error, verdict),
                ladder=find_ladder_of_run(session, self._services.settings, style, run) if has_succeeded else None,
                receipt=run.receipt,
                quote=run.quote,
            )
        )

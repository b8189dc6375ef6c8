"""How a draft ends: the row and the message that people see are brought to the same end, whatever happened before."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from bot.blocks.draft import closing_blocks, ended_blocks, fallback_text, whole_blocks
from bot.blocks.text import section
from bot.domain.values import MessageRef
from bot.drafting.stream import ThreadStream, end_session, end_stream
from bot.drafting.work import Work
from bot.errors import HuisstijlError, SlackError, explain
from bot.operations.comparisons import Settled, settle
from bot.operations.drafts import buttons_of, shape_of
from bot.operations.erasure import finish_erasure
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import drafting as texts
from bot.texts import labels
from config import failpoints
from config.style_terms import find_terms
from db.base import now_in_database
from db.claims import write_fenced
from db.drafts import Draft, DraftStatus, get_draft
from db.outbox import owe

log = structlog.get_logger()


class DraftEnds:
    """Every end of a draft. Each raises ClaimLost where another worker has it, and DatabaseUnavailable."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def complete(self, work: Work, stream: ThreadStream) -> None:
        """The text is whole: what stands under a draft is put under it."""
        assert work.plan is not None, "a plan was made before the model was asked"
        stream.feed(work.safe.finish())
        shape = replace(work.plan.shape, never_said=find_terms(work.raw, work.plan.forbidden_terms))
        if work.was_cut:
            shape = replace(shape, notes=(*shape.notes, texts.CUT_SHORT()))
        elif work.last is not None and work.last.is_cut:
            shape = replace(shape, notes=(*shape.notes, texts.cut_at(work.plan.room_tokens)))
        if (choice := work.draft.label_choice) and choice["is_sure"]:
            shape = replace(shape, notes=(labels.confidence(choice["offered"][0][1]), *shape.notes))
        closing = closing_blocks(shape, buttons_of(work.draft))
        work.draft.completion = work.raw.strip()
        facts = work.facts() | {
            "completion": work.draft.completion,
            "total_seconds": time.monotonic() - work.began,
            "error": None,
            "label_choice": work.draft.label_choice,
        }
        work.save(self._services.database, **facts)
        if stream.close(closing, ends_session=work.has_session):
            work.has_session = False
            self._finish(work, DraftStatus.SHOWN)
        else:
            asking = "" if work.draft.completion else labels.UNSURE_FALLBACK()
            owed = (_verb(work.draft), whole_blocks(work.draft.tail, closing))
            self._finish(work, DraftStatus.SHOWN, owed=owed, text=asking)
        log.info("draft.shown", rung=work.plan.rung.value, seconds=round(facts["total_seconds"], 3))

    def stop(self, work: Work, stream: ThreadStream) -> None:
        """A person pressed Stop, or this draft is not ours any more: the row says which."""
        now = self.take_away_erased(work, stream)
        if now.is_erased:
            return
        if now.fence != work.draft.fence:
            if stream.message is not None and stream.message.ts != now.message_ts:
                stream.retract()  # the other worker does not know of it and writes a message of its own
            return
        if stream.is_visible:
            self.end_incomplete(work, stream, DraftStatus.STOPPED, texts.STOPPED())
        else:
            self._finish(work, DraftStatus.STOPPED, completion=work.raw.strip(), **work.facts())
            with suppress(SlackError):
                self._services.slack.set_status(work.draft.channel_id, work.draft.thread_ts, "")  # takes the line away

    def take_away_erased(self, work: Work, stream: ThreadStream) -> Draft:
        """The row as it is now. Where whoever asked was forgotten meanwhile, nothing of the draft stays anywhere: not
        in Slack, and not in the log of prompts, which may have got this one after it was cleared."""
        services, draft = self._services, work.draft
        with services.database.read() as session:
            now = get_draft(session, draft.draft_id)
        if not now.is_erased:
            return now
        stream.retract(with_earlier=True)
        finish_erasure(services.database, services.settings)
        work.has_ended = True
        if not draft.is_private:
            with suppress(SlackError):
                services.slack.set_status(draft.channel_id, draft.thread_ts, "")
            end_session(services.slack, draft.channel_id, draft.thread_ts)
        log.info("draft.taken_away")
        return now

    def end_incomplete(
        self, work: Work, stream: ThreadStream, status: DraftStatus, sentence: str, **changes: Any
    ) -> None:
        """What was shown stays, marked incomplete, with one sentence."""
        text = work.raw.strip()
        closing = ended_blocks(sentence)
        if stream.close(closing, ends_session=work.has_session):
            work.has_session = False
            self._finish(work, status, completion=text, **work.facts() | changes)
        else:
            blocks = whole_blocks(work.tail.strip(), closing)
            self._owe_and_finish(work, status, _verb(work.draft), blocks, text, **changes)

    def fail_unseen(self, work: Work, error: HuisstijlError) -> None:
        """Nothing is visible: one sentence instead."""
        sentence = explain(error).sentence
        draft = work.draft
        owed: tuple[str, Any] = ("post_message", [section(sentence)])
        if not draft.thread_ts and not draft.is_private:
            owed = ("post_direct", [section(sentence)])
        work.raw = ""
        self._finish(work, DraftStatus.FAILED, owed=owed, text=sentence, error=sentence, **work.facts())

    def recover(self, work: Work) -> None:
        """A bot died while this draft was being written. What is visible becomes whole, or says that it is not."""
        draft, slack = work.draft, self._services.slack
        message = MessageRef(channel_id=draft.channel_id, ts=draft.message_ts) if draft.message_ts else None
        work.has_session = True  # whoever died had said so
        if draft.total_seconds is not None:
            with self._services.database.read() as session:
                closing = closing_blocks(shape_of(session, draft), buttons_of(draft))
            if message is not None:
                end_stream(slack, message)
            self._finish(work, DraftStatus.SHOWN, owed=(_verb(draft), whole_blocks(draft.tail, closing)))
            return
        closing = ended_blocks(texts.INTERRUPTED())
        try:
            if message is None:
                raise MessageMissing
            slack.stop_stream(message, blocks=closing)  # what is visible stays as it is
        except SlackError:
            if message is not None:
                end_stream(slack, message)
            blocks = whole_blocks(draft.tail, closing)
            self._owe_and_finish(
                work, DraftStatus.FAILED, _verb(draft), blocks, draft.completion, error=texts.INTERRUPTED()
            )
            return
        self._finish(work, DraftStatus.FAILED, error=texts.INTERRUPTED())

    def _owe_and_finish(
        self, work: Work, status: DraftStatus, verb: str, blocks: list[dict[str, Any]], text: str, **changes: Any
    ) -> None:
        self._finish(work, status, owed=(verb, blocks), completion=text, **work.facts() | changes)

    def _finish(
        self, work: Work, status: DraftStatus, *, owed: tuple[str, list[dict[str, Any]]] | None = None,
        text: str = "", **changes: Any,
    ) -> None:  # fmt: skip
        """One transaction: the row's end, and the message that is still owed, by one name however often."""
        draft, settled = work.draft, Settled(status=status, is_told=True)
        with self._services.database.write() as session:
            if draft.comparison_id is not None:
                settled = settle(session, draft.comparison_id, draft.draft_id, status)
            if owed is not None and settled.is_told:
                verb, blocks = owed
                where: dict[str, Any] = {"channel_id": draft.channel_id}
                if draft.is_private:
                    verb, where["user_id"] = "post_ephemeral", draft.requested_by
                elif verb == "post_message":
                    where["thread_ts"] = draft.thread_ts
                elif verb == "post_direct":
                    where = {"user_id": draft.requested_by}
                else:
                    where["ts"] = draft.message_ts
                fallback = text or fallback_text(draft.completion or work.raw)
                owe(
                    session, team_id=draft.team_id, dedupe_key=f"draft_end:{draft.draft_id}", verb=verb,
                    arguments=where | {"text": fallback, "blocks": blocks},
                )  # fmt: skip
            write_fenced(
                session, Draft, draft.draft_id, draft.fence, status=settled.status,
                finished_at=now_in_database(session), lease_expires_at=None, **changes,
            )  # fmt: skip
        if draft.comparison_id is not None:
            failpoints.visit("comparison.settled")
        self._services.wakeups.outbox.ring()
        work.has_ended = True
        if work.has_session and not settled.is_waiting:
            thread = (self._services.slack, draft.channel_id, draft.thread_ts)
            threading.Thread(target=end_session, args=thread, name="draft-session", daemon=True).start()


def _verb(draft: Draft) -> str:
    """How the end of a draft gets into its thread when no stream takes it there."""
    return "update_message" if draft.message_ts else "post_message"

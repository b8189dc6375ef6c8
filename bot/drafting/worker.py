"""Threads that claim requested drafts and write them into their threads.

A draft ends in exactly one of: a complete message, a visible incomplete one that says so, or one sentence; `ends` sees
to that. The row is written before and after whatever people can see, so that a bot killed at any moment leaves a row
from which the next one knows what is missing:

    requested                       nothing is visible: drafted from the start
    streaming, total_seconds unset  a part is visible: ended with "interrupted"
    streaming, total_seconds set    the text is complete: the message is put right

A draft that outlives a stream goes on in another message: `continued_at` says how much of it stands before that one,
and `message_ts` is unset between the two.

Between Slack's answer to the first piece and our note of it lies a moment in which a crash leaves the message
unknown; such a draft is drafted again, as everything that we owe Slack is sent at least once.
"""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, suppress
from datetime import timedelta

import numpy as np
import structlog
from numpy.typing import NDArray

from bot.domain.drafting import MAX_DRAFT_CHARS
from bot.domain.variants import GREEDY, MAX_TRIES, Gate, Sampling, choose_sampling
from bot.drafting.ends import DraftEnds
from bot.drafting.labelling import Labelling
from bot.drafting.model import Piece
from bot.drafting.prompt_log import SHOWN
from bot.drafting.rung import Plan, make_plan, make_plan_without_adapter
from bot.drafting.status_line import StatusLine
from bot.drafting.stream import PressedStop, ThreadStream
from bot.drafting.work import Work
from bot.errors import (
    AdapterUnavailable,
    HuisstijlError,
    ModelBroke,
    ModelBusy,
    ModelError,
    ModelLoading,
    PromptTooLong,
    explain,
)
from bot.language import speaking
from bot.operations.drafts import root_key
from bot.operations.erasure import finish_late_erasure
from bot.services import Services
from bot.texts import drafting as texts
from bot.texts import trials, variants
from bot.workers import Workers
from config import failpoints
from config.labels import choose_label
from db.base import now_in_database
from db.claims import ClaimLost, write_fenced
from db.drafts import OPEN, Draft, DraftStatus, claim_drafts
from db.outbox import OutboxStatus, find_by_dedupe_key
from db.session import DatabaseUnavailable

log = structlog.get_logger()

MAX_ATTEMPTS = 5
#: How long a worker waits for the message that a command's thread opens with.
ROOT_SECONDS = 15.0
#: Pause before a model server that is busy, or loads its model, is asked again.
BUSY_SECONDS = 0.5


class DraftWorkers(Workers):
    """A few threads that draft, and one that keeps their claims alive."""

    def __init__(self, services: Services, threads: int = 4) -> None:
        super().__init__(
            "draft", bell=services.wakeups.drafts, poll_seconds=services.settings.poll_seconds, threads=threads
        )
        self._services = services
        self._status = StatusLine(services)
        self._ends = DraftEnds(services)
        self._held: dict[str, Work] = {}
        self._held_lock = threading.Lock()
        self._heart = threading.Thread(target=self._beat, name="draft-heart", daemon=True)

    def start(self) -> None:
        self._heart.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._services.wakeups.stops.ring()
        self._heart.join(timeout=20)

    # ------------------------------------------------------------------------------------------------ claims

    def work_once(self, owner: str) -> bool:
        """Claim one draft and bring it to its end; False when there is none."""
        with self._services.database.write() as session:
            claimed = claim_drafts(
                session, owner=owner, lease_seconds=self._services.settings.lease_seconds, limit=1
            )  # fmt: skip
        if not claimed:
            return False
        self._bell.ring()  # there may be more: another worker looks
        work = Work(claimed[0])
        with self._held_lock:
            self._held[work.draft.draft_id] = work
        try:
            with (
                structlog.contextvars.bound_contextvars(draft_id=work.draft.draft_id, team_id=work.draft.team_id),
                self._speaking_to_requester(work.draft),
            ):
                try:
                    self._bring_to_an_end(work)
                finally:
                    with suppress(DatabaseUnavailable):
                        finish_late_erasure(
                            self._services.database, self._services.settings, work.draft.draft_id, work.shown
                        )  # fmt: skip
        finally:
            with self._held_lock:
                self._held.pop(work.draft.draft_id, None)
        self._services.wakeups.measuring.ring()  # what gave way to it goes on
        return True

    def _speaking_to_requester(self, draft: Draft) -> AbstractContextManager[None]:
        """A draft and what stands under it are in the language of whoever asked."""
        services = self._services
        locale = services.people.find_locale(draft.team_id, draft.requested_by, may_ask=False)
        return speaking(locale or services.settings.language, workspace=services.settings.language)

    def _beat(self) -> None:
        """Keep the claims of all drafts under way, whatever their workers wait for."""
        settings, stops = self._services.settings, self._services.wakeups.stops
        while not self.stopping.is_set():
            stops.wait(min(settings.heartbeat_seconds, settings.lease_seconds / 3))
            with self._held_lock:
                held = list(self._held.values())
            for work in held:
                with suppress(DatabaseUnavailable):
                    self._beat_one(work)
                self._status.repeat(work)

    def _beat_one(self, work: Work) -> None:
        try:
            with self._services.database.write() as session:
                lease = now_in_database(session) + timedelta(seconds=self._services.settings.lease_seconds)
                write_fenced(
                    session, Draft, work.draft.draft_id, work.draft.fence,
                    only_if=Draft.status.in_(OPEN), lease_expires_at=lease, **work.so_far(),
                )  # fmt: skip
        except ClaimLost:
            work.is_over.set()

    # ------------------------------------------------------------------------------------------------ one draft

    def _bring_to_an_end(self, work: Work) -> None:
        draft = work.draft
        if draft.status is DraftStatus.STREAMING:
            self._ends.recover(work)
            return
        if draft.attempts > MAX_ATTEMPTS:
            self._ends.fail_unseen(work, HuisstijlError(texts.FAR_TOO_MANY_TRIES()))
            return
        try:
            self._find_thread(work)
        except HuisstijlError as error:
            self._ends.fail_unseen(work, error)
            return
        stream = ThreadStream(
            self._services.slack, channel_id=draft.channel_id, thread_ts=draft.thread_ts, team_id=draft.team_id,
            user_id=draft.requested_by, on_visible=lambda ts: self._note_visible(work, ts),
            on_continued=lambda: self._note_continued(work), is_in_code=lambda: work.safe.is_in_code,
            stream_seconds=self._services.settings.stream_seconds,
            is_whole=draft.is_private or draft.comparison_id is not None,
        )  # fmt: skip
        try:
            self._answer(work, stream)
        except ClaimLost:
            self._ends.take_away_erased(work, stream)
            raise  # another worker has it, or nobody needs it any more

    def _answer(self, work: Work, stream: ThreadStream) -> None:
        """Write the draft, or say why it cannot be. Raises ClaimLost, DatabaseUnavailable."""
        try:
            self._write(work, stream)
            self._ends.complete(work, stream)
        except PressedStop:
            self._ends.stop(work, stream)
        except (ClaimLost, DatabaseUnavailable):
            raise
        except Exception as error:
            explanation = explain(error)
            log.log(
                explanation.log_level, "draft.failed", error=type(error).__name__, reference=explanation.reference,
                exc_info=error if explanation.reference else None,
            )  # fmt: skip
            if stream.is_visible:
                sentence = explanation.sentence
                self._ends.end_incomplete(work, stream, DraftStatus.FAILED, sentence, error=sentence)
            else:
                self._ends.fail_unseen(work, HuisstijlError(explanation.sentence))

    def _find_thread(self, work: Work) -> None:
        """A command's thread is opened by a message of ours, which the outbox posts."""
        draft = work.draft
        if draft.thread_ts or draft.is_private:
            return
        deadline = time.monotonic() + ROOT_SECONDS
        while not self.stopping.is_set():
            with self._services.database.read() as session:
                root = find_by_dedupe_key(session, root_key(draft.comparison_id or draft.draft_id))
            if root is None or root.status is OutboxStatus.FAILED or time.monotonic() > deadline:
                raise HuisstijlError(texts.ROOT_NOT_POSTED())
            if root.result:
                draft.thread_ts = str(root.result["ts"])
                work.save(self._services.database, thread_ts=draft.thread_ts)
                return
            self.stopping.wait(0.02)
        raise ClaimLost  # the bot is stopping; the next one drafts it

    def _write(self, work: Work, stream: ThreadStream) -> None:
        """Ask the model, with what the server can take, until one answer is through."""
        services = self._services
        plan = make_plan(services.database, services.settings, work.draft, self._embed)
        self._status.open(work, _reading(work, plan))
        busy_until = time.monotonic() + services.settings.first_token_deadline_seconds
        while True:
            work.plan = plan
            # A draft that may be longer may take as much longer.
            deadline = work.began + services.settings.draft_deadline_seconds * plan.room_tokens / plan.least_room_tokens
            SHOWN.set({one.example_id for one in plan.examples} | {one.passage_id for one in plan.passages})
            work.shown |= set(SHOWN.get())
            if work.is_over.is_set():
                raise PressedStop  # nobody waits for it any more, and the model hears nothing of it
            try:
                if plan.labelling is not None:
                    self._choose_label(work, stream, plan, plan.labelling, deadline)
                else:
                    self._read_model(work, stream, plan, deadline)
            except _Repetition:
                work.repetitions += 1
                log.info("draft.repeated", times=work.repetitions)
                if work.repetitions >= MAX_TRIES:
                    raise ModelBroke(variants.SAME_AGAIN()) from None
            except AdapterUnavailable:
                log.error("adapter.refused", adapter=plan.model)
                if plan.adapter_name is None or work.draft.comparison_id is not None:
                    raise
                plan = make_plan_without_adapter(services.database, services.settings, work.draft, self._embed, plan)
            except PromptTooLong:
                smaller = plan.smaller()
                if smaller is None:
                    raise
                plan = smaller
            except ModelBusy as error:
                self._pause(work, error, min(busy_until, deadline))
            except ModelLoading as error:
                self._status.show(work, texts.WAITING_FOR_MODEL())
                self._pause(work, error, min(busy_until, deadline))
                # Embeddings were not to be had either: with them the examples may be others.
                plan = make_plan(services.database, services.settings, work.draft, self._embed)
            else:
                return

    def _pause(self, work: Work, error: ModelError, until: float) -> None:
        """Wait before the server is asked again. Raises the error where that would be too late, and PressedStop."""
        if time.monotonic() + BUSY_SECONDS > until or self.stopping.is_set():
            raise error
        if work.is_over.wait(BUSY_SECONDS):
            raise PressedStop

    def _embed(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._services.model.embed([text])[0]
        return vector

    def _choose_label(
        self, work: Work, stream: ThreadStream, plan: Plan, labelling: Labelling, deadline: float
    ) -> None:
        """An answer out of the style's labels; where it is not sure enough, none, and a person is asked."""
        scores = labelling.scores
        if scores is None:
            scored = self._services.model.score_labels(
                plan.messages, labelling.labels, model=plan.model, deadline=deadline,
                is_base=plan.adapter_name is None,
            )  # fmt: skip
            scores = scored.scores
            work.last = Piece(is_last=True, prompt_tokens=scored.prompt_tokens, fingerprint=scored.fingerprint)
        if work.is_over.is_set():
            raise PressedStop
        choice = choose_label(scores, labelling.calibration)
        work.draft.label_choice = choice.as_json()
        work.first_token_seconds = time.monotonic() - work.began
        if choice.is_sure:
            work.raw = choice.label
            stream.feed(work.safe.feed(work.raw))

    def _read_model(self, work: Work, stream: ThreadStream, plan: Plan, deadline: float) -> None:
        pieces = self._services.model.stream(
            plan.messages, model=plan.model, max_tokens=plan.room_tokens, deadline=deadline,
            is_base=plan.adapter_name is None, sampling=_sampling(work, plan),
        )  # fmt: skip
        gate = Gate(plan.known)
        try:
            for piece in pieces:
                if work.is_over.is_set():
                    raise PressedStop
                if piece.is_last:
                    work.last = piece
                    break
                if piece.text:
                    if work.first_token_seconds is None:
                        work.first_token_seconds = time.monotonic() - work.began
                    text = piece.text if work.raw else piece.text.lstrip()
                    text = text[: MAX_DRAFT_CHARS - len(work.raw)]
                    work.raw += text
                    stream.feed(work.safe.feed(gate.feed(text)))
                    if max(len(work.raw), len(work.safe.shown)) >= MAX_DRAFT_CHARS:
                        work.was_cut = True
                        break
                else:
                    self._status.show(work, _reading(work, plan))  # it was waited for, and works now
                    stream.tick()
        finally:
            pieces.close()  # a generator: this hangs up
        if work.raw.strip() and gate.is_repetition:
            work.raw = ""
            raise _Repetition
        stream.feed(work.safe.feed(gate.finish()))
        if not work.raw.strip():
            raise ModelBroke(texts.NO_ANSWER())

    def _note_visible(self, work: Work, ts: str) -> None:
        failpoints.visit("reply.after_post")
        work.draft.message_ts = ts
        try:
            work.save(
                self._services.database, only_if=Draft.status.in_(OPEN), status=DraftStatus.STREAMING, message_ts=ts,
                **work.facts(),
            )  # fmt: skip
        except ClaimLost as error:
            raise PressedStop from error  # a Stop before there was anything to see, or another worker has the draft
        failpoints.visit("draft.streaming")

    def _note_continued(self, work: Work) -> None:
        """What was fed so far stands in messages that are closed; the next one is not there yet."""
        work.draft.continued_at = len(work.raw) - work.safe.held_chars
        work.draft.message_ts = None
        work.save(self._services.database, message_ts=None, continued_at=work.draft.continued_at, **work.so_far())
        failpoints.visit("draft.continued")


class _Repetition(Exception):
    """The model wrote what people have seen already; nothing of it was shown."""


def _reading(work: Work, plan: Plan) -> str:
    """What the line under the thread says. Of two drafts to compare nothing that tells them apart."""
    return trials.WRITING_TWO() if work.draft.comparison_id else texts.reading(len(plan.examples))


def _sampling(work: Work, plan: Plan) -> Sampling:
    """The measured way for a first draft; for a variant other dice with every try."""
    if plan.variant is None:
        return GREEDY
    return choose_sampling(work.draft.draft_id, plan.variant, work.repetitions)

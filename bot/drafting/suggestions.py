"""Suggesting what was asked: a modal is open, and threads of our own read its message and offer the missing half.

Deliberately not durable. A suggestion is a convenience for somebody who looks at an open modal: a bot that dies loses
the suggestion and nothing else, and by the time another bot could make up for it the modal is submitted or closed. So
there is no row, only a queue in memory, and everybody can go on typing meanwhile.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, replace

import structlog

from bot.blocks.teach import TeachForm, teach_view
from bot.domain.pairs import is_too_long
from bot.domain.safe_text import as_typed
from bot.domain.suggesting import MAX_SUGGESTION_CHARS, MAX_SUGGESTION_TOKENS, Useless, read_suggestion
from bot.drafting.retrieval import choose_demonstrations
from bot.errors import ModelError, SlackError, SuggestionUseless
from bot.language import sentences, speaking
from bot.services import Services
from bot.texts import learning as texts
from config.base_names import base_model_id
from config.prompt_sources import PromptSource
from config.prompts import Pair, build_request_prompt
from db.styles import get_style

log = structlog.get_logger()

THREADS = 2
#: Approved examples that show the model a text and its request.
DEMONSTRATIONS = 3
#: Modals that may wait for a suggestion; whoever comes after these is told at once to type it themselves.
MOST_WAITING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An open modal that wants to know what was asked."""

    form: TeachForm
    view_id: str
    #: Only this very view is changed, and none that somebody has changed since.
    view_hash: str
    locale: str
    team_id: str
    #: May the message that this one answers be read? Then it is offered, and nothing is made up.
    reads_parent: bool
    #: On `time.monotonic`'s clock.
    deadline: float


class Wishes:
    """What modals wait for, in the order in which they were opened. Lives in memory only."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Wish | None] = queue.Queue(maxsize=MOST_WAITING)

    def add(self, wish: Wish) -> bool:
        """False when too many are waiting."""
        try:
            self._waiting.put_nowait(wish)
        except queue.Full:
            return False
        return True

    def take(self, timeout: float) -> Wish | None:
        try:
            return self._waiting.get(timeout=timeout)
        except queue.Empty:
            return None


class Suggester:
    """The threads that make suggestions, apart from those that acknowledge and those that draft."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"suggester-{n}", daemon=True) for n in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Whoever still waits gets no suggestion; their modal says that they need not wait."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wish = self._services.wishes.take(self._services.settings.poll_seconds)
            if wish is None:
                continue
            workspace_language = self._services.settings.language
            with (
                structlog.contextvars.bound_contextvars(view_id=wish.view_id, team_id=wish.team_id),
                speaking(wish.locale, workspace=workspace_language),
            ):
                try:
                    self._fulfil(wish)
                except Exception:
                    log.exception("suggestion.failed")

    def _fulfil(self, wish: Wish) -> None:
        form = self._with_parent(wish) if wish.reads_parent else None
        form = form or self._with_suggestion(wish)
        try:
            is_shown = self._services.slack.update_view(wish.view_id, teach_view(form), view_hash=wish.view_hash)
        except SlackError as error:
            log.warning("suggestion.not_shown", error=type(error).__name__)
            return
        log.info("suggestion.made", is_shown=is_shown, offered=form.source.offered, has_offer=bool(form.offer))

    def _with_parent(self, wish: Wish) -> TeachForm | None:
        """The message that this one answers, offered; None where it cannot be had."""
        source = wish.form.source
        try:
            parent = self._services.slack.find_message(source.channel_id, source.thread_ts)
        except SlackError as error:
            log.warning("suggestion.parent_unread", error=type(error).__name__)
            return None
        text = as_typed(parent.text).strip() if parent else ""
        if not text or is_too_long(text):
            return None
        return replace(
            wish.form, note=texts.PARENT_OFFERED(), offer=text, source=replace(source, offered=PromptSource.PARENT)
        )

    def _with_suggestion(self, wish: Wish) -> TeachForm:
        source = wish.form.source
        before = texts.PARENT_UNKNOWN() if source.is_reply else ""
        try:
            suggestion = self._suggest(wish)
        except Exception as error:
            if not isinstance(error, ModelError):
                log.exception("suggestion.failed")
            log.info("suggestion.none", error=type(error).__name__)
            return replace(wish.form, note=sentences(before, texts.no_suggestion(type(error).__name__)))
        return replace(
            wish.form, note=sentences(before, texts.SUGGESTION_OFFERED()), offer=suggestion,
            source=replace(source, offered=PromptSource.SUGGESTED, suggestion=suggestion),
        )  # fmt: skip

    def _suggest(self, wish: Wish) -> str:
        """Raises the ModelError family."""
        settings = self._services.settings
        messages = build_request_prompt(wish.form.completion, self._find_demonstrations(wish))
        pieces = self._services.model.stream(
            messages, model=base_model_id(settings.base_model), max_tokens=MAX_SUGGESTION_TOKENS,
            deadline=wish.deadline, is_suggestion=True,
        )  # fmt: skip
        written = ""
        for piece in pieces:
            written += piece.text
            if self._stopping.is_set() or _is_enough(written):
                pieces.close()
                break
        found = read_suggestion(written, wish.form.completion)
        if isinstance(found, Useless):
            log.info("suggestion.useless", why=found.value)
            raise SuggestionUseless
        return found

    def _find_demonstrations(self, wish: Wish) -> list[Pair]:
        """Of the style that the modal opened with, which may be used where the message stands; none without one."""
        style_id = wish.form.chosen_style_id
        if style_id is None or style_id not in dict(wish.form.styles):
            return []
        with self._services.database.read() as session:
            style = get_style(session, style_id)
            chosen = choose_demonstrations(
                session, style, style.scope, embedding_model=self._services.settings.embedding_model,
                k=DEMONSTRATIONS,
            )  # fmt: skip
            return [Pair(prompt=one.prompt, completion=one.completion) for one in chosen]


def wish_deadline(seconds: float) -> float:
    return time.monotonic() + seconds


def _is_enough(written: str) -> bool:
    """Is the first line complete, or longer than any request?"""
    text = written.lstrip()
    return "\n" in text or len(text) > MAX_SUGGESTION_CHARS

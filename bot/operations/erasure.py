"""After texts were erased from the rows: taking them out of the logs beside the rows, too."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.drafting.prompt_log import drop_drafts, read_shown
from config.settings import Settings
from db.drafts import Draft, get_draft
from db.erasure import ERASED
from db.examples import Example
from db.knowledge import Passage
from db.search import forget_kept
from db.session import Database

log = structlog.get_logger()


def finish_erasure(database: Database, settings: Settings) -> None:
    """What was erased from the rows goes from our memory, the log of prompts, where one is kept, and SQLite's log."""
    forget_kept(database.engine)
    if settings.prompt_log is not None:
        _clear_prompt_log(database, settings.prompt_log)
    if not database.truncate_log():
        log.info("erasure.log_in_use")  # the clock tries again, see bot/clock/tick.py


def finish_late_erasure(database: Database, settings: Settings, draft_id: str, shown: Collection[str]) -> None:
    """A draft is through, and its prompts are written down. What stood in them (ids) may have been erased after they
    were put together and before they were in the log, where nothing was found of it then."""
    if settings.prompt_log is None:
        return
    with database.read() as session:
        is_late = bool(_find_erased(session, shown)) or get_draft(session, draft_id).is_erased
    if is_late:
        finish_erasure(database, settings)


def _clear_prompt_log(database: Database, path: Path) -> None:
    """Drop the prompts that held what is erased: it is found by the drafts that they were for, not by its text."""
    with database.read() as session:
        logged = read_shown(path)
        drafts = [session.get(Draft, draft_id) for draft_id in sorted(logged)]
        known = [draft for draft in drafts if draft is not None]
        shown = {one.draft_id: logged[one.draft_id] | {*one.example_ids, *one.passage_ids} for one in known}
        erased = _find_erased(session, {text_id for ids in shown.values() for text_id in ids})
        threads = {(draft.channel_id, draft.thread_ts) for draft in known if _is_erased(session, draft)}
        gone = {
            draft.draft_id
            for draft in known
            if erased & shown[draft.draft_id] or (draft.channel_id, draft.thread_ts) in threads
        }
    drop_drafts(path, gone)


def _find_erased(session: Session, text_ids: Collection[str]) -> set[str]:
    """Those of these examples and passages of which nothing is left."""
    whole = select(Example.example_id).where(Example.example_id.in_(text_ids), Example.content_hash != ERASED)
    kept = select(Passage.passage_id).where(Passage.passage_id.in_(text_ids))
    return set(text_ids) - set(session.scalars(whole)) - set(session.scalars(kept))


def _is_erased(session: Session, draft: Draft) -> bool:
    """Was this draft, or any of its thread, which its prompt may have carried, emptied?"""
    if not draft.request:
        return True
    query = select(Draft.draft_id).where(
        Draft.team_id == draft.team_id, Draft.channel_id == draft.channel_id, Draft.thread_ts == draft.thread_ts,
        Draft.request == "",
    )  # fmt: skip
    return session.scalars(query.limit(1)).first() is not None

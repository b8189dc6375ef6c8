"""After texts were erased from the rows: taking them out of the logs beside the rows, too."""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.drafting.prompt_log import drop_drafts, read_draft_ids
from config.settings import Settings
from db.drafts import Draft
from db.erasure import ERASED
from db.examples import Example
from db.knowledge import find_missing_passages
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


def _clear_prompt_log(database: Database, path: Path) -> None:
    """Drop the prompts that held what is erased: it is found by the drafts that they were for, not by its text."""
    with database.read() as session:
        drafts = [session.get(Draft, draft_id) for draft_id in sorted(read_draft_ids(path))]
        known = [draft for draft in drafts if draft is not None]
        shown = {example_id for draft in known for example_id in draft.example_ids}
        erased = set(
            session.scalars(
                select(Example.example_id).where(Example.example_id.in_(shown), Example.content_hash == ERASED)
            )
        )
        removed = find_missing_passages(session, {passage_id for draft in known for passage_id in draft.passage_ids})
        threads = {(draft.channel_id, draft.thread_ts) for draft in known if _is_erased(session, draft)}
        gone = {
            draft.draft_id
            for draft in known
            if erased & set(draft.example_ids)
            or removed & set(draft.passage_ids)
            or (draft.channel_id, draft.thread_ts) in threads
        }
    drop_drafts(path, gone)


def _is_erased(session: Session, draft: Draft) -> bool:
    """Was this draft, or any of its thread, which its prompt may have carried, emptied?"""
    if not draft.request:
        return True
    query = select(Draft.draft_id).where(
        Draft.team_id == draft.team_id, Draft.channel_id == draft.channel_id, Draft.thread_ts == draft.thread_ts,
        Draft.request == "",
    )  # fmt: skip
    return session.scalars(query.limit(1)).first() is not None

"""A flagged message: the question to who flagged it, asked once a person and message."""

from __future__ import annotations

from typing import Any

from bot.domain.values import Actor
from db.audit import record
from db.outbox import owe
from db.session import Database


def owe_flag_question(
    database: Database, actor: Actor, *, channel_id: str, message_ts: str, thread_ts: str, text: str,
    blocks: list[dict[str, Any]],
) -> None:  # fmt: skip
    """Ask, where only they see it. Flagging again, or a delivery worked on twice, asks nothing more."""
    arguments = {
        "channel_id": channel_id, "user_id": actor.user_id, "text": text, "blocks": blocks,
        "thread_ts": thread_ts or None,
    }  # fmt: skip
    with database.write() as session:
        key = f"flag:{channel_id}:{message_ts}:{actor.user_id}"
        if owe(session, team_id=actor.team_id, dedupe_key=key, verb="post_ephemeral", arguments=arguments):
            record(
                session, team_id=actor.team_id, actor=actor.user_id, action="message.flagged",
                subject=f"{channel_id}/{message_ts}",
            )  # fmt: skip

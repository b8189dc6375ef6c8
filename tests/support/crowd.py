"""A channel with a hundred more people in it, and what becomes of all that they ask there."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

from sqlalchemy import func, select

from bot.rehearsal.seed import BRAND, TEAM_ID, Seed, SeedPerson, default_seed
from bot.rehearsal.workspace import Workspace
from db.drafts import count_open_drafts
from db.inbox import count_unfinished_events
from db.outbox import OutboxMessage, OutboxStatus
from db.session import Database

OTHERS = tuple(f"U0CROWD{number:03}" for number in range(100))


def crowded_seed() -> Seed:
    """The usual workspace, with a hundred more people in the channel of the style."""
    seed = default_seed()
    people = tuple(SeedPerson(id=user_id, name=user_id.lower(), real_name=user_id) for user_id in OTHERS)
    channels = tuple(replace(c, members=(*c.members, *OTHERS)) if c.id == BRAND else c for c in seed.channels)
    return replace(seed, people=(*seed.people, *people), channels=channels)


def is_quiet(database: Database) -> bool:
    with database.read() as session:
        owed = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.status != OutboxStatus.SENT)
        return not (count_unfinished_events(session) or count_open_drafts(session, TEAM_ID) or session.scalar(owed))


def notices_by_person(workspace: Workspace) -> Counter[str]:
    return Counter(call.args["user"] for call in workspace.calls("chat.postEphemeral") if call.result["ok"])


class Watch(threading.Thread):
    """Looks again and again at how much is open; `most` is the most that it has seen."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database, self._ended = database, threading.Event()
        self.most = 0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            with self._database.read() as session:
                self.most = max(self.most, count_open_drafts(session, TEAM_ID))

    def end(self) -> int:
        self._ended.set()
        self.join()
        return self.most

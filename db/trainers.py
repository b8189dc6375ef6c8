"""Trainers: who is there to execute runs, when it was last heard from, and how fast it was when last measured.

The bot reads this table to say "no trainer is running" and to quote minutes; only trainers write it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, now_in_database

#: A trainer that has been silent for this long is taken off the list when the next one of its host registers.
FORGOTTEN_AFTER = timedelta(days=7)


class Trainer(Base):
    __tablename__ = "trainers"

    #: `<host>:<process id>`, what `runs.claimed_by` names.
    trainer_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str] = mapped_column(String(128), index=True)
    #: `cpu`, or the accelerator's name; None until a run has been executed here.
    device: Mapped[str | None] = mapped_column(String(128), default=None)
    #: Real tokens a second of the last finished training on this host; None until one has finished.
    tokens_per_second: Mapped[float | None] = mapped_column(default=None)
    started_at: Mapped[datetime]
    #: Database time of its last sign of life.
    seen_at: Mapped[datetime]
    #: When it was shut down in good order; None while it runs, and when it died.
    stopped_at: Mapped[datetime | None] = mapped_column(default=None)


def register_trainer(session: Session, trainer_id: str, host: str) -> Trainer:
    """A trainer that starts. It takes over what was measured on its host before."""
    now = now_in_database(session)
    session.execute(delete(Trainer).where(Trainer.host == host, Trainer.seen_at < now - FORGOTTEN_AFTER))
    measured = select(Trainer).where(Trainer.host == host, Trainer.tokens_per_second.is_not(None))
    before = session.scalars(measured.order_by(Trainer.seen_at.desc())).first()
    return session.merge(
        Trainer(
            trainer_id=trainer_id,
            host=host,
            device=before.device if before else None,
            tokens_per_second=before.tokens_per_second if before else None,
            started_at=now,
            seen_at=now,
            stopped_at=None,
        )
    )


def beat_trainer(session: Session, trainer_id: str) -> None:
    _change(session, trainer_id, seen_at=now_in_database(session))


def stop_trainer(session: Session, trainer_id: str) -> None:
    """It leaves in good order, so nobody has to wait for its silence to be noticed."""
    _change(session, trainer_id, stopped_at=now_in_database(session))


def save_speed(session: Session, trainer_id: str, *, device: str, tokens_per_second: float | None) -> None:
    """What a run measured on this trainer; None keeps the speed known so far."""
    changes = {"device": device} if tokens_per_second is None else {
        "device": device, "tokens_per_second": tokens_per_second,
    }  # fmt: skip
    _change(session, trainer_id, **changes)


def find_live_trainer(session: Session, within_seconds: float) -> Trainer | None:
    """The trainer heard from last, if that was within so many seconds (database time) and it has not left."""
    since = now_in_database(session) - timedelta(seconds=within_seconds)
    query = select(Trainer).where(Trainer.seen_at >= since, Trainer.stopped_at.is_(None))
    return session.scalars(query.order_by(Trainer.seen_at.desc())).first()


def _change(session: Session, trainer_id: str, **changes: object) -> None:
    session.execute(update(Trainer).where(Trainer.trainer_id == trainer_id).values(**changes))

"""Changes of the base model: which one is asked about, since when, and how that ended. At most one is open.

How far each style is stands in its runs (their slots name the change) and in its promotions; nothing is kept twice.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, Base, insert_new, new_id, now_in_database, words
from db.promotions import Promotion
from db.runs import ACTIVE, Run, RunStatus
from db.styles import Style

#: What the slots of every change's runs begin with.
SLOT_KIND = "base"


class BaseChangeStatus(StrEnum):
    OPEN = "open"  #: Measured, or waiting for sign-off; the old pairs go on serving.
    DONE = "done"  #: Every style stands on the new base model.
    ABANDONED = "abandoned"  #: Everything was taken back.


class BaseChangeOrigin(StrEnum):
    COMMAND = "command"  #: `huisstijl base change`: adapters are trained where adapters serve.
    SETTING = "setting"  #: The setting was changed: measured first, trained where that pays.


class BaseChange(Base):
    __tablename__ = "base_changes"

    change_id: Mapped[str] = mapped_column(ID, primary_key=True)
    status: Mapped[BaseChangeStatus] = mapped_column(words(BaseChangeStatus))
    #: The status while it is open, else the id: so that one alone can be open.
    open_key: Mapped[str] = mapped_column(ID, unique=True)
    base_model: Mapped[str] = mapped_column(String(255))
    origin: Mapped[BaseChangeOrigin] = mapped_column(words(BaseChangeOrigin))
    opened_at: Mapped[datetime]
    #: When it was asked for last: what was cancelled before is tried again.
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def slot(self) -> str:
        """What the slots of its runs begin with."""
        return f"{SLOT_KIND}:{self.change_id}"


class NotedSetting(Base):
    """The value that a setting had when a clock looked last: so that a change of it is noticed, once."""

    __tablename__ = "noted_settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))
    noted_at: Mapped[datetime]


class OtherChangeOpen(Exception):
    """Another change of the base model is open. `huisstijl base status` shows it; accept or abandon it first."""


def find_open_change(session: Session) -> BaseChange | None:
    return session.scalar(select(BaseChange).where(BaseChange.open_key == BaseChangeStatus.OPEN.value))


def lock_open_change(session: Session) -> BaseChange | None:
    """The same; whoever ends it at this moment waits until this transaction is over, or has come first."""
    query = select(BaseChange).where(BaseChange.open_key == BaseChangeStatus.OPEN.value)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def open_base_change(session: Session, base_model: str, origin: BaseChangeOrigin) -> BaseChange:
    """Open a change, or ask again for the one that is open. Raises OtherChangeOpen."""
    now = now_in_database(session)
    row = {
        "change_id": new_id("bas"), "status": BaseChangeStatus.OPEN, "open_key": BaseChangeStatus.OPEN.value,
        "base_model": base_model, "origin": origin, "opened_at": now, "asked_at": now, "ended_at": None,
    }  # fmt: skip
    insert_new(session, BaseChange, [row], unique=["open_key"])
    change = lock_open_change(session)
    if change is None or change.base_model != base_model:
        raise OtherChangeOpen
    if origin is BaseChangeOrigin.COMMAND:
        change.origin = origin
    change.asked_at = now
    session.flush()
    return change


def end_base_change(session: Session, change_id: str, status: BaseChangeStatus) -> bool:
    """False when it had ended already."""
    ended = session.execute(
        update(BaseChange)
        .where(BaseChange.change_id == change_id, BaseChange.status == BaseChangeStatus.OPEN)
        .values(status=status, open_key=change_id, ended_at=now_in_database(session))
    )
    return bool(ended.rowcount == 1)  # type: ignore[attr-defined]


def find_run_of_change(session: Session, change: BaseChange, style_id: str, *statuses: RunStatus) -> Run | None:
    """The newest run that this change has made of the style, among those statuses (any, when none is named)."""
    query = select(Run).where(Run.style_id == style_id, _is_made_by(change))
    if statuses:
        query = query.where(Run.status.in_(statuses))
    return session.scalars(query.order_by(Run.queued_at.desc(), Run.run_id.desc())).first()


def find_change_of_run(session: Session, run: Run) -> BaseChange | None:
    """The change that has made this run; None for other runs."""
    kind, _, rest = run.slot.partition(":")
    return session.get(BaseChange, rest.partition(":")[0]) if kind == SLOT_KIND else None


def list_active_run_ids(session: Session, change: BaseChange) -> list[str]:
    """The runs that this change has made and that have not ended, by id."""
    query = select(Run.run_id).where(_is_made_by(change), Run.status.in_(ACTIVE))
    return list(session.scalars(query.order_by(Run.run_id)))


def _is_made_by(change: BaseChange) -> ColumnElement[bool]:
    return Run.slot.startswith(f"{change.slot}:", autoescape=True)


def list_serving_base_models(session: Session) -> list[str]:
    """The base models that champions stand on, by name; rungs without a language model stand on none."""
    query = (
        select(Promotion.base_model)
        .join(Style, Style.champion_promotion_id == Promotion.promotion_id)
        .where(~Style.is_archived, Promotion.rung.not_in([rung for rung in Rung if rung.is_classifier]))
        .distinct()
    )
    return sorted(session.scalars(query))


def list_wanted_base_models(session: Session) -> list[str]:
    """What a model server has to hold besides its own: the champions' base models, and one that is asked about."""
    change = find_open_change(session)
    return sorted({*list_serving_base_models(session), *([change.base_model] if change else [])})


def note_setting(session: Session, name: str, value: str) -> str | None:
    """Keep the setting's value; returns the one noted before, None when there was none."""
    now = now_in_database(session)
    if insert_new(session, NotedSetting, [{"name": name, "value": value, "noted_at": now}], unique=["name"]):
        return None
    row = session.get_one(NotedSetting, name, with_for_update=True, populate_existing=True)
    before = row.value
    if before != value:
        row.value, row.noted_at = value, now
    return before


def find_noted_setting(session: Session, name: str) -> str | None:
    return session.scalar(select(NotedSetting.value).where(NotedSetting.name == name))

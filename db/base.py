"""What every table shares: the declarative base, ids, aware UTC times, enums stored as their words, database time."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import JSON, DateTime, Double, Enum, MetaData, String, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as it counts, no look-alikes
_stamp_lock = threading.Lock()
_last_stamp = 0


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. Naive times are refused on the way in, so none can come out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time needs its zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - the name and shape are SQLAlchemy's
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        list[str]: JSON(),
    }


def words(enum: type[E]) -> Enum:
    """The column type for an enum: its words, readable in any database tool, no native type to migrate."""
    return Enum(enum, native_enum=False, length=32, values_callable=lambda e: [member.value for member in e])


def new_id(noun: str) -> str:
    """`<noun>_<11 characters of time><8 random>`: sorts by age, cannot be guessed from a neighbour.

    The ids of one process sort strictly in the order they were made, also when its clock stands still or goes back.
    """
    global _last_stamp
    with _stamp_lock:
        _last_stamp = max(time.time_ns() // 1000, _last_stamp + 1)
        microseconds = _last_stamp
    stamp = "".join(_ALPHABET[(microseconds >> shift) & 31] for shift in range(50, -1, -5))
    return f"{noun}_{stamp}{''.join(secrets.choice(_ALPHABET) for _ in range(8))}"


ID = String(32)
#: Ids that Slack gives (team, user, channel, ts).
SLACK_ID = String(64)


class database_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's own clock: leases compare on it alone, so a host's wrong clock cannot steal a run."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(database_now)
def _postgresql_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "clock_timestamp()"


class seconds_between(FunctionElement[float]):  # noqa: N801 - likewise
    """`seconds_between(since, until)`: how many seconds lie between two moments, counted where they are stored."""

    type = Double()
    inherit_cache = True


@compiles(seconds_between, "sqlite")
def _sqlite_seconds(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    since, until = (compiler.process(one, **kw) for one in element.clauses)
    return f"((julianday({until}) - julianday({since})) * 86400.0)"


@compiles(seconds_between)
def _postgresql_seconds(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    since, until = (compiler.process(one, **kw) for one in element.clauses)
    return f"EXTRACT(EPOCH FROM ({until}) - ({since}))"


#: Ids in one statement: SQLite takes 32,766 variables, and a lock is held meanwhile.
_BATCH = 500
#: Asked for in nearly every transaction: made once, its cache key is worked out once.
_NOW = select(database_now())


def now_in_database(session: Session) -> datetime:
    """The database's time at this moment (not at the start of the transaction)."""
    return session.execute(_NOW).scalar_one()


def insert_new(
    session: Session, row_type: type[Base], rows: Sequence[dict[str, Any]], *, unique: Sequence[str]
) -> list[Any]:
    """Insert the rows that are not there yet; returns the first `unique` column of those that were inserted.

    One atomic statement on both databases: two processes that insert the same key at once make one row, and the
    transaction stays usable. The rows go in by key, so that two batches that overlap cannot deadlock.
    """
    if not rows:
        return []
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    ordered = sorted(rows, key=lambda row: tuple(str(row[name]) for name in unique))
    statement = insert(row_type).values(ordered).on_conflict_do_nothing(index_elements=unique)
    return list(session.scalars(statement.returning(row_type.__table__.c[unique[0]])))


def in_batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as fit into one statement."""
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))

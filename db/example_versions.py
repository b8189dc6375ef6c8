"""The texts that a proposal had before somebody edited it, so that people see what an edit changed.

They go when the example is withdrawn, and when something was taken out of it that nobody should keep.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base, now_in_database
from db.examples import Example


class ExampleVersion(Base):
    __tablename__ = "example_versions"

    example_id: Mapped[str] = mapped_column(ID, ForeignKey("examples.example_id"), primary_key=True)
    #: The version that had these texts.
    version: Mapped[int] = mapped_column(primary_key=True)
    prompt: Mapped[str] = mapped_column(Text)
    completion: Mapped[str] = mapped_column(Text)
    #: Who gave it the next texts, and when.
    edited_by: Mapped[str] = mapped_column(SLACK_ID)
    edited_at: Mapped[datetime]


def keep_version(session: Session, example: Example, edited_by: str) -> None:
    """Remember an example's texts as they are, before they change."""
    session.add(
        ExampleVersion(
            example_id=example.example_id, version=example.version, prompt=example.prompt,
            completion=example.completion, edited_by=edited_by, edited_at=now_in_database(session),
        )
    )  # fmt: skip
    session.flush()


def find_version(session: Session, example_id: str, version: int) -> ExampleVersion | None:
    return session.get(ExampleVersion, (example_id, version))


def find_last_version(session: Session, example_id: str) -> ExampleVersion | None:
    """The texts before the last edit; None for an example that was never edited."""
    query = select(ExampleVersion).where(ExampleVersion.example_id == example_id)
    return session.scalars(query.order_by(ExampleVersion.version.desc()).limit(1)).first()


def drop_versions(session: Session, example_id: str) -> None:
    session.execute(delete(ExampleVersion).where(ExampleVersion.example_id == example_id))

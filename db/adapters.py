"""Adapters: LoRA weights from one run, published under a versioned name that is never used again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, SLACK_ID, Base, words
from db.datasets import Dataset, DatasetExample
from db.scope import Scope

#: As an adapter's reason: why it must not serve any more, as a cause and not as a sentence in some language.
EXAMPLES_WITHDRAWN = "examples_withdrawn"


class AdapterStatus(StrEnum):
    PUBLISHED = "published"  #: In the store, complete and signed.
    WITHDRAWN = "withdrawn"  #: Must not serve any more; `reason` says why.


class Adapter(Base):
    __tablename__ = "adapters"

    adapter_id: Mapped[str] = mapped_column(ID, primary_key=True)
    #: Its name in the store and on the model server: `<style>-v<version>`, with `-retrieved` and the like where needed.
    name: Mapped[str] = mapped_column(String(128), unique=True)
    version: Mapped[int]
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    run_id: Mapped[str] = mapped_column(ID, ForeignKey("runs.run_id"), index=True)
    rung: Mapped[Rung] = mapped_column(words(Rung))
    base_model: Mapped[str] = mapped_column(String(255))
    #: `sha256:…` of the signed manifest.
    manifest_digest: Mapped[str] = mapped_column(String(80))
    status: Mapped[AdapterStatus] = mapped_column(words(AdapterStatus), default=AdapterStatus.PUBLISHED)
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    published_at: Mapped[datetime]


def find_adapter_by_name(session: Session, name: str, scope: Scope) -> Adapter | None:
    return session.scalar(select(Adapter).where(Adapter.name == name, Adapter.scope_key == scope.key))


def get_adapter(session: Session, adapter_id: str, scope: Scope) -> Adapter:
    """Raises LookupError when it does not exist or belongs to another scope."""
    adapter = session.get(Adapter, adapter_id)
    if adapter is None or adapter.scope_key != scope.key:
        raise LookupError(adapter_id)
    return adapter


def find_adapter_of_run(session: Session, run_id: str, rung: Rung, scope: Scope) -> Adapter | None:
    """What the run trained for this rung; None where it published none."""
    query = select(Adapter).where(Adapter.run_id == run_id, Adapter.rung == rung, Adapter.scope_key == scope.key)
    return session.scalar(query)


def list_adapters(session: Session, style_id: str, scope: Scope) -> list[Adapter]:
    """Newest first."""
    query = select(Adapter).where(Adapter.style_id == style_id, Adapter.scope_key == scope.key)
    return list(session.scalars(query.order_by(Adapter.version.desc(), Adapter.name)))


def next_version(session: Session, style_id: str) -> int:
    highest = session.scalar(select(func.max(Adapter.version)).where(Adapter.style_id == style_id))
    return (highest or 0) + 1


def list_adapters_trained_on(session: Session, example_id: str) -> list[Adapter]:
    """Every published adapter whose dataset holds this example: what a withdrawal has to name."""
    query = (
        select(Adapter)
        .join(Dataset, Dataset.run_id == Adapter.run_id)
        .join(DatasetExample, DatasetExample.dataset_id == Dataset.dataset_id)
        .where(DatasetExample.example_id == example_id, Adapter.status == AdapterStatus.PUBLISHED)
    )
    return list(session.scalars(query.order_by(Adapter.version.desc())))


def list_known_names(session: Session) -> set[str]:
    """The names of all adapters that there ever were, of whatever style."""
    return set(session.scalars(select(Adapter.name)))


def list_names_to_delete(session: Session) -> list[str]:
    """Adapters that learnt from what was withdrawn: their weights have no business in the store any more."""
    query = select(Adapter.name).where(Adapter.status == AdapterStatus.WITHDRAWN, Adapter.reason == EXAMPLES_WITHDRAWN)
    return list(session.scalars(query.order_by(Adapter.name)))


def withdraw_adapter(session: Session, adapter_id: str, reason: str) -> None:
    session.execute(
        update(Adapter).where(Adapter.adapter_id == adapter_id).values(status=AdapterStatus.WITHDRAWN, reason=reason)
    )

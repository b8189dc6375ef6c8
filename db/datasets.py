"""Datasets: what trained and judged a model, frozen. Rows are never changed after the freeze."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.run_kinds import RunKind
from db.base import ID, Base, words
from db.examples import Example, ExampleStatus
from db.preferences import Preference
from db.runs import Run, RunStatus
from db.scope import Scope


class SplitName(StrEnum):
    TRAIN = "train"  #: The adapter learns from these; retrieval may show them.
    VALIDATION = "validation"  #: Chooses the best checkpoint and when to stop.
    TEST = "test"  #: Unseen: only the final scores look at these.


class Dataset(Base):
    __tablename__ = "datasets"

    dataset_id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, unique=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    #: `sha256:…` over the ordered ids, their contents, the seed and the prompt hash.
    content_hash: Mapped[str] = mapped_column(String(80))
    seed: Mapped[int]
    #: The style's instructions as they were, terms included, and the hash of everything else that shapes a prompt.
    instructions: Mapped[str] = mapped_column(Text)
    prompt_hash: Mapped[str] = mapped_column(String(80))
    #: The style's terms as they were, which drafts are held against.
    required_terms: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    forbidden_terms: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    #: Library versions at the freeze.
    versions: Mapped[dict[str, Any]]
    #: Examples left out, each with a sentence: `[{example_id, reason}]`.
    skipped: Mapped[list[Any]]
    frozen_at: Mapped[datetime]


class DatasetExample(Base):
    __tablename__ = "dataset_examples"

    dataset_id: Mapped[str] = mapped_column(ID, ForeignKey("datasets.dataset_id"), primary_key=True)
    example_id: Mapped[str] = mapped_column(ID, ForeignKey("examples.example_id"), primary_key=True, index=True)
    split: Mapped[SplitName] = mapped_column(words(SplitName))
    position: Mapped[int]
    #: The example's content at the freeze, so a later change shows.
    content_hash: Mapped[str] = mapped_column(String(80))
    #: Of the test side: examples with the same number tell about one another, and count once. None on the other sides,
    #: and where it was frozen before this was kept.
    kin_group: Mapped[int | None] = mapped_column(default=None)


class DatasetPreference(Base):
    """A preference that a run froze: `train` taught the second stage, `test` is kept back to measure it."""

    __tablename__ = "dataset_preferences"

    dataset_id: Mapped[str] = mapped_column(ID, ForeignKey("datasets.dataset_id"), primary_key=True)
    #: No foreign key: a preference that was taken back is gone, and this row is how its adapters are found.
    preference_id: Mapped[str] = mapped_column(ID, primary_key=True, index=True)
    split: Mapped[SplitName] = mapped_column(words(SplitName))
    position: Mapped[int]


def find_dataset_of_run(session: Session, run_id: str) -> Dataset | None:
    return session.scalar(select(Dataset).where(Dataset.run_id == run_id))


def list_dataset_examples(session: Session, dataset_id: str) -> list[tuple[DatasetExample, Example]]:
    """In the order of the freeze, each with the example it froze."""
    query = (
        select(DatasetExample, Example)
        .join(Example, Example.example_id == DatasetExample.example_id)
        .where(DatasetExample.dataset_id == dataset_id)
        .order_by(DatasetExample.position)
    )
    return [(frozen, example) for frozen, example in session.execute(query).all()]


def list_dataset_preferences(session: Session, dataset_id: str) -> list[tuple[DatasetPreference, Preference]]:
    """In the order of the freeze, each with its texts; those that are gone since are left out."""
    query = (
        select(DatasetPreference, Preference)
        .join(Preference, Preference.preference_id == DatasetPreference.preference_id)
        .where(DatasetPreference.dataset_id == dataset_id)
        .order_by(DatasetPreference.position)
    )
    return [(frozen, preference) for frozen, preference in session.execute(query).all()]


def has_lost_preferences(session: Session, dataset_id: str) -> bool:
    """Is a preference gone that the second stage learns from? Inside `write()` none can go until the transaction ends,
    as with `list_withdrawn_ids`."""
    taught = select(DatasetPreference.preference_id).where(
        DatasetPreference.dataset_id == dataset_id, DatasetPreference.split == SplitName.TRAIN
    )
    ids = set(session.scalars(taught))
    there = select(Preference.preference_id).where(Preference.preference_id.in_(taught))
    locked = there.order_by(Preference.preference_id).with_for_update(read=True)
    return bool(ids - set(session.scalars(locked)))


def list_members(session: Session, run_id: str, scope: Scope) -> list[DatasetExample]:
    """What a run's dataset holds, in the order of the freeze."""
    query = (
        select(DatasetExample)
        .join(Dataset, Dataset.dataset_id == DatasetExample.dataset_id)
        .where(Dataset.run_id == run_id, Dataset.scope_key == scope.key)
        .order_by(DatasetExample.position)
    )
    return list(session.scalars(query))


def list_member_ids(
    session: Session, style_id: str, scope: Scope, *, splits: Collection[SplitName], run_status: RunStatus
) -> frozenset[str]:
    """Members of these splits in any dataset of the style whose run trained and ended so."""
    query = (
        select(DatasetExample.example_id)
        .join(Dataset, Dataset.dataset_id == DatasetExample.dataset_id)
        .join(Run, Run.run_id == Dataset.run_id)
        .where(
            Dataset.style_id == style_id, Dataset.scope_key == scope.key, Run.status == run_status,
            Run.kind == RunKind.TRAIN,
            DatasetExample.split.in_(splits),
        )
        .distinct()
    )  # fmt: skip
    return frozenset(session.scalars(query))


def count_approved_outside(session: Session, dataset: Dataset) -> int:
    """Approved examples that this freeze neither took nor looked at: what a next run would learn anew.

    Counted by membership, not by time of approval, so a clock that was set back hides none.
    """
    members = select(DatasetExample.example_id).where(DatasetExample.dataset_id == dataset.dataset_id)
    query = select(Example.example_id).where(
        Example.style_id == dataset.style_id,
        Example.scope_key == dataset.scope_key,
        Example.status == ExampleStatus.APPROVED,
        Example.example_id.not_in(members),
    )
    skipped = {one["example_id"] for one in dataset.skipped}
    return sum(example_id not in skipped for example_id in session.scalars(query))


def list_withdrawn_ids(session: Session, dataset_id: str) -> list[str]:
    """Members of the dataset that were withdrawn since the freeze: what it trained must not be published.

    Inside `write()` no member can be withdrawn until the transaction ends: PostgreSQL holds a shared lock on each
    (SQLite has one writer anyhow), so a withdrawal comes either before this look or after the publication.
    """
    query = (
        select(Example.example_id, Example.status)
        .join(DatasetExample, DatasetExample.example_id == Example.example_id)
        .where(DatasetExample.dataset_id == dataset_id)
        .order_by(Example.example_id)
        .with_for_update(read=True, of=Example)
    )
    members = session.execute(query).all()
    return [example_id for example_id, status in members if status is ExampleStatus.WITHDRAWN]

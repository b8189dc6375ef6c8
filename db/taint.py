"""Taint: adapters that learnt from an example which has been withdrawn since, and the clean retrain that is owed then.

Taint is read from the rows: an adapter is tainted while a member of its dataset is withdrawn, and one that learnt from
preferences while one of those is gone. The debt is a moment on the style, so that one retrain answers however many
withdrawals came before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from config.rungs import Rung
from db import audit
from db.adapters import EXAMPLES_WITHDRAWN, Adapter, AdapterStatus, withdraw_adapter
from db.base import now_in_database
from db.datasets import Dataset, DatasetExample, DatasetPreference, SplitName
from db.examples import Example, ExampleStatus, count_examples
from db.preferences import Preference
from db.promotions import PromotionKind, find_promotion, promote
from db.styles import Style


def list_tainted_adapters(session: Session, style_id: str) -> list[Adapter]:
    """The published adapters of a style that learnt from, or were judged by, what is withdrawn now. Newest first."""
    runs = (
        select(Dataset.run_id)
        .join(DatasetExample, DatasetExample.dataset_id == Dataset.dataset_id)
        .join(Example, Example.example_id == DatasetExample.example_id)
        .where(Dataset.style_id == style_id, Example.status == ExampleStatus.WITHDRAWN)
    )
    gone = (
        select(Dataset.run_id)
        .join(DatasetPreference, DatasetPreference.dataset_id == Dataset.dataset_id)
        .where(
            Dataset.style_id == style_id, DatasetPreference.split == SplitName.TRAIN,
            DatasetPreference.preference_id.not_in(select(Preference.preference_id)),
        )
    )  # fmt: skip
    query = select(Adapter).where(
        Adapter.style_id == style_id, Adapter.status == AdapterStatus.PUBLISHED,
        or_(Adapter.run_id.in_(runs), (Adapter.rung == Rung.LORA_PREFERENCES) & Adapter.run_id.in_(gone)),
    )  # fmt: skip
    return list(session.scalars(query.order_by(Adapter.version.desc(), Adapter.name)))


def is_tainted(session: Session, adapter: Adapter) -> bool:
    return any(one.adapter_id == adapter.adapter_id for one in list_tainted_adapters(session, adapter.style_id))


def list_adapters_trained_on_any(session: Session, example_ids: Collection[str]) -> list[Adapter]:
    """Every published adapter whose dataset holds one of these examples. By style and name."""
    query = (
        select(Adapter)
        .join(Dataset, Dataset.run_id == Adapter.run_id)
        .join(DatasetExample, DatasetExample.dataset_id == Dataset.dataset_id)
        .where(DatasetExample.example_id.in_(example_ids), Adapter.status == AdapterStatus.PUBLISHED)
        .distinct()
    )
    return sorted(session.scalars(query), key=lambda adapter: (adapter.style_id, -adapter.version, adapter.name))


def list_adapters_preferring_any(session: Session, preference_ids: Collection[str]) -> list[Adapter]:
    """Every published adapter that learnt from one of these preferences. By style and name."""
    query = (
        select(Adapter)
        .join(Dataset, Dataset.run_id == Adapter.run_id)
        .join(DatasetPreference, DatasetPreference.dataset_id == Dataset.dataset_id)
        .where(
            DatasetPreference.preference_id.in_(preference_ids), DatasetPreference.split == SplitName.TRAIN,
            Adapter.rung == Rung.LORA_PREFERENCES, Adapter.status == AdapterStatus.PUBLISHED,
        )
        .distinct()
    )  # fmt: skip
    return sorted(session.scalars(query), key=lambda adapter: (adapter.style_id, -adapter.version, adapter.name))


def owe_clean_retrain(session: Session, style_id: str) -> None:
    """From now on. A later withdrawal is a new cause: what failed or was cancelled before it does not count."""
    owed = update(Style).where(Style.style_id == style_id).values(clean_retrain_owed_at=now_in_database(session))
    session.execute(owed)


def settle_clean_retrain(session: Session, style_id: str) -> None:
    """Nothing is owed any more: a clean run has succeeded, or none can be made and the adapters are out of use."""
    session.execute(update(Style).where(Style.style_id == style_id).values(clean_retrain_owed_at=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfUse:
    """Adapters that must not serve any more, and the rung that took the champion's place, if it was one of them."""

    adapter_names: tuple[str, ...]
    fell_back_to: Rung | None = None


def take_out_of_use(session: Session, style: Style, *, actor: str, reason: str) -> OutOfUse:
    """Withdraw every tainted adapter of the style; a champion that stands on one makes way for a prompt.

    Raises ChampionMoved when somebody else moves the champion at this moment.
    """
    tainted = list_tainted_adapters(session, style.style_id)
    for adapter in tainted:
        withdraw_adapter(session, adapter.adapter_id, EXAMPLES_WITHDRAWN)
        audit.record(
            session, team_id=style.team_id, actor=actor, action="adapter.withdrawn", subject=adapter.name,
            style_id=style.style_id, reason=EXAMPLES_WITHDRAWN,
        )  # fmt: skip
    champion = find_promotion(session, style.champion_promotion_id)
    names = tuple(adapter.name for adapter in tainted)
    if champion is None or champion.adapter_id not in {adapter.adapter_id for adapter in tainted}:
        return OutOfUse(adapter_names=names)
    rung = _prompt_rung(session, style)
    promotion = promote(
        session, style, kind=PromotionKind.WITHDRAWAL, rung=rung, base_model=champion.base_model, adapter_id=None,
        actor=actor, reason=reason,
    )  # fmt: skip
    audit.record(
        session, team_id=style.team_id, actor=actor, action="champion.fell_back", subject=style.style_id,
        promotion_id=promotion.promotion_id, candidate=rung.value,
        replaced=next(one.name for one in tainted if one.adapter_id == champion.adapter_id),
    )  # fmt: skip
    return OutOfUse(adapter_names=names, fell_back_to=rung)


def _prompt_rung(session: Session, style: Style) -> Rung:
    approved = count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]
    return Rung.RETRIEVED if approved else Rung.ZERO_SHOT

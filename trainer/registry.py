"""What a run reads from and writes to the database: its frozen dataset, scorecards, adapters, the champion's move.

Every function takes a session and leaves the commit to the caller; those that read examples demand the scope. The
freeze is one transaction, and so is the gate: adapters, champion and the run's end appear together or not at all.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from config.base_names import base_model_id
from config.choosing import NEUTRAL_QUALITY
from config.prompts import prompt_hash
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.style_terms import StyleTerms
from db import audit, promotions
from db.adapters import Adapter, find_adapter_by_name, get_adapter, next_version
from db.base import new_id, now_in_database
from db.datasets import (
    Dataset,
    DatasetExample,
    DatasetPreference,
    SplitName,
    find_dataset_of_run,
    has_lost_preferences,
    list_dataset_examples,
    list_dataset_preferences,
    list_member_ids,
)
from db.examples import Example, ExampleStatus, list_approved_examples, list_retired_examples
from db.knowledge import freeze_documents
from db.measurements import owe_measurement, settle_measurement
from db.preferences import Preference, list_approved_pairs
from db.promotions import ChampionMoved, PromotionKind
from db.quality import list_qualities
from db.runs import Run, RunStatus, get_run
from db.scope import Scope
from db.scorecards import ScorecardRow, list_scorecards
from db.search import bytes_to_vector
from db.styles import Style, lock_style
from db.taint import list_tainted_adapters, settle_clean_retrain, take_out_of_use
from db.trials import TrialCandidate, list_losses
from trainer.artifacts.store import PublishedAdapter
from trainer.dataset import Split, TrainingExample, pick_judging
from trainer.errors import ExampleWithdrawn
from trainer.evaluate import to_json
from trainer.label_metrics import label_figures
from trainer.metrics import Scorecard
from trainer.preferences import PreferencePair, PreferenceSides
from trainer.trial_losses import TrialLoss

log = structlog.get_logger()

_LIBRARIES = ("torch", "transformers", "peft", "trl", "tokenizers", "numpy")


def adapter_name(style_name: str, version: int, rung: Rung) -> str:
    """`<style>-v<version>`, with `-preferences`, `-retrieved`, `-full` or `-logistic` for those rungs."""
    return f"{style_name}-v{version}{_SUFFIXES.get(rung, '')}"


_SUFFIXES = {
    Rung.LORA_PREFERENCES: "-preferences", Rung.LORA_RETRIEVED: "-retrieved", Rung.FULL: "-full",
    Rung.LOGISTIC: "-logistic",
}  # fmt: skip


def list_adapter_names(session: Session, run_id: str) -> list[str]:
    """What a run's adapters are called, published or not; none before its freeze."""
    found = session.execute(
        select(Style.name, Run.adapter_version)
        .join(Run, Run.style_id == Style.style_id)
        .where(Run.run_id == run_id, Run.adapter_version.is_not(None))
    ).all()
    return [
        adapter_name(name, version, rung) for name, version in found if version for rung in Rung if rung.needs_adapter
    ]


def library_versions() -> dict[str, str]:
    """What a dataset and an adapter record, so that a training can be repeated exactly."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


# ------------------------------------------------------------------------------------------------ the dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A run's dataset as it was frozen, with the texts. `version` names the adapters that come of it, 0 where the run
    trains none."""

    dataset_id: str
    instructions: str
    version: int
    train: list[TrainingExample]
    validation: list[TrainingExample]
    test: list[TrainingExample]
    preferences: PreferenceSides = field(default_factory=PreferenceSides)
    terms: StyleTerms = field(default_factory=StyleTerms)
    #: `sha256:…` of all that it holds.
    content_hash: str = ""
    #: Id → number of its group, of the test side; without those of a freeze before groups were kept.
    kin_groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def examples(self) -> list[TrainingExample]:
        return [*self.train, *self.validation, *self.test]

    def judging(self, most: int) -> list[TrainingExample]:
        """The unseen pairs that candidates are scored on, at most so many: `trainer.dataset.pick_judging`."""
        return pick_judging(self.test, most)


def list_trainable(session: Session, style: Style, scope: Scope, embedding_model: str) -> list[TrainingExample]:
    """The approved examples of a style, within the scope."""
    qualities = list_qualities(session, style.style_id, scope)
    approved = list_approved_examples(session, style.style_id, scope)
    return [_training_example(one, embedding_model, qualities) for one in approved]


def list_preferences(session: Session, style: Style, scope: Scope) -> list[tuple[PreferencePair, frozenset[str]]]:
    """What people preferred and a reviewer stands behind, within the scope: each with its approved examples."""
    return [(_pair(one), examples) for one, examples in list_approved_pairs(session, style.style_id, scope)]


def _pair(preference: Preference) -> PreferencePair:
    return PreferencePair(
        preference_id=preference.preference_id, prompt=preference.prompt, chosen=preference.chosen,
        rejected=preference.rejected,
    )  # fmt: skip


def list_taught(session: Session, style: Style, scope: Scope) -> frozenset[str]:
    """What earlier runs of the style trained on, or chose a checkpoint by: it can never be unseen again."""
    return list_member_ids(
        session, style.style_id, scope, splits=(SplitName.TRAIN, SplitName.VALIDATION), run_status=RunStatus.SUCCEEDED
    )


def list_gone(
    session: Session, style: Style, scope: Scope, taught: Collection[str], embedding_model: str
) -> list[TrainingExample]:
    """What earlier runs of the style learnt from, that is approved no longer and that still has its texts."""
    gone = [one for one in list_retired_examples(session, style.style_id, scope) if one.example_id in taught]
    return [_training_example(one, embedding_model, {}) for one in gone]


def save_frozen(
    session: Session,
    run: Run,
    style: Style,
    split: Split,
    contents: Mapping[str, str],
    *,
    seed: int,
    skipped: Sequence[dict[str, str]],
    is_free: Callable[[int], bool],
    preferences: PreferenceSides,
) -> None:
    """Write the dataset with its members (`contents`: id → hash), and choose a free version for its adapters."""
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run.run_id, style_id=style.style_id, scope_key=run.scope_key,
        content_hash=split.sha256, seed=seed, instructions=style.full_instructions,
        prompt_hash=prompt_hash(style.full_instructions), required_terms=style.required_terms,
        forbidden_terms=style.forbidden_terms, versions=library_versions(), skipped=list(skipped),
        frozen_at=now_in_database(session),
    )  # fmt: skip
    session.add(dataset)
    session.flush()
    sides = {SplitName.TRAIN: split.train, SplitName.VALIDATION: split.validation, SplitName.TEST: split.test}
    members = [(name, example_id) for name, ids in sides.items() for example_id in ids]
    session.add_all(
        DatasetExample(
            dataset_id=dataset.dataset_id, example_id=example_id, split=name, position=position,
            content_hash=contents[example_id], kin_group=split.kin_groups.get(example_id),
        )
        for position, (name, example_id) in enumerate(members)
    )  # fmt: skip
    preferred = {SplitName.TRAIN: preferences.train, SplitName.TEST: preferences.kept_back}
    session.add_all(
        DatasetPreference(
            dataset_id=dataset.dataset_id, preference_id=pair.preference_id, split=name, position=position
        )
        for name, pairs in preferred.items()
        for position, pair in enumerate(pairs)
    )  # fmt: skip
    freeze_documents(session, dataset.dataset_id, style.style_id, Scope.from_key(run.scope_key))
    if run.kind is RunKind.TRAIN:
        take_version(session, run, style, is_free)
    audit.record(
        session, team_id=run.team_id, actor="trainer", action="dataset.frozen", subject=run.run_id,
        dataset_id=dataset.dataset_id, content_hash=split.sha256,
        preferences=len(preferences.train), **{name.value: len(ids) for name, ids in sides.items()},
    )  # fmt: skip


def mark_started(session: Session, run_id: str) -> None:
    """The moment of the first attempt."""
    started = func.coalesce(Run.started_at, now_in_database(session))
    session.execute(update(Run).where(Run.run_id == run_id).values(started_at=started))


def take_version(session: Session, run: Run, style: Style, is_free: Callable[[int], bool]) -> int:
    """The next free version under the style's name, kept with the run; no other run gets it.

    Adapters are called after the style, and styles of two workspaces may share a name and a store.
    """
    namesakes = select(Style.style_id).where(Style.name == style.name)
    taken = session.scalar(select(func.max(Run.adapter_version)).where(Run.style_id.in_(namesakes))) or 0
    version = max(taken + 1, next_version(session, run.style_id))
    while not is_free(version):
        version += 1
    session.execute(update(Run).where(Run.run_id == run.run_id).values(adapter_version=version))
    return version


def load_frozen(session: Session, run_id: str, scope: Scope, embedding_model: str) -> Frozen | None:
    """The dataset of a run, when it has been frozen. Raises ExampleWithdrawn when a member is gone since."""
    dataset = find_dataset_of_run(session, run_id)
    if dataset is None or dataset.scope_key != scope.key:
        return None
    check_members(session, dataset.dataset_id)
    sides: dict[SplitName, list[TrainingExample]] = {name: [] for name in SplitName}
    qualities = list_qualities(session, dataset.style_id, scope)
    members = list_dataset_examples(session, dataset.dataset_id)
    for member, example in members:
        sides[member.split].append(_training_example(example, embedding_model, qualities))
    preferred: dict[SplitName, list[PreferencePair]] = {name: [] for name in SplitName}
    for chosen, preference in list_dataset_preferences(session, dataset.dataset_id):
        preferred[chosen.split].append(_pair(preference))
    run = get_run(session, run_id)
    assert run.adapter_version is not None or run.kind is RunKind.MEASURE, "chosen in the transaction that freezes"
    return Frozen(
        dataset_id=dataset.dataset_id, instructions=dataset.instructions, version=run.adapter_version or 0,
        train=sides[SplitName.TRAIN], validation=sides[SplitName.VALIDATION], test=sides[SplitName.TEST],
        preferences=PreferenceSides(
            train=tuple(preferred[SplitName.TRAIN]), kept_back=tuple(preferred[SplitName.TEST])
        ),
        terms=StyleTerms(required=tuple(dataset.required_terms), forbidden=tuple(dataset.forbidden_terms)),
        content_hash=dataset.content_hash,
        kin_groups={one.example_id: one.kin_group for one, _ in members if one.kin_group is not None},
    )  # fmt: skip


def check_members(session: Session, dataset_id: str) -> None:
    """Raises ExampleWithdrawn when a member of the dataset was withdrawn since the freeze, or a preference is gone that
    it learns from.

    In a writing transaction a withdrawal that comes later waits for its end (SQLite has one writer; PostgreSQL locks
    the rows), so it finds the adapter and can name it.
    """
    members = (
        select(Example.status)
        .join(DatasetExample, DatasetExample.example_id == Example.example_id)
        .where(DatasetExample.dataset_id == dataset_id)
        .order_by(Example.example_id)
        .with_for_update(read=True, of=Example)
    )
    if ExampleStatus.WITHDRAWN in session.scalars(members) or has_lost_preferences(session, dataset_id):
        raise ExampleWithdrawn


def _training_example(example: Example, embedding_model: str, qualities: Mapping[str, float]) -> TrainingExample:
    is_embedded = example.embedding is not None and example.embedding_model == embedding_model
    return TrainingExample(
        example_id=example.example_id,
        prompt=example.prompt,
        completion=example.completion,
        thread_key=example.conversation_key,
        author=example.author_id,
        written_at=example.written_at,
        approved_at=example.approved_at,
        embedding=bytes_to_vector(example.embedding or b"") if is_embedded else None,
        quality=qualities.get(example.example_id, NEUTRAL_QUALITY),
    )


# ------------------------------------------------------------------------------------------------ candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A candidate by name: what a scorecard, a promotion and an adapter row all speak of."""

    rung: Rung
    base_model: str
    #: Empty for a prompt without an adapter.
    adapter_name: str = ""
    #: It stands on another base model than the run does.
    is_elsewhere: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """Unique within a run; also what PEFT calls the adapter, so it holds no dot where there is one."""
        if self.adapter_name or not self.is_elsewhere:
            return self.adapter_name or self.rung.value
        return f"{self.rung.value} on {base_model_id(self.base_model)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What serves the style, and the promotion that says so (None: nothing was ever promoted)."""

    standing: Standing
    promotion_id: str | None


def find_champion(session: Session, style: Style, scope: Scope, base_model: str) -> Champion:
    """The style's champion; a style that never had one is served by its instructions alone."""
    if style.champion_promotion_id is None:
        return Champion(standing=Standing(rung=Rung.ZERO_SHOT, base_model=base_model), promotion_id=None)
    promotion = promotions.get_champion(session, style, scope)
    adapter = get_adapter(session, promotion.adapter_id, scope) if promotion.adapter_id else None
    # What needs no language model stands on none, and is the same beside any.
    own = base_model if promotion.rung.is_classifier else promotion.base_model
    standing = Standing(
        rung=promotion.rung, base_model=own, adapter_name=adapter.name if adapter else "",
        is_elsewhere=own != base_model,
    )  # fmt: skip
    return Champion(standing=standing, promotion_id=promotion.promotion_id)


def read_trial_losses(session: Session, style: Style, champion: Champion) -> dict[str, TrialLoss]:
    """Candidates that lost a blind trial against this champion, by their key in a run."""
    promotion = promotions.find_promotion(session, champion.promotion_id)
    if promotion is None:
        return {}
    serving = TrialCandidate(
        rung=promotion.rung, base_model=promotion.base_model, adapter_id=promotion.adapter_id
    )  # fmt: skip
    losses: dict[str, TrialLoss] = {}
    for loss in list_losses(session, style.style_id, style.scope, to=serving):
        adapter_id = loss.candidate.adapter_id
        name = get_adapter(session, adapter_id, style.scope).name if adapter_id else ""
        if loss.candidate.base_model == promotion.base_model:
            key = Standing(rung=loss.candidate.rung, base_model=promotion.base_model, adapter_name=name).key
            losses.setdefault(key, TrialLoss(wins=loss.wins, decided=loss.decided))  # the newest trial comes first
    return losses


def save_scorecard(
    session: Session, run: Run, dataset_id: str, standing: Standing, card: Scorecard, *, of: str,
    features: Mapping[str, Any],
) -> None:  # fmt: skip
    """Keep a scorecard. `of` is the digest of the weights it was measured with, empty without an adapter; `features`
    are those of its drafts (trainer/style_features.py).

    Raises ExampleWithdrawn: what candidates write says again what they were asked and shown, so nothing of it is kept
    once a member was withdrawn. Looked at here and not swept up when the run ends, because a run whose trainer has
    gone silent may end long after the erasure, or be ended by others (cancelled, claimed again, given up). Whoever
    erases has emptied the cards that were there, and waits for this transaction or is waited for: both lock the style
    first, then the examples, and the cards last.
    """
    lock_style(session, run.style_id)
    check_members(session, dataset_id)
    figures = {"labels": label_figures(card)} if card.has_labels else {"features": dict(features)}
    values = to_json(card) | {"summary": card.summary() | figures, "weights": of}
    row = _find_scorecard(session, run.run_id, standing)
    if row is None:
        row = ScorecardRow(
            scorecard_id=new_id("sco"), run_id=run.run_id, style_id=run.style_id, scope_key=run.scope_key,
            dataset_id=dataset_id, rung=standing.rung, base_model=standing.base_model,
            adapter_name=standing.adapter_name, card=values, scored_at=now_in_database(session),
        )  # fmt: skip
        session.add(row)
    row.card, row.scored_at = values, now_in_database(session)


def load_scorecards(session: Session, run_id: str, scope: Scope, weights: Mapping[str, str]) -> dict[str, Scorecard]:
    """Scorecards that an earlier attempt kept, by `Standing.key`, if they were measured with these very weights."""
    found = {}
    base_model = get_run(session, run_id).base_model
    for row in list_scorecards(session, run_id, scope):
        key = _standing_of(row, base_model).key
        if key in weights and row.card["weights"] == weights[key]:
            found[key] = _read_card(row)
    return found


def _standing_of(row: ScorecardRow, base_model: str) -> Standing:
    return Standing(
        rung=row.rung, base_model=row.base_model, adapter_name=row.adapter_name,
        is_elsewhere=row.base_model != base_model,
    )  # fmt: skip


def load_first_scorecards(
    session: Session, adapter_name: str, scope: Scope
) -> tuple[Scorecard, list[Scorecard]] | None:
    """An adapter and the prompts without one as the run that trained it scored them; None when that is not known."""
    adapter = find_adapter_by_name(session, adapter_name, scope)
    if adapter is None:
        return None
    rows = list_scorecards(session, adapter.run_id, scope)
    own = [row for row in rows if row.adapter_name == adapter_name]
    prompts = [row for row in rows if not row.adapter_name and row.base_model == adapter.base_model]
    return (_read_card(own[0]), [_read_card(row) for row in prompts]) if own and prompts else None


def _read_card(row: ScorecardRow) -> Scorecard:
    names = {one.name for one in fields(Scorecard)}
    return Scorecard.from_json({name: row.card[name] for name in names if name in row.card})


def drop_scorecards(session: Session, run: Run, scope: Scope, *, keep: Collection[str]) -> None:
    """What was measured and is no candidate, by `Standing.key`, is not in the ladder either."""
    for row in list_scorecards(session, run.run_id, scope):
        if _standing_of(row, run.base_model).key not in keep:
            session.delete(row)


def _find_scorecard(session: Session, run_id: str, standing: Standing) -> ScorecardRow | None:
    query = select(ScorecardRow).where(
        ScorecardRow.run_id == run_id,
        ScorecardRow.rung == standing.rung,
        ScorecardRow.base_model == standing.base_model,
        ScorecardRow.adapter_name == standing.adapter_name,
    )
    return session.scalar(query)


# ------------------------------------------------------------------------------------------------ the gate's writes


def add_adapters(session: Session, run: Run, version: int, published: Mapping[Rung, PublishedAdapter]) -> None:
    for rung, adapter in published.items():
        session.add(
            Adapter(
                adapter_id=new_id("ada"), name=adapter.name, version=version, team_id=run.team_id,
                style_id=run.style_id, scope_key=run.scope_key, run_id=run.run_id, rung=rung,
                base_model=run.base_model, manifest_digest=adapter.digest, published_at=now_in_database(session),
            )
        )  # fmt: skip
        audit.record(
            session, team_id=run.team_id, actor="trainer", action="adapter.published", subject=adapter.name,
            run_id=run.run_id, rung=rung.value, manifest_digest=adapter.digest,
        )  # fmt: skip
    session.flush()


def check_champion(session: Session, style: Style, scope: Scope, judged: Champion) -> None:
    """Raises ChampionMoved when something else serves by now than what the run compared its candidates with."""
    if find_champion(session, style, scope, judged.standing.base_model).standing != judged.standing:
        raise ChampionMoved


def move_champion(session: Session, run: Run, style: Style, winner: Standing, *, over: Champion, reason: str) -> None:
    """Make the winner the style's champion."""
    adapter_id = None
    if winner.adapter_name:
        adapter_id = session.scalar(select(Adapter.adapter_id).where(Adapter.name == winner.adapter_name))
    promotion = promotions.promote(
        session, style, kind=PromotionKind.GATE, rung=winner.rung, base_model=winner.base_model,
        adapter_id=adapter_id, actor="gate", reason=reason, run_id=run.run_id,
    )  # fmt: skip
    audit.record(
        session, team_id=run.team_id, actor="gate", action="candidate.promoted", subject=style.style_id,
        promotion_id=promotion.promotion_id, run_id=run.run_id, candidate=winner.key, replaced=over.standing.key,
    )  # fmt: skip


def is_champion_tainted(session: Session, style: Style) -> bool:
    """Did what serves now learn from something that was withdrawn since?"""
    promotion = promotions.find_promotion(session, style.champion_promotion_id)
    tainted = {adapter.adapter_id for adapter in list_tainted_adapters(session, style.style_id)}
    return promotion is not None and promotion.adapter_id in tainted


def settle_withdrawals(session: Session, style: Style) -> None:
    """This run is clean, so nothing is owed any more; earlier adapters that are not must never serve again."""
    gone = take_out_of_use(session, style, actor="gate", reason="It learnt from something that was withdrawn.")
    settle_clean_retrain(session, style.style_id)
    if gone.adapter_names:
        log.info("adapters.taken_out_of_use", style_id=style.style_id, adapters=gone.adapter_names)


def settle_measurements(session: Session, run: Run, style: Style) -> None:
    """This run measured what serves, under the instructions of its freeze: if they still stand, no measurement is owed
    for what happened before; else one is, also where nothing had been measured when they were changed."""
    dataset = find_dataset_of_run(session, run.run_id)
    if dataset is None:
        return
    if dataset.instructions == style.full_instructions:
        settle_measurement(session, style.style_id, up_to=dataset.frozen_at)
    elif style.measurement_owed_at is None:
        owe_measurement(session, style.style_id, RunCause.CHANGED_INSTRUCTIONS)


def record_end(session: Session, run: Run, action: str, **detail: Any) -> None:
    audit.record(session, team_id=run.team_id, actor="trainer", action=action, subject=run.run_id, **detail)

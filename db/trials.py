"""Blind trials: a style's champion and a challenger, side by side in hidden order on real requests.

A trial is one row; each request that is drafted twice is a comparison. Which of the two drafts is the challenger's is
thrown when the comparison is made and stands here alone; drafts, messages and buttons know only the comparison's id.

Trial       running → challenger_won | champion_won | no_difference | stopped | overtaken
Comparison  drafting → shown → decided   (+ void: it does not count)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, SLACK_ID, Base, words
from db.drafts import Draft
from db.scope import Scope


class TrialStatus(StrEnum):
    RUNNING = "running"  #: Requests are drafted twice.
    CHALLENGER_WON = "challenger_won"  #: Better beyond the noise: promoted.
    CHAMPION_WON = "champion_won"  #: The challenger is worse beyond the noise.
    NO_DIFFERENCE = "no_difference"  #: As many comparisons as there may be, and not told apart.
    STOPPED = "stopped"  #: An admin stopped it.
    OVERTAKEN = "overtaken"  #: What it compared is not there any more; `cause` says what happened.


class Cause(StrEnum):
    """Why a trial was overtaken."""

    CHAMPION_MOVED = "champion_moved"  #: Another candidate serves now.
    ADAPTER_GONE = "adapter_gone"  #: An adapter was withdrawn, or learnt from what was withdrawn.
    STYLE_CHANGED = "style_changed"  #: The style was archived, or its kind or scope is another.


class ComparisonStatus(StrEnum):
    DRAFTING = "drafting"  #: At least one of the two is being written.
    SHOWN = "shown"  #: Both wait for a tap.
    DECIDED = "decided"  #: Somebody tapped, or both texts came out the same.
    VOID = "void"  #: One of the two never came, was stopped or was erased.


class Choice(StrEnum):
    A = "a"
    B = "b"
    NEITHER = "neither"  #: No difference.


class Trial(Base):
    __tablename__ = "trials"

    trial_id: Mapped[str] = mapped_column(ID, primary_key=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    status: Mapped[TrialStatus] = mapped_column(words(TrialStatus), default=TrialStatus.RUNNING)
    cause: Mapped[Cause | None] = mapped_column(words(Cause), default=None)
    #: The promotion that was in force at the start: a win moves the champion only from there.
    champion_promotion_id: Mapped[str] = mapped_column(ID)
    champion_rung: Mapped[Rung] = mapped_column(words(Rung))
    champion_base_model: Mapped[str] = mapped_column(String(255))
    champion_adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.adapter_id"), default=None)
    #: Run whose fixed examples it shows, where its rung has some.
    champion_run_id: Mapped[str | None] = mapped_column(ID, default=None)
    challenger_rung: Mapped[Rung] = mapped_column(words(Rung))
    challenger_base_model: Mapped[str] = mapped_column(String(255))
    challenger_adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.adapter_id"), default=None)
    challenger_run_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: Comparisons that it may make at most, and the share of requests that become one.
    most: Mapped[int]
    share: Mapped[float]
    #: The quote that was confirmed: one click or many start one trial.
    quote_id: Mapped[str] = mapped_column(ID, unique=True)
    started_by: Mapped[str] = mapped_column(SLACK_ID)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def champion(self) -> TrialCandidate:
        return TrialCandidate(
            rung=self.champion_rung, base_model=self.champion_base_model, adapter_id=self.champion_adapter_id,
            run_id=self.champion_run_id,
        )  # fmt: skip

    @property
    def challenger(self) -> TrialCandidate:
        return TrialCandidate(
            rung=self.challenger_rung, base_model=self.challenger_base_model, adapter_id=self.challenger_adapter_id,
            run_id=self.challenger_run_id,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCandidate:
    """One of the two: what a draft is made with, named like a promotion's."""

    rung: Rung
    base_model: str
    adapter_id: str | None
    run_id: str | None = field(default=None, compare=False)


class Comparison(Base):
    __tablename__ = "comparisons"

    comparison_id: Mapped[str] = mapped_column(ID, primary_key=True)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trials.trial_id"), index=True)
    #: Shown first, and second.
    draft_a_id: Mapped[str] = mapped_column(ForeignKey("drafts.draft_id"))
    draft_b_id: Mapped[str] = mapped_column(ForeignKey("drafts.draft_id"))
    #: The coin: known to nobody until the trial has ended.
    is_challenger_a: Mapped[bool]
    status: Mapped[ComparisonStatus] = mapped_column(words(ComparisonStatus), default=ComparisonStatus.DRAFTING)
    choice: Mapped[Choice | None] = mapped_column(words(Choice), default=None)
    #: False when the trial had ended before the tap.
    is_counted: Mapped[bool] = mapped_column(default=False)
    #: Empty when both texts came out the same.
    decided_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def draft_ids(self) -> tuple[str, str]:
        return self.draft_a_id, self.draft_b_id

    def other_than(self, draft_id: str) -> str:
        """The id of the draft beside this one."""
        return self.draft_b_id if draft_id == self.draft_a_id else self.draft_a_id


class ComparisonNotFound(Exception):
    """This comparison is no longer known here. Ask for a new draft with `/draft`."""


def find_running_trial(session: Session, style_id: str, scope: Scope) -> Trial | None:
    query = select(Trial).where(
        Trial.style_id == style_id, Trial.scope_key == scope.key, Trial.status == TrialStatus.RUNNING
    )
    return session.scalars(query).first()


def find_trial_of_quote(session: Session, quote_id: str) -> Trial | None:
    return session.scalar(select(Trial).where(Trial.quote_id == quote_id))


def list_running_trials(session: Session) -> list[Trial]:
    """Of every style: what the clock goes through."""
    query = select(Trial).where(Trial.status == TrialStatus.RUNNING)
    return list(session.scalars(query.order_by(Trial.trial_id)))


def list_ended_trials(session: Session, style_id: str, scope: Scope) -> list[Trial]:
    """Newest first."""
    query = select(Trial).where(
        Trial.style_id == style_id, Trial.scope_key == scope.key, Trial.status != TrialStatus.RUNNING
    )
    return list(session.scalars(query.order_by(Trial.ended_at.desc(), Trial.trial_id.desc())))


def lock_trial(session: Session, trial_id: str) -> Trial:
    """The trial as it is now; whoever makes or counts its comparisons takes turns on it."""
    query = select(Trial).where(Trial.trial_id == trial_id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()


def get_comparison(session: Session, comparison_id: str) -> Comparison:
    comparison = session.get(Comparison, comparison_id)
    if comparison is None:
        raise ComparisonNotFound
    return comparison


def lock_comparison(session: Session, comparison_id: str) -> Comparison:
    """The comparison as it is now; before its drafts, by everybody. Raises ComparisonNotFound."""
    query = select(Comparison).where(Comparison.comparison_id == comparison_id).with_for_update()
    comparison = session.scalars(query.execution_options(populate_existing=True)).first()
    if comparison is None:
        raise ComparisonNotFound
    return comparison


def find_candidate_of_draft(session: Session, comparison_id: str, draft_id: str) -> TrialCandidate:
    """What a draft of a comparison is made with. Raises ComparisonNotFound."""
    comparison = get_comparison(session, comparison_id)
    trial = session.get_one(Trial, comparison.trial_id)
    is_challenger = (draft_id == comparison.draft_a_id) == comparison.is_challenger_a
    return trial.challenger if is_challenger else trial.champion


def is_secret(session: Session, comparison_id: str) -> bool:
    """Must nobody know yet which candidate made this comparison's drafts? A void one never counts: it may be told."""
    comparison = session.get(Comparison, comparison_id)
    if comparison is None or comparison.status is ComparisonStatus.VOID:
        return False
    return session.get_one(Trial, comparison.trial_id).status is TrialStatus.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A trial's comparisons. Wins and losses are the challenger's."""

    #: All but the void ones: what it cost.
    made: int = 0
    wins: int = 0
    losses: int = 0
    ties: int = 0
    latest_at: datetime | None = None


def count_comparisons(session: Session, trial_id: str) -> Counts:
    columns = (Comparison.is_counted, Comparison.choice, Comparison.is_challenger_a)
    query = select(*columns, func.count(), func.max(Comparison.made_at)).where(
        Comparison.trial_id == trial_id, Comparison.status != ComparisonStatus.VOID
    )
    made = wins = losses = ties = 0
    latest: datetime | None = None
    for is_counted, choice, is_challenger_a, number, at in session.execute(query.group_by(*columns)):
        made += number
        latest = max(filter(None, (latest, at)), default=None)
        if not is_counted:
            continue
        if choice is Choice.NEITHER:
            ties += number
        elif (choice is Choice.A) == is_challenger_a:
            wins += number
        else:
            losses += number
    return Counts(made=made, wins=wins, losses=losses, ties=ties, latest_at=latest)


def list_comparisons_of_person(session: Session, team_id: str, user_id: str) -> list[str]:
    """Ids of the comparisons of this person's requests."""
    query = select(Draft.comparison_id).where(
        Draft.team_id == team_id, Draft.requested_by == user_id, Draft.comparison_id.is_not(None)
    )
    return sorted(found for found in session.scalars(query.distinct()) if found is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A candidate that people found worse than another."""

    candidate: TrialCandidate
    ended_at: datetime
    #: Comparisons with a preference, and those of them that it won.
    wins: int
    decided: int


def list_losses(session: Session, style_id: str, scope: Scope, *, to: TrialCandidate) -> list[Loss]:
    """What lost a blind trial of the style against this candidate, whichever of the two was the champion then."""
    losses = []
    for trial in list_ended_trials(session, style_id, scope):
        counts = count_comparisons(session, trial.trial_id)
        if trial.status is TrialStatus.CHAMPION_WON and trial.champion == to:
            loser, wins = trial.challenger, counts.wins
        elif trial.status is TrialStatus.CHALLENGER_WON and trial.challenger == to:
            loser, wins = trial.champion, counts.losses
        else:
            continue
        ended_at = trial.ended_at or trial.started_at
        losses.append(Loss(candidate=loser, ended_at=ended_at, wins=wins, decided=counts.wins + counts.losses))
    return losses


def find_trial_won(session: Session, promotion_id: str | None) -> Trial | None:
    """The trial whose challenger took the place of this promotion."""
    query = select(Trial).where(Trial.champion_promotion_id == promotion_id, Trial.status == TrialStatus.CHALLENGER_WON)
    return session.scalars(query).first()

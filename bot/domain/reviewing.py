"""Who may decide about an example, and when enough people have. Pure: roles and votes in, a verdict out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bot.domain.values import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPolicy:
    """What a style asks of a review."""

    reviewer_ids: frozenset[str]
    approvals_required: int
    may_approve_own: bool


def is_reviewer(actor: Actor, reviewer_ids: Collection[str]) -> bool:
    """Reviewers of the style and admins decide; both only as full members."""
    return actor.is_full_member and (actor.is_admin or actor.user_id in reviewer_ids)


def may_approve(actor: Actor, policy: ReviewPolicy, proposed_by: str) -> bool:
    """May this person's approval count for an example that `proposed_by` proposed?"""
    return is_reviewer(actor, policy.reviewer_ids) and (policy.may_approve_own or actor.user_id != proposed_by)


def may_approve_kept_draft(actor: Actor, policy: ReviewPolicy, requested_by: str | None) -> bool:
    """A reviewer who keeps the bot's draft proposes and approves in one step, unless it was their own request."""
    own = requested_by is None or requested_by == actor.user_id
    return is_reviewer(actor, policy.reviewer_ids) and (policy.may_approve_own or not own)


def may_withdraw(actor: Actor, reviewer_ids: Collection[str], *, author_id: str | None, proposed_by: str) -> bool:
    """Its author and its proposer may always take an example back; so may who decides about examples."""
    own = actor.user_id in (author_id, proposed_by)
    return actor.is_full_member and (own or is_reviewer(actor, reviewer_ids))


def has_quorum(voters: Iterable[str], policy: ReviewPolicy) -> bool:
    """One vote a person; enough people, not enough clicks."""
    return len(set(voters)) >= policy.approvals_required

"""Proposing and withdrawing examples: what enters a style's memory, and what leaves it.

Writers of one style's examples take turns (`lock_style`), so that the same pair proposed twice at once is one example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy.orm import Session

from bot.blocks.changes import Before
from bot.blocks.examples import ExampleOverview, ShownExample
from bot.blocks.review_card import MESSAGE_DELETED, Card, card_blocks, card_text
from bot.domain.pairs import check_pair
from bot.domain.reviewing import (
    ReviewPolicy,
    has_quorum,
    may_approve_kept_draft,
    may_withdraw,
)
from bot.domain.similarity import NormalPair, find_near_duplicate, normal_pair
from bot.domain.values import Actor, Channel
from bot.errors import AlreadyDecided, MembersOnly, OutOfScope, Refused, UnusablePair
from bot.operations.erasure import finish_erasure
from bot.operations.languages import speaking_in_channel
from bot.operations.people import refuse
from bot.operations.runs import check_retrain
from bot.texts import learning as texts
from config.prompt_sources import PromptSource
from config.settings import Settings
from config.style_terms import find_terms
from db.adapters import list_adapters_trained_on
from db.audit import record
from db.base import new_id, now_in_database
from db.drafts import Draft, find_draft_by_message, get_draft, list_drafts_of_thread
from db.erasure import (
    drop_unsent_messages,
    erase_examples,
    erase_failed_payloads,
    list_preferences_of_examples,
)
from db.example_versions import find_last_version
from db.examples import (
    LIVE,
    Example,
    ExampleNotFound,
    ExampleSource,
    ExampleStatus,
    count_examples,
    find_live_duplicate,
    get_example,
    list_examples_of_message,
    list_live_pairs,
    list_newest_examples,
    lock_example,
    transition,
)  # fmt: skip
from db.outbox import find_by_dedupe_key, owe
from db.reviews import ReviewDecision, list_reviews, save_review
from db.session import Database
from db.set_aside_pairs import drop_pairs_of_message
from db.styles import Style, StyleKind, StyleNotFound, list_usable_styles, lock_style
from db.taint import list_adapters_preferring_any, owe_clean_retrain

#: Sources that a person submits from a draft of ours, on purpose, also in a direct message.
FROM_DRAFTS = (ExampleSource.DRAFT_KEPT, ExampleSource.DRAFT_EDITED)


class ProposalOutcome(StrEnum):
    PROPOSED = "proposed"  #: Its card is on the way to the reviewers.
    APPROVED = "approved"  #: Proposed by somebody whose approval was enough.
    DUPLICATE = "duplicate"  #: There is such an example; `status` is its state.


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What became of a proposal; `example_id` is the existing example's when it was a duplicate."""

    example_id: str
    outcome: ProposalOutcome
    status: ExampleStatus
    style_name: str
    reviewer_ids: tuple[str, ...]
    approvals_required: int
    is_exact: bool = True

    @property
    def sentence(self) -> str:
        """For the person who proposed it (mrkdwn)."""
        if self.outcome is ProposalOutcome.APPROVED:
            return texts.approved_at_once(self.style_name, self.example_id)
        if self.outcome is ProposalOutcome.DUPLICATE:
            return texts.duplicate(self.style_name, self.example_id, self.status, is_exact=self.is_exact)
        reviewers = [f"<@{user_id}>" for user_id in self.reviewer_ids]
        return texts.proposed(self.style_name, self.example_id, reviewers, self.approvals_required)


def propose_example(
    database: Database,
    actor: Actor,
    *,
    style_id: str,
    prompt: str,
    completion: str,
    source: ExampleSource,
    channel: Channel | None,
    message_ts: str | None = None,
    thread_ts: str | None = None,
    permalink: str | None = None,
    author_id: str | None = None,
    draft_id: str | None = None,
    prompt_source: PromptSource | None = None,
    suggested_prompt: str | None = None,
) -> Proposal:
    """Propose a pair for a style; for a draft of ours, a reviewer's proposal is an approval too where that suffices.

    Proposing the same pair again changes nothing and names the example there is. Raises MembersOnly, OutOfScope,
    StyleNotFound, and UnusablePair with a sentence for each field that cannot be used.
    """
    if not actor.is_full_member:
        refuse(database, actor, "example.refused", style_id, MembersOnly())
    with database.write() as session:
        style = lock_style(session, style_id)
        if style.team_id != actor.team_id:
            raise StyleNotFound
        check_may_learn_from(style, channel, source)
        problems = check_pair(prompt, completion, style.kind)
        if problems:
            raise UnusablePair({problem.field: problem.sentence for problem in problems})
        pair = normal_pair("", prompt, completion)
        existing = find_duplicate(session, style, pair)
        if existing is not None:
            return _known(style, existing, pair, draft_id)
        example = Example(
            example_id=new_id("ex"), style_id=style.style_id, team_id=style.team_id, scope_key=style.scope_key,
            prompt=prompt, completion=completion, content_hash=pair.content_hash, status=ExampleStatus.PROPOSED,
            version=1, source=source, channel_id=channel.channel_id if channel else None, message_ts=message_ts,
            thread_ts=thread_ts or None, permalink=permalink, author_id=author_id, proposed_by=actor.user_id,
            proposed_at=now_in_database(session), draft_id=draft_id, prompt_source=prompt_source,
            suggested_prompt=suggested_prompt,
        )  # fmt: skip
        session.add(example)
        session.flush()
        record(
            session, team_id=style.team_id, actor=actor.user_id, action="example.proposed",
            subject=example.example_id, style_id=style.style_id, source=source.value,
            prompt_source=prompt_source.value if prompt_source else None,
        )  # fmt: skip
        if draft_id is not None and _keeping_approves(session, actor, style, draft_id):
            count_approval(session, actor, style, example)
        if example.status is ExampleStatus.PROPOSED:
            owe_card(session, style, example)
        return _made(style, example)


def check_may_learn_from(style: Style, channel: Channel | None, source: ExampleSource) -> None:
    """What is said in a private place stays there. Raises OutOfScope."""
    own_channel_id = style.scope.channel_id
    if channel is None:
        allowed = own_channel_id is None
    elif channel.is_external:
        allowed = False
    elif own_channel_id is not None:
        allowed = channel.channel_id == own_channel_id
    elif channel.is_direct:
        # A draft that the bot wrote for this person alone, handed in by that person on purpose.
        allowed = source in FROM_DRAFTS
    else:
        allowed = not channel.is_private
    if not allowed:
        raise OutOfScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Teachable:
    """What a message can teach: the styles that may learn from it (id, name), and what is known of it."""

    styles: tuple[tuple[str, str], ...]
    chosen_style_id: str | None = None
    prompt: str = ""
    #: Where that request comes from, when it is known.
    prompt_source: PromptSource | None = None
    #: Of the bot's own draft: its text as the model wrote it.
    completion: str | None = None
    draft_id: str | None = None
    #: Where a style is likely, it sorts messages, otherwise each of them does: then this one is what is asked, and its
    #: label is the good output.
    is_sorted: bool = False


def find_teachable(
    database: Database, actor: Actor, channel: Channel, message_ts: str, thread_ts: str = ""
) -> Teachable:
    """Which styles may learn from this message, the most likely one first, and what it answers, as far as our own
    rows say. Raises MembersOnly."""
    if not actor.is_full_member:
        raise MembersOnly
    with database.read() as session:
        draft = find_draft_by_message(session, actor.team_id, channel.channel_id, message_ts)
        made_by = ExampleSource.SHORTCUT if draft is None else ExampleSource.DRAFT_KEPT
        styles = [
            style
            for style in list_usable_styles(session, actor.team_id, channel.channel_id)
            if may_learn_from(style, channel, made_by)
        ]
        likely = [style.style_id for style in styles if draft is not None and style.style_id == draft.style_id]
        likely += [style.style_id for style in styles if style.channel_id == channel.channel_id]
        answered = draft or _find_answered(session, actor.team_id, channel.channel_id, thread_ts, message_ts)
        source = PromptSource.PARENT if draft is None else PromptSource.DRAFT
        chosen = likely[0] if likely else (styles[0].style_id if len(styles) == 1 else None)
        kinds = {style.kind for style in styles if chosen in (None, style.style_id)}
        return Teachable(
            styles=tuple((style.style_id, style.name) for style in styles),
            chosen_style_id=chosen,
            prompt=answered.request if answered else "",
            prompt_source=source if answered else None,
            completion=draft.completion if draft else None,
            draft_id=draft.draft_id if draft else None,
            is_sorted=answered is None and kinds == {StyleKind.CLASSIFY},
        )


def sorts_messages(database: Database, team_id: str, style_id: str) -> bool:
    """Does this style give labels to messages? Raises StyleNotFound."""
    with database.read() as session:
        style = session.get(Style, style_id)
        if style is None or style.team_id != team_id:
            raise StyleNotFound
        return style.kind is StyleKind.CLASSIFY


def _find_answered(session: Session, team_id: str, channel_id: str, thread_ts: str, message_ts: str) -> Draft | None:
    """Of a reply by a person: the last draft that was asked for in its thread before it, whose request it answers too.

    What people wrote to the bot there is in our rows; what they wrote to each other is not.
    """
    if thread_ts in ("", message_ts):
        return None
    drafts = list_drafts_of_thread(session, team_id, channel_id, thread_ts)
    written_at = float(message_ts)
    before = [draft for draft in drafts if draft.requested_at.timestamp() <= written_at]
    return before[-1] if before else None


def may_learn_from(style: Style, channel: Channel, source: ExampleSource) -> bool:
    try:
        check_may_learn_from(style, channel, source)
    except OutOfScope:
        return False
    return True


def find_duplicate(session: Session, style: Style, pair: NormalPair, *, except_id: str = "") -> Example | None:
    """A live example of this style that is the same pair, exactly or nearly."""
    exact = find_live_duplicate(session, style.style_id, pair.content_hash)
    if exact is not None and exact.example_id != except_id:
        return exact
    # Near duplicates are of nearly the same length; twice the room is left for what normalising takes away.
    length = len(pair.prompt) + len(pair.completion)
    rows = list_live_pairs(
        session, style.style_id, style.scope, min_chars=int(length * 0.8), max_chars=int(length * 1.25) + 20
    )
    known = [normal_pair(*row) for row in rows if row[0] != except_id]
    near = find_near_duplicate(pair, known, labels=style.kind is StyleKind.CLASSIFY)
    return get_example(session, near.key) if near else None


def policy_of(style: Style) -> ReviewPolicy:
    return ReviewPolicy(
        reviewer_ids=style.reviewer_ids,
        approvals_required=style.approvals_required,
        may_approve_own=style.may_approve_own,
    )


def count_approval(session: Session, actor: Actor, style: Style, example: Example) -> None:
    """Write this person's approval down; with the last one that is needed the example is approved."""
    save_review(
        session, example.example_id, actor.user_id, ReviewDecision.APPROVE, seen_version=example.version
    )  # fmt: skip
    record(
        session, team_id=style.team_id, actor=actor.user_id, action="example.vote", subject=example.example_id,
        version=example.version,
    )  # fmt: skip
    if has_quorum(voters_of(session, example), policy_of(style)):
        transition(session, example, ExampleStatus.APPROVED, decided_by=actor.user_id)
        record(
            session, team_id=style.team_id, actor=actor.user_id, action="example.approved",
            subject=example.example_id, style_id=style.style_id,
        )  # fmt: skip


def voters_of(session: Session, example: Example) -> tuple[str, ...]:
    """Who approved the text as it is. An edit removes earlier votes, so every vote there is counts."""
    reviews = list_reviews(session, example.example_id)
    return tuple(review.reviewer_id for review in reviews if review.decision is ReviewDecision.APPROVE)


# The card


def card_key(example_id: str) -> str:
    return f"review_card:{example_id}"


def owe_card(session: Session, style: Style, example: Example) -> None:
    """The reviewers get a card in the style's channel, once."""
    card = make_card(session, style, example)
    with speaking_in_channel(session, style):
        arguments = {"channel_id": style.channel_id, "text": card_text(card), "blocks": card_blocks(card)}
    owe(
        session, team_id=style.team_id, dedupe_key=card_key(example.example_id), verb="post_message",
        arguments=arguments,
    )  # fmt: skip


def owe_card_update(session: Session, style: Style, example: Example, *, again: str = "") -> None:
    """The card shows the example as it is now. `again` names a reason to say so once more (a click on a stale card)."""
    key = card_key(example.example_id)
    if find_by_dedupe_key(session, key) is None:
        return  # approved at once or imported: there never was a card
    card = make_card(session, style, example)
    with speaking_in_channel(session, style):
        arguments = {"ts_from": key, "text": card_text(card), "blocks": card_blocks(card)}
    state = f"{example.version}.{len(card.voter_ids)}.{example.status.value}"
    owe(
        session, team_id=style.team_id, dedupe_key=f"card_update:{example.example_id}:{state}:{again}"[:255],
        verb="update_message", arguments=arguments,
    )  # fmt: skip


def make_card(session: Session, style: Style, example: Example) -> Card:
    earlier = find_last_version(session, example.example_id)
    before = (
        Before(prompt=earlier.prompt, completion=earlier.completion, edited_by=earlier.edited_by) if earlier else None
    )
    is_open = example.status is ExampleStatus.PROPOSED
    return Card(
        example_id=example.example_id, version=example.version, style_name=style.name, status=example.status.value,
        prompt=example.prompt, completion=example.completion, proposed_by=example.proposed_by,
        author_id=example.author_id, prompt_source=example.prompt_source, permalink=example.permalink,
        voter_ids=voters_of(session, example),
        approvals_required=style.approvals_required, decided_by=example.decided_by, reason=example.reason,
        before=before,
        never_said=find_terms(example.completion, style.forbidden_terms) if is_open else (),
    )  # fmt: skip


# Withdrawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """An example taken back, with the names of the adapters that were trained on it."""

    example_id: str
    adapter_names: tuple[str, ...]
    #: Why no clean retrain follows, so that the adapters are out of use; empty where one does.
    no_retrain: str = ""

    @property
    def sentence(self) -> str:
        return texts.withdrawn(self.example_id, self.adapter_names, no_retrain=self.no_retrain)


def withdraw_example(database: Database, settings: Settings, actor: Actor, example_id: str) -> Withdrawal:
    """Take an example back, and owe a clean retrain of what was trained on it.

    Raises ExampleNotFound, Refused (not theirs to withdraw), AlreadyDecided.
    """
    with database.read() as session:
        example = get_example(session, example_id)
        style = session.get_one(Style, example.style_id)
    if example.team_id != actor.team_id:
        raise ExampleNotFound
    if not actor.is_full_member:
        refuse(database, actor, "withdrawal.refused", example_id, MembersOnly())
    if not may_withdraw(actor, style.reviewer_ids, author_id=example.author_id, proposed_by=example.proposed_by):
        refuse(database, actor, "withdrawal.refused", example_id, Refused(texts.MAY_NOT_WITHDRAW()))
    with database.write() as session:
        style = lock_style(session, style.style_id)
        withdrawal = withdraw(session, lock_example(session, example_id), actor.user_id)
        no_retrain = check_retrain(session, settings, style, actor=actor.user_id)
    finish_erasure(database, settings)
    return replace(withdrawal, no_retrain=no_retrain or "")


def withdraw_examples_of_message(
    database: Database, settings: Settings, team_id: str, channel_id: str, ts: str
) -> list[Withdrawal]:
    """The message was deleted: whatever was learnt from it is taken back. Empty when nothing was, or was before."""
    with database.write() as session:
        style_ids = {one.style_id for one in list_examples_of_message(session, team_id, channel_id, ts)}
        styles = [lock_style(session, style_id) for style_id in sorted(style_ids)]
        drop_pairs_of_message(session, team_id, channel_id, ts)
        found = [one.example_id for one in list_examples_of_message(session, team_id, channel_id, ts)]
        withdrawals = [
            withdraw(session, lock_example(session, example_id), MESSAGE_DELETED) for example_id in sorted(found)
        ]
        for style in styles:
            check_retrain(session, settings, style, actor=MESSAGE_DELETED)
    if withdrawals:
        finish_erasure(database, settings)
    return withdrawals


def withdraw(session: Session, example: Example, decided_by: str) -> Withdrawal:
    """Take it back inside the caller's transaction, and erase what was said in it. Raises AlreadyDecided."""
    if example.status not in LIVE:
        raise AlreadyDecided(texts.already(example.status))
    transition(session, example, ExampleStatus.WITHDRAWN, decided_by=decided_by)
    # What was preferred goes with it, also where the example itself was never trained on.
    by_preference = list_adapters_preferring_any(session, list_preferences_of_examples(session, [example]))
    found = [*list_adapters_trained_on(session, example.example_id), *by_preference]
    adapters = tuple(dict.fromkeys(adapter.name for adapter in found))
    if adapters:
        owe_clean_retrain(session, example.style_id)
    record(
        session, team_id=example.team_id, actor=decided_by, action="example.withdrawn",
        subject=example.example_id, adapters=list(adapters),
    )  # fmt: skip
    erase_withdrawn(session, [example])
    return Withdrawal(example_id=example.example_id, adapter_names=adapters)


def erase_withdrawn(session: Session, examples: Sequence[Example]) -> None:
    """What was said in withdrawn examples goes, from their rows, from what waits to be sent, and from their cards."""
    ids = [example.example_id for example in examples]
    erase_examples(session, examples)
    for team_id in {example.team_id for example in examples}:
        drop_unsent_messages(session, team_id, ("review_card:", "card_update:", "rejected:"), ids)
        erase_failed_payloads(session, team_id, ids)
    for example in examples:
        owe_card_update(session, session.get_one(Style, example.style_id), example)


# Listing


def list_examples(database: Database, style_ids: Sequence[str], *, newest: int) -> list[ExampleOverview]:
    """What these styles know, in the order given."""
    with database.read() as session:
        styles = [session.get_one(Style, style_id) for style_id in style_ids]
        return [
            ExampleOverview(
                style_name=style.name,
                counts={status.value: n for status, n in count_examples(session, style.style_id, style.scope).items()},
                newest=tuple(
                    _shown(example) for example in list_newest_examples(session, style.style_id, style.scope, newest)
                ),
            )
            for style in styles
        ]


def _shown(example: Example) -> ShownExample:
    completion = "" if example.status is ExampleStatus.WITHDRAWN else example.completion
    return ShownExample(example_id=example.example_id, status=example.status.value, completion=completion)


def _keeping_approves(session: Session, actor: Actor, style: Style, draft_id: str) -> bool:
    draft = get_draft(session, draft_id)
    return may_approve_kept_draft(actor, policy_of(style), draft.requested_by)


def _made(style: Style, example: Example) -> Proposal:
    approved = example.status is ExampleStatus.APPROVED
    return Proposal(
        example_id=example.example_id,
        outcome=ProposalOutcome.APPROVED if approved else ProposalOutcome.PROPOSED,
        status=example.status, style_name=style.name, reviewer_ids=tuple(sorted(style.reviewer_ids)),
        approvals_required=style.approvals_required,
    )  # fmt: skip


def _known(style: Style, existing: Example, pair: NormalPair, draft_id: str | None) -> Proposal:
    made = _made(style, existing)
    if draft_id is not None and existing.draft_id == draft_id:
        return made  # this very click, worked on before
    return Proposal(
        example_id=existing.example_id, outcome=ProposalOutcome.DUPLICATE, status=existing.status,
        style_name=style.name, reviewer_ids=made.reviewer_ids, approvals_required=made.approvals_required,
        is_exact=existing.content_hash == pair.content_hash,
    )  # fmt: skip


__all__ = [
    "ExampleOverview", "Proposal", "ProposalOutcome", "Teachable", "Withdrawal", "check_may_learn_from",
    "count_approval", "erase_withdrawn", "find_duplicate", "find_teachable", "list_examples", "owe_card",
    "owe_card_update", "policy_of", "propose_example", "voters_of", "withdraw", "withdraw_example",
    "withdraw_examples_of_message",
]  # fmt: skip

"""Examples: pairs kept with provenance. Approved ones are what the style learns from.

proposed → approved | rejected;   approved → withdrawn | retired. Every transition is a compare-and-set on
`version`, so of two people who click at once one wins and the other is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, Text, false, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.prompt_sources import PromptSource
from config.style_terms import find_terms
from db.base import ID, SLACK_ID, Base, in_batches, now_in_database, words
from db.scope import Scope


class ExampleStatus(StrEnum):
    PROPOSED = "proposed"  #: Flagged; waits for its reviewers.
    APPROVED = "approved"  #: One training row; may shape the very next draft.
    REJECTED = "rejected"  #: Turned down, with a reason.
    WITHDRAWN = "withdrawn"  #: Taken back by a person's right, or because its message is gone.
    RETIRED = "retired"  #: Outdated; replaced by an edit or no longer wanted.


#: What may follow what. Anything else is refused.
TRANSITIONS: dict[ExampleStatus, frozenset[ExampleStatus]] = {
    ExampleStatus.PROPOSED: frozenset({ExampleStatus.APPROVED, ExampleStatus.REJECTED, ExampleStatus.WITHDRAWN}),
    ExampleStatus.APPROVED: frozenset({ExampleStatus.WITHDRAWN, ExampleStatus.RETIRED}),
    ExampleStatus.REJECTED: frozenset(),
    ExampleStatus.WITHDRAWN: frozenset(),
    ExampleStatus.RETIRED: frozenset(),
}

#: States in which an example counts as known when the same pair is proposed again.
LIVE = (ExampleStatus.PROPOSED, ExampleStatus.APPROVED)


class ExampleSource(StrEnum):
    SHORTCUT = "shortcut"  #: "Teach house style" on a message.
    DRAFT_KEPT = "draft_kept"  #: A draft of ours, kept as it was.
    DRAFT_EDITED = "draft_edited"  #: A draft of ours, edited by a person.
    IMPORT = "import"  #: A JSONL file.


class Example(Base):
    __tablename__ = "examples"
    __table_args__ = (
        Index("ix_examples_style_status", "style_id", "status"),
        Index("ix_examples_message", "team_id", "channel_id", "message_ts"),
        Index("ix_examples_hash", "style_id", "content_hash"),
        # Holds all that says whether a search is up to date (db/search.py), so that no row is read for it.
        Index(
            "ix_examples_search",
            "style_id",
            "scope_key",
            "status",
            "example_id",
            "version",
            "approved_at",
            "embedding_model",
        ),
    )

    example_id: Mapped[str] = mapped_column(ID, primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: The style's scope when the example was proposed; every query of examples compares it.
    scope_key: Mapped[str] = mapped_column(String(160), index=True)
    prompt: Mapped[str] = mapped_column(Text)
    completion: Mapped[str] = mapped_column(Text)
    #: `sha256:…` of the normalised pair: equal for exact duplicates.
    content_hash: Mapped[str] = mapped_column(String(80))
    status: Mapped[ExampleStatus] = mapped_column(words(ExampleStatus))
    #: Rises with every change; the compare-and-set compares it.
    version: Mapped[int] = mapped_column(default=1)
    source: Mapped[ExampleSource] = mapped_column(words(ExampleSource))
    #: The message it came from, where there is one.
    channel_id: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    message_ts: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    thread_ts: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    permalink: Mapped[str | None] = mapped_column(Text, default=None)
    #: Who wrote the completion (None for the bot's own draft), and who proposed it.
    author_id: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    proposed_by: Mapped[str] = mapped_column(SLACK_ID)
    proposed_at: Mapped[datetime]
    approved_at: Mapped[datetime | None] = mapped_column(default=None)
    decided_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    draft_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: Where the prompt came from; None where nobody noted it (imports, drafts kept by their buttons, older rows).
    prompt_source: Mapped[PromptSource | None] = mapped_column(words(PromptSource), default=None)
    #: The request that the model suggested, also where the person wrote another one.
    suggested_prompt: Mapped[str | None] = mapped_column(Text, default=None)
    #: Little-endian float32 values of the prompt's embedding, normalised; None until computed.
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    embedding_model: Mapped[str | None] = mapped_column(String(255), default=None)

    @property
    def written_at(self) -> datetime | None:
        """When the message was written that it came from; None for what came from no message of a person's.

        Slack's `ts` is seconds since 1970.
        """
        if not self.author_id or not self.message_ts:
            return None
        try:
            return datetime.fromtimestamp(float(self.message_ts), UTC)
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def conversation_key(self) -> str:
        """Examples with one key come from one conversation and never sit on both sides of a split."""
        if self.channel_id and self.message_ts:
            return f"{self.channel_id}:{self.thread_ts or self.message_ts}"
        return self.example_id


class ExampleNotFound(Exception):
    """This example no longer exists; it may have been withdrawn. Reload the card to see what is open."""


class ExampleChanged(Exception):
    """Somebody else decided about this example a moment ago; nothing was changed by this click. Look at the
    card again to see what they chose."""


def get_example(session: Session, example_id: str) -> Example:
    example = session.get(Example, example_id)
    if example is None:
        raise ExampleNotFound
    return example


def find_live_duplicate(session: Session, style_id: str, content_hash: str) -> Example | None:
    query = select(Example).where(
        Example.style_id == style_id, Example.content_hash == content_hash, Example.status.in_(LIVE)
    )
    return session.scalars(query.order_by(Example.proposed_at)).first()


def list_live_pairs(
    session: Session, style_id: str, scope: Scope, *, min_chars: int = 0, max_chars: int = 2**31 - 1
) -> list[tuple[str, str, str]]:
    """(example_id, prompt, completion) of the live examples whose texts together have so many characters."""
    chars = func.length(Example.prompt) + func.length(Example.completion)
    query = select(Example.example_id, Example.prompt, Example.completion).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status.in_(LIVE),
        chars.between(min_chars, max_chars),
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in session.execute(query.order_by(Example.example_id))]


def list_newest_examples(session: Session, style_id: str, scope: Scope, limit: int) -> list[Example]:
    """Newest proposal first, in any state."""
    query = select(Example).where(Example.style_id == style_id, Example.scope_key == scope.key)
    return list(session.scalars(query.order_by(Example.example_id.desc()).limit(limit)))


def list_waiting_examples(
    session: Session, style_id: str, scope: Scope, *, proposed_by: str = "", before: datetime | None = None
) -> list[Example]:
    """Proposals of one style that wait for their reviewers, oldest first."""
    query = select(Example).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.PROPOSED
    )
    if proposed_by:
        query = query.where(Example.proposed_by == proposed_by)
    if before is not None:
        query = query.where(Example.proposed_at < before)
    return list(session.scalars(query.order_by(Example.proposed_at, Example.example_id)))


def list_waiting_imports(
    session: Session, style_id: str, scope: Scope, *, after_id: str, up_to_id: str, limit: int
) -> list[Example]:
    """Proposals of one style that came from a file, a slice of them in the order of their ids."""
    query = select(Example).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.PROPOSED,
        Example.source == ExampleSource.IMPORT, Example.example_id > after_id, Example.example_id <= up_to_id,
    )  # fmt: skip
    return list(session.scalars(query.order_by(Example.example_id).limit(limit)))


def _waiting_in(styles: Sequence[tuple[str, Scope]], proposed_by: str, before: datetime | None) -> ColumnElement[bool]:
    """Proposals of these styles, each in its scope."""
    places = [(Example.style_id == style_id) & (Example.scope_key == scope.key) for style_id, scope in styles]
    found = or_(false(), *places) & (Example.status == ExampleStatus.PROPOSED)
    if proposed_by:
        found &= Example.proposed_by == proposed_by
    return found if before is None else found & (Example.proposed_at < before)


def count_waiting(
    session: Session, styles: Sequence[tuple[str, Scope]], *, proposed_by: str = "", before: datetime | None = None
) -> int:
    """How many proposals of these styles wait; no text is read."""
    query = select(func.count()).select_from(Example).where(_waiting_in(styles, proposed_by, before))
    return int(session.scalar(query) or 0)


def list_waiting_page(
    session: Session, styles: Sequence[tuple[str, Scope]], *, offset: int, limit: int, proposed_by: str = "",
    before: datetime | None = None,
) -> list[Example]:  # fmt: skip
    """Some of the proposals of these styles that wait, oldest first."""
    query = select(Example).where(_waiting_in(styles, proposed_by, before))
    query = query.order_by(Example.proposed_at, Example.example_id).offset(offset).limit(limit)
    return list(session.scalars(query))


def list_waiting_proposers(session: Session, styles: Sequence[tuple[str, Scope]]) -> set[str]:
    """Who proposed what waits in these styles."""
    return set(session.scalars(select(Example.proposed_by).where(_waiting_in(styles, "", None)).distinct()))


def count_waiting_imports(session: Session, styles: Sequence[tuple[str, Scope]]) -> dict[str, tuple[int, str]]:
    """style_id → how much of what waits came from files and was not edited since, and the newest one's id."""
    untouched = (Example.source == ExampleSource.IMPORT) & (Example.version == 1)
    query = select(Example.style_id, func.count(), func.max(Example.example_id))
    query = query.where(_waiting_in(styles, "", None), untouched)
    return {row[0]: (int(row[1]), row[2]) for row in session.execute(query.group_by(Example.style_id))}


def count_imports_approved_by(session: Session, style_id: str, scope: Scope, user_id: str, since: datetime) -> int:
    """Examples from files that this person's approval has made count since then."""
    query = select(func.count()).select_from(Example).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.APPROVED,
        Example.source == ExampleSource.IMPORT, Example.decided_by == user_id, Example.approved_at >= since,
    )  # fmt: skip
    return int(session.scalar(query) or 0)


def lock_example(session: Session, example_id: str) -> Example:
    """The example as it is now, for whoever decides about it: deciders take turns until they commit."""
    query = select(Example).where(Example.example_id == example_id).with_for_update()
    example = session.scalars(query.execution_options(populate_existing=True)).first()
    if example is None:
        raise ExampleNotFound
    return example


def lock_examples(session: Session, example_ids: Collection[str]) -> list[Example]:
    """As they are now, locked in the order of their ids, as the gate locks them (trainer/registry.py)."""
    found: list[Example] = []
    for batch in in_batches(sorted(example_ids)):
        query = select(Example).where(Example.example_id.in_(batch)).order_by(Example.example_id).with_for_update()
        found += session.scalars(query.execution_options(populate_existing=True))
    return found


def list_approved_examples(session: Session, style_id: str, scope: Scope) -> list[Example]:
    """Oldest approval first."""
    query = select(Example).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
    )
    return list(session.scalars(query.order_by(Example.approved_at, Example.example_id)))


def list_retired_examples(session: Session, style_id: str, scope: Scope) -> list[Example]:
    """Those that were approved once and were replaced since, oldest approval first; none whose texts were erased."""
    query = select(Example).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.RETIRED,
        Example.completion != "",
    )  # fmt: skip
    return list(session.scalars(query.order_by(Example.approved_at, Example.example_id)))


def list_approved_by_id(session: Session, scope: Scope, example_ids: Sequence[str]) -> list[Example]:
    """Those of these that are approved, in the order of the ids given."""
    # By the ids alone: with the other conditions SQLite walks through the whole scope instead.
    query = select(Example).where(Example.example_id.in_(example_ids))
    rows = {
        one.example_id: one
        for one in session.scalars(query)
        if one.scope_key == scope.key and one.status is ExampleStatus.APPROVED
    }
    return [rows[example_id] for example_id in example_ids if example_id in rows]


def list_not_before(session: Session, style_id: str, scope: Scope, example: Example) -> frozenset[str]:
    """Ids of the approved examples that were not there yet when this one was approved, itself among them, and of those
    from its conversation."""
    later = or_(
        Example.approved_at > example.approved_at,
        (Example.approved_at == example.approved_at) & (Example.example_id >= example.example_id),
    )
    threads = [ts for ts in (example.thread_ts, example.message_ts) if ts]
    told = (Example.channel_id == example.channel_id) & or_(
        Example.thread_ts.in_(threads), Example.message_ts.in_(threads)
    )
    query = select(Example.example_id).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
        or_(later, told),
    )
    return frozenset(session.scalars(query))


def list_sources(session: Session, style_id: str, scope: Scope, example_ids: Sequence[str]) -> dict[str, ExampleSource]:
    """example_id → where it came from, of those of these that are the style's."""
    query = select(Example.example_id, Example.source).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.example_id.in_(example_ids)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def find_newest_short_request(session: Session, style_id: str, scope: Scope, most_chars: int) -> str | None:
    """The request of the newest approved example whose request is short enough to be offered as one."""
    query = select(Example.prompt).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
        func.length(Example.prompt) <= most_chars,
    )
    return session.scalars(query.order_by(Example.approved_at.desc(), Example.example_id.desc()).limit(1)).first()


def list_approval_times(session: Session, style_id: str, scope: Scope, since: datetime) -> list[datetime]:
    """When the examples that are approved now were approved, from then on; oldest first."""
    query = select(Example.approved_at).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
        Example.approved_at >= since,
    )
    return [at for at in session.scalars(query.order_by(Example.approved_at)) if at is not None]


def count_by_proposer(
    session: Session, style_id: str, scope: Scope, *, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[str, int]]:
    """Who proposed the examples that are approved now (and were approved in that time), and how many; most first."""
    query = select(Example.proposed_by, func.count()).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
    )
    if since is not None:
        query = query.where(Example.approved_at >= since)
    if until is not None:
        query = query.where(Example.approved_at < until)
    query = query.group_by(Example.proposed_by).order_by(func.count().desc(), Example.proposed_by)
    return [(user_id, int(count)) for user_id, count in session.execute(query).all()]


def find_latest_proposal(session: Session, style_id: str, scope: Scope) -> datetime | None:
    """When an example of the style was proposed last."""
    query = select(func.max(Example.proposed_at)).where(Example.style_id == style_id, Example.scope_key == scope.key)
    return session.scalar(query)


def list_approved_lengths(session: Session, style_id: str, scope: Scope) -> list[int]:
    """Characters of prompt and completion together, of every approved example: what a quote is made of."""
    query = select(func.length(Example.prompt) + func.length(Example.completion)).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
    )
    return list(session.scalars(query))


def count_approved_holding(session: Session, style_id: str, scope: Scope, terms: Sequence[str]) -> int:
    """How many approved examples hold one of these terms in their completion."""
    if not terms:
        return 0
    query = select(Example.completion).where(
        Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.APPROVED
    )
    return sum(bool(find_terms(completion, terms)) for completion in session.scalars(query))


def list_examples_of_message(session: Session, team_id: str, channel_id: str, ts: str) -> list[Example]:
    query = select(Example).where(
        Example.team_id == team_id,
        Example.channel_id == channel_id,
        Example.message_ts == ts,
        Example.status.in_(LIVE),
    )
    return list(session.scalars(query))


def list_unembedded(session: Session, embedding_model: str, limit: int) -> list[Example]:
    """Approved examples whose embedding is missing or from another embedding model, newest approval first."""
    query = (
        select(Example)
        .where(
            Example.status == ExampleStatus.APPROVED,
            Example.embedding_model.is_distinct_from(embedding_model),
        )
        .order_by(Example.approved_at.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def count_examples(session: Session, style_id: str, scope: Scope) -> dict[ExampleStatus, int]:
    query = (
        select(Example.status, func.count())
        .where(Example.style_id == style_id, Example.scope_key == scope.key)
        .group_by(Example.status)
    )
    counted = {status: int(n) for status, n in session.execute(query).all()}
    return {status: counted.get(status, 0) for status in ExampleStatus}


def count_approved_since(session: Session, style_id: str, scope: Scope, since: datetime | None) -> int:
    query = select(func.count()).where(
        Example.style_id == style_id,
        Example.scope_key == scope.key,
        Example.status == ExampleStatus.APPROVED,
    )
    if since is not None:
        query = query.where(Example.approved_at > since)
    return session.scalar(query) or 0


def transition(
    session: Session,
    example: Example,
    to: ExampleStatus,
    *,
    decided_by: str,
    reason: str | None = None,
) -> None:
    """Move an example on, if it is still as the caller saw it. Raises ExampleChanged when it is not."""
    if to not in TRANSITIONS[example.status]:
        raise ExampleChanged
    now = now_in_database(session)
    changed = session.execute(
        update(Example)
        .where(
            Example.example_id == example.example_id,
            Example.version == example.version,
            Example.status == example.status,
        )
        .values(
            status=to,
            version=Example.version + 1,
            decided_by=decided_by,
            reason=reason,
            approved_at=now if to is ExampleStatus.APPROVED else example.approved_at,
        )
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise ExampleChanged
    session.refresh(example)


def revise(session: Session, example: Example, *, prompt: str, completion: str, content_hash: str) -> None:
    """Give a proposed example other texts, if it is still as the caller saw it. Raises ExampleChanged."""
    source = example.prompt_source
    if source is not None and prompt != example.prompt:
        source = source.edited
    changed = session.execute(
        update(Example)
        .where(
            Example.example_id == example.example_id,
            Example.version == example.version,
            Example.status == ExampleStatus.PROPOSED,
        )
        .values(
            prompt=prompt, completion=completion, content_hash=content_hash, version=Example.version + 1,
            prompt_source=source, embedding=None, embedding_model=None,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise ExampleChanged
    session.refresh(example)


def save_embeddings(session: Session, embedding_model: str, vectors: Iterable[tuple[str, bytes]]) -> None:
    for example_id, vector in sorted(vectors):
        session.execute(
            update(Example)
            .where(Example.example_id == example_id)
            .values(embedding=vector, embedding_model=embedding_model)
        )

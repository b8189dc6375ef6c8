"""Erasing texts: every place in the database that holds what people wrote, and how it is emptied there.

Rows stay, as proof that something was there and is gone; texts, what is computed from them (hashes, embeddings) and
what people said about them go. On SQLite the bytes are overwritten (`secure_delete`), and `Database.truncate_log`
empties the log; on PostgreSQL the old row stays on disk until VACUUM (docs/operating.md).

Where texts are kept: examples, example_versions, set_aside_pairs, dataset_examples (hashes), scorecards (what
candidates wrote when they were measured), reviews (reasons), drafts, preferences; inbox rows until they are worked off,
outbox rows until they are sent, and both for good when that failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Select, Text, and_, cast, delete, func, null, or_, select, update
from sqlalchemy.orm import Session

from db.base import in_batches
from db.datasets import DatasetExample
from db.drafts import Draft
from db.example_versions import ExampleVersion
from db.examples import Example, ExampleStatus
from db.inbox import InboxEvent, InboxStatus
from db.judgements import Judgement
from db.outbox import OutboxMessage, OutboxStatus
from db.preferences import Preference
from db.prequential import PrequentialScore
from db.reviews import Review
from db.scorecards import ScorecardRow
from db.styles import Style

#: In the place of a hash, which would tell whoever guesses the text that they were right.
ERASED = "erased"


# ------------------------------------------------------------------------------------------------ what is a person's


def list_examples_of_person(session: Session, team_id: str, user_id: str) -> list[Example]:
    """What this person wrote, proposed, or asked for, in any state, with a text left in it. By style, then id."""
    theirs = select(Draft.draft_id).where(Draft.team_id == team_id, Draft.requested_by == user_id)
    query = select(Example).where(
        Example.team_id == team_id,
        or_(Example.author_id == user_id, Example.proposed_by == user_id, Example.draft_id.in_(theirs)),
        Example.content_hash != ERASED,
    )
    return list(session.scalars(query.order_by(Example.style_id, Example.example_id)))


def _of_person(team_id: str, user_id: str) -> ColumnElement[bool]:
    """Drafts they asked for, and drafts that they gave other words."""
    reworded = and_(Draft.decided_by == user_id, Draft.edited_completion.is_not(None))
    return and_(Draft.team_id == team_id, or_(Draft.requested_by == user_id, reworded))


def count_drafts_of_person(session: Session, team_id: str, user_id: str) -> int:
    """Those with a text left in them."""
    has_text = (Draft.request != "") | (Draft.completion != "")
    query = select(func.count()).select_from(Draft).where(_of_person(team_id, user_id), has_text)
    return session.scalar(query) or 0


# ------------------------------------------------------------------------------------------------ examples


def withdraw_in_any_state(session: Session, examples: Collection[Example], *, decided_by: str) -> None:
    """A person's right comes before every state. The caller holds the rows' locks."""
    for batch in in_batches([example.example_id for example in examples]):
        session.execute(
            update(Example)
            .where(Example.example_id.in_(batch), Example.status != ExampleStatus.WITHDRAWN)
            .values(status=ExampleStatus.WITHDRAWN, version=Example.version + 1, decided_by=decided_by, reason=None)
            .execution_options(synchronize_session=False)
        )
    for example in examples:
        session.refresh(example)


def erase_examples(session: Session, examples: Collection[Example]) -> None:
    """Take out of these examples everything that was said in them. The caller holds the rows' locks."""
    ids = [example.example_id for example in examples]
    preferences = list_preferences_of_examples(session, examples)
    for batch in in_batches(ids):
        session.execute(
            update(Example)
            .where(Example.example_id.in_(batch))
            .values(
                prompt="", completion="", suggested_prompt=None, content_hash=ERASED,
                embedding=None, embedding_model=None, reason=None,
            )
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        session.execute(delete(PrequentialScore).where(PrequentialScore.example_id.in_(batch)))
        session.execute(delete(ExampleVersion).where(ExampleVersion.example_id.in_(batch)))
        session.execute(update(Review).where(Review.example_id.in_(batch)).values(reason=None))
        hashes = update(DatasetExample).where(DatasetExample.example_id.in_(batch)).values(content_hash=ERASED)
        session.execute(hashes.execution_options(synchronize_session=False))
        _empty_scorecards(session, batch)
    drop_preferences(session, preferences)
    for example in examples:
        session.refresh(example)


def _empty_scorecards(session: Session, example_ids: Collection[str]) -> None:
    """What candidates wrote while these examples asked them, or stood in their prompts, says again what stood there.
    The figures stay; nothing reads the drafts once a run has ended."""
    datasets = select(DatasetExample.dataset_id).where(DatasetExample.example_id.in_(example_ids))
    for row in session.scalars(select(ScorecardRow).where(ScorecardRow.dataset_id.in_(datasets))):
        pairs = [{**pair, "draft": None, "truth": None} for pair in row.card["pairs"]]
        row.card = {**row.card, "pairs": pairs}
    session.flush()


def list_preferences_about(session: Session, draft_ids: Iterable[str], texts: Collection[str]) -> list[str]:
    """Ids of the pairs about these drafts, and of those of their variants that were given the same text."""
    found: set[str] = set()
    for batch in in_batches(sorted(set(draft_ids))):
        own = select(Draft).where(Draft.draft_id.in_(batch))
        families = {draft.family_id for draft in session.scalars(own)}
        members = select(Draft.draft_id).where(or_(Draft.draft_id.in_(families), Draft.root_id.in_(families)))
        same = Preference.chosen.in_([text for text in texts if text])
        query = select(Preference.preference_id).where(
            or_(Preference.draft_id.in_(batch), Preference.draft_id.in_(members) & same)
        )
        found.update(session.scalars(query))
    return sorted(found)


def list_preferences_of_examples(session: Session, examples: Collection[Example]) -> list[str]:
    """Ids of the pairs that go with these examples when they are erased."""
    drafts = [example.draft_id for example in examples if example.draft_id]
    return list_preferences_about(session, drafts, {example.completion for example in examples})


def list_preferences_of_person(session: Session, team_id: str, user_id: str) -> dict[str, list[str]]:
    """Ids by style of what this person said of any draft, and of what anybody said of drafts that are theirs."""
    mine = _of_person(team_id, user_id)
    texts = {text for text in session.scalars(select(Draft.edited_completion).where(mine)) if text}
    about = list_preferences_about(session, session.scalars(select(Draft.draft_id).where(mine)), texts)
    given = (
        select(Preference.preference_id)
        .join(Style, Style.style_id == Preference.style_id)
        .where(Preference.given_by == user_id, Style.team_id == team_id)
    )
    found: dict[str, list[str]] = {}
    for batch in in_batches(sorted({*about, *session.scalars(given)})):
        query = select(Preference.style_id, Preference.preference_id).where(Preference.preference_id.in_(batch))
        for style_id, preference_id in session.execute(query):
            found.setdefault(style_id, []).append(preference_id)
    return found


def drop_preferences(session: Session, preference_ids: Collection[str]) -> None:
    """Gone for good; what learnt from them is tainted from now on (db/taint.py)."""
    for batch in in_batches(sorted(preference_ids)):
        session.execute(
            delete(Preference)
            .where(Preference.preference_id.in_(batch))
            .execution_options(synchronize_session=False)
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ a person's drafts


def erase_drafts_of_person(session: Session, team_id: str, user_id: str) -> list[str]:
    """Empty the drafts that this person asked for or gave other words, and drop what they said of any draft.

    None of theirs is being written any more: see `stop_drafts_of_person`. Returns the drafts' ids.
    """
    ids = list(session.scalars(select(Draft.draft_id).where(_of_person(team_id, user_id))))
    said = list_preferences_of_person(session, team_id, user_id).values()  # found by the texts that are emptied below
    for batch in in_batches(sorted(ids)):
        emptied = update(Draft).where(Draft.draft_id.in_(batch))
        session.execute(
            emptied.values(
                request="", completion="", edited_completion=None, label_choice=null(), continued_at=0, error=None
            )
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        session.execute(delete(Judgement).where(Judgement.draft_id.in_(batch)))
    drop_preferences(session, [one for of_style in said for one in of_style])
    return ids


# ------------------------------------------------------------------------------------------------ deliveries, messages


def erase_failed_payloads(session: Session, team_id: str, marks: Collection[str]) -> None:
    """Empty what could not be worked off or sent and names one of these ids: it will not be tried again."""
    body, arguments = cast(InboxEvent.body, Text), cast(OutboxMessage.arguments, Text)
    given_up = select(InboxEvent.inbox_id, body).where(
        InboxEvent.team_id == team_id, InboxEvent.status == InboxStatus.FAILED
    )
    refused = select(OutboxMessage.outbox_id, arguments).where(
        OutboxMessage.team_id == team_id, OutboxMessage.status == OutboxStatus.FAILED
    )
    for batch in in_batches(_naming(_pairs(session, given_up), marks)):
        session.execute(update(InboxEvent).where(InboxEvent.inbox_id.in_(batch)).values(body={}))
    for batch in in_batches(_naming(_pairs(session, refused), marks)):
        session.execute(update(OutboxMessage).where(OutboxMessage.outbox_id.in_(batch)).values(arguments={}))


def _pairs(session: Session, query: Select[str, str]) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in session.execute(query)]


def _naming(rows: Iterable[tuple[str, str]], marks: Collection[str]) -> list[str]:
    return [row_id for row_id, text in rows if any(mark in text for mark in marks)]


def drop_unsent_messages(session: Session, team_id: str, prefixes: tuple[str, ...], marks: Collection[str]) -> None:
    """Messages about these that wait to be sent. One that a sender has in hand is let go, and corrected after it."""
    waiting = OutboxMessage.status == OutboxStatus.PENDING
    query = select(OutboxMessage.outbox_id, OutboxMessage.dedupe_key).where(OutboxMessage.team_id == team_id, waiting)
    keys = [(row_id, key) for row_id, key in _pairs(session, query) if key.startswith(prefixes)]
    for batch in in_batches(_naming(keys, marks)):
        session.execute(delete(OutboxMessage).where(OutboxMessage.outbox_id.in_(batch), waiting))


__all__ = [
    "ERASED", "count_drafts_of_person", "drop_preferences", "drop_unsent_messages", "erase_drafts_of_person",
    "erase_examples", "erase_failed_payloads", "list_examples_of_person", "list_preferences_of_examples",
    "list_preferences_of_person", "withdraw_in_any_state",
]  # fmt: skip

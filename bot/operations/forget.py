"""Forgetting a person: everything of theirs is withdrawn and erased, and what learnt from it is out of use at once.

First a quote, kept in the audit log, then one click. Each style is one transaction; the person's drafts and the
record that it was done are the last one. So a bot that dies in between does the rest when the click is worked on again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.blocks.forget import quote_message
from bot.domain.values import Actor
from bot.errors import AdminsOnly, ForgetQuoteGone, MembersOnly
from bot.operations.clean_retrain import NoRetrain, stop_serving_tainted
from bot.operations.comparisons import erase_comparisons_of_person
from bot.operations.drafts import root_key
from bot.operations.erasure import finish_erasure
from bot.operations.examples import erase_withdrawn
from bot.operations.knowledge import remove_documents
from bot.operations.people import refuse
from bot.operations.runs import why_no_retrain
from bot.texts import forget as texts
from config import failpoints
from config.settings import Settings
from db import audit
from db.adapters import Adapter
from db.drafts import stop_drafts_of_person
from db.erasure import (
    count_drafts_of_person,
    drop_preferences,
    drop_unsent_messages,
    erase_drafts_of_person,
    erase_failed_payloads,
    list_examples_of_person,
    list_preferences_of_person,
    withdraw_in_any_state,
)
from db.examples import lock_examples
from db.knowledge import list_documents_of_person
from db.outbox import find_by_dedupe_key, owe
from db.session import Database
from db.set_aside_pairs import drop_pairs_of_person
from db.styles import Style, lock_style
from db.taint import list_adapters_preferring_any, list_adapters_trained_on_any, owe_clean_retrain

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuote:
    """What will follow, as it is put before whoever asked; without buttons when there is nothing to forget."""

    text: str
    blocks: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done. Numbers and names, no text."""

    user_id: str
    is_own: bool
    examples: int
    styles: int
    drafts: int
    adapter_names: tuple[str, ...]
    documents: int = 0
    preferences: int = 0

    @property
    def sentence(self) -> str:
        return texts.forgotten(
            "" if self.is_own else self.user_id, self.examples, self.styles, self.drafts, len(self.adapter_names),
            self.documents, self.preferences,
        )  # fmt: skip


def quote_forgetting(database: Database, actor: Actor, user_id: str) -> ShownQuote:
    """Say what would be erased and what would follow, and keep what was said. Raises MembersOnly, AdminsOnly."""
    _check_may_forget(database, actor, user_id)
    with database.write() as session:
        by_style = _find_in_styles(session, actor.team_id, user_id)
        drafts = count_drafts_of_person(session, actor.team_id, user_id)
        documents = len(list_documents_of_person(session, actor.team_id, user_id))
        whom = "" if user_id == actor.user_id else user_id
        if not by_style and not drafts and not documents:
            drop_pairs_of_person(session, actor.team_id, user_id)  # a week's note, and nothing follows from it
            return ShownQuote(text=texts.nothing_to_forget(whom), blocks=None)
        shares = [
            _share(session, session.get_one(Style, style_id), theirs, is_own=not whom)
            for style_id, theirs in by_style.items()
        ]
        shares = [share for share in shares if share.examples or share.adapters]
        preferences = sum(len(theirs.preference_ids) for theirs in by_style.values())
        entry = audit.record(
            session, team_id=actor.team_id, actor=actor.user_id, action="forget.quoted", subject=user_id,
            examples=sum(share.examples for share in shares), styles=len(shares), drafts=drafts,
            documents=documents, preferences=preferences,
        )  # fmt: skip
        said = texts.quote_lines(whom, shares, drafts, documents, preferences)
        text, blocks = quote_message(entry.audit_id, said)
        return ShownQuote(text=text, blocks=blocks)


def confirm_forgetting(database: Database, settings: Settings, actor: Actor, quote_id: str) -> Forgotten:
    """Do what the quote said, once however often the button is clicked; what came after it is erased as well.

    Raises ForgetQuoteGone, MembersOnly, AdminsOnly.
    """
    user_id = _quoted(database, actor, quote_id)
    _check_may_forget(database, actor, user_id)
    with database.read() as session:
        done = _find_done(session, actor, user_id, quote_id)
        style_ids = list(_find_in_styles(session, actor.team_id, user_id))
    if done is not None:
        return done
    for style_id in sorted(style_ids):
        _forget_in_style(database, settings, actor, user_id, style_id, quote_id)
        failpoints.visit("erase.half")
    done = _conclude(database, actor, user_id, quote_id)
    finish_erasure(database, settings)
    log.info("person.forgotten", examples=done.examples, drafts=done.drafts, adapters=len(done.adapter_names))
    return done


def _conclude(database: Database, actor: Actor, user_id: str, quote_id: str) -> Forgotten:
    """The drafts, the documents, and the record of it all: added up from what each style's transaction put down,
    whoever made it."""
    with database.write() as session:
        audit.lock_entry(session, quote_id)  # of two clicks at once, one concludes and the other reads what it wrote
        done = _find_done(session, actor, user_id, quote_id)
        if done is not None:
            return done
        parts = _entries(session, user_id, "examples.forgotten", quote_id)
        adapters = [name for part in parts for name in part["adapters"]]
        examples, styles = sum(part["examples"] for part in parts), sum(bool(part["examples"]) for part in parts)
        preferences = sum(part.get("preferences", 0) for part in parts)
        comparisons = erase_comparisons_of_person(session, actor.team_id, user_id)
        _stop_drafts(session, actor.team_id, user_id)
        drafts = erase_drafts_of_person(session, actor.team_id, user_id)
        drop_pairs_of_person(session, actor.team_id, user_id)
        documents = list_documents_of_person(session, actor.team_id, user_id)
        remove_documents(session, documents, removed_by=actor.user_id, reason="forgotten")
        erase_failed_payloads(session, actor.team_id, [user_id, *drafts, *comparisons])
        audit.record(
            session, team_id=actor.team_id, actor=actor.user_id, action="person.forgotten", subject=user_id,
            quote=quote_id, examples=examples, styles=styles, drafts=len(drafts), adapters=adapters,
            documents=len(documents), preferences=preferences,
        )  # fmt: skip
        return Forgotten(
            user_id=user_id, is_own=user_id == actor.user_id, examples=examples, styles=styles,
            drafts=len(drafts), adapter_names=tuple(adapters), documents=len(documents),
            preferences=preferences,
        )  # fmt: skip


def _stop_drafts(session: Session, team_id: str, user_id: str) -> None:
    """What is being written for them ends now, and is taken away: nobody has read it to its end."""
    stopped = stop_drafts_of_person(session, team_id, user_id)
    drop_unsent_messages(
        session, team_id, (root_key(""),), [draft.comparison_id or draft.draft_id for draft in stopped]
    )
    for draft in stopped:
        key, root = f"draft_erased:{draft.draft_id}", root_key(draft.comparison_id or draft.draft_id)
        if draft.message_ts is not None:
            where = {"channel_id": draft.channel_id, "ts": draft.message_ts}
            owe(session, team_id=team_id, dedupe_key=key, verb="delete_message", arguments=where)
        if find_by_dedupe_key(session, root) is not None:  # a command's thread opens with what was asked
            where = {"ts_from": root}
            owe(session, team_id=team_id, dedupe_key=f"erased:{root}", verb="delete_message", arguments=where)


def decline_forgetting(database: Database, actor: Actor, quote_id: str) -> None:
    """They thought better of it. Raises ForgetQuoteGone."""
    _quoted(database, actor, quote_id)


# ------------------------------------------------------------------------------------------------ one style


def _forget_in_style(
    database: Database, settings: Settings, actor: Actor, user_id: str, style_id: str, quote_id: str
) -> None:
    """Everything of theirs in this style, and what follows from it."""
    with database.write() as session:
        style = lock_style(session, style_id)
        theirs = _find_in_styles(session, actor.team_id, user_id).get(style_id)
        if theirs is None:
            return
        found = theirs.example_ids
        examples = lock_examples(session, found)
        adapters = _taught_by(session, theirs)
        withdraw_in_any_state(session, examples, decided_by=actor.user_id)
        drop_preferences(session, theirs.preference_ids)
        erase_withdrawn(session, examples)
        if adapters:
            owe_clean_retrain(session, style_id)
            why = why_no_retrain(session, settings, style) or NoRetrain.PERSON_FORGOTTEN
            stop_serving_tainted(session, style, actor=actor.user_id, why=why)
        audit.record(
            session, team_id=actor.team_id, actor=actor.user_id, action="examples.forgotten", subject=user_id,
            quote=quote_id, style_id=style_id, examples=len(found), preferences=len(theirs.preference_ids),
            adapters=[adapter.name for adapter in adapters],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What of a person is in one style: ids."""

    example_ids: list[str] = field(default_factory=list)
    preference_ids: list[str] = field(default_factory=list)


def _find_in_styles(session: Session, team_id: str, user_id: str) -> dict[str, _Theirs]:
    found: dict[str, _Theirs] = defaultdict(_Theirs)
    for example in list_examples_of_person(session, team_id, user_id):
        found[example.style_id].example_ids.append(example.example_id)
    for style_id, preference_ids in list_preferences_of_person(session, team_id, user_id).items():
        found[style_id].preference_ids.extend(preference_ids)
    return dict(found)


def _taught_by(session: Session, theirs: _Theirs) -> list[Adapter]:
    """The published adapters that learnt from any of it."""
    found = [
        *list_adapters_trained_on_any(session, theirs.example_ids),
        *list_adapters_preferring_any(session, theirs.preference_ids),
    ]
    return list({adapter.adapter_id: adapter for adapter in found}.values())


def _share(session: Session, style: Style, theirs: _Theirs, *, is_own: bool) -> texts.Share:
    """A style of a private channel has no name for an admin who asks about somebody else."""
    is_shown = is_own or style.scope.channel_id is None
    adapters = _taught_by(session, theirs)
    return texts.Share(
        style_name=style.name if is_shown else "",
        examples=len(theirs.example_ids),
        adapters=len(adapters),
        adapter_names=tuple(adapter.name for adapter in adapters) if is_shown else (),
    )


# ------------------------------------------------------------------------------------------------ who, and once


def _check_may_forget(database: Database, actor: Actor, user_id: str) -> None:
    if not actor.is_full_member:
        refuse(database, actor, "forget.refused", user_id, MembersOnly())
    if user_id != actor.user_id and not actor.is_admin:
        refuse(database, actor, "forget.refused", user_id, AdminsOnly(texts.OTHERS_ARE_FOR_ADMINS()))


def _quoted(database: Database, actor: Actor, quote_id: str) -> str:
    """Whom the quote is about; it is its asker's alone."""
    with database.read() as session:
        entry = audit.find_entry(session, quote_id, "forget.quoted")
    if entry is None or (entry.team_id, entry.actor) != (actor.team_id, actor.user_id):
        raise ForgetQuoteGone
    return entry.subject


def _find_done(session: Session, actor: Actor, user_id: str, quote_id: str) -> Forgotten | None:
    for detail in _entries(session, user_id, "person.forgotten", quote_id):
        return Forgotten(
            user_id=user_id, is_own=user_id == actor.user_id, examples=detail["examples"], styles=detail["styles"],
            drafts=detail["drafts"], adapter_names=tuple(detail["adapters"]), documents=detail.get("documents", 0),
            preferences=detail.get("preferences", 0),
        )  # fmt: skip
    return None


def _entries(session: Session, user_id: str, action: str, quote_id: str) -> list[dict[str, Any]]:
    """What is on record of this person under this quote."""
    found = [entry for entry in audit.list_audit(session, user_id) if entry.action == action]
    return [entry.detail for entry in found if entry.detail["quote"] == quote_id]

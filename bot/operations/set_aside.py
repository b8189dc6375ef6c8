"""Several pairs of one thread, taught at once: set aside one by one, then proposed together, each for itself.

The bot reads no thread. What it knows of one is what a person handed it with the shortcut, message by message.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.domain.pairs import check_pair
from bot.domain.values import Actor, Channel
from bot.errors import BadInput, HuisstijlError, MembersOnly, UnusablePair, explain
from bot.operations.examples import Proposal, ProposalOutcome, check_may_learn_from, propose_example
from bot.operations.people import refuse
from bot.texts import learning as texts
from config.prompt_sources import PromptSource
from db.base import new_id, now_in_database
from db.drafts import get_draft
from db.examples import ExampleSource
from db.session import Database
from db.set_aside_pairs import SetAsidePair, drop_pairs, list_pairs_of_thread, save_pair
from db.styles import StyleNotFound, lock_style

#: Slack shows ten checkboxes in a group; a person reads no more of them either.
MOST_PAIRS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtPair:
    """A pair from the teaching window, with what is known of its message."""

    style_id: str
    prompt: str
    completion: str
    prompt_source: PromptSource
    suggested_prompt: str | None
    message_ts: str
    thread_ts: str
    permalink: str | None
    author_id: str | None
    draft_id: str | None


def set_aside_pair(
    database: Database, actor: Actor, channel: Channel, pair: TaughtPair, unwanted: Sequence[SetAsidePair] = ()
) -> int:
    """Keep it for this person, and throw away what is unwanted; returns how many pairs of the thread wait for them now.
    Setting the same message aside again replaces what was kept.

    Raises MembersOnly, OutOfScope, StyleNotFound, UnusablePair by field, BadInput when there are too many.
    """
    if not actor.is_full_member:
        refuse(database, actor, "example.refused", pair.style_id, MembersOnly())
    with database.write() as session:
        style = lock_style(session, pair.style_id)  # two windows of one person take turns
        if style.team_id != actor.team_id:
            raise StyleNotFound
        check_may_learn_from(style, channel, ExampleSource.DRAFT_KEPT if pair.draft_id else ExampleSource.SHORTCUT)
        problems = check_pair(pair.prompt, pair.completion, style.kind)
        if problems:
            raise UnusablePair({problem.field: problem.sentence for problem in problems})
        known = list_pairs_of_thread(session, actor.team_id, actor.user_id, channel.channel_id, pair.thread_ts)
        gone = {one.pair_id for one in unwanted}
        others = [one for one in known if one.message_ts != pair.message_ts and one.pair_id not in gone]
        if len(others) >= MOST_PAIRS:
            raise BadInput(texts.too_many_set_aside(MOST_PAIRS))
        kept = SetAsidePair(
            pair_id=new_id("pair"), team_id=actor.team_id, user_id=actor.user_id, channel_id=channel.channel_id,
            thread_ts=pair.thread_ts, message_ts=pair.message_ts, permalink=pair.permalink, author_id=pair.author_id,
            draft_id=pair.draft_id, style_id=style.style_id, prompt=pair.prompt, completion=pair.completion,
            prompt_source=pair.prompt_source, suggested_prompt=pair.suggested_prompt,
            set_aside_at=now_in_database(session),
        )  # fmt: skip
        save_pair(session, kept)
        drop_pairs(session, sorted(gone))
        return len(others) + 1


def list_set_aside(database: Database, actor: Actor, channel_id: str, thread_ts: str) -> list[SetAsidePair]:
    """What this person has set aside in this thread, in the thread's order."""
    with database.read() as session:
        return list_pairs_of_thread(session, actor.team_id, actor.user_id, channel_id, thread_ts)


def forget_set_aside(database: Database, pairs: Sequence[SetAsidePair]) -> None:
    if pairs:
        with database.write() as session:
            drop_pairs(session, [pair.pair_id for pair in pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one of several pairs; `refusal` where it could not be proposed and stays set aside."""

    prompt: str
    proposal: Proposal | None = None
    refusal: str = ""

    @property
    def word(self) -> str:
        return self.proposal.outcome.value if self.proposal else "refused"


def propose_set_aside(
    database: Database, actor: Actor, channel: Channel, style_id: str, pairs: Sequence[SetAsidePair]
) -> list[Outcome]:
    """Propose each of these for the style, in a transaction of its own: one that cannot be used stops no other."""
    outcomes = [_propose_one(database, actor, channel, style_id, pair) for pair in pairs]
    forget_set_aside(database, [pair for pair, done in zip(pairs, outcomes, strict=True) if done.proposal])
    return outcomes


def choose_pairs(pairs: Sequence[SetAsidePair], chosen: Collection[str], *, except_ts: str) -> list[SetAsidePair]:
    """The ticked ones that there still are, without the message that the window is about."""
    return [pair for pair in pairs if pair.pair_id in chosen and pair.message_ts != except_ts]


def choose_unwanted(pairs: Sequence[SetAsidePair], ticked: Collection[str], *, except_ts: str) -> list[SetAsidePair]:
    """The ones that are not ticked, without the message that the window is about."""
    return [pair for pair in pairs if pair.pair_id not in ticked and pair.message_ts != except_ts]


def report(style_name: str, outcomes: Sequence[Outcome]) -> str:
    """For the person who proposed them (mrkdwn): how many of what, and what became of each."""
    counted = {word: sum(one.word == word for one in outcomes) for word in (*ProposalOutcome, "refused")}
    told = [(one.prompt, one.proposal.sentence if one.proposal else one.refusal) for one in outcomes]
    return texts.several(style_name, counted, told)


def _propose_one(database: Database, actor: Actor, channel: Channel, style_id: str, pair: SetAsidePair) -> Outcome:
    try:
        proposal = propose_example(
            database, actor, style_id=style_id, prompt=pair.prompt, completion=pair.completion,
            source=source_of(database, pair.draft_id, pair.completion), channel=channel, message_ts=pair.message_ts,
            thread_ts=pair.thread_ts, permalink=pair.permalink, author_id=pair.author_id, draft_id=pair.draft_id,
            prompt_source=pair.prompt_source, suggested_prompt=pair.suggested_prompt,
        )  # fmt: skip
    except (HuisstijlError, StyleNotFound) as error:
        return Outcome(prompt=pair.prompt, refusal=explain(error).sentence)
    return Outcome(prompt=pair.prompt, proposal=proposal)


def source_of(database: Database, draft_id: str | None, completion: str) -> ExampleSource:
    """Whether a message is a person's, or a draft of ours, kept or edited."""
    if draft_id is None:
        return ExampleSource.SHORTCUT
    with database.read() as session:
        kept = get_draft(session, draft_id).completion == completion
    return ExampleSource.DRAFT_KEPT if kept else ExampleSource.DRAFT_EDITED

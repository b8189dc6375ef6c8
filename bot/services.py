"""What listeners and operations are handed: the settings, the database, Slack, the model. Made once, in bot/app.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.workers import Bell
from db.outbox import owe

if TYPE_CHECKING:
    from bot.domain.values import Delivery
    from bot.drafting.model import ModelClient
    from bot.drafting.suggestions import Wishes
    from bot.people import People
    from bot.slack import SlackGateway
    from config.settings import Settings
    from db.session import Database


@dataclass(frozen=True, slots=True)
class Wakeups:
    """Bells between threads of one process. The database says what there is to do; a bell only saves the wait."""

    inbox: Bell = field(default_factory=Bell)
    outbox: Bell = field(default_factory=Bell)
    drafts: Bell = field(default_factory=Bell)
    embeddings: Bell = field(default_factory=Bell)
    #: An example was embedded, and waits to be predicted.
    measuring: Bell = field(default_factory=Bell)
    #: A document was ordered to be read.
    reading: Bell = field(default_factory=Bell)
    #: Somebody pressed Stop.
    stops: Bell = field(default_factory=Bell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    settings: Settings
    database: Database
    slack: SlackGateway
    people: People
    model: ModelClient
    wakeups: Wakeups
    #: Modals that wait for a suggestion.
    wishes: Wishes

    def answer(
        self, delivery: Delivery, text: str, blocks: list[dict[str, Any]] | None = None, *, replace: bool = False
    ) -> None:
        """Tell the person who caused this delivery, once however often it is worked on; only they see it.

        `replace` puts the answer in the place of the message that was clicked in, where only they saw that too.
        """
        with self.database.write() as session:
            if delivery.response_url:
                verb = "respond"
                arguments: dict[str, Any] = {"response_url": delivery.response_url, "text": text, "blocks": blocks}
                arguments["replace"] = replace
            elif delivery.channel_id:
                verb, arguments = (
                    "post_ephemeral",
                    {
                        "channel_id": delivery.channel_id,
                        "user_id": delivery.user_id,
                        "text": text,
                        "blocks": blocks,
                    },
                )
            else:
                verb, arguments = "post_direct", {"user_id": delivery.user_id, "text": text, "blocks": blocks}
            owe(
                session,
                team_id=delivery.team_id,
                dedupe_key=f"answer:{delivery.event_key}",
                verb=verb,
                arguments=arguments,
            )
        self.wakeups.outbox.ring()

    def reply(self, delivery: Delivery, thread_ts: str, text: str, blocks: list[dict[str, Any]] | None = None) -> None:
        """Answer in the thread, for everybody there; once however often the delivery is worked on."""
        with self.database.write() as session:
            owe(
                session,
                team_id=delivery.team_id,
                dedupe_key=f"answer:{delivery.event_key}",
                verb="post_message",
                arguments={
                    "channel_id": delivery.channel_id,
                    "thread_ts": thread_ts,
                    "text": text,
                    "blocks": blocks,
                },
            )
        self.wakeups.outbox.ring()

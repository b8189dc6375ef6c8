"""How a route of the routing table becomes a Bolt listener.

Every listener has one shape: `(services, delivery) -> None`, or for a submitted modal `-> errors | None`. Around it
stands what is the same for all: acknowledge, translate the payload, bind the log, and turn an error into an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt import Ack, App, BoltResponse

from bot import deliveries
from bot.domain.values import Delivery, Message, MessageDeleted, SessionStopped
from bot.errors import TRANSIENT, explain
from bot.language import speaking
from bot.services import Services
from bot.texts import learning as texts
from config import failpoints

log = structlog.get_logger()

#: Errors by block_id, shown beside the modal's inputs; None closes the modal.
FieldErrors = dict[str, str]
Listener = Callable[[Services, Any], Any]
Read = Callable[[deliveries.Body, Services], Delivery | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the routing table."""

    #: Bolt's word: command, action, shortcut, view, event.
    surface: str
    #: What triggers it: a command, action_id, callback_id or event type. `name:*` is every action_id that begins so.
    trigger: str
    listener: Listener
    read: Read


HOME_OPENED = "app_home_opened"


def command(trigger: str, listener: Listener) -> Route:
    return Route(
        surface="command", trigger=trigger, listener=listener, read=lambda body, services: deliveries.read_command(body)
    )


def action(trigger: str, listener: Listener) -> Route:
    return Route(
        surface="action", trigger=trigger, listener=listener, read=lambda body, services: deliveries.read_click(body)
    )


def shortcut(trigger: str, listener: Listener) -> Route:
    return Route(
        surface="shortcut",
        trigger=trigger,
        listener=listener,
        read=lambda body, services: deliveries.read_shortcut(body, services.slack.bot_user_id),
    )


def view(trigger: str, listener: Listener) -> Route:
    return Route(
        surface="view", trigger=trigger, listener=listener, read=lambda body, services: deliveries.read_submission(body)
    )


def event(trigger: str, listener: Listener, read: Read) -> Route:
    return Route(surface="event", trigger=trigger, listener=listener, read=read)


def read_message(body: deliveries.Body, services: Services) -> Delivery | None:
    return deliveries.read_message(body, services.slack.bot_user_id)


def attach(app: App, routes: tuple[Route, ...], services: Services) -> None:
    """Register every route with Bolt, and a last listener that keeps deliveries nobody handles from being errors."""
    for route in routes:
        listener = _bolt_listener(route, services)
        if route.surface == "event":
            app.event(_event_matcher(route.trigger), matchers=_tab_matchers(route.trigger))(listener)
        else:
            getattr(app, route.surface)(_matcher(route.trigger))(listener)
    app.event({"type": _ANY_EVENT})(_ignore)


def _matcher(trigger: str) -> str | re.Pattern[str]:
    """Slack wants every action_id in a view only once, so buttons in a list carry `name:id`."""
    return re.compile(rf"^{re.escape(trigger[:-1])}.+") if trigger.endswith(":*") else trigger


def _event_matcher(trigger: str) -> dict[str, Any]:
    """`message` is every message event; `message:message_deleted` one subtype, to be listed before it."""
    kind, _, subtype = trigger.partition(":")
    return {"type": kind, "subtype": subtype} if subtype and kind != HOME_OPENED else {"type": kind}


def _tab_matchers(trigger: str) -> list[Callable[..., bool]]:
    """`app_home_opened:messages` is that event for one tab of the app; to be listed before the event itself."""
    kind, _, tab = trigger.partition(":")
    if kind != HOME_OPENED or not tab:
        return []

    def is_that_tab(event: dict[str, Any]) -> bool:
        return event.get("tab") == tab

    return [is_that_tab]


def _bolt_listener(route: Route, services: Services) -> Callable[..., None]:
    def listen(ack: Ack, body: dict[str, Any]) -> BoltResponse | None:
        delivery = route.read(body, services)
        if delivery is None:
            ack()
            return None
        with (
            structlog.contextvars.bound_contextvars(
                trigger=route.trigger, event_key=delivery.event_key, user_id=delivery.user_id, team_id=delivery.team_id
            ),
            speaking(_locale_of(services, delivery), workspace=services.settings.language),
        ):
            return run_listener(route, services, delivery, ack)

    listen.__name__ = f"{route.surface}_{getattr(route.listener, '__name__', 'listener')}"
    return listen  # type: ignore[return-value]


def _locale_of(services: Services, delivery: Delivery) -> str:
    """What this person is spoken to in; where Slack does not say, the installation's language."""
    is_asking = not isinstance(delivery, MessageDeleted | SessionStopped)
    known = services.people.find_locale(delivery.team_id, delivery.user_id, may_ask=is_asking)
    return known or services.settings.language


def run_listener(route: Route, services: Services, delivery: Delivery, ack: Ack) -> BoltResponse | None:
    """Call the listener and answer for it. A transient fault is raised on, so that the inbox tries again."""
    try:
        outcome = route.listener(services, delivery)
        failpoints.visit("listener.done")
    except TRANSIENT:
        if route.surface != "view":
            raise
        log.exception("submission.failed")
        return _say_in_modal(ack, explain(TimeoutError()).sentence)
    except Exception as error:
        explanation = explain(error)
        log.log(
            explanation.log_level, "delivery.refused" if not explanation.reference else "delivery.failed",
            error=type(error).__name__, reference=explanation.reference,
            exc_info=error if explanation.reference else None,
        )  # fmt: skip
        if route.surface == "view":
            return _say_in_modal(ack, explanation.sentence)
        if isinstance(delivery, Message):
            services.reply(delivery, delivery.thread_ts, explanation.sentence)
        else:
            services.answer(delivery, explanation.sentence)
        ack()
        return None
    if route.surface == "view" and isinstance(outcome, dict):
        return _answer_modal(ack, outcome)
    ack()
    return None


def _answer_modal(ack: Ack, outcome: dict[str, Any]) -> BoltResponse:
    """A dict from a listener is either a whole next view (it has a type) or errors by block_id."""
    if outcome.get("type") == "modal":
        return ack(response_action="update", view=outcome)
    return ack(response_action="errors", errors=outcome)


def _say_in_modal(ack: Ack, sentence: str) -> BoltResponse:
    """Show a refusal as the modal's next page: nothing typed elsewhere is lost and nothing is silent."""
    return ack(
        response_action="push",
        view={
            "type": "modal",
            "title": {"type": "plain_text", "text": texts.NOT_DONE()},
            "close": {"type": "plain_text", "text": texts.BACK()},
            "blocks": [{"type": "section", "text": {"type": "plain_text", "text": sentence[:2900]}}],
        },
    )


#: Matches every event type that no route has claimed before.
_ANY_EVENT: Any = re.compile(r".*")


def _ignore() -> None:
    log.debug("event.ignored")

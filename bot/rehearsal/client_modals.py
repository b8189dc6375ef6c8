"""A person with a modal: look at it, click in it, submit it, close it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal import interactions, methods_views
from bot.rehearsal.clicks import find_click
from bot.rehearsal.errors import ApiError, PersonError
from bot.rehearsal.forms import fill
from bot.rehearsal.state import public
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State


def open_view(state: State, user: str, args: Json) -> Json | None:
    """The modal that is on top, if any."""
    with state.lock:
        shown: Json | None = public(methods_views.top(state, user))
        return shown


def submit(state: State, user: str, args: Json) -> Json:
    """Fill in and submit the top modal.

    `errors` are complaints by block_id, of Slack's client or of the app; then the modal is still open.
    `view` is what is on top afterwards. An app that does not answer, or answers nonsense, raises PersonError.
    """
    with state.transaction():
        view = _top(state, user, args)
        values, complaints = fill(view, args.get("values") or {})
        view["_errors"] = complaints or None
        if complaints:
            return {"errors": complaints, "view": public(view), "sent": False}
        view["state"] = {"values": values}
        delivery = interactions.send_submission(state, user, view)
    delivery.settled.wait(state.options.ack_seconds + 5)
    if delivery.state != "acked":
        raise PersonError(texts.TROUBLE())
    try:
        with state.transaction():
            errors = _after_submission(state, user, view, delivery.response or {})
            shown = public(methods_views.top(state, user))
    except ApiError as error:
        raise PersonError(texts.odd_answer(str(error))) from error
    return {"errors": errors, "view": shown, "sent": True}


def _top(state: State, user: str, args: Json) -> Json:
    view = methods_views.top(state, user)
    if view is None or view["id"] != args["view_id"]:
        raise PersonError(texts.NOT_ON_TOP())
    return view


def shown_view(state: State, user: str, args: Json) -> Json:
    """The modal on top or the Home tab, whichever `view_id` names."""
    home = state.homes.get(user)
    return home if home is not None and home["id"] == args["view_id"] else _top(state, user, args)


def _after_submission(state: State, user: str, view: Json, response: Json) -> dict[str, str] | None:
    action = response.get("response_action")
    if action == "errors":
        errors = response.get("errors")
        blocks = {b["block_id"] for b in view["blocks"] if b["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= blocks:
            raise ApiError("invalid_arguments", messages=[f"errors must name input blocks of {sorted(blocks)}"])
        # The app may have changed the view while it looked at what was sent: the one that is shown now has the errors.
        standing = state.views.get(view["id"], view)
        standing["_errors"] = methods_views.complaints_about(standing, errors)
        return errors
    if action == "update":
        new = methods_views.read_view(response.get("view"), "modal")
        current = state.views.get(view["id"])
        if current is None:
            raise ApiError("not_found")
        methods_views.replace(state, current, new)
    elif action == "push":
        methods_views.stack(state, user, methods_views.read_view(response.get("view"), "modal"))
    elif action == "clear" or (action is None and view["clear_on_close"]):
        methods_views.close(state, user, everything=True)
    elif action is None:
        methods_views.close(state, user)
    else:
        raise ApiError("invalid_arguments", messages=[f"unknown response_action {action!r}"])
    return None


def type_view(state: State, user: str, args: Json) -> None:
    """Type into the top modal and do nothing more: the app does not hear of it."""
    with state.transaction():
        view = _top(state, user, args)
        view["state"] = {"values": fill(view, args["values"])[0]}


def close_view(state: State, user: str, args: Json) -> None:
    """Close the top modal (`everything`: all of them); the app hears of it where it asked to."""
    with state.transaction():
        everything = bool(args.get("everything"))
        _top(state, user, args)
        for view in methods_views.close(state, user, everything=everything):
            if view["notify_on_close"]:
                interactions.send_closed(state, user, view, is_cleared=everything)


def click_view(state: State, user: str, args: Json) -> Json:
    """A click in the top modal, or on the Home tab when `view_id` is the home view's."""
    with state.transaction():
        view = shown_view(state, user, args)
        view["state"] = {"values": fill(view, args.get("values") or {})[0]}  # Slack always says what stands where
        action = find_click(view["blocks"], user, args)
        delivery = interactions.send_view_action(state, user, view, action)
    delivery.settled.wait(state.options.ack_seconds + 5)
    ok = delivery.state == "acked"
    return {"ok": ok, "error": None if ok else "operation_timeout"}


MODAL_VERBS: dict[str, Callable[[State, str, Json], Any]] = {
    "open_view": open_view,
    "submit": submit,
    "type_view": type_view,
    "close_view": close_view,
    "click_view": click_view,
}

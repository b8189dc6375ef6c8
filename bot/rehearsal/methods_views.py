"""Modals and the Home tab: views.open, update, push, publish, and the stack of at most three modals."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from bot.rehearsal import messages
from bot.rehearsal.blockkit import InvalidBlocks, validate_view
from bot.rehearsal.errors import ApiError
from bot.rehearsal.forms import initial, inputs_of
from bot.rehearsal.interactions import use_trigger
from bot.rehearsal.state import public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

MAX_STACK = 3
MAX_VIEW_BYTES = 250_000


def open_(state: State, args: Json) -> Json:
    view = read_view(args.get("view"), "modal")
    trigger = use_trigger(state, args.get("trigger_id"))
    user = trigger["user"]
    state.stacks[user] = []
    return {"view": public(stack(state, user, view))}


def push(state: State, args: Json) -> Json:
    view = read_view(args.get("view"), "modal")
    trigger = use_trigger(state, args.get("trigger_id"))
    if trigger["view"] is None or trigger["view"] not in state.stacks.get(trigger["user"], []):
        raise ApiError("not_found")
    return {"view": public(stack(state, trigger["user"], view))}


def stack(state: State, user: str, view: Json) -> Json:
    """Put a modal on top of what this person has open."""
    open_views = state.stacks.setdefault(user, [])
    if len(open_views) >= MAX_STACK:
        raise ApiError("push_limit_reached")
    _check_external_id(state, view, None)
    made = _made(state, view, state.new_id("V"), user)
    made["root_view_id"] = open_views[0] if open_views else made["id"]
    made["previous_view_id"] = open_views[-1] if open_views else None
    state.views[made["id"]] = made
    open_views.append(made["id"])
    return made


def update(state: State, args: Json) -> Json:
    view = read_view(args.get("view"), "modal", "home")
    old = state.views.get(str(args.get("view_id")))
    if old is None and args.get("external_id"):
        old = next((v for v in state.views.values() if v["external_id"] == args["external_id"]), None)
    if old is None:
        raise ApiError("not_found")
    if args.get("hash") not in (None, old["hash"]):
        raise ApiError("hash_conflict")
    return {"view": public(replace(state, old, view))}


def replace(state: State, old: Json, view: Json) -> Json:
    """The same view with new content and a new hash. What stands in an input stays in it, as in Slack's client, for
    as long as its block_id and action_id do: a new initial value does nothing there. So does what is wrong with it."""
    _check_external_id(state, view, old["id"])
    made = _made(state, view, old["id"], old["_user"])
    if made["type"] == "modal":
        made["state"] = {"values": _kept(old, made)}
        made["_errors"] = complaints_about(made, old.get("_errors"))
    made |= {"root_view_id": old["root_view_id"], "previous_view_id": old["previous_view_id"]}
    state.views[old["id"]] = made
    if made["type"] == "home":
        state.save_home(old["_user"], made)
    return made


def complaints_about(view: Json, errors: dict[str, str] | None) -> dict[str, str] | None:
    """Those of the errors, by block_id, whose blocks stand in the view; None for none."""
    blocks = {block["block_id"] for block in view["blocks"]}
    return {block_id: said for block_id, said in (errors or {}).items() if block_id in blocks} or None


def _kept(old: Json, new: Json) -> Json:
    standing: dict[tuple[str, str, str], Json] = {}
    typed = old["state"]["values"]
    for block, element in inputs_of(old["blocks"]):
        block_id, action_id = block["block_id"], element.get("action_id", "")
        value = typed.get(block_id, {}).get(action_id) or initial(element)
        standing[block_id, action_id, element["type"]] = value
    kept: Json = {}
    for block, element in inputs_of(new["blocks"]):
        key = (block["block_id"], element.get("action_id", ""), element["type"])
        if key in standing:
            kept.setdefault(key[0], {})[key[1]] = standing[key]
    return kept


def publish(state: State, args: Json) -> Json:
    view = read_view(args.get("view"), "home")
    user = state.get_user(args.get("user_id"))["id"]
    old = state.homes.get(user)
    if args.get("hash") is not None and (old is None or args["hash"] != old["hash"]):
        raise ApiError("hash_conflict")
    made = _made(state, view, old["id"] if old else state.new_id("V"), user)
    made["root_view_id"] = made["id"]
    state.views[made["id"]] = made
    state.save_home(user, made)
    return {"view": public(made)}


def close(state: State, user: str, *, everything: bool = False) -> list[Json]:
    """Take the top modal (or all) from this person's stack; returns what was closed, top first."""
    open_views = state.stacks.get(user, [])
    closed: list[Json] = []
    while open_views:
        closed.append(state.views.pop(open_views.pop()))
        if not everything:
            break
    return closed


def top(state: State, user: str) -> Json | None:
    open_views = state.stacks.get(user, [])
    return state.views[open_views[-1]] if open_views else None


def read_view(value: Any, *kinds: str) -> Json:
    if isinstance(value, str):
        raise ApiError("invalid_arguments", messages=["view is not valid JSON"])
    try:
        validate_view(value, *kinds)
    except InvalidBlocks as error:
        raise ApiError("invalid_arguments", messages=error.errors) from error
    view: Json = value
    if len(json.dumps(view)) > MAX_VIEW_BYTES:
        raise ApiError("view_too_large")
    return view


def _check_external_id(state: State, view: Json, own_id: str | None) -> None:
    external = view.get("external_id")
    if external and any(v["external_id"] == external and v["id"] != own_id for v in state.views.values()):
        raise ApiError("duplicate_external_id")


def _made(state: State, view: Json, view_id: str, user: str) -> Json:
    """A view as Slack answers it."""
    seed = state.seed
    return {
        "id": view_id,
        "team_id": seed.team_id,
        "type": view["type"],
        "blocks": messages.fill_ids(view["blocks"]),
        "private_metadata": view.get("private_metadata") or "",
        "callback_id": view.get("callback_id") or "",
        "state": {"values": {}},
        "hash": f"{int(time.time())}.{secrets.token_hex(4)}",
        "title": view.get("title"),
        "submit": view.get("submit"),
        "close": view.get("close"),
        "clear_on_close": bool(view.get("clear_on_close")),
        "notify_on_close": bool(view.get("notify_on_close")),
        "root_view_id": None,
        "previous_view_id": None,
        "app_id": seed.app_id,
        "external_id": view.get("external_id") or "",
        "app_installed_team_id": seed.team_id,
        "bot_id": seed.bot_id,
        "_user": user,
    }


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "views.open": open_,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}

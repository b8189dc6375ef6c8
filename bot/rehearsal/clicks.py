"""Which interactive element a click means, and the action that Slack sends for it.

Two blocks may hold an element of one action_id; `block_id` then says which one was clicked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal.errors import PersonError
from bot.rehearsal.forms import TEXT_INPUTS, options_of
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rehearsal.options import Json

_PICKED = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "multi_users_select": "selected_users",
    "multi_conversations_select": "selected_conversations",
    "multi_channels_select": "selected_channels",
}


def find_click(blocks: list[Json], user: str, args: Json) -> Json:
    """The action for `action_id` (and `value` or `selected`) in these blocks, as this person sees them."""
    for block, element in interactive_elements(blocks):
        if element.get("action_id") != args["action_id"]:
            continue
        if args.get("block_id") not in (None, block["block_id"]):
            continue
        visible_to = element.get("visible_to_user_ids")
        if visible_to and user not in visible_to:
            continue
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
        }
        return action | _chosen(element, args.get("value"), args.get("selected"))
    raise PersonError(texts.nothing_to_click(str(args["action_id"])))


def interactive_elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Everything that can be clicked or chosen in, with its block."""
    for block in blocks:
        if block["type"] in ("actions", "context_actions"):
            yield from ((block, element) for element in block["elements"])
        for name in ("accessory", "element"):
            if isinstance(block.get(name), dict):
                yield block, block[name]


def _chosen(element: Json, value: Any, selected: Any) -> Json:
    kind = element["type"]
    if kind in ("button", "icon_button"):
        if value is not None and value != element.get("value"):
            raise PersonError(f"this button's value is {element.get('value')!r}")
        told: Json = {"value": element["value"]} if "value" in element else {}
        return told | {"text": element["text"]}
    if kind == "feedback_buttons":
        sides = [element["positive_button"], element["negative_button"]]
        side = next((s for s in sides if value in (s["value"], s["text"]["text"])), None)
        if side is None:
            raise PersonError(f"feedback is {' or '.join(s['value'] for s in sides)}")
        return {"value": side["value"], "text": side["text"]}
    chosen = selected if selected is not None else value
    if kind in _PICKED:
        return {_PICKED[kind]: chosen}
    if kind in TEXT_INPUTS:
        return {"value": chosen}
    options = {o["value"]: o for o in options_of(element)}
    many = kind in ("checkboxes", "multi_static_select", "multi_external_select")
    wanted = [w["value"] if isinstance(w, dict) else w for w in (list(chosen or ()) if many else [chosen])]
    if any(w not in options for w in wanted):
        raise PersonError(f"the options are {', '.join(options)}")
    picked = [options[w] for w in wanted]
    return {"selected_options": picked} if many else {"selected_option": picked[0]}

"""A person fills in a view: values become Slack's view.state, or the complaints that Slack's client shows.

Slack's client checks required inputs, lengths and choices before it sends anything; so does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal.errors import PersonError
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from bot.rehearsal.options import Json

#: Selects of things in the workspace: element type -> name of the state value.
_PICKS = {
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_ONE_OPTION = ("static_select", "radio_buttons", "external_select")
_MANY_OPTIONS = ("multi_static_select", "checkboxes", "multi_external_select")
TEXT_INPUTS = ("plain_text_input", "number_input", "email_text_input", "url_text_input")


def fill(view: Json, values: Json) -> tuple[Json, dict[str, str]]:
    """(view.state values, complaints by block_id). Values are keyed by block_id or action_id.

    An input that `values` leaves out keeps what was typed before, or else its initial value. Raises PersonError for a
    value that no input takes.
    """
    state: Json = {}
    typed = view["state"]["values"]
    complaints: dict[str, str] = {}
    unused = set(values)
    for block, element in inputs_of(view["blocks"]):
        block_id, action_id = block["block_id"], element.get("action_id", "")
        key = block_id if block_id in values else action_id
        unused.discard(key)
        before = typed.get(block_id, {}).get(action_id) or initial(element)
        filled = _state_value(element, values[key]) if key in values else before
        complaint = _complaint(block, element, filled)
        if complaint:
            complaints[block_id] = complaint
        state.setdefault(block_id, {})[action_id] = filled
    if unused:
        raise PersonError(f"this view has no input {', '.join(sorted(unused))}")
    return state, complaints


def inputs_of(blocks: list[Json]) -> list[tuple[Json, Json]]:
    """Everything in these blocks that holds a value, with its block."""
    found: list[tuple[Json, Json]] = []
    holders = (*_PICKS, *_ONE_OPTION, *_MANY_OPTIONS)
    for block in blocks:
        if block["type"] == "input":
            found.append((block, block["element"]))
            continue
        inside = [*block.get("elements", ()), block.get("accessory")]
        found += [(block, e) for e in inside if isinstance(e, dict) and e.get("type") in holders]
    return found


def options_of(element: Json) -> list[Json]:
    """Its options; of an external select those that the app has offered."""
    options: list[Json] = [*(element.get("options") or ()), *(element.get("_offered") or ())]
    for group in element.get("option_groups") or ():
        options += group["options"]
    return options


def _option(element: Json, value: Any) -> Json:
    """The option that this value (or whole option, or shown text) means."""
    if isinstance(value, dict):
        value = value.get("value")
    for option in options_of(element):
        if value in (option["value"], option["text"]["text"]):
            return option
    raise PersonError(f"there is no option {value!r} in {element.get('action_id')}")


def _state_value(element: Json, value: Any) -> Json:
    kind = element["type"]
    if kind in TEXT_INPUTS:
        return {"type": kind, "value": None if value in (None, "") else str(value)}
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": None if value is None else _option(element, value)}
    if kind in _MANY_OPTIONS:
        return {"type": kind, "selected_options": [_option(element, v) for v in value or ()]}
    if kind in _PICKS:
        return {"type": kind, _PICKS[kind]: value}
    if kind == "rich_text_input":
        return {"type": kind, "rich_text_value": value}
    raise PersonError(f"a person cannot fill in a {kind} here")


def initial(element: Json) -> Json:
    kind = element["type"]
    if kind in TEXT_INPUTS:
        return {"type": kind, "value": element.get("initial_value") or None}
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in _MANY_OPTIONS:
        return {"type": kind, "selected_options": element.get("initial_options") or []}
    if kind in _PICKS:
        name = _PICKS[kind]
        empty: Any = [] if name.endswith("s") else None
        return {"type": kind, name: element.get(name.replace("selected", "initial"), empty)}
    return {"type": kind, "rich_text_value": element.get("initial_value")}


def _complaint(block: Json, element: Json, filled: Json) -> str | None:
    """What Slack's client would write under this input, if anything."""
    value = next((v for k, v in filled.items() if k != "type"), None)
    if value in (None, [], ""):
        required = block["type"] == "input" and not block.get("optional")
        return texts.REQUIRED() if required else None
    if element["type"] != "plain_text_input":
        return None
    if not value.strip() and not block.get("optional"):
        return texts.REQUIRED()
    least, most = element.get("min_length") or 0, element.get("max_length") or 3000
    if len(value) < least:
        return texts.at_least(least)
    if len(value) > most:
        return texts.at_most(most, len(value) - most)
    return None

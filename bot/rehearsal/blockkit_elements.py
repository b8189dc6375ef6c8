"""The inside of blocks: text objects, elements, options, and ids that occur once.

Each check appends sentences with a JSON pointer to `errors` and never raises, whatever it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.rehearsal.options import Json

MAX_ID_CHARS = 255


@dataclass(slots=True)
class IdSeen:
    """Ids met so far on one surface: block ids are unique, and so are action ids."""

    blocks: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)

    def block_id(self, value: Any, place: str, errors: list[str]) -> None:
        self._meet(value, self.blocks, "block_id", place, errors)

    def action_id(self, value: Any, place: str, errors: list[str]) -> None:
        self._meet(value, self.actions, "action_id", place, errors)

    def _meet(self, value: Any, met: set[str], name: str, place: str, errors: list[str]) -> None:
        if value is None:
            return
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS:
            errors.append(f"must be 1 to {MAX_ID_CHARS} characters [json-pointer:{place}/{name}]")
        elif value in met:
            errors.append(f"`{name}` {value!r} occurs more than once [json-pointer:{place}/{name}]")
        else:
            met.add(value)


def check_text(value: Any, place: str, errors: list[str], *, most: int, plain: bool = False) -> None:
    """A text object of 1 to `most` characters; `plain` where Slack takes plain_text alone."""
    if not isinstance(value, dict):
        errors.append(f"missing required text object [json-pointer:{place}]")
        return
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if value.get("type") not in kinds:
        errors.append(f"text type must be {' or '.join(kinds)} [json-pointer:{place}/type]")
    known = {"type", "text", "emoji"} if value.get("type") == "plain_text" else {"type", "text", "verbatim"}
    if extra := sorted(set(value) - known):
        errors.append(f"unexpected field {extra[0]!r} [json-pointer:{place}]")
    text = value.get("text")
    if not isinstance(text, str) or not text:
        errors.append(f"must be more than 0 characters [json-pointer:{place}/text]")
    elif len(text) > most:
        errors.append(f"must be less than {most + 1} characters [json-pointer:{place}/text]")


def check_element(element: Any, place: str, errors: list[str], seen: IdSeen, *, allowed: frozenset[str]) -> None:
    """One block element, if its type is allowed here."""
    if not isinstance(element, dict) or not isinstance(element.get("type"), str):
        errors.append(f"missing required element [json-pointer:{place}]")
        return
    kind: str = element["type"]
    if kind not in allowed:
        errors.append(f"unsupported type: {kind} [json-pointer:{place}/type]")
        return
    seen.action_id(element.get("action_id"), place, errors)
    if element.get("confirm") is not None:
        _confirm(element["confirm"], f"{place}/confirm", errors)
    if element.get("placeholder") is not None:
        check_text(element["placeholder"], f"{place}/placeholder", errors, most=150, plain=True)
    if kind in ("button", "workflow_button"):
        _button(element, place, errors)
    elif kind == "image":
        _image(element, place, errors)
    elif kind == "feedback_buttons":
        _feedback(element, place, errors)
    elif kind == "icon_button":
        _icon(element, place, errors)
    elif kind in ("plain_text_input", "number_input", "email_text_input", "url_text_input"):
        _text_input(element, place, errors)
    elif kind in ("static_select", "multi_static_select"):
        _select(element, place, errors)
    elif kind in ("radio_buttons", "checkboxes"):
        _options(element.get("options"), f"{place}/options", errors, most=10, rich=True)
    elif kind == "overflow":
        _options(element.get("options"), f"{place}/options", errors, most=5, rich=False)


def _button(element: Json, place: str, errors: list[str]) -> None:
    check_text(element.get("text"), f"{place}/text", errors, most=75, plain=True)
    _string(element, "value", 2000, place, errors)
    _string(element, "url", 3000, place, errors)
    _string(element, "accessibility_label", 75, place, errors)
    if element.get("style") not in (None, "primary", "danger"):
        errors.append(f"style must be primary or danger [json-pointer:{place}/style]")


def _image(element: Json, place: str, errors: list[str]) -> None:
    alt = element.get("alt_text")
    if not isinstance(alt, str) or not 1 <= len(alt) <= 2000:
        errors.append(f"alt_text must be 1 to 2000 characters [json-pointer:{place}/alt_text]")
    if (element.get("image_url") is None) == (element.get("slack_file") is None):
        errors.append(f"exactly one of image_url and slack_file is needed [json-pointer:{place}]")
    url = element.get("image_url")
    if url is not None and (not isinstance(url, str) or not url.startswith(("http://", "https://"))):
        errors.append(f"image_url must be an http(s) URL [json-pointer:{place}/image_url]")
    _string(element, "image_url", 3000, place, errors)


def _feedback(element: Json, place: str, errors: list[str]) -> None:
    for side in ("positive_button", "negative_button"):
        button = element.get(side)
        if not isinstance(button, dict):
            errors.append(f"missing required field: {side} [json-pointer:{place}]")
            continue
        check_text(button.get("text"), f"{place}/{side}/text", errors, most=75, plain=True)
        value = button.get("value")
        if not isinstance(value, str) or not 1 <= len(value) <= 2000:
            errors.append(f"value must be 1 to 2000 characters [json-pointer:{place}/{side}/value]")
        _string(button, "accessibility_label", 75, f"{place}/{side}", errors)


def _icon(element: Json, place: str, errors: list[str]) -> None:
    if element.get("icon") != "trash":
        errors.append(f"icon must be trash [json-pointer:{place}/icon]")
    check_text(element.get("text"), f"{place}/text", errors, most=75, plain=True)
    _string(element, "value", 2000, place, errors)
    _string(element, "accessibility_label", 75, place, errors)
    users = element.get("visible_to_user_ids")
    if users is not None and (not isinstance(users, list) or len(users) > 10):
        errors.append(f"at most 10 users [json-pointer:{place}/visible_to_user_ids]")


def _text_input(element: Json, place: str, errors: list[str]) -> None:
    least = _length(element, "min_length", 0, place, errors)
    longest = _length(element, "max_length", 1, place, errors) or 3000
    if least is not None and least > longest:
        errors.append(f"min_length is above max_length [json-pointer:{place}/min_length]")
    initial = element.get("initial_value")
    if initial is not None and (not isinstance(initial, str) or len(initial) > longest):
        errors.append(f"initial_value must be at most {longest} characters [json-pointer:{place}]")
    if element["type"] == "number_input" and not isinstance(element.get("is_decimal_allowed"), bool):
        errors.append(f"missing required field: is_decimal_allowed [json-pointer:{place}]")


def _select(element: Json, place: str, errors: list[str]) -> None:
    options, groups = element.get("options"), element.get("option_groups")
    if (options is None) == (groups is None):
        errors.append(f"exactly one of options and option_groups is needed [json-pointer:{place}]")
        return
    values: list[Any] = []
    if options is not None:
        values = _options(options, f"{place}/options", errors, most=100, rich=False)
    elif not isinstance(groups, list) or not 1 <= len(groups) <= 100:
        errors.append(f"option_groups must have 1 to 100 items [json-pointer:{place}/option_groups]")
    else:
        for n, group in enumerate(groups):
            inside = f"{place}/option_groups/{n}"
            if not isinstance(group, dict):
                errors.append(f"malformed option group [json-pointer:{inside}]")
                continue
            check_text(group.get("label"), f"{inside}/label", errors, most=75, plain=True)
            values += _options(group.get("options"), f"{inside}/options", errors, most=100, rich=False)
    initial = element.get("initial_options") or [element.get("initial_option")]
    chosen = [option for option in (initial if isinstance(initial, list) else [initial]) if option is not None]
    if any(not isinstance(option, dict) or option.get("value") not in values for option in chosen):
        errors.append(f"the initial option is not among the options [json-pointer:{place}]")


def _options(options: Any, place: str, errors: list[str], *, most: int, rich: bool) -> list[Any]:
    if not isinstance(options, list) or not 1 <= len(options) <= most:
        errors.append(f"options must have 1 to {most} items [json-pointer:{place}]")
        return []
    values: list[Any] = []
    for n, option in enumerate(options):
        inside = f"{place}/{n}"
        if not isinstance(option, dict):
            errors.append(f"malformed option [json-pointer:{inside}]")
            continue
        check_text(option.get("text"), f"{inside}/text", errors, most=75, plain=not rich)
        value = option.get("value")
        if not isinstance(value, str) or not 1 <= len(value) <= 150:
            errors.append(f"value must be 1 to 150 characters [json-pointer:{inside}/value]")
        if option.get("description") is not None:
            check_text(option["description"], f"{inside}/description", errors, most=75, plain=not rich)
        values.append(value)
    return values


def _confirm(confirm: Any, place: str, errors: list[str]) -> None:
    if not isinstance(confirm, dict):
        errors.append(f"malformed confirm object [json-pointer:{place}]")
        return
    check_text(confirm.get("title"), f"{place}/title", errors, most=100, plain=True)
    check_text(confirm.get("text"), f"{place}/text", errors, most=300)
    check_text(confirm.get("confirm"), f"{place}/confirm", errors, most=30, plain=True)
    check_text(confirm.get("deny"), f"{place}/deny", errors, most=30, plain=True)


def _string(element: Json, name: str, most: int, place: str, errors: list[str]) -> None:
    value = element.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > most):
        errors.append(f"must be less than {most + 1} characters [json-pointer:{place}/{name}]")


def _length(element: Json, name: str, lowest: int, place: str, errors: list[str]) -> int | None:
    value = element.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= 3000:
        return value
    errors.append(f"{name} must be {lowest} to 3000 [json-pointer:{place}/{name}]")
    return None

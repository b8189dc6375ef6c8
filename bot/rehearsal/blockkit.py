"""Block Kit as strictly as Slack takes it.

Shapes and unique ids are checked here, from one table of block types and one of elements; lengths are checked
here and, for what Slack's own SDK also knows, by the validators of `slack_sdk.models`.
Limits: docs.slack.dev/reference/block-kit and slack_sdk.models 3.47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

from bot.rehearsal.blockkit_charts import check_chart
from bot.rehearsal.blockkit_elements import IdSeen, check_element, check_text
from bot.rehearsal.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json

Surface = Literal["message", "modal", "home"]

MAX_BLOCKS = {"message": 50, "modal": 100, "home": 100}
MAX_MARKDOWN_CHARS = 12_000
#: Of one message; Slack's page does not say so, its answer to a third one does (github.com/vercel/chat, pull 696).
MAX_CHARTS = 2
#: All text of a message's blocks together; Slack refuses a little above 13,000 with msg_blocks_too_long.
MAX_MESSAGE_BLOCKS_CHARS = 13_200
MAX_PRIVATE_METADATA_CHARS = 3_000
MAX_VIEW_TITLE_CHARS = 24
MAX_ID_CHARS = 255

#: Elements that an actions block, a section's accessory and an input block may hold.
_SELECTS = frozenset(f"{of}_select" for of in ("static", "users", "conversations", "channels", "external"))
_MULTI_SELECTS = frozenset(f"multi_{select}" for select in _SELECTS)
_PICKERS = frozenset({"datepicker", "timepicker", "datetimepicker", "radio_buttons", "checkboxes"})
_ACTIONS = _SELECTS | _PICKERS | {"button", "overflow", "workflow_button"}
_ACCESSORIES = _ACTIONS | _MULTI_SELECTS | {"image"}
_TEXT_INPUTS = frozenset({"plain_text_input", "number_input", "email_text_input", "url_text_input"})
_INPUTS = _SELECTS | _MULTI_SELECTS | _PICKERS | _TEXT_INPUTS | {"rich_text_input", "file_input"}
_RICH_TEXT = frozenset(["rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"])
_SURFACES: dict[str, tuple[str, ...]] = {
    "section": ("message", "modal", "home"),
    "header": ("message", "modal", "home"),
    "divider": ("message", "modal", "home"),
    "context": ("message", "modal", "home"),
    "actions": ("message", "modal", "home"),
    "image": ("message", "modal", "home"),
    "rich_text": ("message", "modal", "home"),
    "input": ("message", "modal", "home"),
    "markdown": ("message",),
    "context_actions": ("message",),
    "file": ("message",),
    "video": ("message", "modal", "home"),
    "table": ("message",),
    "task_card": ("message",),
    "plan": ("message",),
    "data_visualization": ("message",),
}


class InvalidBlocks(WorkspaceError):
    """These blocks are not Block Kit; `errors` names each fault with its place."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class BlocksTooLong(InvalidBlocks):
    """Each block is fine, together they are more text than one message holds (msg_blocks_too_long)."""


def validate_blocks(blocks: Any, surface: Surface = "message") -> None:
    """Raise InvalidBlocks (or BlocksTooLong) unless Slack would take these blocks on this surface."""
    if not isinstance(blocks, list):
        raise InvalidBlocks(["must be an array of blocks"])
    errors: list[str] = []
    if len(blocks) > MAX_BLOCKS[surface]:
        errors.append(f"no more than {MAX_BLOCKS[surface]} items allowed [json-pointer:/blocks]")
    seen = IdSeen()
    markdown_chars = charts = 0
    for index, block in enumerate(blocks):
        place = f"/blocks/{index}"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            errors.append(f"missing required field: type [json-pointer:{place}]")
            continue
        found = _check_block(block, place, surface, seen)
        errors += found or _sdk_faults(block, place)
        if block["type"] == "markdown" and isinstance(block.get("text"), str):
            markdown_chars += len(block["text"])
        charts += block["type"] == "data_visualization"
    if charts > MAX_CHARTS:
        errors.append(f"no more than {MAX_CHARTS} data_visualization blocks allowed [json-pointer:/blocks]")
    if markdown_chars > MAX_MARKDOWN_CHARS:
        errors.append(f"markdown blocks exceed {MAX_MARKDOWN_CHARS} characters together")
    if errors:
        raise InvalidBlocks(errors)
    if surface == "message" and (total := _text_chars(blocks)) > MAX_MESSAGE_BLOCKS_CHARS:
        raise BlocksTooLong([f"blocks hold {total} characters of text; {MAX_MESSAGE_BLOCKS_CHARS} is the most"])


def validate_view(view: Any, *kinds: str) -> None:
    """Raise InvalidBlocks unless this is a view of one of these kinds ("modal", "home")."""
    if not isinstance(view, dict):
        raise InvalidBlocks(["view must be an object"])
    kind = view.get("type")
    if kind not in kinds:
        raise InvalidBlocks([f"view type must be one of {', '.join(kinds)} [json-pointer:/view/type]"])
    errors: list[str] = []
    if kind == "modal":
        check_text(view.get("title"), "/view/title", errors, most=MAX_VIEW_TITLE_CHARS, plain=True)
        for name in ("submit", "close"):
            if view.get(name) is not None:
                check_text(view[name], f"/view/{name}", errors, most=MAX_VIEW_TITLE_CHARS, plain=True)
    elif view.get("submit") is not None or view.get("close") is not None:
        errors.append("a home view has no submit or close [json-pointer:/view]")
    for name, most in (
        ("private_metadata", MAX_PRIVATE_METADATA_CHARS),
        ("callback_id", MAX_ID_CHARS),
        ("external_id", MAX_ID_CHARS),
    ):
        value = view.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > most):
            errors.append(f"must be a string of at most {most} characters [json-pointer:/view/{name}]")
    blocks = view.get("blocks")
    if isinstance(blocks, list) and kind == "modal":
        if not blocks:
            errors.append("must have at least 1 item [json-pointer:/view/blocks]")
        has_input = any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
        if has_input and view.get("submit") is None:
            errors.append("missing required field: submit, needed with input blocks [json-pointer:/view]")
    try:
        validate_blocks(blocks, "modal" if kind == "modal" else "home")
    except InvalidBlocks as error:
        errors += error.errors
    if errors:
        raise InvalidBlocks(errors)


def _check_block(block: Json, place: str, surface: Surface, seen: IdSeen) -> list[str]:
    kind = block["type"]
    errors: list[str] = []
    if surface not in _SURFACES.get(kind, ()):
        return [f"unsupported type: {kind} [json-pointer:{place}/type]"]
    seen.block_id(block.get("block_id"), place, errors)
    check = _CHECKS.get(kind)
    if check is not None:
        check(block, place, errors, seen)
    return errors


def _section(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        errors.append(f"missing required field: text or fields [json-pointer:{place}]")
    if text is not None:
        check_text(text, f"{place}/text", errors, most=3000)
    if fields is not None:
        if not isinstance(fields, list) or not 1 <= len(fields) <= 10:
            errors.append(f"fields must have 1 to 10 items [json-pointer:{place}/fields]")
        else:
            for n, item in enumerate(fields):
                check_text(item, f"{place}/fields/{n}", errors, most=2000)
    if block.get("accessory") is not None:
        check_element(block["accessory"], f"{place}/accessory", errors, seen, allowed=_ACCESSORIES)


def _header(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    check_text(block.get("text"), f"{place}/text", errors, most=150, plain=True)


def _context(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    for n, element in enumerate(_elements(block, place, errors, most=10)):
        if isinstance(element, dict) and element.get("type") == "image":
            check_element(element, f"{place}/elements/{n}", errors, seen, allowed=frozenset({"image"}))
        else:
            check_text(element, f"{place}/elements/{n}", errors, most=3000)


def _actions(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    for n, element in enumerate(_elements(block, place, errors, most=25)):
        check_element(element, f"{place}/elements/{n}", errors, seen, allowed=_ACTIONS)


def _context_actions(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    allowed = frozenset({"feedback_buttons", "icon_button"})
    for n, element in enumerate(_elements(block, place, errors, most=5)):
        check_element(element, f"{place}/elements/{n}", errors, seen, allowed=allowed)


def _input(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    check_text(block.get("label"), f"{place}/label", errors, most=2000, plain=True)
    if block.get("hint") is not None:
        check_text(block["hint"], f"{place}/hint", errors, most=2000, plain=True)
    check_element(block.get("element"), f"{place}/element", errors, seen, allowed=_INPUTS)


def _markdown(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    text = block.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_MARKDOWN_CHARS:
        errors.append(f"text must be 1 to {MAX_MARKDOWN_CHARS} characters [json-pointer:{place}/text]")


def _image(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    check_element(block, place, errors, seen, allowed=frozenset({"image"}))
    if block.get("title") is not None:
        check_text(block["title"], f"{place}/title", errors, most=2000, plain=True)


def _rich_text(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    elements = block.get("elements")
    if not isinstance(elements, list):
        errors.append(f"missing required field: elements [json-pointer:{place}]")
        return
    for n, element in enumerate(elements):
        if not isinstance(element, dict) or element.get("type") not in _RICH_TEXT:
            errors.append(f"unsupported rich text element [json-pointer:{place}/elements/{n}]")
        elif not isinstance(element.get("elements"), list):
            errors.append(f"missing required field: elements [json-pointer:{place}/elements/{n}]")


def _file(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    if not isinstance(block.get("external_id"), str) or block.get("source") != "remote":
        errors.append(f'a file block needs external_id and source "remote" [json-pointer:{place}]')


_CHECKS: dict[str, Callable[[Json, str, list[str], IdSeen], None]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "context_actions": _context_actions,
    "input": _input,
    "markdown": _markdown,
    "image": _image,
    "rich_text": _rich_text,
    "file": _file,
    "data_visualization": check_chart,
}


def _elements(block: Json, place: str, errors: list[str], *, most: int) -> list[Any]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= most:
        errors.append(f"elements must have 1 to {most} items [json-pointer:{place}/elements]")
        return []
    return elements


def _sdk_faults(block: Json, place: str) -> list[str]:
    """What Slack's own models find wrong; they know limits of blocks that our tables leave alone."""
    try:
        parsed = Block.parse(block)
        if parsed is not None:
            parsed.to_dict()
    except SlackObjectFormationError as error:
        return [f"{error} [json-pointer:{place}]"]
    except (TypeError, AttributeError, ValueError, KeyError):
        return [f"malformed {block['type']} block [json-pointer:{place}]"]
    return []


def _text_chars(node: Any) -> int:
    """Characters of everything a reader would see: the `text` of any object below this one."""
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_text_chars(value) for value in node.values() if not isinstance(value, str))
    if isinstance(node, list):
        return sum(_text_chars(item) for item in node)
    return 0

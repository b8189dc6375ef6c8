"""The modals in which people teach: proposing a message, and editing what was proposed.

Slack keeps what stands in an input for as long as its block_id stays, and does not say when somebody types. So nothing
is ever put into the input that a person may be typing in: an offered request stands above it with a button, and a click
on that button puts it into an input of another block_id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.blocks.text import context, long_input, plain, read_long_input
from bot.domain.safe_text import shorten
from bot.texts import learning as texts
from config.prompt_sources import PromptSource

#: Slack's limit for a select.
MAX_OPTIONS = 100
#: Slack's limit for a section; what is longer is shown in part and offered whole.
SHOWN_CHARS = 3_000
PROMPT_BLOCK = "prompt"
#: The input for the request, once what was offered stands in it.
OFFERED_BLOCK = "offered_prompt"
OFFER_BLOCK = "offer"
COMPLETION_BLOCK = "completion"
#: The input for the output, once the message has changed places with it.
SWAPPED_BLOCK = "swapped_completion"
NOTE_BLOCK = "note"
#: Pairs of this thread that were set aside before, and whether this one shall be.
PAIRS_BLOCK = "pairs"
LATER_BLOCK = "later"
#: Whether those of them that are not ticked are thrown away.
DISCARD_BLOCK = "discard"
_COMPLETIONS = (COMPLETION_BLOCK, SWAPPED_BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a teaching modal has to remember of its message, as its private_metadata."""

    channel_id: str
    ts: str
    thread_ts: str
    author_id: str | None
    draft_id: str | None
    #: Where the request comes from that we put before the person, and a suggestion's words.
    offered: PromptSource | None = None
    suggestion: str | None = None

    def as_metadata(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    @classmethod
    def from_metadata(cls, metadata: str) -> Source:
        known = json.loads(metadata)
        offered = known.pop("offered")
        return cls(**known, offered=PromptSource(offered) if offered else None)

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachForm:
    """Everything that a teaching modal shows. `styles`: (style_id, name). Both texts fit into a modal's inputs."""

    source: Source
    styles: Sequence[tuple[str, str]]
    chosen_style_id: str | None
    completion: str
    prompt: str = ""
    #: What is said above the input for the request.
    note: str = ""
    #: A request that can be put into it with a click.
    offer: str = ""
    #: (pair_id, prompt, completion) of what this person has set aside in the thread; ten at most.
    pairs: Sequence[tuple[str, str, str]] = ()


def teach_view(form: TeachForm) -> dict[str, Any]:
    """Raises ValueError when a text does not fit."""
    options = [{"text": plain(name, 75), "value": style_id} for style_id, name in form.styles[:MAX_OPTIONS]]
    select: dict[str, Any] = {"type": "static_select", "action_id": "choose_taught_style", "options": options}
    chosen = [option for option in options if option["value"] == form.chosen_style_id]
    if chosen:
        select["initial_option"] = chosen[0]
    label = plain(texts.STYLE_LABEL())
    style = {"type": "input", "block_id": "style", "label": label, "element": select, "dispatch_action": True}
    note = [context(form.note) | {"block_id": NOTE_BLOCK}] if form.note else []
    offer = [_offer_block(form.offer)] if form.offer else []
    blocks = [style, *note, *offer, *_pair_inputs(form.prompt, form.completion), *_thread_inputs(form)]
    return _teach_modal(form.source, blocks)


def _thread_inputs(form: TeachForm) -> list[dict[str, Any]]:
    """For a message in a thread: the pairs to propose with it, and the choice to set it aside with them."""
    if not form.source.thread_ts:
        return []
    later = _checkboxes(LATER_BLOCK, texts.LATER_LABEL(), texts.LATER_HINT(), [_option("later", texts.LATER())])
    if not form.pairs:
        return [later]
    options = [
        _option(pair_id, shorten(prompt, 75)) | {"description": plain(shorten(completion, 75), 75)}
        for pair_id, prompt, completion in form.pairs
    ]
    pairs = _checkboxes(PAIRS_BLOCK, texts.PAIRS_LABEL(), texts.PAIRS_HINT(), options)
    pairs["element"]["initial_options"] = options
    discard = _checkboxes(DISCARD_BLOCK, texts.DISCARD_LABEL(), "", [_option("discard", texts.DISCARD())])
    return [pairs, discard, later]


def _checkboxes(block_id: str, label: str, hint: str, options: list[dict[str, Any]]) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "checkboxes", "action_id": block_id, "options": options}
    block = {"type": "input", "block_id": block_id, "label": plain(label), "element": element, "optional": True}
    return block | {"hint": plain(hint, 2_000)} if hint else block


def _option(value: str, text: str) -> dict[str, Any]:
    return {"text": plain(text, 75), "value": value}


def with_offer_used(
    blocks: Sequence[dict[str, Any]], source: Source, offer: str, values: Mapping[str, str | tuple[str, ...]]
) -> dict[str, Any]:
    """The modal with these blocks, after a person chose to use what was offered. What they had typed stays in sight."""
    typed = read_long_input(values, PROMPT_BLOCK).strip()
    note = [context(texts.OFFER_USED()) | {"block_id": NOTE_BLOCK}]
    if typed:
        shown = {"type": "section", "text": plain(texts.typed_before(typed), SHOWN_CHARS)}
        note.append(shown | {"block_id": OFFER_BLOCK})
    inputs = long_input(OFFERED_BLOCK, texts.PROMPT_LABEL(), offer, hint=texts.PROMPT_HINT())
    made: list[dict[str, Any]] = []
    for block in blocks:
        name = block["block_id"].partition("~")[0]
        if name == PROMPT_BLOCK:
            made += [*note, *inputs]
        elif name not in (NOTE_BLOCK, OFFER_BLOCK) and not name.startswith(f"{PROMPT_BLOCK}_"):
            made.append(block)
    return _teach_modal(source, made)


def with_message_moved(
    blocks: Sequence[dict[str, Any]], source: Source, values: Mapping[str, str | tuple[str, ...]], *, is_sorted: bool
) -> dict[str, Any] | None:
    """The modal with these blocks, with the message where a style that sorts messages wants it (as what was asked), or
    others do (as the output). None where a person has typed, or nothing would change."""
    initials = {
        block["block_id"]: block["element"].get("initial_value") or "" for block in blocks if block["type"] == "input"
    }
    asked, said = prompt_block(values), completion_block(values)
    here, there = (said, asked) if is_sorted else (asked, said)
    message, other = read_long_input(values, here), read_long_input(values, there)
    is_untouched = (message, other) == (read_long_input(initials, here), read_long_input(initials, there))
    if not message or other or not is_untouched:
        return None
    asked = PROMPT_BLOCK if asked == OFFERED_BLOCK else OFFERED_BLOCK
    said = COMPLETION_BLOCK if said == SWAPPED_BLOCK else SWAPPED_BLOCK
    prompt, completion = (message, "") if is_sorted else ("", message)
    note = [context(texts.SORTED()) | {"block_id": NOTE_BLOCK}] if is_sorted else []
    inputs = [*note, *_pair_inputs(prompt, completion, asked=asked, said=said)]
    made: list[dict[str, Any]] = []
    for block in blocks:
        name = block["block_id"].partition("~")[0]
        if name in (NOTE_BLOCK, OFFER_BLOCK) or name.startswith((PROMPT_BLOCK, OFFERED_BLOCK, *_COMPLETIONS)):
            made += inputs
            inputs = []
        else:
            made.append(block)
    return _teach_modal(replace(source, offered=None, suggestion=None), made)


def completion_block(values: Mapping[str, str | tuple[str, ...]]) -> str:
    """Which of the two inputs for the output this modal has."""
    return SWAPPED_BLOCK if SWAPPED_BLOCK in values else COMPLETION_BLOCK


def prompt_block(values: Mapping[str, str | tuple[str, ...]]) -> str:
    """Which of the two inputs for the request this modal has."""
    return OFFERED_BLOCK if OFFERED_BLOCK in values else PROMPT_BLOCK


def _offer_block(offer: str) -> dict[str, Any]:
    button = {"type": "button", "action_id": "use_offer", "text": plain(texts.USE_OFFER(), 75), "value": "offer"}
    return {"type": "section", "block_id": OFFER_BLOCK, "text": plain(offer, SHOWN_CHARS), "accessory": button}


def edit_example_view(
    *, metadata: str, prompt: str, completion: str, above: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """`above`: what to know before editing."""
    blocks = [*above, *_pair_inputs(prompt, completion)]
    return _modal("edit_example", texts.EDIT_TITLE(), texts.EDIT_SUBMIT(), metadata, blocks)


def _pair_inputs(
    prompt: str, completion: str, *, asked: str = PROMPT_BLOCK, said: str = COMPLETION_BLOCK
) -> list[dict[str, Any]]:
    return [
        *long_input(asked, texts.PROMPT_LABEL(), prompt, hint=texts.PROMPT_HINT()),
        *long_input(said, texts.COMPLETION_LABEL(), completion, hint=texts.COMPLETION_HINT()),
    ]


def _teach_modal(source: Source, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return _modal("teach", texts.TEACH_TITLE(), texts.TEACH_SUBMIT(), source.as_metadata(), blocks)


def _modal(callback_id: str, title: str, submit: str, metadata: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": metadata,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": blocks,
    }

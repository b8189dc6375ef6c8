"""The modals in which people teach: proposing a message, and editing what was proposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.blocks.text import long_input, plain
from bot.texts import learning as texts

#: Slack's limit for a select.
MAX_OPTIONS = 100


def teach_view(
    *, metadata: str, styles: Sequence[tuple[str, str]], chosen_style_id: str | None, prompt: str, completion: str
) -> dict[str, Any]:
    """`styles`: (style_id, name). Both texts fit into a modal's inputs, or ValueError."""
    options = [{"text": plain(name, 75), "value": style_id} for style_id, name in styles[:MAX_OPTIONS]]
    select: dict[str, Any] = {"type": "static_select", "action_id": "choice", "options": options}
    chosen = [option for option in options if option["value"] == chosen_style_id]
    if chosen:
        select["initial_option"] = chosen[0]
    style = {"type": "input", "block_id": "style", "label": plain(texts.STYLE_LABEL()), "element": select}
    blocks = [style, *_pair_inputs(prompt, completion)]
    return _modal("teach", texts.TEACH_TITLE(), texts.TEACH_SUBMIT(), metadata, blocks)


def edit_example_view(
    *, metadata: str, prompt: str, completion: str, above: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """`above`: what to know before editing."""
    blocks = [*above, *_pair_inputs(prompt, completion)]
    return _modal("edit_example", texts.EDIT_TITLE(), texts.EDIT_SUBMIT(), metadata, blocks)


def _pair_inputs(prompt: str, completion: str) -> list[dict[str, Any]]:
    return [
        *long_input("prompt", texts.PROMPT_LABEL(), prompt, hint=texts.PROMPT_HINT()),
        *long_input("completion", texts.COMPLETION_LABEL(), completion, hint=texts.COMPLETION_HINT()),
    ]


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

"""The window of "Add to knowledge": which files, and which style shall know them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.blocks.text import plain, section
from bot.texts import knowledge as texts

STYLE_BLOCK = "style"
#: Slack's own limits: options in a select, files in a message.
MAX_OPTIONS, MAX_FILES = 100, 10
#: What the window carries along is 3,000 characters at most.
NAME_CHARS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForm:
    """What the window is about. `files` are (id, name), the names as `plain_name` gives them."""

    channel_id: str
    ts: str
    files: tuple[tuple[str, str], ...]

    def as_metadata(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_metadata(cls, metadata: str) -> AddForm:
        read = json.loads(metadata)
        files = tuple((str(file_id), str(name)) for file_id, name in read["files"])
        return cls(channel_id=read["channel_id"], ts=read["ts"], files=files)


def add_view(form: AddForm, styles: Sequence[tuple[str, str]]) -> dict[str, Any]:
    options = [{"text": plain(name, 75), "value": style_id} for style_id, name in styles[:MAX_OPTIONS]]
    select: dict[str, Any] = {"type": "static_select", "action_id": "choice", "options": options}
    if len(options) == 1:
        select["initial_option"] = options[0]
    names = [name for _, name in form.files]
    return {
        "type": "modal",
        "callback_id": "add_knowledge",
        "private_metadata": form.as_metadata(),
        "title": plain(texts.ADD_TITLE(), 24),
        "submit": plain(texts.ADD_SUBMIT(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": [
            section(texts.files_to_add(names)),
            {"type": "input", "block_id": STYLE_BLOCK, "label": plain(texts.ADD_STYLE(), 2_000), "element": select},
        ],
    }

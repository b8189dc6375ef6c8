"""Every prompt that goes to the model, written down at the moment of sending. Only where the operator asks for it.

For whoever wants to see what really was sent: a file of JSON lines that its owner alone may read, which is put aside
when it has grown large. A log that cannot be written never keeps a draft from being made.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Collection
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

MAX_BYTES = 5_000_000
#: Ids of the examples and passages that stand in the prompt which this thread sends next.
SHOWN: ContextVar[Collection[str]] = ContextVar("shown", default=())


class PromptLog:
    """Appends to one file; without a path it does nothing. Thread-safe."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, arguments: dict[str, Any]) -> None:
        """The arguments of one request for a chat completion, the draft that it is for and what SHOWN says of it."""
        if self._path is None:
            return
        told = {name: arguments[name] for name in ("model", "max_tokens", "temperature", "messages")}
        draft_id = structlog.contextvars.get_contextvars().get("draft_id")
        told |= {"at": time.time(), "draft_id": draft_id, "shown": sorted(SHOWN.get())}
        line = json.dumps(told, ensure_ascii=False)
        try:
            with self._lock:
                self._append(self._path, line)
        except OSError as error:
            log.warning("prompt_log.not_written", error=str(error))

    @staticmethod
    def _append(path: Path, line: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".old"))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_shown(path: Path) -> dict[str, set[str]]:
    """The drafts whose prompts are written down, and what stood in them: more than in a draft's last one, where the
    first did not fit."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in _files(path):
        for line in _lines(file):
            if draft_id := _draft_of(line):
                found[draft_id] |= set(json.loads(line).get("shown") or ())
    return found


def drop_drafts(path: Path, draft_ids: Collection[str]) -> None:
    """Take the prompts of these drafts out of the log: what was in them is erased elsewhere too.

    A prompt that is no draft's asked for a request that a message could have answered. Nobody can say any more whose
    message that was, so it goes with any.
    """
    for file in _files(path):
        lines = _lines(file)
        kept = [line for line in lines if (draft_id := _draft_of(line)) and draft_id not in draft_ids]
        if len(kept) == len(lines):
            continue
        beside = file.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as new:
            new.writelines(f"{line}\n" for line in kept)
        beside.replace(file)


def _files(path: Path) -> list[Path]:
    return [file for file in (path, path.with_suffix(".old")) if file.exists()]


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line]


def _draft_of(line: str) -> str:
    try:
        return str(json.loads(line).get("draft_id") or "")
    except ValueError:  # cut off by a crash: nobody can say what it holds, so it goes with any draft
        return ""

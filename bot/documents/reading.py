"""Documents are read by a child process with a time limit, and come back as text: whatever is in a file stays there."""

from __future__ import annotations

import json
import subprocess
import sys

import structlog

from bot.documents.formats import MAX_BYTES, ReadDocument, Reason, Unreadable
from bot.domain.passages import Block
from config.settings import bare_environment

log = structlog.get_logger()

#: Less than a delivery is leased for, so that a slow file is not read twice.
READING_SECONDS = 25.0


def read_apart(name: str, data: bytes, *, timeout_seconds: float = READING_SECONDS) -> ReadDocument:
    """What `read_document` reads. Raises Unreadable, also when it takes too long or too much memory."""
    if len(data) > MAX_BYTES:
        raise Unreadable(Reason.TOO_LARGE)
    # -P: no module is taken from the folder that somebody happens to stand in, next to the file they add.
    command = [sys.executable, "-P", "-m", "bot.documents.child", name]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=timeout_seconds, check=False, env=bare_environment()
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unreadable(Reason.TOO_SLOW) from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        log.warning("document.reader_died", status=done.returncode)
        raise Unreadable(Reason.TOO_SLOW if done.returncode < 0 else Reason.DAMAGED) from error
    if "unreadable" in answer:
        log.info("document.unreadable", reason=answer["unreadable"], error=answer.get("error"))
        raise Unreadable(Reason(answer["unreadable"]))
    blocks = tuple(Block(text=text, headings=tuple(headings), page=page) for text, headings, page in answer["blocks"])
    return ReadDocument(blocks=blocks, pages=answer["pages"])

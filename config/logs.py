"""Logs: one line per thing that happened, an action word in the past tense first, ids bound by context.

The text of a message never goes into a log. Slack's tokens cannot: whatever renders a line, the last step takes
them out, tracebacks included. The standard library's logging comes out through the same door.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from config.settings import Settings

#: Every kind of Slack token: xoxb-, xoxp-, xoxa-, xoxr-, xoxe., xoxe-, xapp-, and xwfp-.
_TOKEN = re.compile(r"\b(xox[a-z](?:\.xox[a-z])?|xapp|xwfp)[-.][A-Za-z0-9%._-]{4,}")


def redact(text: str) -> str:
    """The text with every Slack token replaced by its kind and an ellipsis."""
    return _TOKEN.sub(lambda found: f"{found[1]}-…", text)


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines to `stream` (standard error), once per process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    output = stream or sys.stderr
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format, is_terminal=output.isatty()),
                _redact_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for chatty in ("httpx", "httpcore", "alembic", "apscheduler", "filelock", "matplotlib", "fsspec", "urllib3"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderers(log_format: str, *, is_terminal: bool) -> list[structlog.typing.Processor]:
    if log_format == "json":
        # Not `dict_tracebacks`, nor rich ones below: they write out local variables, and those hold people's texts.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=structlog.dev.plain_traceback)]


def _redact_line(logger: Any, method: str, line: str | bytes | MutableMapping[str, Any]) -> str:
    return redact(line if isinstance(line, str) else str(line))

"""What a log line never holds: Slack's tokens, and the values of local variables."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.logs import configure_logging, redact
from config.settings import Settings

# Put together here, so that no scanner takes them for real ones.
TOKENS = ["-".join(("xo" + "xb", "1234567890", "abcDEF")), "-".join(("xa" + "pp", "1", "A0B1", "c2d3")),
          ".".join(("xo" + "xe", "xo" + "xp-1-abcdef"))]  # fmt: skip


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_cut_down_to_its_kind(token: str) -> None:
    assert token not in redact(f"failed with token={token}, gave up")
    assert redact(f"failed with token={token}, gave up").endswith("…, gave up")


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.usefixtures("_logging_as_before")
def test_no_line_holds_a_token_or_a_local_variable(log_format: str, settings: Settings) -> None:
    stream = io.StringIO()
    configure_logging(settings.model_copy(update={"log_format": log_format}), stream=stream)

    def fail() -> None:
        text_of_an_example = "a customer's words".upper()
        raise ValueError(f"bad token {TOKENS[0]}, {len(text_of_an_example)} characters")

    with structlog.contextvars.bound_contextvars(run_id="run_1"):
        structlog.get_logger().info("run.claimed", token=TOKENS[1])
        logging.getLogger("slack_bolt").warning("signed in with %s", TOKENS[2])
        try:
            fail()
        except ValueError as error:
            structlog.get_logger().error("run.failed", exc_info=error)

    lines = stream.getvalue()
    assert not [token for token in TOKENS if token in lines]
    assert "CUSTOMER" not in lines
    assert "ValueError: bad token" in lines and "run_1" in lines and "signed in with" in lines
    if log_format == "json":
        first = json.loads(lines.splitlines()[0])
        assert (first["event"], first["run_id"], first["level"]) == ("run.claimed", "run_1", "info")

"""The child process of one run: `python -m trainer.launchers.child RUN_ID FENCE`.

The heartbeat starts before torch is imported, which takes seconds. When the claim is lost, the process ends on the
spot, wherever it is: what it was doing belongs to another trainer now.
"""

from __future__ import annotations

import os
import signal
import sys

import structlog

from config import failpoints
from config.logs import configure_logging
from config.settings import Settings, load_settings
from db.session import Database
from trainer.errors import StopReason
from trainer.hold import Hold

#: Exit codes that the worker tells apart from a death.
EXIT_ENDED, EXIT_CLAIM_LOST = 0, 75


def main(run_id: str, fence: int, settings: Settings) -> int:
    """Execute one run under a claim that the worker made. Returns the exit code."""
    database = Database(settings.resolved_database_url)
    hold = Hold(
        database, run_id, fence,
        heartbeat_seconds=settings.heartbeat_seconds, lease_seconds=settings.lease_seconds,
        on_lost=lambda: os._exit(EXIT_CLAIM_LOST),
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda number, frame: hold.request_stop(StopReason.SHUTDOWN))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to receive; it then sends SIGTERM
    with structlog.contextvars.bound_contextvars(run_id=run_id, fence=fence), hold:
        from transformers.utils.logging import disable_progress_bar

        from trainer.run import execute_run  # imports torch

        disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is reported to the database
        execute_run(database, settings, hold)
    database.dispose()
    return EXIT_ENDED


if __name__ == "__main__":
    loaded = load_settings()
    configure_logging(loaded)
    failpoints.arm(loaded.failpoint)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), loaded))

"""Many events at once, each timed from sending to acknowledgement: for bursts and for steady load.

Needs no workspace: a request URL and a signing secret are enough, so it can run in a process of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rehearsal.signed_http import SignedPoster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.rehearsal.options import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One event: seconds until the acknowledgement, or why there was none (Slack's retry reason)."""

    event_id: str
    seconds: float
    failure: str | None
    status: int


def deliver_many(
    url: str,
    signing_secret: str,
    payloads: Iterable[Json],
    *,
    connections: int = 50,
    per_second: float | None = None,
    timeout_seconds: float = 3.0,
    retry_attempt: int = 0,
) -> list[Timing]:
    """Post event_callback bodies to `url` once each, over this many keep-alive connections.

    `per_second` paces them evenly; None sends as fast as they are acknowledged. Returns one Timing per payload,
    in the order of completion.
    """
    poster = SignedPoster(url, signing_secret, timeout_seconds)
    work: queue.Queue[Json | None] = queue.Queue(maxsize=connections * 2)
    timings: list[Timing] = []

    def post_until_done() -> None:
        while (payload := work.get()) is not None:
            started = time.perf_counter()
            outcome = poster.post("events_api", payload, retry_attempt, "http_timeout")
            spent = time.perf_counter() - started
            timings.append(
                Timing(
                    event_id=payload["event_id"],
                    seconds=spent,
                    failure=outcome.failure,
                    status=outcome.status,
                )
            )

    threads = [threading.Thread(target=post_until_done, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    pace = threading.Event()
    for number, payload in enumerate(payloads):
        if per_second is not None:
            pace.wait(max(0.0, began + number / per_second - time.perf_counter()))
        work.put(payload)
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()
    poster.close()
    return timings


def percentile(timings: list[Timing], share: float) -> float:
    """The acknowledgement time that this share (0 to 1) of the acknowledged events stayed within, in seconds."""
    times = sorted(t.seconds for t in timings if t.failure is None)
    if not times:
        raise ValueError("no event was acknowledged")
    return times[min(len(times) - 1, round(share * (len(times) - 1)))]

"""How fast an event is acknowledged: while a draft streams and a run trains, and in a burst.

    python -m tests.benchmarks.ack [--seconds 60] [--per-second 50] [--burst 10000]

The bot is a process of its own behind signed HTTP on SQLite, beside a real model server, clock and trainer. Every
event is an empty mention, which the bot answers with a sentence, so each costs all that a real one does. Timed from
sending to the acknowledgement, by a sender in another process. Lost and doubled are counted in the channel.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bot.rehearsal.burst import Timing, deliver_many, percentile
from bot.rehearsal.seed import BRAND, GENERAL, MIA
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.inbox import count_unfinished_events
from db.outbox import OutboxMessage, OutboxStatus
from db.session import Database
from tests.benchmarks.installation import (
    Installation,
    cancel_training,
    free_port,
    http_workspace,
    installation,
    is_training,
    queue_training,
    read_run,
    resident_bytes,
    say_figure,
    teach_style,
)
from tests.support.wait import wait_until

Json = dict[str, Any]
SPAWN = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--burst", type=int, default=10_000)
    chosen = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        http_workspace(port) as workspace,
        installation(Path(folder), workspace, slack_mode="http", http_port=str(port)) as running,
    ):
        style = teach_style(
            running.database, name="stories", examples=240, rung=Rung.ZERO_SHOT,
            instructions="Tell a long story with every detail that comes to mind.",
        )  # fmt: skip
        running.start("serve", "trainer", "clock", "bot")
        run_id = queue_training(running.database, running.settings, style)
        wait_until(lambda: is_training(running.database, run_id), seconds=120, what="the first training step")
        steady(running, workspace, run_id, chosen.seconds, chosen.per_second)
        cancel_training(running.database, run_id)
        burst(running, workspace, chosen.burst)


def steady(running: Installation, workspace: Workspace, run_id: str, seconds: float, per_second: float) -> None:
    """Evenly paced events while drafts stream one after the other and the run goes on."""
    root, events = empty_mentions(workspace, round(seconds * per_second), first=0)
    first_step = read_run(running.database, run_id).progress["step"]
    stop, streamed = threading.Event(), Counter[str]()
    drafting = threading.Thread(target=keep_drafting, args=(workspace, stop, streamed), daemon=True)
    drafting.start()
    wait_until(lambda: workspace.calls("chat.startStream"), seconds=60, what="a draft streams")
    timings = send(workspace, events, per_second=per_second, connections=20)
    run = read_run(running.database, run_id)
    stop.set()
    drafting.join(120)
    wait_until(lambda: everything_is_done(running.database), seconds=120, what="all answered")
    p99 = percentile(timings, 0.99)
    lost, doubled = count_wrong(workspace, root, len(events))
    print(
        f"meanwhile: {streamed['drafts']} drafts streamed, run {run.status.value} "
        f"{run.progress.get('rung', '')} step {first_step} to {run.progress.get('step')}, load {os.getloadavg()[0]:.1f}"
    )
    say_figure(
        f"event acknowledged, {per_second:.0f} a second for {seconds:.0f} s, a draft streaming, a run training: p99",
        f"{p99 * 1000:.0f} ms (p50 {percentile(timings, 0.5) * 1000:.0f}, max {slowest(timings) * 1000:.0f})",
        "< 100 ms", p99 < 0.1 and not failed(timings),
    )  # fmt: skip
    say_figure(
        "  of these not acknowledged, lost, handled twice", f"{failed(timings)}, {lost}, {doubled} of {len(events)}",
        "0, 0, 0", not failed(timings) and not lost and not doubled,
    )  # fmt: skip


def burst(running: Installation, workspace: Workspace, number: int) -> None:
    """As many at once as 50 connections carry; nothing else goes on."""
    root, events = empty_mentions(workspace, number, first=500_000)
    before, began = resident_bytes(running.pid("bot")), time.monotonic()
    timings = send(workspace, events, connections=50)
    accepted = time.monotonic() - began
    wait_until(lambda: everything_is_done(running.database), seconds=240, what="all answered")
    answered = time.monotonic() - began
    grown = (resident_bytes(running.pid("bot")) - before) / 2**20
    lost, doubled = count_wrong(workspace, root, number)
    say_figure(
        f"burst of {number} events: not acknowledged, lost, handled twice", f"{failed(timings)}, {lost}, {doubled}",
        "0, 0, 0", not failed(timings) and not lost and not doubled,
    )  # fmt: skip
    p99 = percentile(timings, 0.99)
    say_figure(
        "  acknowledged in the burst: p99", f"{p99 * 1000:.0f} ms (max {slowest(timings) * 1000:.0f})", "< 500 ms",
        p99 < 0.5,
    )  # fmt: skip
    say_figure(
        "  all accepted, all answered after", f"{accepted:.0f} s, {answered:.0f} s", "< 120 s answered", answered < 120
    )
    say_figure("  memory the bot grew by", f"{grown:.0f} MiB", "< 100 MiB", grown < 100)


def send(workspace: Workspace, events: list[Json], **how: Any) -> list[Timing]:
    """Deliver from a process of its own, so that the workspace's work here is not counted as the bot's."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as elsewhere:
        url = workspace.state.app.request_url
        return elsewhere.submit(deliver_many, url or "", workspace.signing_secret, events, **how).result()


def empty_mentions(workspace: Workspace, number: int, *, first: int) -> tuple[str, list[Json]]:
    """Mentions without a request in a thread of their own, each an event of its own."""
    bot = workspace.seed.bot_user_id
    root = workspace.person(MIA).post(GENERAL, "a thread for all of them")["ts"]
    events = [
        workspace.event_payload(
            {
                "type": "app_mention", "user": MIA, "channel": GENERAL, "text": f"<@{bot}>", "thread_ts": root,
                "ts": f"1700000000.{n:06d}", "event_ts": f"1700000000.{n:06d}",
            }
        )
        for n in range(first, first + number)
    ]  # fmt: skip
    return root, events


def keep_drafting(workspace: Workspace, stop: threading.Event, streamed: Counter[str]) -> None:
    """One draft after the other, each asked for when the last has ended."""
    while not stop.is_set():
        seen = len(workspace.calls("chat.stopStream"))
        workspace.person(MIA).mention_bot(BRAND, f"stories: a long story, number {seen}, about a ship and its crew")
        deadline = time.monotonic() + 90
        while len(workspace.calls("chat.stopStream")) <= seen and time.monotonic() < deadline:
            stop.wait(0.05)
            if stop.is_set():
                return
        streamed["drafts"] += 1


def everything_is_done(database: Database) -> bool:
    with database.read() as session:
        owed = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.status != OutboxStatus.SENT)
        return count_unfinished_events(session) == 0 and session.scalar(owed) == 0


def count_wrong(workspace: Workspace, root: str, number: int) -> tuple[int, int]:
    """Lost and doubled: every event is answered by one post in the thread."""
    posts = sum(1 for call in workspace.calls("chat.postMessage") if call.ok and call.args.get("thread_ts") == root)
    return max(0, number - posts), max(0, posts - number)


def failed(timings: list[Timing]) -> int:
    return sum(1 for timing in timings if timing.status != 200)


def slowest(timings: list[Timing]) -> float:
    return max(timing.seconds for timing in timings)


if __name__ == "__main__":
    main()

"""How long others wait for the first text of their draft while one person asks 500 times a minute, and a hundred 20.

    python -m tests.benchmarks.flood [--others 48] [--seconds 30]

The same people ask at the same pace twice: alone, and beside the flood. Then a hundred people ask twice as much as one
person may, for a minute. Real mentions over Socket Mode to a bot in a process of its own; the model server is scripted,
so that what is measured is the bot.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from bot.domain import throttle
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.drafts import Draft
from tests.benchmarks.installation import Installation, installation, resident_bytes, say_figure, teach_style
from tests.support.crowd import OTHERS, Watch, crowded_seed, is_quiet, notices_by_person
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

PER_MINUTE = 500
GOAL = 2.0
#: What each of the hundred asks within a minute.
EACH = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, default=48, help="how many people ask, once each, in each of the two")
    parser.add_argument("--seconds", type=float, default=30.0)
    chosen = parser.parse_args()
    options = WorkspaceOptions(journal_entries=100_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedModel() as model,
        Workspace(seed=crowded_seed(), options=options) as workspace,
        installation(Path(folder), workspace, model_url=model.url) as running,
    ):
        teach_style(
            running.database, name="brand-voice", instructions="Short and warm.", examples=20, rung=Rung.RETRIEVED
        )  # fmt: skip
        running.start("bot")
        wait_until(lambda: workspace.connections > 0, seconds=30, what="the bot is connected")
        ask(workspace, OTHERS[-3:], 3.0)  # what is only done once is done
        half = min(chosen.others, (len(OTHERS) - 3) // 2)
        alone = ask(workspace, OTHERS[:half], chosen.seconds)
        with flood(workspace) as asked:
            beside = ask(workspace, OTHERS[half : 2 * half], chosen.seconds)
        drafted = count_drafts(running)[MIA]
        crowd = hundred_ask(workspace, running)
    ratio = p95(beside) / p95(alone)
    say_figure(
        f"first text for others, p95, beside {PER_MINUTE} questions a minute by one person",
        f"{p95(beside) * 1000:.0f} ms against {p95(alone) * 1000:.0f} alone: {ratio:.2f}x "
        f"({half} people each; of {asked[0]} questions {drafted} were drafted)",
        f"< {GOAL:.0f}x", ratio < GOAL and drafted <= 2 * throttle.PER_PERSON,
    )  # fmt: skip
    say_figure(
        f"a hundred people, {EACH} questions each in a minute",
        f"{crowd.drafted} drafted, at most {crowd.most_by_one} by one person; {crowd.untold} held back and not told, "
        f"at most {crowd.most_notices} notices each; first text p95 {crowd.p95 * 1000:.0f} ms",
        f"at most {throttle.PER_PERSON} a minute each, all told",
        crowd.most_by_one <= 2 * throttle.PER_PERSON and crowd.untold == 0,
    )  # fmt: skip
    say_figure(
        "  most drafts open at once; all worked off after; memory the bot grew by",
        f"{crowd.most_open}; {crowd.seconds:.0f} s; {crowd.grown / 2**20:.0f} MiB",
        f"<= {throttle.OPEN_PER_WORKSPACE}; -; < 100 MiB",
        crowd.most_open <= throttle.OPEN_PER_WORKSPACE and crowd.grown < 100 * 2**20,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What became of a hundred people's questions: counts, seconds, bytes."""

    drafted: int
    most_by_one: int
    untold: int
    most_notices: int
    p95: float
    most_open: int
    seconds: float
    grown: int


def hundred_ask(workspace: Workspace, running: Installation) -> Crowd:
    """Everybody asks, one after the other, round after round, evenly over a minute."""
    drafts, notices = count_drafts(running), notices_by_person(workspace)
    memory, watch, pace = resident_bytes(running.pid("bot")), Watch(running.database), threading.Event()
    asked: dict[str, float] = {}
    began = time.time()
    watch.start()
    for number in range(EACH * len(OTHERS)):
        pace.wait(max(0.0, began + number * 60 / (EACH * len(OTHERS)) - time.time()))
        at, person = time.time(), workspace.person(OTHERS[number % len(OTHERS)])
        asked[person.mention_bot(BRAND, f"announce event {number} of many")["ts"]] = at
    wait_until(lambda: is_quiet(running.database), seconds=300, what="all is worked off", every=0.25)
    seconds, most_open = time.time() - began, watch.end()
    mine = count_drafts(running) - drafts
    told = notices_by_person(workspace) - notices
    firsts = first_texts(workspace)
    return Crowd(
        drafted=mine.total(), most_by_one=max(mine.values()),
        untold=sum(mine[person] < EACH and not told[person] for person in OTHERS), most_notices=max(told.values()),
        p95=p95([firsts[ts] - at for ts, at in asked.items() if ts in firsts]), most_open=most_open, seconds=seconds,
        grown=resident_bytes(running.pid("bot")) - memory,
    )  # fmt: skip


def ask(workspace: Workspace, people: tuple[str, ...], seconds: float) -> list[float]:
    """Each asks once, evenly over this time; returns how long each waited for the first text, in seconds."""
    asked: dict[str, float] = {}
    pace, began = threading.Event(), time.time()
    for number, user_id in enumerate(people):
        pace.wait(max(0.0, began + number * seconds / len(people) - time.time()))
        at = time.time()
        asked[workspace.person(user_id).mention_bot(BRAND, f"announce event {number}")["ts"]] = at
    wait_until(lambda: asked.keys() <= first_texts(workspace).keys(), seconds=120, what="all answered", every=0.2)
    return [first_texts(workspace)[ts] - at for ts, at in asked.items()]


def first_texts(workspace: Workspace) -> dict[str, float]:
    """When Slack had the first text in each thread."""
    return {call.args["thread_ts"]: call.at for call in workspace.calls("chat.startStream") if call.ok}


@contextmanager
def flood(workspace: Workspace) -> Iterator[list[int]]:
    """One person asks without end; how often is in the list."""
    ended, asked = threading.Event(), [0]

    def keep_asking() -> None:
        person, began = workspace.person(MIA), time.monotonic()
        while not ended.wait(max(0.0, began + asked[0] * 60 / PER_MINUTE - time.monotonic())):
            asked[0] += 1
            person.mention_bot(BRAND, f"question {asked[0]}")

    thread = threading.Thread(target=keep_asking, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join()


def count_drafts(running: Installation) -> Counter[str]:
    """By who asked for them."""
    with running.database.read() as session:
        return Counter(session.scalars(select(Draft.requested_by)))


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[round(0.95 * (len(seconds) - 1))]


if __name__ == "__main__":
    main()

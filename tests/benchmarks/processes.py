"""Memory and start-up seconds of each process of an installation, as `huisstijl up` starts them.

    python -m tests.benchmarks.processes [--steps 8]

Start-up is from the start of the process until it does its work, each started while the others are idle. The child
of a run counts from its own start to its first training step, dataset and models included. Memory is what is
resident after the starts, and for the child the most that was seen while it trained.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bot.drafting.model import ModelClient
from config.base_names import base_model_id
from config.rungs import Rung
from tests.benchmarks.installation import (
    Installation,
    age_seconds,
    cancel_training,
    children_of,
    installation,
    is_training,
    queue_training,
    read_run,
    resident_bytes,
    say_figure,
    teach_style,
)
from tests.support.wait import wait_until

#: The order of `huisstijl up`.
NAMES = ("workspace", "serve", "trainer", "clock", "bot")
WHAT = {
    "workspace": "local workspace",
    "serve": "model server, model and embeddings loaded",
    "trainer": "trainer, idle",
    "clock": "clock",
    "bot": "bot, Socket Mode",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8, help="training steps to watch the child for")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, installation(Path(folder), None) as running:
        style = teach_style(
            running.database, name="package-synopsis", examples=240, rung=Rung.ZERO_SHOT,
            instructions="Write the one-line synopsis of the software package that is described.",
        )  # fmt: skip
        seconds = {}
        for name in NAMES:
            began = time.perf_counter()
            running.start(name)
            seconds[name] = time.perf_counter() - began
        write_one_draft(running)
        memory = {name: resident_bytes(running.pid(name)) for name in NAMES}
        run_id = queue_training(running.database, running.settings, style)
        to_first_step, most = watch_child(running, run_id, chosen.steps)
        cancel_training(running.database, run_id)
    for name in NAMES:
        say_figure(WHAT[name], f"{memory[name] / 2**20:.0f} MiB, starts in {seconds[name]:.1f} s")
    say_figure(
        "trainer's child while training (cpu-small)",
        f"{most / 2**20:.0f} MiB at most, first step after {to_first_step:.1f} s",
    )
    say_figure(
        "all processes, idle", f"{sum(memory.values()) / 2**20:.0f} MiB, started in {sum(seconds.values()):.1f} s"
    )


def write_one_draft(running: Installation) -> None:
    """A model server that has never written holds less than one at work."""
    model = ModelClient(running.settings)
    pieces = model.stream(
        [{"role": "user", "content": "Tell a story."}], model=base_model_id(running.settings.base_model),
        max_tokens=64, deadline=time.monotonic() + 60,
    )  # fmt: skip
    for _ in pieces:
        pass
    model.close()


def watch_child(running: Installation, run_id: str, steps: int) -> tuple[float, int]:
    """Seconds from the child's start to its first step, and the most bytes it held until so many steps were made."""
    trainer = running.pid("trainer")
    child = wait_until(lambda: next(iter(children_of(trainer)), None), seconds=30, what="the child has started") or 0
    most = 0

    def look(is_reached: bool) -> bool:
        nonlocal most
        most = max(most, resident_bytes(child))
        return is_reached

    wait_until(lambda: look(is_training(running.database, run_id)), seconds=120, what="the first step")
    to_first_step = age_seconds(child)
    wait_until(
        lambda: look(int(read_run(running.database, run_id).progress.get("step") or 0) >= steps),
        seconds=180, what=f"{steps} steps",
    )  # fmt: skip
    return to_first_step, most


if __name__ == "__main__":
    main()

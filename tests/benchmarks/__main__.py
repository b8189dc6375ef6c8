"""`make bench`: every measurement, one after the other, and one table of what was promised and what was seen.

    python -m tests.benchmarks [PART …] [--list]

Each part is a program of its own (`python -m tests.benchmarks.<part>`) and runs in a process of its own, so that no
part's memory or threads are another's. Exits 1 when a goal was missed or a part did not end well. The figures are
those of this machine and of what else runs on it: the load average stands beside them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from config.settings import load_settings

#: What `make bench` may take on two cores, and what one part may take before it is stopped.
BUDGET_MINUTES = 18
MAX_PART_SECONDS = 420.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program of this folder."""

    name: str
    #: Seen on two cores without a GPU.
    seconds: int
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table. `is_met` is None where nothing was promised."""

    measure: str
    value: str
    goal: str
    is_met: bool | None


def parts() -> tuple[Part, ...]:
    return (
        Part(name="first_token", seconds=40),
        Part(name="approval", seconds=30),
        Part(name="processes", seconds=75),
        Part(name="flood", seconds=80),
        Part(name="ack", seconds=210),
        Part(name="serving", seconds=200, arguments=(str(load_settings().models_dir),)),
        Part(name="scoring", seconds=120),
        Part(name="training", seconds=220),
    )


def main() -> int:
    known = {part.name: part for part in parts()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"which to run, of {', '.join(known)}; all when none is named")
    parser.add_argument("--list", action="store_true", help="name the parts and how long each takes")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.part if name not in known]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(known)}")
    selected = [known[name] for name in chosen.part] or list(known.values())
    console = Console()
    foreseen = sum(part.seconds for part in selected)
    console.print(f"{len(selected)} parts, about {foreseen / 60:.0f} minutes of {BUDGET_MINUTES}; {machine()}")
    if chosen.list:
        for part in selected:
            console.print(f"{part.name}: about {part.seconds} s")
        return 0
    began = time.monotonic()
    figures = [figure for part in selected for figure in run_part(part, console)]
    minutes = (time.monotonic() - began) / 60
    print_table(console, figures)
    console.print(f"{minutes:.1f} minutes (budget: {BUDGET_MINUTES}); {machine()}")
    return 0 if all(figure.is_met is not False for figure in figures) else 1


def run_part(part: Part, console: Console) -> list[Figure]:
    """Run one part, show what it says, and read its figures."""
    console.rule(f"{part.name} (about {part.seconds} s; load {os.getloadavg()[0]:.1f})")
    command = [sys.executable, "-m", f"tests.benchmarks.{part.name}", *part.arguments]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        # Its children end with it: an interrupted program leaves its `with` blocks.
        watchdog = threading.Timer(MAX_PART_SECONDS, process.terminate)
        watchdog.start()
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip("\n"))
                console.print(line.rstrip("\n"), highlight=False, markup=False)
        finally:
            watchdog.cancel()
    figures = read_figures(part.name, lines)
    if not figures:
        ended = f"no figure; the part ended with exit code {process.returncode}"
        figures = [Figure(measure=part.name, value=ended, goal="a figure", is_met=False)]
    return figures


def read_figures(name: str, lines: list[str]) -> list[Figure]:
    if name == "training":
        return read_training(lines)
    if name == "serving":
        return read_serving(lines)
    return read_said(lines)


def read_said(lines: list[str]) -> list[Figure]:
    """The lines that `say_figure` wrote."""
    figures = []
    for line in lines:
        if line.startswith("figure | "):
            measure, value, goal, verdict = (cell.strip() for cell in line.removeprefix("figure |").split(" | ", 3))
            is_met = {"yes": True, "NO": False}.get(verdict)
            figures.append(Figure(measure=measure, value=value, goal=goal, is_met=is_met))
    return figures


def read_training(lines: list[str]) -> list[Figure]:
    """Two rows of speed and loss, and their ratio."""
    rows = [line.split()[-2:] for line in lines if line.startswith(("TRL as it comes", "huisstijl"))]
    ratio = next((float(found[1]) for line in lines if (found := re.match(r"ratio ([\d.]+) ", line))), None)
    if ratio is None or len(rows) != 2:
        return []
    (stock, stock_loss), (ours, our_loss) = rows
    return [
        Figure(
            measure="training throughput against plain TRL", value=f"{ratio:.2f}x ({ours} to {stock} tokens/s)",
            goal=">= 2.5x", is_met=ratio >= 2.5,
        ),
        Figure(
            measure="  held-out loss of both, nats per token", value=f"{our_loss} to {stock_loss}",
            goal="within 0.05", is_met=float(our_loss) <= float(stock_loss) + 0.05,
        ),
    ]  # fmt: skip


def read_serving(lines: list[str]) -> list[Figure]:
    """The tables of the serving benchmark: speeds by requests at once, and the row about a new adapter."""
    figures = []
    for line, following in itertools.pairwise(lines):
        cells = following.split()
        if line.startswith("published s") and len(cells) >= 5:
            first, asked, broken = float(cells[1]), int(cells[3]), int(cells[4])
            figures += [
                Figure(
                    measure="new adapter: first token after its promotion", value=f"{first:.2f} s", goal="< 5 s",
                    is_met=first < 5.0,
                ),
                Figure(
                    measure="  requests failed meanwhile", value=f"{broken} of {asked}", goal="0", is_met=broken == 0
                ),
            ]  # fmt: skip
    for line in lines:
        cells = line.split()
        if line.startswith(("r 16", "-  ")) and len(cells) >= 8:
            adapter, speeds = ("an adapter", cells[2:]) if cells[0] == "r" else ("no adapter", cells[1:])
            value = f"{speeds[1]} tokens/s, {speeds[-1]}x transformers, first token {speeds[2]} ms"
            figures.append(Figure(measure=f"serving {speeds[0]} at once, {adapter}", value=value, goal="", is_met=None))
    return figures


def print_table(console: Console, figures: list[Figure]) -> None:
    table = Table(title="Measured", show_lines=False)
    for column in ("measure", "value", "goal", "met"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        met = "" if figure.is_met is None else "yes" if figure.is_met else "NO"
        table.add_row(figure.measure, figure.value, figure.goal, met)
    console.print(table)


def machine() -> str:
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}"


if __name__ == "__main__":
    sys.exit(main())

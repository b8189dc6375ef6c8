"""Which data the pages are about, and the command under each table: written in one place, so that they can be run as
they stand. `tests/architecture/test_commands.py` parses every one of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

#: The file that every figure of the pages is measured on.
DATA, RECORDS = "debian-packages.jsonl", 5_995
SHA256 = "e45042799044cb0c38210a757cc53877e9587cd12244bca5c194252b08d5c2d4"


def data_named(used: int) -> str:
    """The data in a sentence; `used` is how many records are short enough."""
    return (
        f"The data is `{DATA}`: {RECORDS:,} records of Debian 12's package metadata\n(sha256 `{SHA256}`),\n"
        f"of which the {used:,} with a description of at most 700 characters are used. The commands expect it where\n"
        "they are run."
    )


def command(part: str, *options: str | int) -> str:
    """As it is typed, in Markdown: `study`, `--train`, 400, …"""
    words = ["python", "-m", f"tests.benchmarks.ladder.{part}", "--data", DATA, *map(_quoted, options)]
    return f"`{' '.join(words)}`"


def numbers(values: Iterable[int]) -> tuple[int, ...]:
    """Ascending, each once: seeds and sizes of what is stored."""
    return tuple(sorted(set(values)))


def _quoted(option: str | int) -> str:
    return f'"{option}"' if " " in str(option) else str(option)


def ask_for_data(parser: argparse.ArgumentParser, data: Path | None) -> Path:
    """The file, or the usage with what is missing. Raises SystemExit."""
    if data is None:
        parser.error("--data FILE is needed to measure; --show prints what is stored")
    return data


def say_stored(file: Path) -> None:
    sys.stdout.write(f"{file.name}: already stored, nothing to measure\n")

"""The commands of the pages can be run as they stand: each benchmark that is named exists and takes its options."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex

import pytest

from tests.architecture.generated_docs import ROOT

PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md")), ROOT / "trainer/LOG.md"]
COMMANDS = sorted(
    {
        (page.name, " ".join(found.split()))
        for page in PAGES
        for found in re.findall(r"`(python -m tests\.benchmarks[^`]*)`", page.read_text())
    }
)


def problem_of(command: str) -> str | None:
    """Why it cannot be run, or None."""
    _, _, module, *options = shlex.split(command)
    if module == "tests.benchmarks":
        return None  # `PART …` stands for a name
    if importlib.util.find_spec(module) is None:
        return "there is no such benchmark"
    parser = getattr(importlib.import_module(module), "parser", None)
    if parser is None:
        return "it takes no options" if options else None
    try:
        chosen = vars(parser().parse_args(options))
    except SystemExit:
        return "its options are not taken"
    if "data" in chosen and chosen["data"] is None and not chosen.get("show"):
        return "--data is missing"
    return None


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_of_the_pages_can_be_run(page: str, command: str) -> None:
    assert problem_of(command) is None, f"{page}: {command}"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("python -m tests.benchmarks.ladder.study", "its options are not taken"),
        ("python -m tests.benchmarks.ladder.recipes --points default", "--data is missing"),
        ("python -m tests.benchmarks.ladder.recipes --show", None),
        ("python -m tests.benchmarks.ladder.nothing", "there is no such benchmark"),
        ("python -m tests.benchmarks.ladder.gate --unheard", "it takes no options"),
    ],
)
def test_a_command_that_cannot_be_run_is_noticed(command: str, problem: str | None) -> None:
    assert problem_of(command) == problem

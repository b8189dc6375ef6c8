"""Rules of the house that a reader could forget: each is checked over every file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.generated_docs import ROOMS, ROOT

SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def _offenders(pattern: str, paths: list[Path]) -> list[str]:
    found = re.compile(pattern)
    return [str(path.relative_to(ROOT)) for path in paths if found.search(path.read_text())]


@pytest.mark.parametrize(
    "pattern",
    [r"\bimport pickle\b", r"torch\.load\(", r"trust_remote_code *= *True", r"yaml\.load\(", r"shell *= *True"],
)
def test_nothing_runs_code_that_came_as_data(pattern: str) -> None:
    assert not _offenders(pattern, SOURCES)


def test_only_the_settings_read_the_environment() -> None:
    assert _offenders(r"os\.environ|os\.getenv", SOURCES) in ([], ["config/settings.py"])


def test_only_the_session_commits() -> None:
    others = [path for path in SOURCES if path.name != "session.py" and "migrations" not in path.parts]
    others = [path for path in others if "rehearsal" not in path.parts]  # the local workspace keeps a store of its own
    assert not _offenders(r"\.commit\(\)", others)


def test_no_test_patches_or_sleeps() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_rules.py"]
    assert not _offenders(r"mock\.patch|mocker\.patch|time\.sleep\(|pytest\.skip\(|monkeypatch\.setattr", tests)


def test_prompts_are_put_together_in_one_place() -> None:
    elsewhere = [path for path in SOURCES if path.name != "prompts.py" and "serving" not in path.parts]
    assert not _offenders(r"""["']role["']: *["']system["']""", elsewhere)


def test_imports_follow_the_arrows() -> None:
    finished = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / ".importlinter")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout[-3000:]


def test_bot_and_clock_run_without_the_model_libraries() -> None:
    """A process in which torch and its family cannot be imported imports the whole bot."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "peft", "trl", "datasets", "accelerate", "matplotlib"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import pkgutil, importlib, bot, db, config
for package in (bot, db, config):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
"""
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]

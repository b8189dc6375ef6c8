"""The command line: known troubles end in a sentence and an exit code, never in a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from config.settings import Settings, child_environment


def huisstijl(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = Settings(_env_file=None, data_dir=tmp_path / "data")
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments], cwd=tmp_path, env=child_environment(settings, **environment),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_manifest_is_json_that_slack_can_read(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "manifest")
    assert finished.returncode == 0
    assert json.loads(finished.stdout)["settings"]["socket_mode_enabled"] is True


def test_a_bad_setting_stops_the_start_and_names_itself(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "bot", HUISSTIJL_TICK_SECONDS="soon")
    assert finished.returncode == 2
    assert "TICK_SECONDS" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_bot_without_tokens_says_what_is_missing(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "bot")
    assert finished.returncode == 1
    assert "SLACK_BOT_TOKEN" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_process_on_a_database_of_another_revision_says_how_to_mend_it(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "clock")
    assert finished.returncode == 1
    assert "revision" in finished.stderr
    assert "huisstijl db upgrade" in finished.stderr or "expects" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_upgrade_makes_the_database(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "db", "upgrade")
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "data" / "huisstijl.db").exists()


def test_chat_without_a_workspace_says_how_to_start_one(tmp_path: Path) -> None:
    finished = huisstijl(tmp_path, "chat", HUISSTIJL_WORKSPACE_PORT="1")
    assert finished.returncode == 1
    assert "huisstijl up" in finished.stdout

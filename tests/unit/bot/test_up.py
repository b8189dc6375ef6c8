"""`huisstijl up`: what dies is started again, what is asked to stop stops, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bot.up import NICENESS, AlreadyUp, Child, only_one, plan, stop_all
from config.settings import Settings
from tests.support.wait import wait_until


def child(name: str, code: str) -> Child:
    return Child(name=name, command=[sys.executable, "-c", code], environment=dict(os.environ))


SLEEPS = "import threading; threading.Event().wait(60)"


def test_a_process_that_dies_is_started_again_after_a_pause() -> None:
    dying = child("dying", "raise SystemExit(3)")
    dying.start()

    def has_died() -> bool:
        dying.watch()
        return dying.deaths == 1

    wait_until(has_died, seconds=20)
    assert dying.process is None

    def is_back() -> bool:
        dying.watch()
        return dying.deaths == 2

    wait_until(is_back, seconds=20)


def test_who_gives_way_shares_our_session_so_that_niceness_counts_and_has_a_group_of_its_own() -> None:
    trainer, bot = child("trainer", SLEEPS), child("bot", SLEEPS)
    for one in (trainer, bot):
        one.start()
    pids = [one.process.pid for one in (trainer, bot) if one.process]
    niceness = [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids]
    sessions, groups = [os.getsid(pid) for pid in pids], [os.getpgid(pid) for pid in pids]
    stop_all([trainer, bot])
    assert niceness[0] - niceness[1] == NICENESS["trainer"]
    assert sessions == [os.getsid(0)] * 2  # Linux shares the cores evenly between sessions, whatever the niceness
    assert groups == pids  # the terminal's Ctrl-C does not reach them


def test_everything_is_stopped_and_nothing_is_left() -> None:
    children = [child("first", SLEEPS), child("second", SLEEPS)]
    for one in children:
        one.start()
    stop_all(children)
    assert [one.process.returncode for one in children if one.process] == [-15, -15]


def test_a_folder_is_held_by_one_at_a_time_and_free_again_after_it(tmp_path: Path) -> None:
    with only_one(tmp_path / "data"), pytest.raises(AlreadyUp, match="stop it"), only_one(tmp_path / "data"):
        pass
    with only_one(tmp_path / "data"):
        pass


def test_a_workspace_of_our_own_comes_first_and_only_without_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path)
    names = [one.name for one in plan(settings)]
    assert names == ["workspace", "serve", "trainer", "clock", "bot"]
    bot = plan(settings)[-1]
    assert bot.environment["SLACK_BOT_TOKEN"].startswith("xoxb-")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-real")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-real")
    with_tokens = Settings(_env_file=None, data_dir=tmp_path)
    assert [one.name for one in plan(with_tokens)] == ["serve", "trainer", "clock", "bot"]

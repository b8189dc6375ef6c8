"""Docs that cannot rot: what they list is what the code has."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from typer.main import get_command

from bot.cli import app
from bot.listeners import ROUTES
from bot.listeners.huisstijl import SUBCOMMANDS
from config.slack_manifest import BOT_EVENTS, build_manifest
from tests.architecture.generated_docs import PAGES, ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_generated_pages_say_what_the_code_says(page: str) -> None:
    assert (ROOT / page).read_text() == PAGES[page](), f"{page} is out of date: run `make docs`"


def test_every_command_line_command_is_documented() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    commands: dict[str, object] = dict(get_command(app).commands)  # type: ignore[attr-defined]
    missing = [name for name in commands if f"`huisstijl {name}" not in page]
    assert not missing


def test_every_slash_command_is_documented() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    assert not [name for name in SUBCOMMANDS if f"`/huisstijl {name}" not in page]
    assert "`/draft" in page


def test_documented_slash_commands_exist() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    documented = set(re.findall(r"`/huisstijl (\w+)", page))
    assert documented == set(SUBCOMMANDS)


def test_manifest_and_listeners_agree() -> None:
    manifest = build_manifest()
    commands = {command["command"] for command in manifest["features"]["slash_commands"]}
    shortcuts = {shortcut["callback_id"] for shortcut in manifest["features"]["shortcuts"]}
    routed = {
        surface: {r.trigger.split(":")[0] for r in ROUTES if r.surface == surface}
        for surface in ("command", "shortcut", "event")
    }
    assert routed["command"] == commands
    assert routed["shortcut"] == shortcuts
    heard = {name.split(".")[0] for name in BOT_EVENTS}
    bolt_handles = {"app_uninstalled", "tokens_revoked"}  # the token is useless then; there is nothing to do
    assert heard - bolt_handles == routed["event"]


def test_manifest_reads_no_channel_history() -> None:
    scopes = build_manifest()["oauth_config"]["scopes"]["bot"]
    assert [scope for scope in scopes if scope.endswith(":history")] == ["im:history"]


def test_no_code_path_calls_a_history_method() -> None:
    calling = re.compile(r"conversations_(history|replies)|conversations\.(history|replies)")
    users = [p for p in (ROOT / "bot").rglob("*.py") if "rehearsal" not in p.parts and calling.search(p.read_text())]
    assert not users


def test_readme_names_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"`make (\w+)`", README)) <= targets
    assert {"up", "test", "rehearse"} <= set(re.findall(r"make (\w+)", README))


def test_readme_links_lead_somewhere() -> None:
    broken = [
        link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link and not (ROOT / link).exists()
    ]
    assert not broken


def test_procfile_commands_exist() -> None:
    for line in (ROOT / "Procfile").read_text().splitlines():
        _, _, command = line.partition(": huisstijl ")
        finished = subprocess.run(
            [sys.executable, "-m", "bot.cli", *command.split(), "--help"], capture_output=True, timeout=60, check=False
        )
        assert finished.returncode == 0, line

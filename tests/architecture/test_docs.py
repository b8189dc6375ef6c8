"""Docs that cannot rot: what they list is what the code has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.main import get_command

from bot.cli import app
from bot.listeners import REACTIONS, ROUTES
from bot.listeners.huisstijl import SUBCOMMANDS
from bot.rehearsal.scopes import METHOD_SCOPES
from config.settings import Settings
from config.slack_manifest import BOT_EVENTS, build_manifest, create_app_link, needed_scopes
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


def bot_files() -> list[Path]:
    return [path for path in (ROOT / "bot").rglob("*.py") if "rehearsal" not in path.parts]


def files_with(pattern: str) -> set[str]:
    found = re.compile(pattern)
    return {str(path.relative_to(ROOT)) for path in bot_files() if found.search(path.read_text())}


def test_only_flagging_reads_history_and_flagging_is_off_unless_turned_on() -> None:
    """One call in one verb of the gateway. The listeners of flagging use that verb, and nothing routes to them; so does
    teaching, for the message that a reply answers, where flagging is on; tests/acceptance/test_suggestions.py shows
    that it calls no history method where it is off."""
    assert files_with(r"conversations[_.](history|replies)") == {"bot/slack.py"}
    assert (ROOT / "bot/slack.py").read_text().count("conversations_replies") == 1
    callers = {"bot/listeners/reactions.py", "bot/listeners/teach.py", "bot/drafting/suggestions.py"}
    assert files_with(r"\.find_message\(") == callers
    assert files_with(r"listeners\.reactions|\breactions\.\w+_flagged") == {"bot/listeners/__init__.py"}
    assert not {route.trigger for route in REACTIONS} & {route.trigger for route in ROUTES}
    assert Settings(_env_file=None).flag_reaction == ""


def test_every_method_that_is_called_has_its_scope_in_the_manifest() -> None:
    """Slack's client is used in the gateway alone, so its calls there are all there are."""
    assert files_with(r"\.client\.\w+\(") <= {"bot/slack.py", "bot/app.py", "bot/doctor/slack.py"}
    source = (ROOT / "bot/slack.py").read_text()
    called = {name.replace("_", ".") for name in re.findall(r"self\.client\.(\w+)\(", source)}
    called.discard("files.upload.v2")
    called |= {"files.getUploadURLExternal", "files.completeUploadExternal"}
    assert len(called) > 15
    needed = {METHOD_SCOPES[method] for method in called if method in METHOD_SCOPES}
    needed |= {f"{kind}:read" for kind in ("channels", "groups", "im")}  # conversations.info
    optional = {"usergroups:read"}  # with the setting that names a user group
    assert needed - optional <= set(needed_scopes())
    assert optional <= set(needed_scopes(with_usergroup=True))
    free = {"views.open", "views.push", "views.update", "views.publish", "auth.test", "chat.getPermalink"}
    by_kind = {"conversations.info", "conversations.replies"}
    assert called - set(METHOD_SCOPES) <= free | by_kind, "say in bot/rehearsal/scopes.py what this method needs"


def test_reactions_and_user_groups_add_their_scopes_and_nothing_else() -> None:
    plain = set(build_manifest()["oauth_config"]["scopes"]["bot"])
    with_reactions = set(build_manifest(with_reactions=True)["oauth_config"]["scopes"]["bot"])
    with_usergroup = set(build_manifest(with_usergroup=True)["oauth_config"]["scopes"]["bot"])
    assert with_reactions - plain == {"reactions:read", "channels:history", "groups:history"}
    assert with_usergroup - plain == {"usergroups:read"}


def test_the_link_carries_the_whole_manifest() -> None:
    manifest = build_manifest(with_reactions=True)
    address = urlsplit(create_app_link(manifest))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://api.slack.com/apps"
    asked = parse_qs(address.query, strict_parsing=True)
    assert asked["new_app"] == ["1"]
    assert json.loads(asked["manifest_json"][0]) == manifest


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

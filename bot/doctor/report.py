"""The whole examination, and how it is shown: a table for people, JSON for machines, an exit code for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict

import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.doctor.findings import Finding, State, fail
from bot.doctor.host import check_database, check_disk, check_keys, check_store
from bot.doctor.slack import check_slack
from bot.rehearsal.workspace import load_tokens, workspace_folder
from bot.texts import setup as texts
from bot.up import workspace_url
from config.settings import Settings

log = structlog.get_logger()

_LOOKS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def examine(settings: Settings) -> list[Finding]:
    """Every check, whatever the others found. Without tokens the local workspace is examined, where there is one."""
    settings = _as_up_would(settings)
    return [
        *_guarded("slack", lambda: check_slack(settings)),
        *_guarded("database", lambda: check_database(settings)),
        *_guarded("disk", lambda: [check_disk(settings)]),
        *_guarded("artifact store", lambda: [check_store(settings)]),
        *_guarded("signing keys", lambda: [check_keys(settings)]),
    ]


def exit_code(findings: Sequence[Finding]) -> int:
    """0: nothing is broken (look at the warnings all the same); 1: something is."""
    return int(any(finding.state is State.FAIL for finding in findings))


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps({"ok": exit_code(findings) == 0, "checks": [asdict(finding) for finding in findings]}, indent=2)


def show(findings: Sequence[Finding], console: Console) -> None:
    """The state is a word as well as a colour."""
    table = Table(title=texts.TITLE, show_lines=True)
    for column in texts.COLUMNS:
        table.add_column(column, overflow="fold")
    for finding in findings:
        state = Text(finding.state.value, style=_LOOKS[finding.state])
        table.add_row(Text(finding.check), state, Text(finding.seen), Text(finding.mend))
    console.print(table)
    counted = Counter(finding.state for finding in findings)
    console.print(texts.summary(counted[State.OK], counted[State.WARN], counted[State.FAIL]))


def _as_up_would(settings: Settings) -> Settings:
    folder = workspace_folder(settings)
    if not settings.uses_local_workspace or not (folder / "tokens.json").exists():
        return settings
    tokens = load_tokens(folder)
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(tokens["bot_token"]),
            "slack_app_token": SecretStr(tokens["app_token"]),
            "slack_api_url": f"{workspace_url(settings)}/api/",
            "slack_mode": "socket",
        }
    )


def _guarded(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """A check that breaks is a finding; the others go on."""
    try:
        return check()
    except Exception as error:
        log.debug("doctor.broke", check=name, exc_info=error)
        return [fail(name, texts.broke(type(error).__name__), texts.BROKE_MEND)]

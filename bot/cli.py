"""The `huisstijl` command. Each command reads the settings once and calls one function; heavy imports wait."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from config.logs import configure_logging
from config.settings import Settings, load_settings

app = typer.Typer(
    help="Huisstijl learns a team's house style in Slack.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
db_app = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(db_app, name="db")
base_app = typer.Typer(help="The base model: change it while the old one serves.", no_args_is_help=True)
app.add_typer(base_app, name="base")
knowledge_app = typer.Typer(help="A style's documents: what its drafts take facts from.", no_args_is_help=True)
app.add_typer(knowledge_app, name="knowledge")


def _start() -> Settings:
    """Settings and logs; a bad setting ends the start and names itself."""
    from pydantic import ValidationError

    from config import failpoints

    try:
        settings = load_settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"Setting {name}: {problem['msg']}.", err=True)
        raise typer.Exit(2) from None
    configure_logging(settings)
    failpoints.arm(settings.failpoint)
    return settings


@app.command()
def up(
    empty: Annotated[
        bool, typer.Option("--empty", help="A new local workspace opens without styles and pairs.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the local workspace's page in a browser.")] = True,
) -> None:
    """Start everything on this machine: bot, clock, trainer, model server; without tokens a workspace too."""
    from bot.up import run_up

    raise typer.Exit(run_up(_start(), empty=empty, browser=browser))


@app.command()
def bot() -> None:
    """Slack in, Slack out."""
    from bot.app import run_bot

    run_bot(_start())


@app.command()
def clock() -> None:
    """Notice what is due and queue it."""
    from bot.clock import run_clock

    run_clock(_start())


@app.command()
def trainer() -> None:
    """Execute training runs on this host, one at a time."""
    _become("trainer.worker")


@app.command()
def serve() -> None:
    """Serve the base model and the adapters by OpenAI's protocol."""
    _become("trainer.serving")


@app.command()
def workspace() -> None:
    """Run the local workspace: a Slack-compatible server on this machine, for trying things out."""
    from bot.rehearsal.workspace import serve_workspace

    serve_workspace(_start())


@app.command()
def chat(who: Annotated[str, typer.Option("--as", help="Whom to be: mia, noor, ravi, ana, gus, …")] = "mia") -> None:
    """Talk in the local workspace from a terminal, as one of its people."""
    from bot.rehearsal.chat import run_chat

    raise typer.Exit(run_chat(_start(), who))


@app.command()
def rehearse(
    pairs: Annotated[int, typer.Option(help="How many sample pairs the people teach.")] = 240,
    keep: Annotated[bool, typer.Option(help="Keep the rehearsal's data folder.")] = False,
) -> None:
    """Turn the whole loop once, with real pairs and the real model, and end with a table."""
    from bot.rehearsal.script import run_rehearsal

    raise typer.Exit(run_rehearsal(_start(), pairs=pairs, keep=keep))


@app.command()
def manifest(
    with_reactions: Annotated[
        bool, typer.Option("--with-reactions", help="Flag any message with an emoji; asks for history scopes.")
    ] = False,
    with_usergroup: Annotated[bool, typer.Option("--with-usergroup", help="A user group names the admins.")] = False,
    request_url: Annotated[str, typer.Option(help="For HTTP mode: the public https://…/slack/events.")] = "",
) -> None:
    """Print the Slack app manifest (JSON), and on standard error the link that creates an app from it."""
    from bot.texts.setup import create_here
    from config.slack_manifest import build_manifest, create_app_link

    settings = _start()
    built = build_manifest(
        request_url,
        with_reactions=with_reactions or bool(settings.flag_reaction),
        with_usergroup=with_usergroup or bool(settings.admin_usergroup),
    )
    typer.echo(json.dumps(built, indent=2))
    typer.echo(create_here(create_app_link(built)), err=True)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Look at everything this installation stands on; say how to mend it. Exit code 1 when something is broken."""
    from rich.console import Console

    from bot.doctor import report

    findings = report.examine(_start())
    if as_json:
        typer.echo(report.as_json(findings))
    else:
        report.show(findings, Console())
    raise typer.Exit(report.exit_code(findings))


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL in TRL's prompt-completion format; - for standard input.")],
    style: Annotated[str, typer.Option(help="Name of the style.")],
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
    approve: Annotated[bool, typer.Option(help="Approve at once instead of asking the reviewers.")] = False,
) -> None:
    """Read examples from a file: all of them, or none and a list of the bad lines."""
    from bot.operations.transfer import import_file

    raise typer.Exit(import_file(_start(), file, style=style, team=team, approve=approve, say=typer.echo))


@app.command()
def export(
    style: Annotated[str, typer.Option(help="Name of the style.")],
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")] = Path("-"),
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
    format: Annotated[str, typer.Option(help="standard or conversational.")] = "standard",
    preferences: Annotated[bool, typer.Option("--preferences", help="Preference pairs instead of examples.")] = False,
) -> None:
    """Write a style's approved examples as JSONL in TRL's prompt-completion format, or its preference pairs."""
    from bot.operations.transfer import export_file

    raise typer.Exit(
        export_file(_start(), file, style=style, team=team, format=format, say=typer.echo, preferences=preferences)
    )


@app.command()
def ladder(style: Annotated[str, typer.Argument(help="Name of the style.")]) -> None:
    """Show how every candidate of a style scored in its last run, and the verdict."""
    from bot.domain.ladder import label_ladder_lines, ladder_lines
    from bot.errors import NotMeasuredYet, explain
    from bot.operations.ladder import list_ladders
    from bot.texts import labels
    from bot.texts.ladder import LADDER_COLUMNS, ladder_says
    from db.session import Database
    from db.styles import StyleNotFound

    settings = _start()
    database = Database(settings.resolved_database_url)
    try:
        for found in list_ladders(database, settings, style):
            if of_labels := label_ladder_lines(found, [column() for column in labels.LADDER_COLUMNS]):
                typer.echo("\n".join([*of_labels, ""]))
            table = ladder_lines(found, [column() for column in LADDER_COLUMNS])
            typer.echo("\n".join([*table, "", *ladder_says(found)]))
    except (NotMeasuredYet, StyleNotFound) as error:
        typer.echo(explain(error).sentence, err=True)
        raise typer.Exit(1) from None
    finally:
        database.dispose()


@app.command()
def measure(
    style: Annotated[str, typer.Argument(help="Name of the style.")],
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
) -> None:
    """Queue a measurement of what serves a style best now; it trains nothing."""
    from bot.operations.measurements import measure_from_terminal

    raise typer.Exit(measure_from_terminal(_start(), style=style, team=team, say=typer.echo))


@knowledge_app.command("add")
def knowledge_add(
    files: Annotated[list[Path], typer.Argument(help="PDF, DOCX, Markdown, HTML or text.")],
    style: Annotated[str, typer.Option(help="Name of the style.")],
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
) -> None:
    """Add documents: each whole, or a sentence that says why not."""
    from bot.operations.knowledge import add_files

    raise typer.Exit(add_files(_start(), files, style=style, team=team, say=typer.echo))


@knowledge_app.command("list")
def knowledge_list(
    style: Annotated[str, typer.Option(help="Name of the style.")],
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
) -> None:
    """List a style's documents with their ids."""
    from bot.operations.knowledge import list_files

    raise typer.Exit(list_files(_start(), style=style, team=team, say=typer.echo))


@knowledge_app.command("remove")
def knowledge_remove(
    document: Annotated[str, typer.Argument(help="Id of the document, as `list` shows it.")],
    style: Annotated[str, typer.Option(help="Name of the style.")],
    team: Annotated[str, typer.Option(help="Slack team id; only needed when there are several.")] = "",
) -> None:
    """Erase a document: its text, its passages and what was computed from them."""
    from bot.operations.knowledge import remove_file

    raise typer.Exit(remove_file(_start(), document, style=style, team=team, say=typer.echo))


@base_app.command("change")
def base_change(
    new: Annotated[str, typer.Argument(help="A hub id, a local folder, or `embedded:…`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Say what a new base model does to each style and what that takes, then have it measured beside the old one."""
    from bot.base_terminal import change

    raise typer.Exit(change(_start(), new, is_sure=yes, say=typer.echo, ask=typer.confirm))


@base_app.command("status")
def base_status() -> None:
    """Show where each style is in an open change."""
    from bot.base_terminal import status

    raise typer.Exit(status(_start(), say=typer.echo))


@base_app.command("accept")
def base_accept(
    style: Annotated[str, typer.Argument(help="Name of the style.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every style that measured as good or better.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also one that is worse, or not settled.")] = False,
) -> None:
    """Sign off: the new pair serves from the next draft on."""
    from bot.base_terminal import accept

    raise typer.Exit(accept(_start(), style, is_every=every, is_anyway=anyway, say=typer.echo))


@base_app.command("abandon")
def base_abandon() -> None:
    """Take the change back: the old pairs serve again, also where the new one was signed off."""
    from bot.base_terminal import abandon

    raise typer.Exit(abandon(_start(), say=typer.echo))


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this program's revision."""
    from db.session import Database
    from db.upgrade import head_revision, upgrade_database

    database = Database(_start().resolved_database_url)
    upgrade_database(database)
    database.dispose()
    typer.echo(f"The database is at revision {head_revision()}.")


def _become(module: str) -> None:
    """Turn this process into another module's: what imports torch is not imported by the bot's rooms."""
    _start()
    os.execv(sys.executable, [sys.executable, "-m", module])


def main() -> None:
    """Run a command; what goes wrong in a known way ends in a sentence, not in a traceback."""
    try:
        app()
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("bot", "db", "config", "trainer"):
            raise
        typer.echo(f"{error}" or type(error).__doc__, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

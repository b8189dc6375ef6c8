"""What a new local workspace opens with: three styles at three stages, made by the bot's own operations.

It happens once, in an installation that was empty and has no Slack tokens, and never in a real workspace. A start that
was interrupted half-way is completed by the next one; what people have made since is never touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select

from bot.domain.values import Actor
from bot.operations.runs import confirm_training, quote_training
from bot.operations.styles import StyleForm, create_style
from bot.operations.transfer import import_examples
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BOT_USER_ID, BRAND, GENERAL, MIA, NOOR, PACKAGES, RAVI, TEAM_ID
from bot.rehearsal.workspace import load_tokens, workspace_folder
from bot.texts import first_start as texts
from config.settings import Settings
from db.audit import AuditEntry, record
from db.outbox import owe
from db.runs import find_latest_run
from db.session import Database
from db.styles import Style, StyleKind, find_style_by_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.rehearsal.options import Json

log = structlog.get_logger()

SAMPLES = Path(__file__).parent / "samples"
#: The recipe of the style that is trained at once, unless the operator has chosen another one than the default.
RECIPE = "first-look"
_STARTED, _DONE = "workspace.seeding", "workspace.seeded"
_ADMIN = Actor(team_id=TEAM_ID, user_id=ANA, name="ana", is_admin=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A style of the new workspace, and how far it is."""

    name: str
    channel_id: str
    instructions: str
    samples: str = ""
    approved: int = 0
    #: Pairs that wait for the reviewer.
    proposed: int = 0
    is_trained: bool = False


UNTAUGHT = _Stage(
    name="release-note",
    channel_id=GENERAL,
    instructions="Write a short release note for the change that is described: what is new for the reader, in two "
    "plain sentences, without praise.",
)
TAUGHT = _Stage(
    name="package-description",
    channel_id=PACKAGES,
    instructions="Write the description of the software package from its name and its synopsis.",
    samples="debian-descriptions.jsonl",
    approved=60,
    proposed=3,
)
TRAINED = _Stage(
    name="package-synopsis",
    channel_id=BRAND,
    instructions="Write the one-line synopsis of the software package that is described.",
    samples="debian-synopses.jsonl",
    approved=180,
    is_trained=True,
)
STAGES = (UNTAUGHT, TAUGHT, TRAINED)


def is_new(settings: Settings) -> bool:
    """Whether nothing was ever started in this data folder. Ask before anything is."""
    kept = (workspace_folder(settings) / "workspace.db", settings.data_dir / "huisstijl.db")
    return not any(path.exists() for path in kept)


def seed_workspace(settings: Settings, database: Database, *, was_new: bool) -> bool:
    """Fill a new installation; False where there is nothing to do. The processes need not run yet.

    `was_new`: what `is_new` said before the database was made. Without it only a start that was interrupted is
    completed. Whatever the arguments, an installation with Slack tokens or with any style of its own stays as it is.
    """
    if not (settings.uses_local_workspace and settings.seed_workspace) or not _begin(database, was_new=was_new):
        return False
    for stage in STAGES:
        _make(settings, database, stage)
    with database.write() as session:
        record(session, team_id=TEAM_ID, actor="operator", action=_DONE, subject=TEAM_ID, styles=len(STAGES))
    log.info("workspace.seeded", styles=len(STAGES))
    return True


def _begin(database: Database, *, was_new: bool) -> bool:
    """Whether this start is the one that fills the workspace, or completes what an earlier one began."""
    with database.write() as session:
        told = set(session.scalars(select(AuditEntry.action).where(AuditEntry.action.in_((_STARTED, _DONE)))))
        if _DONE in told:
            return False
        if _STARTED in told:
            return True
        if not was_new or session.scalar(select(func.count()).select_from(Style)):
            return False
        record(session, team_id=TEAM_ID, actor="operator", action=_STARTED, subject=TEAM_ID)
        return True


def _make(settings: Settings, database: Database, stage: _Stage) -> None:
    with database.read() as session:
        is_there = find_style_by_name(session, TEAM_ID, stage.name) is not None
    if not is_there:
        form = StyleForm(
            name=stage.name, instructions=stage.instructions, kind=StyleKind.DRAFT, channel_id=stage.channel_id,
            reviewer_ids=(RAVI,), train_after_examples=100 if stage.samples else 50, recipe=_recipe(settings, stage),
        )  # fmt: skip
        create_style(database, _ADMIN, form, private_channel_id=None, base_model=settings.base_model)
    _say(database, stage)
    _teach(database, stage)
    if stage.is_trained:
        _train(settings, database, stage)


def _recipe(settings: Settings, stage: _Stage) -> str:
    is_default = settings.recipe == Settings.model_fields["recipe"].default
    return RECIPE if stage.is_trained and is_default else ""


def _say(database: Database, stage: _Stage) -> None:
    """One message in the style's channel, which says what is there and what is happening."""
    if stage.is_trained:
        text = texts.is_training(stage.name, stage.approved)
    elif stage.samples:
        text = texts.was_taught(stage.name, stage.approved)
    else:
        text = texts.is_untaught(stage.name)
    with database.write() as session:
        owe(
            session, team_id=TEAM_ID, dedupe_key=f"first-start:{stage.name}", verb="post_message",
            arguments={"channel_id": stage.channel_id, "text": text, "blocks": None},
        )  # fmt: skip


def _teach(database: Database, stage: _Stage) -> None:
    """The sample pairs, from two people in turn; what is there already is left out by the import itself."""
    pairs = read_samples(stage)
    for number, who in enumerate((MIA, NOOR)):
        _import(database, stage, pairs[: stage.approved][number::2], who, approve=True)
    _import(database, stage, pairs[stage.approved :][: stage.proposed], NOOR, approve=False)


def read_samples(stage: _Stage) -> list[Json]:
    """The pairs of a stage's file, in the file's order: first those that are approved, then those that are not."""
    if not stage.samples:
        return []
    return [json.loads(line) for line in (SAMPLES / stage.samples).read_text(encoding="utf-8").splitlines()]


def _import(database: Database, stage: _Stage, pairs: Sequence[Json], who: str, *, approve: bool) -> None:
    if not pairs:
        return
    lines = [json.dumps(pair, ensure_ascii=False).encode() for pair in pairs]
    import_examples(
        database, team_id=TEAM_ID, style_name=stage.name, lines=lines, imported_by=who, approve=approve
    )  # fmt: skip


def _train(settings: Settings, database: Database, stage: _Stage) -> None:
    """Queue the style's first run as an admin does: with a quote, the statement on training data, and a record."""
    with database.read() as session:
        style = find_style_by_name(session, TEAM_ID, stage.name)
        if style is None or find_latest_run(session, style.style_id) is not None:
            return
    quote = quote_training(database, settings, _ADMIN, stage.channel_id, stage.name)
    confirm_training(database, settings, _ADMIN, quote.quote_id)


def open_conversation(settings: Settings, url: str) -> None:
    """A few messages of the people, among them one that is worth teaching. The workspace must answer at `url`."""
    token = load_tokens(workspace_folder(settings))["client_token"]
    people = {who: Person(url, who, token, BOT_USER_ID) for who in (ANA, MIA, NOOR)}
    try:
        if people[ANA].messages(GENERAL):
            return
        people[ANA].post(GENERAL, texts.welcome(UNTAUGHT.name, TAUGHT.name, TRAINED.name))
        people[ANA].post(GENERAL, texts.try_this())
        for stage, who, other in ((TRAINED, MIA, NOOR), (TAUGHT, NOOR, MIA)):
            pair = read_samples(stage)[-1]  # none of those that were taught
            asked = people[who].post(stage.channel_id, pair["prompt"])
            people[other].post(stage.channel_id, pair["completion"], asked["ts"])
    finally:
        for person in people.values():
            person.close()

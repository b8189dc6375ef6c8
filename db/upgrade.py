"""Bringing a database to this code's revision, and refusing to run on another one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from db.session import Database

MIGRATIONS = Path(__file__).parent / "migrations"


class WrongRevision(Exception):
    """The database is at another revision than this program expects. Run `huisstijl db upgrade`, then start again."""


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    return config


def upgrade_database(database: Database, revision: str = "head") -> None:
    command.upgrade(_config(database), revision)


def downgrade_database(database: Database, revision: str) -> None:
    command.downgrade(_config(database), revision)


def head_revision() -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head() or ""


def current_revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_revision(database: Database) -> None:
    """Raises WrongRevision unless the database is at this code's head."""
    found = current_revision(database)
    if found != head_revision():
        raise WrongRevision(
            f"The database is at revision {found or 'none'}, and this program expects {head_revision()}. "
            "Run `huisstijl db upgrade`, then start again."
        )

"""Alembic's entry: where the database is comes from the settings, or from whoever calls (`db/upgrade.py`).

One migrator at a time: SQLite's BEGIN IMMEDIATE makes the second wait, on PostgreSQL an advisory lock does; both
are held before the revision is read, so the second finds its work done.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import text

from config.settings import load_settings
from db.models import metadata
from db.session import Database

#: Any number that nobody else's advisory lock uses: the first bytes of "huisstij".
_ADVISORY_LOCK = int.from_bytes(b"huisstij", "big")


def main() -> None:
    database = context.config.attributes.get("database") or Database(load_settings().resolved_database_url)
    with database.engine.connect() as connection:
        connection = connection.execution_options(huisstijl_writes=True)
        # Begun before Alembic looks at the connection: it then leaves the transaction alone. By itself it would commit
        # after every migration on SQLite, and a second migrator would come in between with the steps it still sees.
        with connection.begin():
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            context.configure(
                connection=connection,
                target_metadata=metadata,
                render_as_batch=database.is_sqlite,
                compare_type=True,
                render_item=_render_our_types,
            )
            with context.begin_transaction():
                context.run_migrations()


def _render_our_types(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Migrations name our column types by what the database stores, so that they never import our code."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


main()

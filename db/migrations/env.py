"""Alembic's entry: where the database is comes from the settings, or from whoever calls (`db/migrations/run.py`)."""

from __future__ import annotations

from alembic import context

from config.settings import load_settings
from db.models import metadata
from db.session import Database


def main() -> None:
    database = context.config.attributes.get("database") or Database(load_settings().resolved_database_url)
    with database.engine.connect() as connection:
        connection = connection.execution_options(huisstijl_writes=True)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=database.is_sqlite,
            compare_type=True,
            render_item=_render_our_types,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _render_our_types(kind: str, item: object, autogen_context: object) -> str | bool:
    """Migrations name our column types by what the database stores, so that they never import our code."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


main()

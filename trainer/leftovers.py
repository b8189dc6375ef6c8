"""What runs left behind that ended without clearing up: given up because their process died every time, cancelled while
nobody held them, or ended on another host."""

from __future__ import annotations

import structlog

from config.settings import Settings
from db.adapters import list_known_names
from db.runs import list_ended
from db.session import Database
from trainer.artifacts.store import delete_adapter, list_adapters, read_manifest
from trainer.errors import AdapterError
from trainer.workspace import list_workspaces, remove_workspace

log = structlog.get_logger()


def clear_leftovers(database: Database, settings: Settings) -> None:
    """Remove the folders of ended runs on this host, and what they had put into the store before a gate that never was.

    What a run that goes on has made stays, and so does what no run of this database made. Raises DatabaseUnavailable,
    and what the store's file system raises where it is away.
    """
    store_url = settings.resolved_artifact_url
    folders, makers = list_workspaces(settings.data_dir), _list_makers(database, store_url)
    with database.read() as session:
        ended = list_ended(session, {*folders, *makers.values()})
        known = list_known_names(session)  # after that: a run's end and its adapters are one transaction
    for run_id in ended.intersection(folders):
        remove_workspace(settings.data_dir, run_id)
        log.info("workspace.removed", run_id=run_id)
    for name, run_id in makers.items():
        if run_id in ended and name not in known:
            delete_adapter(store_url, name)
            log.info("adapter.deleted", adapter=name, run_id=run_id)


def _list_makers(database: Database, store_url: str) -> dict[str, str]:
    """Adapters in the store that no row speaks of (yet), and the run that each says it is of."""
    with database.read() as session:
        known = list_known_names(session)
    makers = {}
    for name in list_adapters(store_url):
        if name not in known:
            try:
                makers[name] = read_manifest(store_url, name).run_id
            except AdapterError as error:
                log.warning("adapter.not_read", adapter=name, error=type(error).__name__)
    return makers

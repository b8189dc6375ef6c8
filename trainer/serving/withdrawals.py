"""What is no longer in the artifact store leaves this host: out of memory, and its verified copies from the disk.

An adapter is deleted from the store because it learnt from something that was withdrawn. Whoever asks for it is refused
at once; but nobody may ever ask again, so what was fetched and loaded is looked through here, too.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import structlog

from trainer.artifacts.manifest import MANIFEST
from trainer.artifacts.store import has_adapter

log = structlog.get_logger()

#: What `fetch_files` calls a copy that it is making; one that was killed leaves it behind.
_FETCHING = re.compile(r"\.fetching-(?P<name>.+)-[0-9a-f]{32}")


class Holder(Protocol):
    """What holds models of the store in memory."""

    def let_go_of_withdrawn(self) -> None: ...


class Withdrawals:
    """Looks through every copy below `cache_dir` and every holder from time to time, until `close`."""

    def __init__(
        self, cache_dir: Path, store_url: str, holders: Callable[[], Iterable[Holder]], *, seconds_between_looks: float
    ) -> None:
        self._cache_dir, self._store_url, self._holders = cache_dir, store_url, holders
        self._pause = seconds_between_looks
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="withdrawals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Memory first: what is loaded may still read its files."""
        for holder in self._holders():
            holder.let_go_of_withdrawn()
        for folder, name in self._copies():
            if not has_adapter(self._store_url, name):
                shutil.rmtree(folder, ignore_errors=True)
                log.info("copy.deleted", adapter=name)

    def _copies(self) -> Iterator[tuple[Path, str]]:
        """Each with the name that it has in the store."""
        for folder in sorted(path for path in self._cache_dir.rglob("*") if path.is_dir()):
            fetching = _FETCHING.fullmatch(folder.name)
            if fetching:
                yield folder, fetching["name"]
            elif (folder / MANIFEST).is_file():
                yield folder, folder.name

    def _watch(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self.look()
            except Exception as error:  # the store is away, mostly: at the next time
                log.warning("withdrawals.not_looked_at", error=type(error).__name__)

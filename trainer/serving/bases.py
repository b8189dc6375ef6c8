"""The base models in memory: the server's own, and those that a style stands on or that are asked about.

Each has an engine of its own, with its own adapters; a request goes to the engine whose base model it names, or on
whose base model its adapter was trained, so an adapter never meets another base. Which ones are wanted besides the
own one the database says. One that does not fit into memory is refused by name, and the others go on.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from config import failpoints
from config.base_names import base_model_id
from config.settings import Settings
from db.base_changes import list_wanted_base_models
from db.session import Database, DatabaseUnavailable
from trainer.artifacts.store import read_base_of
from trainer.base_models import base_revision
from trainer.errors import (
    AdapterRejected,
    AdapterUnknown,
    BaseModelLoading,
    BaseModelTooLarge,
    BaseModelUnavailable,
    TrainerError,
)

if TYPE_CHECKING:
    from trainer.serving.engine import Engine

log = structlog.get_logger()

GIB = 2**30
SECONDS_BEFORE_RETRY = 60.0

MakeEngine = Callable[[str], "Engine"]


class Bases:
    """Engines by base model. `watch` keeps them as they are wanted, until `close`."""

    def __init__(
        self,
        own: Engine,
        own_name: str,
        *,
        store_url: str,
        wanted: Callable[[], list[str]],
        make: MakeEngine,
        seconds_between_looks: float = 5.0,
        may_go: Callable[[Engine], bool] = lambda engine: True,
        on_gone: Callable[[Engine], None] = lambda engine: None,
    ) -> None:
        """`may_go` is asked of an engine that is idle and not wanted any more: does nothing that stands on it work?
        `on_gone` hears of one that is closed: whoever holds on to it keeps its memory."""
        self.own = own
        self._own_name = own_name
        self._store_url = store_url
        self._wanted = wanted
        self._make = make
        self._pause = seconds_between_looks
        self._may_go, self._on_gone = may_go, on_gone
        self._lock = threading.Lock()
        #: By what a request calls them; the own one is not among them.
        self._others: dict[str, Engine] = {}
        self._names: dict[str, str] = {}
        self._refused: dict[str, TrainerError] = {}
        #: When one that failed unexpectedly is tried again: each try may take minutes and all the memory.
        self._retried_at: dict[str, float] = {}
        self._revisions: dict[str, str] = {}
        self._stopping, self._is_asked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bases", daemon=True)

    # ------------------------------------------------------------------------------------------ for requests

    def engines(self) -> list[Engine]:
        """The own one first."""
        with self._lock:
            return [self.own, *(self._others[key] for key in sorted(self._others))]

    def find(self, model: str) -> tuple[Engine, str | None]:
        """The engine that answers for this model, and the adapter that it is (None: the base model itself). A name that
        says nothing goes to the own engine, which refuses it.

        Raises BaseModelLoading while its base model is being loaded, BaseModelTooLarge where that does not fit, and
        BaseModelUnavailable where it cannot be had.
        """
        found = self._find_known(model)
        if found is None:
            self._read_wanted()  # what serves may have moved since the last look
            found = self._find_known(model)
        return found or (self.own, model)

    def _find_known(self, model: str) -> tuple[Engine, str | None] | None:
        if model in (self.own.base_id, self._own_name):
            return self.own, None
        with self._lock:
            key = next((key for key, name in self._names.items() if model in (key, name)), None)
            other = self._others.get(key or model)
        if other is not None:
            return other, None
        if key is not None:
            self._raise_absent(key)
        return self._find_adapter(model)

    def _find_adapter(self, name: str) -> tuple[Engine, str] | None:
        """By the base model that its manifest names. The engine verifies the signature and the base's digest before it
        loads the adapter, so a manifest that lies gains nothing."""
        try:
            base_model, revision = read_base_of(self._store_url, name)
        except (AdapterUnknown, AdapterRejected):
            return None
        for engine in self.engines():
            if self._revision_of(engine) == revision:
                return engine, name
        with self._lock:
            key = next((key for key, known in self._names.items() if known == base_model), None)
            is_absent = key is not None and key not in self._others
        if key is not None and is_absent:
            self._raise_absent(key)
        return None

    def _raise_absent(self, key: str) -> None:
        with self._lock:
            refused = self._refused.get(key)
        self.look_soon()
        if refused is not None:
            raise type(refused)(str(refused))
        raise BaseModelLoading

    def _revision_of(self, engine: Engine) -> str:
        path = str(engine.base_path)
        if path not in self._revisions:
            self._revisions[path] = base_revision(Path(path))
        return self._revisions[path]

    def base_of(self, adapter: str) -> str:
        """What the base model of a published adapter is called; the own one where that cannot be read."""
        try:
            base_model, _ = read_base_of(self._store_url, adapter)
        except TrainerError:
            return self.own.base_id
        return base_model_id(base_model)

    # ------------------------------------------------------------------------------------------ keeping up

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop looking, and close every engine but the own one."""
        self._stopping.set()
        self._is_asked.set()
        if self._thread.ident is not None:
            self._thread.join()
        for key in list(self._others):
            self._drop(key)

    def look_soon(self) -> None:
        self._is_asked.set()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                log.exception("bases.not_looked_at")
            self._is_asked.wait(self._pause)
            self._is_asked.clear()

    def look(self) -> None:
        """Load what is wanted and not there, let go what is not wanted any more. One at a time; what people use goes
        on meanwhile."""
        wanted = self._read_wanted()
        with self._lock:
            unwanted = {key: engine for key, engine in self._others.items() if key not in wanted}
            missing = [key for key in sorted(wanted) if key not in self._others]
        gone = [key for key, engine in unwanted.items() if engine.is_idle and self._may_go(engine)]
        for key in gone:
            self._drop(key)
        for key in missing:
            if not self._stopping.is_set():
                self._load(key, wanted[key])

    def _read_wanted(self) -> dict[str, str]:
        wanted = {base_model_id(name): name for name in self._wanted()}
        wanted.pop(self.own.base_id, None)
        with self._lock:
            self._names = wanted
        return wanted

    def _load(self, key: str, name: str) -> None:
        if time.monotonic() < self._retried_at.get(key, 0.0):
            return
        failpoints.visit("server.load_base")
        try:
            engine = self._make(name)
        except TrainerError as error:
            if str(self._refused.get(key)) != str(error):
                log.warning("base.refused", model=key, sentence=str(error))
            self._refused[key] = error
            return
        except Exception:  # the others go on, and whoever asks for it hears that it is not merely loading
            log.exception("base.not_loaded", model=key)
            self._refused[key] = BaseModelUnavailable(
                f"The base model {key} did not load; the model server's log says why."
            )
            self._retried_at[key] = time.monotonic() + SECONDS_BEFORE_RETRY
            gc.collect()  # what was loaded of it
            return
        with self._lock:
            self._others[key] = engine
            self._refused.pop(key, None)
        log.info("base.loaded", model=key)

    def _drop(self, key: str) -> None:
        with self._lock:
            engine = self._others.pop(key)
        self._on_gone(engine)
        engine.close()
        del engine
        gc.collect()  # an engine and its model refer to each other, and its memory is wanted now
        log.info("base.let_go", model=key)


def make_engine(
    settings: Settings, name: str, *, is_checked: bool = True, free_bytes: Callable[[], int] | None = None
) -> Engine:
    """An engine for this base model, with the store's adapters. `is_checked`: whether it fits beside what is there, in
    `free_bytes` (None: as the machine says).

    Raises BaseModelUnavailable, BaseModelTooLarge.
    """
    from trainer.base_check import free_memory, memory_needed
    from trainer.base_models import prepare_base_model
    from trainer.serving.adapters import AdapterSource
    from trainer.serving.engine import Engine

    folder = prepare_base_model(name, settings.models_dir)
    if is_checked:
        needed, free = memory_needed(folder), (free_bytes or free_memory)()
        if needed > free:
            raise BaseModelTooLarge(
                f"The base model {base_model_id(name)} needs about {needed / GIB:.1f} GiB beside what is loaded, and "
                f"{free / GIB:.1f} GiB are free; free some memory on the model server's host."
            )
    return Engine(
        folder,
        base_model=name,
        adapters=AdapterSource(
            store_url=settings.resolved_artifact_url,
            cache_dir=settings.data_dir / "cache" / "adapters" / base_model_id(name),
            keys_dir=settings.keys_dir,
        ),
        max_loaded_adapters=settings.max_loaded_adapters,
        max_batch_requests=settings.max_batch_requests,
    )


class WantedBases:
    """What the database says is wanted; the last known while it is away, or before it has the tables."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._last: list[str] = []

    def __call__(self) -> list[str]:
        try:
            if self._database is None:
                if self._is_missing():
                    return self._last
                self._database = Database(self._settings.resolved_database_url)
            with self._database.read() as session:
                self._last = list_wanted_base_models(session)
        except (DatabaseUnavailable, SQLAlchemyError, OSError, ImportError) as error:
            log.info("bases.database_away", error=type(error).__name__)
        return self._last

    def close(self) -> None:
        """Let the database go; nobody asks any more."""
        if self._database is not None:
            self._database.dispose()

    def _is_missing(self) -> bool:
        """A SQLite file that is not there would be made by looking into it."""
        return not self._settings.database_url and not (self._settings.data_dir / "huisstijl.db").exists()

"""Models of the rung `full` that are in memory beside the base model, each with an engine of its own, by name.

One comes in only after verification and where the memory suffices, answers as the base model's engine does, and leaves
when the memory is needed for another, when nobody asked for it for a while, or when it is no longer in the store. None
is taken away while it writes.
"""

from __future__ import annotations

import gc
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import torch

from trainer.artifacts.keys import load_verify_key
from trainer.artifacts.manifest import manifest_digest
from trainer.errors import AdapterUnknown, EngineStopped, ModelTooLarge
from trainer.full_files import fetch_full, is_full, read_parameters
from trainer.memory import HEADROOM_BYTES
from trainer.serving.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.serving.adapters import AdapterSource

log = structlog.get_logger()

#: How often it is looked whether one can leave.
_SECONDS_BETWEEN_SWEEPS = 30.0


@dataclass(slots=True, kw_only=True)
class _Loaded:
    engine: Engine
    size_bytes: int
    last_used: float
    users: int = 0

    @property
    def is_idle(self) -> bool:
        return self.users == 0 and self.engine.is_idle


class FullModels:
    """Safe to call from any thread; `close` it."""

    def __init__(
        self,
        source: AdapterSource,
        base: Engine,
        *,
        idle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._base = base
        self._idle_seconds = idle_seconds
        self._clock = clock
        # Taken in this order: load, then count. The first may be held for minutes, the second never for long.
        self._load_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._loaded: dict[str, _Loaded] = {}
        self._stopping = threading.Event()
        threading.Thread(target=self._sweep_until_closed, name="full-sweeper", daemon=True).start()

    def names(self) -> list[str]:
        with self._count_lock:
            return sorted(self._loaded)

    def has(self, name: str) -> bool:
        """Is there such a model in the store?"""
        return is_full(self._source.store_url, name)

    def check_room(self, name: str) -> None:
        """Raises AdapterUnknown, and ModelTooLarge where it is not in memory and would not fit, whoever idle left."""
        if not self.has(name):
            raise AdapterUnknown
        with self._count_lock:
            if name in self._loaded:
                return
            idle_bytes = sum(loaded.size_bytes for loaded in self._loaded.values() if loaded.is_idle)
        needed, free = self._size_bytes(name) + HEADROOM_BYTES, self._base.free_bytes() + idle_bytes
        if free < needed:
            raise _too_large(name, needed, free)

    @contextmanager
    def borrowed(self, name: str) -> Iterator[Engine]:
        """The model's engine, loaded first where it is not; it stays for the length of the block and for as long as it
        writes.

        Raises AdapterUnknown, AdapterRejected, VerifyKeyMissing, and ModelTooLarge where it does not fit.
        """
        loaded = self._take(name)
        try:
            yield loaded.engine
        finally:
            with self._count_lock:
                loaded.users -= 1
                loaded.last_used = self._clock()

    @property
    def is_idle(self) -> bool:
        """Does none of them write, and is none asked for?"""
        with self._count_lock:
            return all(loaded.is_idle for loaded in self._loaded.values())

    def sweep(self) -> None:
        """Let go of what is no longer in the store, its copy on this disk included, and of what nobody asked for."""
        with self._load_lock:
            for name in {*self._cached(), *self.names()}:
                if not self.has(name):
                    self._unload(name)
                    shutil.rmtree(self._source.cache_dir / name, ignore_errors=True)
            now = self._clock()
            with self._count_lock:
                unused = [one for one, loaded in self._loaded.items() if now - loaded.last_used >= self._idle_seconds]
            for name in unused if self._idle_seconds else ():
                self._unload(name)

    def close(self) -> None:
        """Requests under way end in EngineStopped."""
        self._stopping.set()
        with self._count_lock:
            engines = [loaded.engine for loaded in self._loaded.values()]
            self._loaded.clear()
        for engine in engines:
            engine.close()

    def _cached(self) -> list[str]:
        folder = self._source.cache_dir
        if not folder.is_dir():
            return []
        return sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))

    def _take(self, name: str) -> _Loaded:
        if not self.has(name):
            raise AdapterUnknown  # withdrawn: what is no longer in the store is no longer served
        with self._count_lock:
            loaded = self._loaded.get(name)
            if loaded is not None:
                loaded.users += 1
                return loaded
        with self._load_lock:
            loaded = self._loaded.get(name) or self._load(name)
            with self._count_lock:
                if self._stopping.is_set():
                    raise EngineStopped
                self._loaded[name] = loaded
                loaded.users += 1
                return loaded

    def _load(self, name: str) -> _Loaded:
        self._make_room(name)
        folder = fetch_full(
            self._source.store_url, name, self._source.cache_dir,
            load_verify_key(self._source.keys_dir), base_path=self._base.base_path,
        )  # fmt: skip
        began = self._clock()
        engine = self._base.beside(folder, name, digest=manifest_digest(folder))
        log.info("full.loaded", model=name, seconds=round(self._clock() - began, 1))
        return _Loaded(engine=engine, size_bytes=self._size_bytes(name), last_used=self._clock())

    def _size_bytes(self, name: str) -> int:
        """In memory, in the precision that this server computes in."""
        return read_parameters(self._source.store_url, name) * self._base.dtype.itemsize

    def _make_room(self, name: str) -> None:
        """Let idle models go, least recently used first, until this one fits. Raises ModelTooLarge."""
        needed = self._size_bytes(name) + HEADROOM_BYTES
        with self._count_lock:
            idle = sorted(self._loaded, key=lambda one: self._loaded[one].last_used)
        for other in idle:
            if self._base.free_bytes() >= needed:
                return
            self._unload(other)
        free = self._base.free_bytes()
        if free < needed:
            log.warning("full.does_not_fit", model=name, needed_bytes=needed, free_bytes=free)
            raise _too_large(name, needed, free)

    def _unload(self, name: str) -> None:
        """Unless it writes."""
        with self._count_lock:
            loaded = self._loaded.get(name)
            if loaded is None or not loaded.is_idle:
                return
            del self._loaded[name]
        loaded.engine.close()
        del loaded
        gc.collect()  # the model's parts hold on to each other, and the memory is wanted now
        if self._base.device.type == "cuda":
            torch.cuda.empty_cache()
        log.info("full.unloaded", model=name)

    def _sweep_until_closed(self) -> None:
        while not self._stopping.wait(_SECONDS_BETWEEN_SWEEPS):
            try:
                self.sweep()
            except OSError as error:  # the store is away: at the next time
                log.warning("full.not_swept", error=type(error).__name__)


def _too_large(name: str, needed: int, free: int) -> ModelTooLarge:
    return ModelTooLarge(
        f"The model {name} needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; free some, "
        "or promote a rung that needs less."
    )

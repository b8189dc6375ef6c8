"""The adapters that are in memory beside the base model, unmerged, by name.

An adapter comes in only after verification, keeps its name and content for as long as it is loaded, and is never
taken out while a request uses it. All changes to the model happen under the engine's model lock.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftModel

from config import failpoints
from trainer.adapter_files import WEIGHTS, fetch_verified
from trainer.artifacts.keys import load_verify_key
from trainer.artifacts.manifest import manifest_digest
from trainer.artifacts.store import has_adapter
from trainer.base_models import base_revision, linear_shapes
from trainer.errors import AdapterUnknown, EngineBusy
from trainer.memory import HEADROOM_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(slots=True, kw_only=True)
class LoadedAdapter:
    name: str
    #: The name inside PEFT, where a name may hold no dot.
    key: str
    digest: str
    is_dora: bool
    #: Loaded from a folder of this process, not from the store.
    is_local: bool
    users: int = 0
    last_used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSource:
    """Where adapters are fetched from, and how they are verified."""

    store_url: str
    cache_dir: Path
    keys_dir: Path


class Adapters:
    """Loads, pins, activates and evicts adapters of one base model."""

    def __init__(
        self,
        base: Any,
        base_path: Path,
        source: AdapterSource | None,
        max_loaded: int,
        model_lock: threading.RLock,
        available_bytes: Callable[[], int],
    ) -> None:
        self.model = base
        self.loaded_count = 0
        self.evicted_count = 0
        self._base_path = base_path
        self._source = source
        self._max_loaded = max_loaded
        self._model_lock = model_lock
        self._available_bytes = available_bytes
        # Taken in this order: load, model, count. Whoever holds the model lock must not ask for the load lock.
        self._load_lock = threading.RLock()
        self._count_lock = threading.Lock()
        self._loaded: dict[str, LoadedAdapter] = {}
        self._active: str | None = None  # the key that a plain forward pass uses; None is the base model
        self._keys = (f"a{n}" for n in itertools.count())
        self._clock = itertools.count(1)

    def names(self) -> list[str]:
        return sorted(self._loaded)

    def uses(self, name: str) -> int:
        """How many requests hold this adapter at the moment; 0 also when it is not loaded."""
        adapter = self._loaded.get(name)
        return adapter.users if adapter is not None else 0

    def pin(self, name: str) -> LoadedAdapter:
        """Load the adapter if need be and hold it; every pin needs an `unpin`.

        Raises AdapterUnknown, AdapterRejected, VerifyKeyMissing, and EngineBusy when all places are in use.
        """
        with self._load_lock:
            adapter = self._loaded.get(name)
            if adapter is not None and not adapter.is_local and not self._is_published(name):
                self._evict(adapter)  # withdrawn: what is no longer in the store is no longer served
                adapter = None
            if adapter is None:
                adapter = self._load_from_store(name)
            with self._count_lock:
                adapter.users += 1
            adapter.last_used = next(self._clock)
            return adapter

    def unpin(self, adapter: LoadedAdapter) -> None:
        """Let an adapter go. Never waits for one that is being loaded, because the engine calls this in a pass."""
        with self._count_lock:
            adapter.users -= 1
            is_through = adapter.users == 0 and self._loaded.get(adapter.name) is not adapter
        if is_through:
            self._remove_weights(adapter)

    def load_folder(self, name: str, folder: Path) -> None:
        """Load an adapter that this machine has just trained, before it is published.

        The folder is our own, so there is no signature yet. A name that is loaded already is an error of the caller.
        """
        with self._load_lock:
            assert name not in self._loaded, f"the adapter {name} is loaded already"
            self._put(name, folder, digest="", is_local=True)

    def unload(self, name: str) -> None:
        """Take an adapter out of memory, if it is there."""
        with self._load_lock:
            if name in self._loaded:
                self._evict(self._loaded[name])

    def let_go_of_withdrawn(self) -> None:
        """Take out of memory what is no longer in the store; a request that uses it ends first."""
        with self._load_lock:
            for adapter in list(self._loaded.values()):
                if not adapter.is_local and not self._is_published(adapter.name):
                    self._evict(adapter)

    @contextmanager
    def activated(self, name: str | None) -> Iterator[Any]:
        """The model with this adapter (or none) active, held alone for the length of the block."""
        adapter = self.pin(name) if name is not None else None
        try:
            with self._model_lock:
                self.activate([adapter])
                yield self.model
        finally:
            if adapter is not None:
                self.unpin(adapter)

    def activate(self, rows: Sequence[LoadedAdapter | None]) -> dict[str, Any]:
        """Make the next forward pass use these adapters, one per row; returns its extra arguments."""
        if not isinstance(self.model, PeftModel):
            return {}
        keys = [row.key if row is not None else None for row in rows]
        if len(set(keys)) > 1:
            self._switch(next(key for key in keys if key is not None))
            return {"adapter_names": [key or "__base__" for key in keys]}
        self._switch(keys[0])
        return {}

    def _switch(self, key: str | None) -> None:
        if key == self._active:
            return
        if key is None:
            self.model.base_model.disable_adapter_layers()
        else:
            self.model.set_adapter(key, inference_mode=True)
            if self._active is None:
                self.model.base_model.enable_adapter_layers()
        self._active = key

    def _is_published(self, name: str) -> bool:
        return self._source is not None and has_adapter(self._source.store_url, name)

    def _load_from_store(self, name: str) -> LoadedAdapter:
        if self._source is None or not self._is_published(name):
            raise AdapterUnknown
        failpoints.visit("server.load")
        key: Ed25519PublicKey = load_verify_key(self._source.keys_dir)
        folder = fetch_verified(
            self._source.store_url,
            name,
            self._source.cache_dir,
            key,
            expected_base_revision=base_revision(self._base_path),
            base_shapes=linear_shapes(self._base_path),
        )
        return self._put(name, folder, digest=manifest_digest(folder), is_local=False)

    def _put(self, name: str, folder: Path, *, digest: str, is_local: bool) -> LoadedAdapter:
        self._make_room((folder / WEIGHTS).stat().st_size)
        key = next(self._keys)
        with self._model_lock:
            if isinstance(self.model, PeftModel):
                self.model.load_adapter(str(folder), adapter_name=key, autocast_adapter_dtype=False)
            else:
                self.model = PeftModel.from_pretrained(
                    self.model, str(folder), adapter_name=key, autocast_adapter_dtype=False
                )
                self._active = key
            self.model.eval()
            config: Any = self.model.peft_config[key]
        adapter = LoadedAdapter(name=name, key=key, digest=digest, is_dora=bool(config.use_dora), is_local=is_local)
        self._loaded[name] = adapter
        self.loaded_count += 1
        return adapter

    def _make_room(self, size_bytes: int) -> None:
        """Evict idle adapters, least recently used first, until one more fits."""
        idle = sorted((a for a in self._loaded.values() if a.users == 0), key=lambda a: a.last_used)
        for adapter in idle:
            is_short = self._available_bytes() < 2 * size_bytes + HEADROOM_BYTES
            if len(self._loaded) < self._max_loaded and not is_short:
                return
            self._evict(adapter)
        if len(self._loaded) >= self._max_loaded:
            raise EngineBusy("All places for adapters are in use; try again in a few seconds.")

    def _evict(self, adapter: LoadedAdapter) -> None:
        with self._count_lock:
            del self._loaded[adapter.name]
            is_through = adapter.users == 0  # otherwise its last requests go on, and the weights leave with them
        self.evicted_count += 1
        if is_through:
            self._remove_weights(adapter)

    def _remove_weights(self, adapter: LoadedAdapter) -> None:
        with self._model_lock:
            if self._active == adapter.key:
                self._switch(None)
            others = [key for key in self.model.peft_config if key != adapter.key]
            if not others:  # PEFT's wrapper cannot run without any adapter: back to the bare base model
                self.model = self.model.unload()
                return
            if self._active is None:  # even switched off, PEFT keeps one chosen: not the one that leaves
                self.model.set_adapter(others[0], inference_mode=True)
            self.model.delete_adapter(adapter.key)

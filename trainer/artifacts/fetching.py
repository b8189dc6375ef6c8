"""Verified copies of published folders: whoever loads weights fetches them here, and nothing reads them before."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fsspec.implementations.local import LocalFileSystem

from trainer.artifacts.foreign import shown
from trainer.artifacts.manifest import COMMON_CAPS, MANIFEST, SIGNATURE, check_digests, read_signed
from trainer.artifacts.store import check_name, open_store
from trainer.errors import AdapterHostile, AdapterIncomplete, AdapterTampered, AdapterUnknown, AdapterWrongBase

_CHUNK_BYTES = 1 << 20


def fetch_files(
    store_url: str,
    name: str,
    cache_dir: Path,
    verify_key: Ed25519PublicKey,
    *,
    expected_revision: str,
    size_caps: Mapping[str, int],
    check: Callable[[Path], None],
) -> Path:
    """A private, verified copy of a published folder, in `cache_dir/<name>`.

    `size_caps`: the folder's own files, all of which have to be there, and the largest that each may be. Checked in
    this order, before anything reads the weights: names, links and sizes; signature; digests; what the weights stand
    on; and last what `check` finds in the folder's own files. Raises AdapterNameInvalid, AdapterUnknown or an
    AdapterRejected.
    """
    check_name(name)
    filesystem, root = open_store(store_url)
    source = f"{root}/{name}"
    if isinstance(filesystem, LocalFileSystem):
        sizes = _list_local(Path(source), size_caps)
    else:
        sizes = _list_remote(filesystem, source, size_caps)
    cache_dir.mkdir(parents=True, exist_ok=True)
    work = cache_dir / f".fetching-{name}-{uuid.uuid4().hex}"
    work.mkdir()
    try:
        for file, size_bytes in sizes.items():
            _copy_capped(filesystem, source, file, work / file, size_bytes)
        _verify_files(work, name, verify_key, expected_revision, size_caps)
        check(work)
        target = cache_dir / name
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _verify_files(
    folder: Path, name: str, verify_key: Ed25519PublicKey, expected_revision: str, size_caps: Mapping[str, int]
) -> None:
    sizes = _list_local(folder, size_caps)
    manifest = read_signed(folder, verify_key)
    if manifest.name != name:
        raise AdapterTampered(f"The folder {name} holds the adapter {manifest.name}; publish it again.")
    check_digests(folder, sizes, manifest)
    if manifest.base_revision != expected_revision:
        raise AdapterWrongBase


def _list_local(folder: Path, size_caps: Mapping[str, int]) -> dict[str, int]:
    if folder.is_symlink():
        raise AdapterHostile("The adapter's folder is a link; remove it from the artifact store.")
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        raise AdapterUnknown from None
    sizes: dict[str, int] = {}
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise AdapterHostile(f"{shown(entry.name)} in the adapter's folder is a link or a folder.")
        sizes[entry.name] = status.st_size
    return _check_listing(sizes, size_caps)


def _list_remote(filesystem: Any, source: str, size_caps: Mapping[str, int]) -> dict[str, int]:
    try:
        entries = filesystem.ls(source, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        raise AdapterUnknown from None
    sizes: dict[str, int] = {}
    for entry in entries:
        file = str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]
        if entry["type"] != "file":
            raise AdapterHostile(f"{shown(file)} in the adapter's folder is a folder.")
        sizes[file] = int(entry["size"])
    return _check_listing(sizes, size_caps)


def _check_listing(sizes: dict[str, int], size_caps: Mapping[str, int]) -> dict[str, int]:
    caps = {**size_caps, **COMMON_CAPS}
    for file, size_bytes in sizes.items():
        if file not in caps:
            raise AdapterHostile(f"{shown(file)} does not belong into an adapter's folder.")
        if size_bytes > caps[file]:
            raise AdapterHostile(f"{file} of the adapter is larger than {caps[file]} bytes.")
    for file in (*size_caps, MANIFEST, SIGNATURE):
        if file not in sizes:
            raise AdapterIncomplete(f"The adapter's folder lacks {file}; publish it again from its run.")
    return sizes


def _copy_capped(filesystem: Any, source: str, file: str, target: Path, size_bytes: int) -> None:
    """Copy at most the listed size, without following a link that was put there meanwhile."""
    path = f"{source}/{file}"
    if isinstance(filesystem, LocalFileSystem):
        try:
            reader: Any = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as exc:
            raise AdapterHostile(f"{file} in the adapter's folder changed while it was read.") from exc
    else:
        reader = filesystem.open(path, "rb")
    left = size_bytes
    with reader, target.open("xb") as writer:
        while left > 0 and (chunk := reader.read(min(_CHUNK_BYTES, left))):
            writer.write(chunk)
            left -= len(chunk)

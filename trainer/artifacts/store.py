"""The store itself: folders are published, listed and deleted. What is read here is not verified: see `fetching`."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from config import failpoints
from trainer.artifacts.manifest import (
    COMMON_CAPS,
    MANIFEST,
    SIGNATURE,
    AdapterFacts,
    Content,
    FileEntry,
    Manifest,
    digest_of,
    size_of,
)
from trainer.errors import AdapterHostile, AdapterNameInvalid, AdapterNameTaken, AdapterTampered, AdapterUnknown
from trainer.synced_files import sync_folder, write_synced

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAdapter:
    """Where it lies in the store, and what it is."""

    name: str
    url: str
    #: `sha256:…` of the manifest, which pins every byte of the adapter.
    digest: str
    size_bytes: int


def publish_files(
    store_url: str, name: str, checked: Mapping[str, Content], facts: AdapterFacts, keys: Ed25519PrivateKey
) -> PublishedAdapter:
    """Put these checked files into the store with their signed manifest, under a name that never changes.

    Publishing the same content again is a success, so a resumed run may repeat it. Raises AdapterNameInvalid and
    AdapterNameTaken.
    """
    check_name(name)
    contents = dict(checked)
    manifest = Manifest(
        name=name,
        base_model=facts.base_model,
        base_revision=facts.base_revision,
        style_id=facts.style_id,
        scope=facts.scope,
        run_id=facts.run_id,
        rung=facts.rung,
        created_at=facts.created_at.isoformat(),
        versions=dict(facts.versions),
        files={
            file: FileEntry(sha256=digest_of(data), size_bytes=size_of(data)) for file, data in sorted(contents.items())
        },
    )
    contents[SIGNATURE] = keys.sign(manifest.to_bytes())  # 64 raw bytes: every bit of them counts
    contents[MANIFEST] = manifest.to_bytes()  # last: a folder with a manifest is complete
    filesystem, root = open_store(store_url)
    target = f"{root}/{name}"
    if filesystem.exists(f"{target}/{MANIFEST}"):
        _check_same(filesystem.cat_file(f"{target}/{MANIFEST}"), manifest)
    elif isinstance(filesystem, LocalFileSystem):
        _publish_to_folder(Path(root), name, contents, manifest)
    else:
        _publish_to_bucket(filesystem, target, contents)
    return PublishedAdapter(
        name=name,
        url=f"{store_url.rstrip('/')}/{name}",
        digest=digest_of(manifest.to_bytes()),
        size_bytes=sum(map(size_of, contents.values())),
    )


def _publish_to_folder(root: Path, name: str, contents: Mapping[str, Content], manifest: Manifest) -> None:
    root.mkdir(parents=True, exist_ok=True)
    work = root / f".publishing-{name}-{uuid.uuid4().hex}"
    work.mkdir()
    try:
        for file, data in contents.items():
            if file == MANIFEST:
                failpoints.visit("artefact.upload_half")
            write_synced(work / file, data)
        sync_folder(work)
        try:
            work.rename(root / name)
        except OSError:  # somebody published this name meanwhile
            _check_same((root / name / MANIFEST).read_bytes(), manifest)
        sync_folder(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish_to_bucket(filesystem: Any, target: str, contents: Mapping[str, Content]) -> None:
    filesystem.makedirs(target, exist_ok=True)
    for file, data in contents.items():
        if file == MANIFEST:
            failpoints.visit("artefact.upload_half")
        if isinstance(data, Path):
            filesystem.put_file(str(data), f"{target}/{file}")
        else:
            filesystem.pipe_file(f"{target}/{file}", data)


def _check_same(published: bytes, manifest: Manifest) -> None:
    """The same run may publish the same files twice; only the time of publishing may differ."""
    try:
        same = json.loads(published) | {"created_at": ""} == json.loads(manifest.to_bytes()) | {"created_at": ""}
    except (ValueError, TypeError):
        same = False
    if not same:
        raise AdapterNameTaken


def put_file(store_url: str, path: str, data: bytes) -> None:
    """Keep a file that is no adapter, such as a picture, at `path` in the store; writing it again replaces it."""
    filesystem, root = open_store(store_url)
    target = f"{root}/{path}"
    filesystem.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
    filesystem.pipe_file(target, data)


def list_adapters(store_url: str) -> list[str]:
    """Names of all complete adapters in the store, sorted; none of them verified yet."""
    filesystem, root = open_store(store_url)
    if not filesystem.isdir(root):
        return []
    names = [entry.rstrip("/").rsplit("/", 1)[-1] for entry in filesystem.ls(root, detail=False)]
    return sorted(name for name in names if _NAME.fullmatch(name) and filesystem.exists(f"{root}/{name}/{MANIFEST}"))


def has_adapter(store_url: str, name: str, *, file: str = MANIFEST) -> bool:
    """Whether the store holds a complete adapter of this name; or, with another `file`, one that has that file."""
    if not _NAME.fullmatch(name):
        return False
    filesystem, root = open_store(store_url)
    wanted = {file, MANIFEST}
    return all(bool(filesystem.exists(f"{root}/{name}/{one}")) for one in wanted)


def read_file(store_url: str, name: str, file: str, *, cap_bytes: int) -> bytes:
    """A small file of a published folder, as it lies there: nothing about it is verified. Raises AdapterUnknown, and
    AdapterHostile where it is larger than the cap."""
    if not has_adapter(store_url, name, file=file):
        raise AdapterUnknown
    filesystem, root = open_store(store_url)
    with filesystem.open(f"{root}/{name}/{file}", "rb") as handle:
        data: bytes = handle.read(cap_bytes + 1)
    if len(data) > cap_bytes:
        raise AdapterHostile(f"{file} of the adapter is larger than {cap_bytes} bytes.")
    return data


def read_manifest(store_url: str, name: str) -> Manifest:
    """What an adapter says of itself. Not verified: whoever loads it does that.

    Raises AdapterUnknown, or AdapterTampered where the manifest is none.
    """
    data = read_file(store_url, name, MANIFEST, cap_bytes=COMMON_CAPS[MANIFEST])
    try:
        return Manifest.model_validate_json(data)
    except ValidationError:
        raise AdapterTampered from None


def read_base_of(store_url: str, name: str) -> tuple[str, str]:
    """The base model that an adapter's manifest names, and its digest; as `read_manifest`."""
    manifest = read_manifest(store_url, name)
    return manifest.base_model, manifest.base_revision


def remove_leftovers(store_url: str, name: str) -> None:
    """Remove what a publishing of this name left behind when it was killed; for whoever is sure that none goes on."""
    check_name(name)
    filesystem, root = open_store(store_url)
    if isinstance(filesystem, LocalFileSystem):
        for work in Path(root).glob(f".publishing-{name}-{'?' * 32}"):
            shutil.rmtree(work, ignore_errors=True)


def delete_adapter(store_url: str, name: str) -> None:
    """Take an adapter away for good; its manifest goes first, so no reader sees half of one."""
    remove_leftovers(store_url, name)
    filesystem, root = open_store(store_url)
    if filesystem.exists(f"{root}/{name}/{MANIFEST}"):
        filesystem.rm_file(f"{root}/{name}/{MANIFEST}")
    if filesystem.isdir(f"{root}/{name}"):
        filesystem.rm(f"{root}/{name}", recursive=True)


def check_name(name: str) -> None:
    """Raises AdapterNameInvalid for what could be a path, or more than one."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise AdapterNameInvalid


def open_store(store_url: str) -> tuple[Any, str]:
    """fsspec's filesystem, and where in it the store's folders lie."""
    filesystem, root = fsspec.core.url_to_fs(store_url)
    return filesystem, str(root).rstrip("/")

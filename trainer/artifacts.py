"""The artifact store: immutable adapter folders that are verified before anything reads their weights.

A folder with a manifest is complete, because the manifest is written last. Its digests cover every file, and the
trainer's Ed25519 signature covers the manifest. `fetch_verified` copies a folder into a private cache first and
checks the copy, so what was verified is what is loaded. Nothing here imports torch, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import stat
import struct
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import fsspec
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from config import failpoints
from trainer.errors import (
    AdapterHostile,
    AdapterIncomplete,
    AdapterNameInvalid,
    AdapterNameTaken,
    AdapterTampered,
    AdapterUnknown,
    AdapterWrongBase,
    VerifyKeyMissing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONFIG, WEIGHTS, README = "adapter_config.json", "adapter_model.safetensors", "README.md"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
HASH_PREFIX = "sha256:"

_CHUNK_BYTES = 1 << 20
_MAX_HEADER_BYTES = 4 << 20
#: The largest that each file may be; nothing else may lie in an adapter's folder.
SIZE_CAPS: dict[str, int] = {
    CONFIG: 64 << 10,
    WEIGHTS: 2 << 30,
    README: 256 << 10,
    MANIFEST: 64 << 10,
    SIGNATURE: 256,
}
_REQUIRED = (CONFIG, WEIGHTS, MANIFEST, SIGNATURE)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
#: What a file of the store holds: its bytes, or the file that has them where that is too large to be read at once.
Content = bytes | Path


# ------------------------------------------------------------------------------------------------ values


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFacts:
    """Where an adapter comes from; signed with it."""

    base_model: str
    #: `sha256:…` of the base model's weights and config, see `base_models.base_revision`.
    base_revision: str
    style_id: str
    #: The scope key that the adapter may serve, and no other.
    scope: str
    run_id: str
    rung: str
    created_at: datetime
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAdapter:
    name: str
    url: str
    #: `sha256:…` of the manifest, which pins every byte of the adapter.
    digest: str
    size_bytes: int


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_Text = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00-\x1f]*$")]


class FileEntry(_Strict):
    sha256: _Digest
    size_bytes: Annotated[int, Field(ge=0)]


class Manifest(_Strict):
    """What `manifest.json` says. Its bytes are canonical JSON, so they can be signed and compared."""

    format: Literal[1] = 1
    name: _Text
    base_model: _Text
    base_revision: _Digest
    style_id: _Text
    scope: _Text
    run_id: _Text
    rung: _Text
    created_at: _Text
    versions: dict[_Text, _Text]
    files: dict[_Text, FileEntry]

    def to_bytes(self) -> bytes:
        return _canonical(self.model_dump())


_Nothing = dict[str, Any]
_Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,200}$")]


class _LoraConfigFile(_Strict):
    """The keys that PEFT 0.21 writes for a plain LoRA, each with the only values that we load.

    What is pinned to None, False or {} either runs code named by the file (auto_mapping, megatron_core), changes
    the base model while loading (pissa, olora, layer_replication), or is a method that we neither train nor serve.
    """

    peft_type: Literal["LORA"]
    task_type: Literal["CAUSAL_LM"]
    r: Annotated[int, Field(ge=1, le=512)]
    lora_alpha: Annotated[float, Field(gt=0, le=65536, allow_inf_nan=False)]
    lora_dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    target_modules: Annotated[list[_Module], Field(min_length=1, max_length=512)]
    exclude_modules: list[_Module] | None = None
    use_dora: bool = False
    use_rslora: bool = False
    init_lora_weights: bool | Literal["gaussian"] = True
    inference_mode: bool = True
    fan_in_fan_out: bool = False
    base_model_name_or_path: _Text | None = None
    peft_version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+@-]{1,64}$")] | None = None
    revision: None = None
    auto_mapping: None = None
    bias: Literal["none"] = "none"
    lora_bias: Literal[False] = False
    modules_to_save: None = None
    layers_to_transform: None = None
    layers_pattern: None = None
    rank_pattern: Annotated[_Nothing, Field(max_length=0)] = Field(default_factory=dict)
    alpha_pattern: Annotated[_Nothing, Field(max_length=0)] = Field(default_factory=dict)
    loftq_config: Annotated[_Nothing, Field(max_length=0)] | None = None
    megatron_config: None = None
    megatron_core: Literal["megatron.core"] | None = None  # PEFT writes this constant; used only with the config
    trainable_token_indices: None = None
    eva_config: None = None
    corda_config: None = None
    lora_ga_config: None = None
    velora_config: None = None
    monteclora_config: None = None
    arrow_config: None = None
    kasa_config: None = None
    alora_invocation_tokens: None = None
    layer_replication: None = None
    target_parameters: None = None
    use_qalora: Literal[False] = False
    qalora_group_size: int = 16
    use_bdlora: None = None
    ensure_weight_tying: Literal[False] = False


# ------------------------------------------------------------------------------------------------ keys


def load_or_create_signing_key(keys_dir: Path) -> Ed25519PrivateKey:
    """The trainer's private key; made at first use, readable by its owner alone, with `verify.pem` beside it."""
    keys_dir.mkdir(parents=True, exist_ok=True)
    private_path = keys_dir / "signing.pem"
    with FileLock(str(keys_dir / "signing.lock")):
        if not private_path.exists():
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            temporary = keys_dir / f".signing-{uuid.uuid4().hex}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(pem)
                os.fsync(handle.fileno())
            temporary.rename(private_path)
        loaded = load_pem_private_key(private_path.read_bytes(), password=None)
        assert isinstance(loaded, Ed25519PrivateKey), "signing.pem holds another kind of key than Ed25519"
        public_path = keys_dir / "verify.pem"
        if not public_path.exists():
            _write_synced(
                public_path,
                loaded.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            )
    return loaded


def load_verify_key(keys_dir: Path) -> Ed25519PublicKey:
    """The public key that adapters are verified with. Raises VerifyKeyMissing."""
    try:
        key = load_pem_public_key((keys_dir / "verify.pem").read_bytes())
    except (OSError, ValueError) as exc:
        raise VerifyKeyMissing from exc
    if not isinstance(key, Ed25519PublicKey):
        raise VerifyKeyMissing
    return key


# ------------------------------------------------------------------------------------------------ publishing


def publish_adapter(
    store_url: str, name: str, local_folder: Path, facts: AdapterFacts, keys: Ed25519PrivateKey
) -> PublishedAdapter:
    """Put the adapter that PEFT saved in `local_folder` into the store, signed, under a name that never changes.

    The published copy passes the same checks as at loading, so that a run cannot end in an adapter that no server
    accepts. Publishing the same content again is a success, so a resumed run may repeat it. Raises
    AdapterNameInvalid, AdapterNameTaken and AdapterRejected.
    """
    contents = _published_files(local_folder, facts)
    _check_weights(memoryview(contents[WEIGHTS]), _check_config(contents[CONFIG]), None)
    return publish_files(store_url, name, contents, facts, keys)


def publish_files(
    store_url: str, name: str, checked: Mapping[str, Content], facts: AdapterFacts, keys: Ed25519PrivateKey
) -> PublishedAdapter:
    """Put these checked files into the store with their signed manifest, as `publish_adapter` says."""
    _check_name(name)
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
            file: FileEntry(sha256=_digest(data), size_bytes=_size_bytes(data))
            for file, data in sorted(contents.items())
        },
    )
    contents[SIGNATURE] = keys.sign(manifest.to_bytes())  # 64 raw bytes: every bit of them counts
    contents[MANIFEST] = manifest.to_bytes()  # last: a folder with a manifest is complete
    filesystem, root = _open_store(store_url)
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
        digest=_digest(manifest.to_bytes()),
        size_bytes=sum(map(_size_bytes, contents.values())),
    )


def _published_files(local_folder: Path, facts: AdapterFacts) -> dict[str, bytes]:
    try:
        config = json.loads((local_folder / CONFIG).read_bytes())
        weights = (local_folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as exc:
        raise AdapterIncomplete(f"{local_folder.name} holds no adapter that PEFT saved; train again.") from exc
    config["base_model_name_or_path"] = facts.base_model  # a name, not a path on the trainer's disk
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()  # PEFT keeps a set: sorted, equal adapters are equal bytes
    readme = (
        f"# Adapter of run {facts.run_id}\n\nLoRA for `{facts.base_model}` ({facts.base_revision}), "
        f"rung `{facts.rung}`, style {facts.style_id}.\n"
    )
    return {
        CONFIG: json.dumps(config, indent=2, sort_keys=True).encode(),
        WEIGHTS: weights,
        README: readme.encode(),
    }


def _publish_to_folder(root: Path, name: str, contents: Mapping[str, Content], manifest: Manifest) -> None:
    root.mkdir(parents=True, exist_ok=True)
    work = root / f".publishing-{name}-{uuid.uuid4().hex}"
    work.mkdir()
    try:
        for file, data in contents.items():
            if file == MANIFEST:
                failpoints.visit("artefact.upload_half")
            _write_synced(work / file, data)
        _sync_folder(work)
        try:
            work.rename(root / name)
        except OSError:  # somebody published this name meanwhile
            _check_same((root / name / MANIFEST).read_bytes(), manifest)
        _sync_folder(root)
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
    filesystem, root = _open_store(store_url)
    target = f"{root}/{path}"
    filesystem.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
    filesystem.pipe_file(target, data)


def list_adapters(store_url: str) -> list[str]:
    """Names of all complete adapters in the store, sorted; none of them verified yet."""
    filesystem, root = _open_store(store_url)
    if not filesystem.isdir(root):
        return []
    names = [entry.rstrip("/").rsplit("/", 1)[-1] for entry in filesystem.ls(root, detail=False)]
    return sorted(name for name in names if _NAME.fullmatch(name) and filesystem.exists(f"{root}/{name}/{MANIFEST}"))


def has_adapter(store_url: str, name: str, *, file: str = MANIFEST) -> bool:
    """Whether the store holds a complete adapter of this name; or, with another `file`, one that has that file."""
    if not _NAME.fullmatch(name):
        return False
    filesystem, root = _open_store(store_url)
    wanted = {file, MANIFEST}
    return all(bool(filesystem.exists(f"{root}/{name}/{one}")) for one in wanted)


def read_file(store_url: str, name: str, file: str, *, cap_bytes: int) -> bytes:
    """A small file of a published folder, as it lies there: nothing about it is verified. Raises AdapterUnknown, and
    AdapterHostile where it is larger than the cap."""
    if not has_adapter(store_url, name, file=file):
        raise AdapterUnknown
    filesystem, root = _open_store(store_url)
    with filesystem.open(f"{root}/{name}/{file}", "rb") as handle:
        data: bytes = handle.read(cap_bytes + 1)
    if len(data) > cap_bytes:
        raise AdapterHostile(f"{file} of the adapter is larger than {cap_bytes} bytes.")
    return data


def read_base_of(store_url: str, name: str) -> tuple[str, str]:
    """The base model that an adapter's manifest names, and its digest. Not verified: whoever loads it does that.

    Raises AdapterUnknown, or AdapterTampered where the manifest is none.
    """
    data = read_file(store_url, name, MANIFEST, cap_bytes=SIZE_CAPS[MANIFEST])
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError:
        raise AdapterTampered from None
    return manifest.base_model, manifest.base_revision


def remove_leftovers(store_url: str, name: str) -> None:
    """Remove what a publishing of this name left behind when it was killed; for whoever is sure that none goes on."""
    _check_name(name)
    filesystem, root = _open_store(store_url)
    if isinstance(filesystem, LocalFileSystem):
        for work in Path(root).glob(f".publishing-{name}-{'?' * 32}"):
            shutil.rmtree(work, ignore_errors=True)


def delete_adapter(store_url: str, name: str) -> None:
    """Take an adapter away for good; its manifest goes first, so no reader sees half of one."""
    remove_leftovers(store_url, name)
    filesystem, root = _open_store(store_url)
    if filesystem.exists(f"{root}/{name}/{MANIFEST}"):
        filesystem.rm_file(f"{root}/{name}/{MANIFEST}")
    if filesystem.isdir(f"{root}/{name}"):
        filesystem.rm(f"{root}/{name}", recursive=True)


# ------------------------------------------------------------------------------------------------ verifying


def fetch_verified(
    store_url: str,
    name: str,
    cache_dir: Path,
    verify_key: Ed25519PublicKey,
    *,
    expected_base_revision: str,
    base_shapes: Mapping[str, tuple[int, int]] | None = None,
    size_caps: Mapping[str, int] = SIZE_CAPS,
) -> Path:
    """A private, verified copy of an adapter, in `cache_dir/<name>`.

    Checked in this order, before anything reads the weights: names, links and sizes; signature; digests; base
    model; config; tensors (`base_shapes`: module → (out, in) of the base model, where it is at hand). Raises
    AdapterUnknown or an AdapterRejected.
    """

    def check(folder: Path) -> None:
        _check_adapter(folder, base_shapes)

    return fetch_files(
        store_url, name, cache_dir, verify_key, expected_revision=expected_base_revision, size_caps=size_caps,
        required=_REQUIRED, check=check,
    )  # fmt: skip


def fetch_files(
    store_url: str,
    name: str,
    cache_dir: Path,
    verify_key: Ed25519PublicKey,
    *,
    expected_revision: str,
    size_caps: Mapping[str, int],
    required: Sequence[str],
    check: Callable[[Path], None],
) -> Path:
    """A private copy of a published folder in `cache_dir/<name>`, verified; `check` looks into its own files last."""
    _check_name(name)
    filesystem, root = _open_store(store_url)
    source = f"{root}/{name}"
    if isinstance(filesystem, LocalFileSystem):
        sizes = _list_local(Path(source), size_caps, required)
    else:
        sizes = _list_remote(filesystem, source, size_caps, required)
    cache_dir.mkdir(parents=True, exist_ok=True)
    work = cache_dir / f".fetching-{name}-{uuid.uuid4().hex}"
    work.mkdir()
    try:
        for file, size_bytes in sizes.items():
            _copy_capped(filesystem, source, file, work / file, size_bytes)
        _verify_files(work, name, verify_key, expected_revision, size_caps, required)
        check(work)
        target = cache_dir / name
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _verify_files(
    folder: Path,
    name: str,
    verify_key: Ed25519PublicKey,
    expected_revision: str,
    size_caps: Mapping[str, int],
    required: Sequence[str],
) -> None:
    sizes = _list_local(folder, size_caps, required)
    manifest = _check_signature(folder, verify_key)
    if manifest.name != name:
        raise AdapterTampered(f"The folder {name} holds the adapter {manifest.name}; publish it again.")
    _check_digests(folder, sizes, manifest)
    if manifest.base_revision != expected_revision:
        raise AdapterWrongBase


def _check_adapter(folder: Path, base_shapes: Mapping[str, tuple[int, int]] | None) -> None:
    config = _check_config((folder / CONFIG).read_bytes())
    if (folder / WEIGHTS).stat().st_size == 0:
        raise AdapterIncomplete("The adapter's weights are empty.")
    _check_weights(np.memmap(folder / WEIGHTS, dtype=np.uint8, mode="r").data, config, base_shapes)


def manifest_digest(folder: Path) -> str:
    """`sha256:…` of an adapter's manifest, which pins every byte of it."""
    return _digest((folder / MANIFEST).read_bytes())


def _list_local(folder: Path, size_caps: Mapping[str, int], required: Sequence[str]) -> dict[str, int]:
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
            raise AdapterHostile(f"{_shown(entry.name)} in the adapter's folder is a link or a folder.")
        sizes[entry.name] = status.st_size
    return _check_listing(sizes, size_caps, required)


def _list_remote(filesystem: Any, source: str, size_caps: Mapping[str, int], required: Sequence[str]) -> dict[str, int]:
    try:
        entries = filesystem.ls(source, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        raise AdapterUnknown from None
    sizes: dict[str, int] = {}
    for entry in entries:
        file = str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]
        if entry["type"] != "file":
            raise AdapterHostile(f"{_shown(file)} in the adapter's folder is a folder.")
        sizes[file] = int(entry["size"])
    return _check_listing(sizes, size_caps, required)


def _check_listing(sizes: dict[str, int], size_caps: Mapping[str, int], required: Sequence[str]) -> dict[str, int]:
    for file, size_bytes in sizes.items():
        if file not in size_caps:
            raise AdapterHostile(f"{_shown(file)} does not belong into an adapter's folder.")
        if size_bytes > size_caps[file]:
            raise AdapterHostile(f"{file} of the adapter is larger than {size_caps[file]} bytes.")
    for file in required:
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


def _check_signature(folder: Path, verify_key: Ed25519PublicKey) -> Manifest:
    data = (folder / MANIFEST).read_bytes()
    try:
        verify_key.verify((folder / SIGNATURE).read_bytes(), data)
    except (InvalidSignature, ValueError) as exc:
        raise AdapterTampered("The adapter's signature is not the trainer's; it was not loaded.") from exc
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as exc:
        raise AdapterHostile("The adapter's manifest has a shape that we do not write.") from exc
    if manifest.to_bytes() != data:
        raise AdapterHostile("The adapter's manifest has a shape that we do not write.")
    return manifest


def _check_digests(folder: Path, sizes: Mapping[str, int], manifest: Manifest) -> None:
    if set(sizes) - {MANIFEST, SIGNATURE} != set(manifest.files):
        raise AdapterTampered("The adapter's folder holds other files than its manifest names.")
    for file, entry in manifest.files.items():
        if sizes[file] != entry.size_bytes:
            raise AdapterTampered(f"{file} of the adapter has another size than its manifest says.")
        with (folder / file).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if f"{HASH_PREFIX}{digest}" != entry.sha256:
            raise AdapterTampered(f"{file} of the adapter is not the file that the trainer signed.")


# ------------------------------------------------------------------------------------------------ config, tensors


def _check_config(data: bytes) -> _LoraConfigFile:
    try:
        value = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
        return _LoraConfigFile.model_validate(value)
    except ValidationError as exc:
        keys = sorted({".".join(map(str, error["loc"])) or "all of it" for error in exc.errors()})
        raise AdapterHostile(f"adapter_config.json has what we never load: {_shown(', '.join(keys))}.") from exc
    except (ValueError, RecursionError) as exc:
        raise AdapterHostile("adapter_config.json is not plain JSON.") from exc


_LORA_KEY = re.compile(
    r"base_model\.model\.(?P<module>[A-Za-z0-9_.]{1,400})\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?"
)
_FLOATS: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {
    # dtype → how its numbers are read as integers, and the exponent bits that NaN and Inf have all set
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}


def _check_weights(
    buffer: memoryview,
    config: _LoraConfigFile,
    base_shapes: Mapping[str, tuple[int, int]] | None,
) -> None:
    """Only finite LoRA matrices of the config's rank, laid out without gaps, that fit the base model."""
    header, start = read_header(buffer)
    modules: dict[str, dict[str, list[int]]] = {}
    for key, entry in sorted(header.items(), key=lambda item: item[1].data_offsets):
        match = _LORA_KEY.fullmatch(key)
        if match is None:
            raise AdapterHostile(f"{_shown(key)} in the adapter's weights is not a LoRA matrix.")
        modules.setdefault(match["module"], {})[match["part"]] = entry.shape
    check_tensors(buffer, header, start, "adapter")
    if not modules:
        raise AdapterHostile("The adapter holds no weights.")
    for module, parts in modules.items():
        _check_shapes(module, parts, config, base_shapes)


class TensorEntry(_Strict):
    dtype: Literal["F32", "F16", "BF16"]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=1 << 24)]], Field(min_length=1, max_length=2)]
    data_offsets: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


def read_header(buffer: memoryview) -> tuple[dict[str, TensorEntry], int]:
    """The safetensors header, and where the numbers start."""
    if len(buffer) < 8:
        raise AdapterIncomplete("The adapter's weights end early.")
    (header_bytes,) = struct.unpack("<Q", buffer[:8])
    if header_bytes > min(_MAX_HEADER_BYTES, len(buffer) - 8):
        raise AdapterHostile("The header of the adapter's weights is larger than it may be.")
    try:
        value = json.loads(bytes(buffer[8 : 8 + header_bytes]), object_pairs_hook=_no_duplicates)
        value.pop("__metadata__", None)
        # Validated as JSON, because there a list stands for the pair of offsets.
        header = {key: TensorEntry.model_validate_json(json.dumps(entry)) for key, entry in value.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise AdapterHostile("The header of the adapter's weights is not what safetensors writes.") from exc
    return header, 8 + header_bytes


def check_tensors(buffer: memoryview, header: Mapping[str, TensorEntry], start: int, what: str) -> None:
    """Finite numbers, laid out one after the other without gaps, and nothing behind them."""
    end = start
    for entry in sorted(header.values(), key=lambda one: one.data_offsets):
        integers, exponent = _FLOATS[entry.dtype]
        begin, stop = start + entry.data_offsets[0], start + entry.data_offsets[1]
        size_bytes = math.prod(entry.shape) * np.dtype(integers).itemsize
        if begin != end or stop - begin != size_bytes or stop > len(buffer):
            raise AdapterHostile(f"The {what}'s weights overlap, leave gaps or end early.")
        end = stop
        _check_finite(buffer[begin:stop], integers, exponent, what)
    if end != len(buffer):
        raise AdapterHostile(f"The {what}'s weights are followed by something else.")


def _check_finite(data: memoryview, integers: type[np.unsignedinteger[Any]], exponent: int, what: str) -> None:
    bits = np.frombuffer(data, dtype=integers)
    step = _CHUNK_BYTES
    for offset in range(0, len(bits), step):
        if ((bits[offset : offset + step] & integers(exponent)) == exponent).any():
            raise AdapterHostile(f"The {what}'s weights are not all finite numbers.")


def _check_shapes(
    module: str,
    parts: Mapping[str, list[int]],
    config: _LoraConfigFile,
    base_shapes: Mapping[str, tuple[int, int]] | None,
) -> None:
    a, b, magnitude = parts.get("lora_A"), parts.get("lora_B"), parts.get("lora_magnitude_vector")
    if a is None or b is None or len(a) != 2 or len(b) != 2 or (magnitude is not None) != config.use_dora:
        raise AdapterHostile(f"The adapter's matrices for {_shown(module)} are not a LoRA pair.")
    if a[0] != config.r or b[1] != config.r:
        raise AdapterHostile(f"The adapter's rank for {_shown(module)} is not the {config.r} of its config.")
    if magnitude is not None and math.prod(magnitude) != b[0]:
        raise AdapterHostile(f"The adapter's magnitude for {_shown(module)} does not fit its matrices.")
    if not any(module == target or module.endswith(f".{target}") for target in config.target_modules):
        raise AdapterHostile(f"{_shown(module)} is not among the modules that the adapter's config names.")
    if base_shapes is not None and base_shapes.get(module) != (b[0], a[1]):
        raise AdapterWrongBase(f"The adapter's matrices for {_shown(module)} do not fit the base model.")


# ------------------------------------------------------------------------------------------------ small helpers


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name:
        raise AdapterNameInvalid


def _open_store(store_url: str) -> tuple[Any, str]:
    filesystem, root = fsspec.core.url_to_fs(store_url)
    return filesystem, str(root).rstrip("/")


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(data: Content) -> str:
    if isinstance(data, Path):
        with data.open("rb") as handle:
            return f"{HASH_PREFIX}{hashlib.file_digest(handle, 'sha256').hexdigest()}"
    return f"{HASH_PREFIX}{hashlib.sha256(data).hexdigest()}"


def _size_bytes(data: Content) -> int:
    return data.stat().st_size if isinstance(data, Path) else len(data)


def _shown(text: str) -> str:
    """A foreign name, short and printable, so that it can stand in a sentence and in a log."""
    return ascii(text[:120])[1:-1]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_constants(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _write_synced(path: Path, data: Content) -> None:
    with path.open("xb") as handle:
        if isinstance(data, Path):
            with data.open("rb") as source:
                shutil.copyfileobj(source, handle, _CHUNK_BYTES)
        else:
            handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

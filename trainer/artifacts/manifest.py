"""The manifest of a published folder: where its weights come from, the digest of each file, and the signature on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, StringConstraints, ValidationError

from trainer.artifacts.foreign import Strict, Text
from trainer.errors import AdapterHostile, AdapterTampered

README, MANIFEST, SIGNATURE = "README.md", "manifest.json", "manifest.sig"
#: What may lie in every published folder beside its own files, and the largest that each may be. All but the README
#: must be there.
COMMON_CAPS: dict[str, int] = {README: 256 << 10, MANIFEST: 64 << 10, SIGNATURE: 256}
#: What a file of the store holds: its bytes, or the file that has them where that is too large to be read at once.
Content = bytes | Path
_Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


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


class FileEntry(Strict):
    """What the manifest says of one file."""

    sha256: _Digest
    size_bytes: Annotated[int, Field(ge=0)]


class Manifest(Strict):
    """What `manifest.json` says. Its bytes are canonical JSON, so they can be signed and compared."""

    format: Literal[1] = 1
    name: Text
    base_model: Text
    base_revision: _Digest
    style_id: Text
    scope: Text
    run_id: Text
    rung: Text
    created_at: Text
    versions: dict[Text, Text]
    files: dict[Text, FileEntry]

    def to_bytes(self) -> bytes:
        return _canonical(self.model_dump())


def manifest_digest(folder: Path) -> str:
    """`sha256:…` of an adapter's manifest, which pins every byte of it."""
    return digest_of((folder / MANIFEST).read_bytes())


def read_signed(folder: Path, verify_key: Ed25519PublicKey) -> Manifest:
    """The manifest of a folder, once its signature is verified. Raises AdapterTampered and AdapterHostile."""
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


def check_digests(folder: Path, sizes: Mapping[str, int], manifest: Manifest) -> None:
    """Are these files, with their sizes in bytes, the ones that were signed? Raises AdapterTampered."""
    if set(sizes) - {MANIFEST, SIGNATURE} != set(manifest.files):
        raise AdapterTampered("The adapter's folder holds other files than its manifest names.")
    for file, entry in manifest.files.items():
        if sizes[file] != entry.size_bytes:
            raise AdapterTampered(f"{file} of the adapter has another size than its manifest says.")
        if digest_of(folder / file) != entry.sha256:
            raise AdapterTampered(f"{file} of the adapter is not the file that the trainer signed.")


def digest_of(data: Content) -> str:
    """`sha256:…` of these bytes, or of this file's."""
    if isinstance(data, Path):
        with data.open("rb") as handle:
            return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def size_of(data: Content) -> int:
    """In bytes."""
    return data.stat().st_size if isinstance(data, Path) else len(data)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

"""The keys of the artifact store: the trainer signs with one, and whoever loads verifies with the other."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

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

from trainer.errors import VerifyKeyMissing
from trainer.synced_files import write_synced


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
            write_synced(
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

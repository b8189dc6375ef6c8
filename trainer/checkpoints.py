"""Checkpoints that can be trusted: one counts only when its COMPLETE manifest verifies.

Files are written in a hidden folder, synced, renamed into place, and only then is the manifest of their sha256
written; so a crash at any moment leaves either a checkpoint that verifies or one that is ignored. A checkpoint
also needs its best predecessor, since that is what would be published. `transformers` itself would resume from
any folder that is named `checkpoint-N`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import failpoints
from trainer.synced_files import sync_folder

COMPLETE = "COMPLETE.json"
STATE = "trainer_state.json"
PREFIX = "checkpoint-"
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint: the step it was taken after, and the best step so far by validation loss."""

    folder: Path
    step: int
    best_step: int
    state: dict[str, Any]


def checkpoint_folder(root: Path, step: int) -> Path:
    return root / f"{PREFIX}{step}"


def seal(root: Path, step: int, *, fingerprint: str, best_step: int) -> Path:
    """Turn the written `.partial/checkpoint-<step>` into a checkpoint that counts."""
    partial, final = checkpoint_folder(root / PARTIAL, step), checkpoint_folder(root, step)
    digests = {path.name: _sync_and_digest(path) for path in sorted(partial.iterdir())}
    failpoints.visit("ckpt.before_rename")
    if final.exists():  # left by an earlier attempt that died before its manifest
        shutil.rmtree(final)
    partial.rename(final)
    sync_folder(root)
    failpoints.visit("ckpt.before_complete")
    manifest = {"step": step, "best_step": best_step, "fingerprint": fingerprint, "sha256": digests}
    written = final / f"{COMPLETE}.new"
    written.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    _sync_and_digest(written)
    written.rename(final / COMPLETE)
    sync_folder(final)
    return final


def find_verified(root: Path, fingerprint: str) -> Checkpoint | None:
    """The newest checkpoint of this training that verifies, together with its best one. Never raises.

    `fingerprint` names the training (recipe, rows, base model); checkpoints of another one are ignored.
    """
    found: dict[int, Checkpoint] = {}
    with suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            checkpoint = _verify(folder, fingerprint)
            if checkpoint is not None:
                found[checkpoint.step] = checkpoint
    return next((found[s] for s in sorted(found, reverse=True) if found[s].best_step in found), None)


def prune(root: Path, *, keep: set[int]) -> None:
    """Remove all checkpoints but these; called only after the newest has been sealed."""
    with suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            if folder.name.removeprefix(PREFIX) not in {str(step) for step in keep}:
                # The manifest goes first: what is half removed must not count.
                (folder / COMPLETE).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(root / PARTIAL, ignore_errors=True)


def _verify(folder: Path, fingerprint: str) -> Checkpoint | None:
    try:
        manifest = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        digests: dict[str, str] = manifest["sha256"]
        if manifest["fingerprint"] != fingerprint or folder.name != f"{PREFIX}{manifest['step']}":
            return None
        if STATE not in digests or any(_digest(folder / name) != value for name, value in digests.items()):
            return None
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return Checkpoint(folder=folder, step=int(manifest["step"]), best_step=int(manifest["best_step"]), state=state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_and_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()

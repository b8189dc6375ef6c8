"""The folder a run works in: `<data>/runs/<run id>/attempt-<fence>`, checkpoints and adapters until they are published.

A new attempt takes over its predecessor's folder by renaming it, so a predecessor that wakes up after its lease
finds its files gone and cannot spoil what the new attempt reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

_ATTEMPT = re.compile(r"attempt-(\d+)")


def prepare_workspace(data_dir: Path, run_id: str, fence: int) -> Path:
    """The folder of this attempt, with all that the latest earlier attempt on this host left behind."""
    root = data_dir / "runs" / run_id
    root.mkdir(parents=True, exist_ok=True)
    own = root / f"attempt-{fence}"
    earlier = [path for number, path in _attempts(root) if number < fence]
    if earlier and not own.exists():
        earlier.pop().rename(own)
    for path in earlier:
        shutil.rmtree(path, ignore_errors=True)
    own.mkdir(exist_ok=True)
    return own


def list_workspaces(data_dir: Path) -> list[str]:
    """The ids of the runs that have a folder on this host."""
    root = data_dir / "runs"
    return [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def remove_workspace(data_dir: Path, run_id: str, *, up_to_fence: int | None = None) -> None:
    """This attempt is over for good: its folder and earlier ones go. A later attempt's folder is not ours. Without a
    fence the run itself is over, and all of them go."""
    root = data_dir / "runs" / run_id
    for number, path in _attempts(root):
        if up_to_fence is None or number <= up_to_fence:
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # not empty: a later attempt is at work in it
        root.rmdir()


def _attempts(root: Path) -> list[tuple[int, Path]]:
    if not root.is_dir():
        return []
    return sorted((int(found[1]), path) for path in root.iterdir() if (found := _ATTEMPT.fullmatch(path.name)))


def write_value(path: Path, value: Any) -> None:
    """JSON, all of it or nothing, whatever happens meanwhile."""
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_value(path: Path) -> Any:
    """What `write_value` wrote, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def digest_of_weights(folder: Path | None) -> str:
    """`sha256:…` of the weights in an adapter's or a model's folder; empty where there is none."""
    if folder is None:
        return ""
    files, digest = sorted(folder.glob("*.safetensors")), hashlib.sha256()
    assert files, "a folder of weights holds some"
    for weights in files:
        with weights.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"

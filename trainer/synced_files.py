"""Files that are on the disk, and not only on their way to it, when these functions return."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def write_synced(path: Path, data: bytes | Path) -> None:
    """Write a file that is not there yet: these bytes, or the content of that file."""
    with path.open("xb") as handle:
        if isinstance(data, Path):
            with data.open("rb") as source:
                shutil.copyfileobj(source, handle, _CHUNK_BYTES)
        else:
            handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """The names in it: what was made, renamed or removed there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

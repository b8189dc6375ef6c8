"""What a safetensors file holds, checked by its header and its numbers before any library reads it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from trainer.artifacts.foreign import Strict, read_json
from trainer.errors import AdapterHostile, AdapterIncomplete

_MAX_HEADER_BYTES = 4 << 20
#: So many numbers are looked at together.
_CHUNK = 1 << 20
_FLOATS: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {
    # dtype → how its numbers are read as integers, and the exponent bits that NaN and Inf have all set
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}


class TensorEntry(Strict):
    """What the header says of one tensor."""

    dtype: Literal["F32", "F16", "BF16"]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=1 << 24)]], Field(min_length=1, max_length=2)]
    data_offsets: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


def map_file(file: Path) -> memoryview:
    """The bytes of a file, read from disk where they are looked at. It must not be empty."""
    return np.memmap(file, dtype=np.uint8, mode="r").data


def read_header(buffer: memoryview) -> tuple[dict[str, TensorEntry], int]:
    """The safetensors header, and where the numbers start. Raises AdapterIncomplete and AdapterHostile."""
    if len(buffer) < 8:
        raise AdapterIncomplete("The adapter's weights end early.")
    (header_bytes,) = struct.unpack("<Q", buffer[:8])
    if header_bytes > min(_MAX_HEADER_BYTES, len(buffer) - 8):
        raise AdapterHostile("The header of the adapter's weights is larger than it may be.")
    try:
        value = read_json(bytes(buffer[8 : 8 + header_bytes]))
        value.pop("__metadata__", None)
        # Validated as JSON, because there a list stands for the pair of offsets.
        header = {key: TensorEntry.model_validate_json(json.dumps(entry)) for key, entry in value.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise AdapterHostile("The header of the adapter's weights is not what safetensors writes.") from exc
    return header, 8 + header_bytes


def check_tensors(buffer: memoryview, header: Mapping[str, TensorEntry], start: int, what: str) -> None:
    """Finite numbers, laid out one after the other without gaps, and nothing behind them. Raises AdapterHostile, which
    says `what` they are the weights of."""
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
    for offset in range(0, len(bits), _CHUNK):
        if ((bits[offset : offset + _CHUNK] & integers(exponent)) == exponent).any():
            raise AdapterHostile(f"The {what}'s weights are not all finite numbers.")

"""Reading what may come from somebody else: JSON of exactly one shape, and foreign names that are safe to show."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00-\x1f]*$")]


class Strict(BaseModel):
    """Exactly these keys, each of exactly its type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read_json(data: bytes) -> Any:
    """Plain JSON: no key twice, no NaN, no Infinity. Raises ValueError and RecursionError."""
    return json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)


def shown(text: str) -> str:
    """A foreign name, short and printable, so that it can stand in a sentence and in a log."""
    return ascii(text[:120])[1:-1]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_constants(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")

"""What a base model is called over HTTP and to people."""

from __future__ import annotations

EMBEDDED_PREFIX = "embedded:"


def base_model_id(name: str) -> str:
    """The last part of its name: `embedded:smollm2-135m-instruct` and `/models/smollm2-135m-instruct` are both
    `smollm2-135m-instruct`."""
    return name.removeprefix(EMBEDDED_PREFIX).rstrip("/").rsplit("/", 1)[-1]

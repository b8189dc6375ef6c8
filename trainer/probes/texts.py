"""What probes ask, and what a model answered. Passages of general text, and requests with a right and a wrong answer,
ship with the project in files of their own. Pure."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """General text in one language."""

    text: str
    language: str

    @property
    def bytes(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A request, and two answers of which one is right."""

    prompt: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of every model; empty where a probe is not run."""

    passages: tuple[Passage, ...] = ()
    refusals: tuple[Contrast, ...] = ()
    instructions: tuple[Contrast, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one model said."""

    #: Bits of each passage.
    passage_bits: tuple[float, ...]
    #: By how many nats a token the right answer is likelier than the wrong one.
    refusal_margins: tuple[float, ...]
    instruction_margins: tuple[float, ...]
    #: Bits of exposure of each canary.
    exposures: tuple[float, ...] = ()


@cache
def read_passages() -> tuple[Passage, ...]:
    return tuple(
        Passage(text=one["text"].strip(), language=one["language"]) for one in _read("passages.toml")["passage"]
    )


@cache
def read_contrasts(kind: str) -> tuple[Contrast, ...]:
    """`refusal` or `instruction`."""
    return tuple(Contrast(**one) for one in _read("contrasts.toml")[kind])


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_DATA / name).read_text(encoding="utf-8"))

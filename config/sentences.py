"""A sentence with places for values, filled in as a language writes numbers, and carried from one process to another.

A trainer writes what happened as a Note: the sentence in English with its values beside it. Whoever shows it finds
the sentence in the reader's language and fills in the same values.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, overload

from babel.numbers import format_decimal, format_percent

Value = str | int | float
_DECIMALS = re.compile(r"\.(\d)([f%])")


def fill(sentence: str, values: Mapping[str, Value], language: str = "en") -> str:
    """Put values into the `{places}` of a sentence; raises KeyError when one is missing.

    Numbers are written as the language does. A place may ask for decimals (`{loss:.3f}`), a share (`{done:.0%}`) or a
    whole number of two digits (`{hour:02d}`).
    """
    return _filler(language).vformat(sentence, (), values)


def write_number(value: float, shape: str = "", language: str = "en") -> str:
    """`1,234`, `0.042`, `62%` in English. Without a shape a whole number is whole, and another has two figures."""
    if shape.endswith("d"):
        return format(value, shape)
    decimals = _DECIMALS.fullmatch(shape)
    pattern = f"#,##0.{'0' * int(decimals[1])}".rstrip(".") if decimals else "#,##0"
    if decimals and decimals[2] == "%":
        text = format_percent(value, format=f"{pattern}%", locale=language)
    elif decimals or isinstance(value, int):
        text = format_decimal(value, format=pattern, locale=language)
    else:
        # What rounds to nothing keeps two figures of its own instead: a small difference is not none.
        pattern = "0.00" if round(value, 2) or not value else "@@"
        text = format_decimal(value, format=pattern, locale=language)
    return text.replace("-", "−")


def join_clauses(sentence: str, clauses: Sequence[str]) -> str:
    """`A sentence; a phrase; another.`: one sentence of a sentence and of phrases without a full stop."""
    return "; ".join([sentence.removesuffix("."), *clauses]) + "."


class _Filler(string.Formatter):
    def __init__(self, language: str) -> None:
        self._language = language

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        """A name and nothing else: no attribute of a value is ever reached through a sentence."""
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, str):
            return value
        return write_number(value, format_spec, self._language)


@cache
def _filler(language: str) -> _Filler:
    return _Filler(language)


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence in English and its values, to be shown in any language."""

    sentence: str
    values: Mapping[str, Value]

    def __str__(self) -> str:
        return fill(self.sentence, self.values)

    def escaped(self) -> Note:
        """A finished text as a note: its braces are no places."""
        return Note(self.sentence.replace("{", "{{").replace("}", "}}"), self.values)

    def as_json(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "values": dict(self.values)}


def note(sentence: str, **values: Value) -> Note:
    """A note. `sentence` is written out where this is called, so that it can be found and translated."""
    return Note(sentence, values)


@overload
def read_note(stored: None) -> None: ...
@overload
def read_note(stored: Mapping[str, Any]) -> Note | None: ...
def read_note(stored: Mapping[str, Any] | None) -> Note | None:
    """A stored note again; None for anything else."""
    if not stored or not isinstance(stored.get("sentence"), str) or not isinstance(stored.get("values"), Mapping):
        return None
    values = {str(name): value for name, value in stored["values"].items() if isinstance(value, str | int | float)}
    return Note(stored["sentence"], values)

"""Every error is a sentence that a person can read, and what nobody foresaw is never shown."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import re
from collections.abc import Iterator

import pytest

import bot
from bot import errors
from bot.errors import HuisstijlError, ImportRefused, UnusablePair, explain
from db.session import DatabaseUnavailable

# A subclass is known once its module is loaded.
for module in pkgutil.walk_packages(bot.__path__, "bot."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def subclasses_of(kind: type[HuisstijlError]) -> Iterator[type[HuisstijlError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("bot."):
            yield child
            yield from subclasses_of(child)


ALL: list[type[HuisstijlError]] = sorted(
    {HuisstijlError, *subclasses_of(HuisstijlError)}, key=lambda kind: kind.__name__
)
DRAWING = [line for line in (errors.__doc__ or "").splitlines() if line[:1] in ("│", "├", "└", "H")]


def make(kind: type[HuisstijlError], sentence: str = "") -> HuisstijlError:
    if issubclass(kind, UnusablePair):
        return kind({"completion": sentence} if sentence else {})
    if issubclass(kind, ImportRefused):
        return kind((), sentence)
    return kind(sentence)


def written_in(kind: type[HuisstijlError]) -> str:
    """The class's own docstring on one line; a parent's does not count."""
    return " ".join(inspect.cleandoc(kind.__dict__["__doc__"] or "").split())


@pytest.mark.parametrize("kind", ALL)
def test_an_error_without_words_says_what_its_class_says(kind: type[HuisstijlError]) -> None:
    sentence = written_in(kind)
    assert re.match(r"[A-Z]", sentence) and sentence[-1] in ".!?", sentence
    explained = explain(make(kind))
    assert explained.sentence == sentence
    assert explained.log_level == kind.log_level and explained.reference == ""


@pytest.mark.parametrize("kind", ALL)
def test_more_exact_words_take_the_place_of_the_class_s(kind: type[HuisstijlError]) -> None:
    assert explain(make(kind, "Nine of ten\nare there.")).sentence == "Nine of ten are there."


@pytest.mark.parametrize("kind", [*errors._FROM_DB, DatabaseUnavailable])
def test_an_error_of_the_database_says_its_sentence_and_not_its_arguments(kind: type[Exception]) -> None:
    explained = explain(kind("host=10.0.0.7"))
    assert explained.sentence == " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    assert explained.sentence.endswith(".") and explained.reference == ""


@pytest.mark.parametrize("error", [ValueError("xoxb-1-secret"), KeyError("xoxb-1-secret"), OSError(5, "xoxb-1-secret")])
def test_what_nobody_foresaw_gets_a_reference_and_never_shows_its_text(error: Exception) -> None:
    first, second = explain(error), explain(error)
    assert "xoxb" not in first.sentence and type(error).__name__ not in first.sentence
    assert re.fullmatch(r"[0-9a-f]{8}", first.reference) and first.reference in first.sentence
    assert first.reference != second.reference and first.log_level == logging.ERROR


def test_the_drawing_names_every_error_once_and_no_other() -> None:
    names = [name for line in DRAWING for name in re.findall(r"\b[A-Z]\w+[a-z]\b", line) if name != "Slack"]
    assert sorted(names) == [kind.__name__ for kind in ALL]


def test_the_drawing_hangs_every_error_under_its_parent() -> None:
    """Two names on one line share a parent: the last line further left."""
    path: list[tuple[int, str]] = []
    for line in DRAWING:
        words = line.lstrip("│├└─ ")
        depth = len(line) - len(words)
        path = [(d, name) for d, name in path if d < depth]
        for name in re.findall(r"[A-Z]\w+", words.split("   ")[0]):
            [kind] = [kind for kind in ALL if kind.__name__ == name]
            parent = path[-1][1] if path else "Exception"
            assert kind.__base__ is not None and kind.__base__.__name__ == parent
        path.append((depth, words.split()[0]))


def test_what_lives_elsewhere_is_drawn_with_its_home() -> None:
    for kind in ALL:
        if kind.__module__ != errors.__name__:
            [line] = [line for line in DRAWING if re.search(rf"\b{kind.__name__}\b", line)]
            assert f"in {kind.__module__}:" in line

"""In which language we speak to whom, and how a sentence is said in it.

A sentence is written once, in English, in bot/texts; its other languages stand in the catalogues beside it (gettext's
.po files, read with Babel). Whoever works for a person says so once, at the border: `with speaking(locale)`. A locale
whose language we do not speak is spoken to in English.
"""

from __future__ import annotations

import gettext
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from io import BytesIO

from babel.dates import format_datetime
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency

from config.sentences import Note, Value, fill, join_clauses, write_number

ENGLISH = "en"
#: Besides English; each is a folder of catalogues in bot/texts.
TRANSLATIONS = ("nl",)
LANGUAGES = (ENGLISH, *TRANSLATIONS)

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)
_workspace_language: ContextVar[str] = ContextVar("workspace_language", default="")


def language_of(locale: str | None) -> str:
    """`nl-NL` → `nl`; English for a language that we do not speak, and for none."""
    language = (locale or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else ENGLISH


@contextmanager
def speaking(locale: str | None, *, workspace: str | None = None) -> Iterator[None]:
    """Everything said inside is said in this locale's language. `workspace`: the language for what many read, where
    the installation sets one ("" where it does not); left as it is when not given."""
    before = _language.set(language_of(locale))
    before_that = _workspace_language.set(_workspace_language.get() if workspace is None else workspace)
    try:
        yield
    finally:
        _language.reset(before)
        _workspace_language.reset(before_that)


def spoken_language() -> str:
    """The language that we speak at this moment."""
    return _language.get()


def workspace_language() -> str:
    """The language that the installation sets for what many people read; "" when it sets none."""
    return _workspace_language.get()


# ------------------------------------------------------------------------------------------------------ saying


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text without values: called, it says itself in the language spoken at that moment."""

    english: str

    def __call__(self, **values: Value) -> str:
        return say(self.english, **values)

    def __str__(self) -> str:
        return self()


def sentence(english: str) -> Sentence:
    """A text that is kept under a name and said later, when it is known to whom."""
    return Sentence(english)


def say(english: str, **values: Value) -> str:
    """This sentence, with its values filled in, in the language spoken now."""
    language = _language.get()
    return fill(_catalogue(language).gettext(english), values, language)


def say_count(count: int, one: str, many: str, **values: Value) -> str:
    """One of two sentences, by number; `{count}` may stand in both."""
    language = _language.get()
    return fill(_catalogue(language).ngettext(one, many, count), {"count": count, **values}, language)


def say_note(note: Note, otherwise: str = "") -> str:
    """What another process wrote down, in the language spoken now. `otherwise`: the sentence to say when this one is
    known in English only."""
    language = _language.get()
    if otherwise and language != ENGLISH and _catalogue(language).gettext(note.sentence) == note.sentence:
        return say(otherwise)
    return say(note.sentence, **note.values)


def say_docstring(of: type) -> str:
    """A class's docstring as a sentence: what an error says when nothing more exact is known."""
    written = inspect.getdoc(of)
    return say(" ".join(written.split())) if written else ""


# ------------------------------------------------------------------------------------- numbers, dates, lists


def number(value: float, shape: str = "") -> str:
    """A number as the language writes it; for `shape` see config/sentences.py."""
    return write_number(value, shape, _language.get())


def money(amount: float, currency: str) -> str:
    """An amount; the currency is an ISO code, as the settings have it."""
    return format_currency(amount, currency or "EUR", locale=_language.get()).replace("\u00a0", " ")


def one_of(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return format_list(list(names), style="or", locale=_language.get()) if names else ""


def all_of(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return format_list(list(names), style="standard", locale=_language.get()) if names else ""


def listed(names: Sequence[str]) -> str:
    """`a, b, c`: a plain list of names or ids."""
    return ", ".join(names)


def apart(names: Sequence[str]) -> str:
    """`a; b; c`: names that may have commas in them."""
    return "; ".join(names)


def figures(phrases: Sequence[str]) -> str:
    """`a · b · c`: statements that stand beside one another, each complete in itself."""
    return " · ".join(phrase for phrase in phrases if phrase)


def clauses(sentence: str, *phrases: str) -> str:
    """`A sentence; a phrase; another.`: one sentence with what follows from it."""
    return join_clauses(sentence, [phrase for phrase in phrases if phrase])


def sentences(*whole: str) -> str:
    """Whole sentences after one another."""
    return " ".join(one for one in whole if one)


def lines(*whole: str) -> str:
    """Whole lines under one another."""
    return "\n".join(whole)


def bullet(line: str) -> str:
    """A line of a list."""
    return f"• {line}"


def moment(at: datetime) -> str:
    """A moment in Slack's markup: shown in the reader's own time zone and language. In words (UTC) where it cannot."""
    shape = "<!date^{epoch}^{{date_short_pretty}} {{time}}|{words} UTC>"
    words = format_datetime(at, "medium", locale=_language.get())
    return shape.format(epoch=int(at.timestamp()), words=words)


# ------------------------------------------------------------------------------------------------- catalogues


def read_catalogue(language: str, topic: str = "") -> Catalog:
    """Every translated sentence of a language, of one topic or of all."""
    merged = Catalog(locale=language)
    for path in sorted(files("bot.texts").joinpath(language).iterdir(), key=lambda path: path.name):
        if path.name == f"{topic}.po" or (not topic and path.name.endswith(".po")):
            for message in read_po(BytesIO(path.read_bytes()), locale=language):
                if message.id:
                    merged.add(message.id, message.string)
    return merged


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language not in TRANSLATIONS:
        return gettext.NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)

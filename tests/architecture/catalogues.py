"""The catalogues of bot/texts: every sentence that the sources say, the page's too, and its translations.

`python -m tests.architecture.catalogues` (part of `make docs`) writes what is new into bot/texts/<language>/<topic>.po
with an empty translation, and takes out what nobody says any more. A person fills in the rest.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from bot.language import TRANSLATIONS
from tests.architecture.generated_docs import ROOT

TEXTS = ROOT / "bot/texts"
PAGE = ROOT / "bot/rehearsal/page/src"
#: The command line's own: in English only.
ENGLISH_ONLY = ("terminal", "setup")
#: Call → how many of its first arguments are sentences.
KEYWORDS = {"sentence": 1, "say": 1, "note": 1, "say_count": 2}
#: What a say_count says is the second and third argument.
OFFSET = {"say_count": 1}


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or one and many of it, with the line that says it."""

    topic: str
    id: str | tuple[str, ...]
    path: Path
    line: int


def topics() -> list[str]:
    """Every file of sentences."""
    return sorted(path.stem for path in TEXTS.glob("*.py") if path.stem not in ("__init__", *ENGLISH_ONLY))


def said_in_sources() -> list[Said]:
    """Everything that is said, in the order of the sources."""
    found: list[Said] = []
    for topic in topics():
        found += _said_in(TEXTS / f"{topic}.py", topic)
    found += [*_said_in(ROOT / "bot/errors.py", "errors"), *_said_by_errors()]
    for path in sorted((ROOT / "trainer").rglob("*.py")):
        found += _said_in(path, "trainer")
    return [*found, *said_on_the_page()]


_STRING = r'"(?:[^"\\\n]|\\.)*"'
_ON_THE_PAGE = re.compile(
    rf"\b(?:say|sentence)\(\s*(?P<one>{_STRING})|\bsayCount\([^\"]*?,\s*(?P<first>{_STRING})\s*,\s*(?P<many>{_STRING})"
)


def page_sources() -> list[Path]:
    """Every source of the page that can say something; words.ts only defines how."""
    return sorted(path for path in PAGE.rglob("*.ts*") if path.name != "words.ts")


def said_on_the_page() -> list[Said]:
    """What the page says: the sentences of every say, sayCount and sentence in its TypeScript."""
    found = []
    for path in page_sources():
        text = path.read_text()
        for said in _ON_THE_PAGE.finditer(text):
            written = [json.loads(said[name]) for name in ("one", "first", "many") if said[name]]
            line = text.count("\n", 0, said.start()) + 1
            found.append(Said("page", tuple(written) if len(written) > 1 else written[0], path, line))
    return found


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of one of our words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
            yield node.func.id, node


def literals(word: str, call: ast.Call) -> tuple[str, ...] | None:
    """The sentences of a call; None when one of them is not written out there."""
    first = OFFSET.get(word, 0)
    arguments = call.args[first : first + KEYWORDS[word]]
    values = [one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return tuple(values) if len(values) == KEYWORDS[word] else None


def _said_in(path: Path, topic: str) -> list[Said]:
    found = []
    for word, call in calls(path):
        written = literals(word, call)
        if written:
            found.append(Said(topic, written if len(written) > 1 else written[0], path, call.lineno))
    return sorted(found, key=lambda said: said.line)


def _said_by_errors() -> list[Said]:
    """The docstrings that `explain` and the run's message may show."""
    from bot import errors

    ours: list[type[BaseException]] = [errors.HuisstijlError, *_descendants(errors.HuisstijlError)]
    shown = [("errors", one) for one in [*ours, *errors._FROM_DB, *errors.TRANSIENT]]
    trainer_errors = importlib.import_module("trainer.errors")
    for kind in (
        trainer_errors.RunError, trainer_errors.TrainingError, trainer_errors.RecipeError,
        trainer_errors.AdapterError, trainer_errors.BaseModelUnavailable,
    ):  # fmt: skip
        shown += [("trainer", one) for one in (kind, *_descendants(kind))]
    return [
        Said(topic, " ".join((inspect.getdoc(one) or "").split()), Path(inspect.getfile(one)), 0)
        for topic, one in dict.fromkeys(shown)
    ]


def _descendants(of: type[BaseException]) -> list[type[BaseException]]:
    for module in ("bot.slack", "bot.outbox", "bot.app"):
        importlib.import_module(module)
    found: list[type[BaseException]] = []
    for child in of.__subclasses__():
        if child.__module__.startswith(("bot.", "trainer.")):
            found += [child, *_descendants(child)]
    return found


def catalogue(language: str, topic: str) -> Catalog:
    """What stands in the file; empty when there is none."""
    path = TEXTS / language / f"{topic}.po"
    return read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)


def renewed(language: str) -> dict[str, str]:
    """Topic → the file as it has to be: today's sentences, with the translations that there are."""
    pages = {}
    said = said_in_sources()
    for topic in dict.fromkeys(one.topic for one in said):
        before = catalogue(language, topic)
        after = Catalog(locale=language, fuzzy=False)
        for one in said:
            if one.topic == topic and one.id not in after:
                known = before.get(one.id) if isinstance(one.id, str) else before.get(one.id[0])
                is_same = known is not None and known.id == one.id
                after.add(one.id, known.string if is_same and known else None)
        page = BytesIO()
        write_po(page, after, omit_header=True, width=116)
        pages[topic] = page.getvalue().decode()
    return pages


if __name__ == "__main__":
    for language in TRANSLATIONS:
        for topic, page in renewed(language).items():
            (TEXTS / language).mkdir(exist_ok=True)
            (TEXTS / language / f"{topic}.po").write_text(page)

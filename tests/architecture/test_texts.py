"""Everything that people read is said in whole sentences, in every language that we speak, within Slack's limits."""

from __future__ import annotations

import ast
import re
import string
from importlib import import_module
from pathlib import Path

import pytest

from bot.language import LANGUAGES, TRANSLATIONS, Sentence, language_of, money, read_catalogue, say, speaking
from tests.architecture import catalogues
from tests.architecture.catalogues import ENGLISH_ONLY, TEXTS, calls, catalogue, literals, renewed
from tests.architecture.generated_docs import ROOT

#: Where English must not stand: whoever speaks to people asks bot/texts.
SPEAKERS = [
    path
    for room in ("listeners", "blocks", "operations", "drafting", "domain")
    for path in sorted((ROOT / "bot" / room).rglob("*.py"))
] + [ROOT / "bot" / name for name in ("routing.py", "run_watcher.py", "people.py", "services.py")]
#: Sentences for the operator at the command line, and prompts for a model.
NOT_FOR_PEOPLE = {"transfer.py"}


def _strings(said: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [said] if isinstance(said, str) else list(said or [""])


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


# ------------------------------------------------------------------------------------------------- completeness


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_catalogues_hold_every_sentence_that_is_said_and_no_other(language: str) -> None:
    pages = renewed(language)
    stored = {path.stem: path.read_text() for path in (TEXTS / language).glob("*.po")}
    assert stored == pages, "out of date: run `make docs`, then fill in what is new"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_sentence_is_translated(language: str) -> None:
    missing = [message.id for message in read_catalogue(language) if message.id and not all(_strings(message.string))]
    assert not missing


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_has_the_same_places_as_its_sentence(language: str) -> None:
    wrong = []
    for message in read_catalogue(language):
        if message.id:
            places = [_places(text) for text in (*_strings(message.id), *_strings(message.string))]
            if any(one - {"count"} != places[0] - {"count"} for one in places):
                wrong.append(message.id)
    assert not wrong


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_one_sentence_has_one_translation_whatever_the_topic(language: str) -> None:
    seen: dict[object, object] = {}
    topics = {one.topic for one in catalogues.said_in_sources()}
    for message in [m for topic in sorted(topics) for m in catalogue(language, topic) if m.id]:
        assert seen.setdefault(message.id, message.string) == message.string, message.id


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_commands_links_and_emphasis_survive_translation(language: str) -> None:
    """What people type, and Slack's marks, are no words."""
    wrong = []
    for message in read_catalogue(language):
        if not message.id:
            continue
        for before, after in zip(_strings(message.id), _strings(message.string), strict=True):
            typed = set(re.findall(r"/huisstijl \w+|(?<!\w)/draft|/invite|`huisstijl \w+`", before))
            if typed - set(re.findall(r"/huisstijl \w+|(?<!\w)/draft|/invite|`huisstijl \w+`", after)):
                wrong.append(after)
            if any(before.count(mark) != after.count(mark) for mark in "`*<>{}"):
                wrong.append(after)
    assert not wrong


def test_every_value_that_a_sentence_asks_for_is_given_where_it_is_said() -> None:
    wrong = []
    for path in [*TEXTS.glob("*.py"), ROOT / "bot/errors.py", *(ROOT / "trainer").rglob("*.py")]:
        for word, call in calls(path):
            if word not in ("say", "say_count", "note") or any(one.arg is None for one in call.keywords):
                continue
            asked = set().union(*map(_places, literals(word, call) or ()))
            given = {str(one.arg) for one in call.keywords} | ({"count"} if word == "say_count" else set())
            if asked - given or given - asked - {"count"}:
                wrong.append((path.name, call.lineno, asked ^ given))
    assert not wrong


# -------------------------------------------------------------------------------------------------- whole sentences


def test_what_is_said_is_written_out_where_it_is_said() -> None:
    """Only then can it be found and translated."""
    hidden = [
        (path.name, call.lineno)
        for path in TEXTS.glob("*.py")
        for word, call in calls(path)
        if literals(word, call) is None
    ]
    assert not hidden


def test_no_sentence_is_built_out_of_fragments() -> None:
    """In bot/texts: no `+`, no `%`, no f-string with words in it, no join: a sentence is whole in every language."""
    built = []
    for path in TEXTS.glob("*.py"):
        if path.stem in ENGLISH_ONLY:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            is_operator = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod) and _has_text(node)
            is_join = isinstance(node, ast.Attribute) and node.attr in ("join", "format")
            if is_operator or is_join or (isinstance(node, ast.JoinedStr) and _words_of(node)):
                built.append((path.name, getattr(node, "lineno", 0)))
    assert not built


def _has_text(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )


def _words_of(node: ast.JoinedStr) -> list[str]:
    """Words between the values of an f-string: marks like `<@…>` are none."""
    fixed = [part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return [word for part in fixed for word in re.findall(r"[A-Za-z]{2,}", part)]


@pytest.mark.parametrize("path", SPEAKERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_whoever_speaks_to_people_holds_no_sentence_of_their_own(path: Path) -> None:
    if path.name in NOT_FOR_PEOPLE:
        return
    tree = ast.parse(path.read_text())
    silent = {id(part) for node in ast.walk(tree) if _is_silent(node) for part in ast.walk(node)}
    spoken = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in silent
        and _SENTENCE.search(node.value)
    ]
    assert not spoken


def _is_silent(node: ast.AST) -> bool:
    """Docstrings, log lines, assertions and Python's own errors are read by whoever works on the code."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        return called.startswith(("log.", "re.compile", "text(")) or called in _PYTHONS_OWN
    return False


#: Three words, or two of which the first begins like a sentence's.
_SENTENCE = re.compile(r"[A-Za-z]{2,}[,:;]? [a-z]{2,}[,:;]? [a-z]{2,}|(?<![\w-])[A-Z][a-z]+ [a-z]{2,}")
_PYTHONS_OWN = {"ValueError", "RuntimeError", "LookupError", "KeyError", "ConnectionError", "TypeError", "StreamLost"}


# ------------------------------------------------------------------------------------------------------- languages


@pytest.mark.parametrize(
    ("locale", "language"),
    [("nl-NL", "nl"), ("nl_BE", "nl"), ("en-GB", "en"), ("de-DE", "en"), ("", "en"), (None, "en"), ("xx", "en")],
)
def test_a_locale_that_we_do_not_speak_is_spoken_to_in_english(locale: str | None, language: str) -> None:
    assert language_of(locale) == language


def test_numbers_and_plurals_follow_the_language() -> None:
    from bot.texts.drafting import reading, too_long

    with speaking("nl-NL"):
        assert too_long(12_000, 6_000).startswith("Je verzoek heeft 12.000 tekens en 6.000 is")
        assert (reading(1), reading(3)) == ("leest 1 voorbeeld…", "leest 3 voorbeelden…")
        assert say("validation loss {loss:.3f}", loss=1234.5) == "validatieverlies 1.234,500"
        assert money(0.5, "EUR") == "€ 0,50"
    assert too_long(12_000, 6_000).startswith("That request has 12,000 characters and 6,000 is")
    assert (reading(1), reading(3)) == ("is reading 1 example…", "is reading 3 examples…")


def test_what_is_said_inside_ends_with_the_block() -> None:
    with speaking("nl"):
        with speaking("en"):
            assert say("waiting") == "waiting"
        assert say("waiting") == "wacht"
    assert say("waiting") == "waiting"


# ------------------------------------------------------------------------------------------------------- Slack's limits


def _labels_with_limits() -> list[tuple[str, Sentence, int]]:
    """Every `plain(texts.NAME(), most)` of the block builders: where, the sentence, and Slack's limit there."""
    found = []
    for path in sorted((ROOT / "bot/blocks").glob("*.py")):
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "bot.texts"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "plain" and len(node.args) == 2):
                continue
            most = node.args[1]
            if not (isinstance(most, ast.Constant) and isinstance(most.value, int)):
                continue
            for said in ast.walk(node.args[0]):
                if isinstance(said, ast.Attribute) and isinstance(said.value, ast.Name) and said.value.id in modules:
                    text = getattr(import_module(f"bot.texts.{modules[said.value.id]}"), said.attr)
                    if isinstance(text, Sentence):
                        found.append((f"{path.name}:{node.lineno} {said.attr}", text, most.value))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_fit_where_slack_shows_them(language: str) -> None:
    """A longer one would be cut off in the middle of a word."""
    labels = _labels_with_limits()
    assert len(labels) > 30
    with speaking(language):
        too_long = [(where, text()) for where, text, most in labels if len(text()) > most]
        buttons = [
            (topic, name, text())
            for topic in catalogues.topics()
            for name, text in vars(import_module(f"bot.texts.{topic}")).items()
            if name.endswith(("_BUTTON", "_YES", "_NO")) and isinstance(text, Sentence)
            if len(text()) > (75 if name.endswith("_BUTTON") else 30)
        ]
    assert not too_long
    assert not buttons

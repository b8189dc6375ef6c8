"""Examples from a file and into a file: JSONL in TRL's prompt-completion format, standard or conversational.

An import is all or nothing, in one transaction; every bad line is reported by its number. An example is one request
and one answer: a prompt of several turns is refused, and so is a system message that is not the style's own
instructions (which every draft gets anyway). Other keys of a line are ignored. Texts come out byte for byte as they
went in.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bot.domain.pairs import check_pair
from bot.domain.similarity import NormalPair, collapse, normal_pair
from bot.errors import ImportRefused, StyleUnknown, TransferRefused
from bot.operations.examples import owe_card
from bot.texts import terminal as texts
from config.prompts import Pair, build_prompt
from config.settings import Settings
from db.audit import record
from db.base import new_id, now_in_database
from db.examples import (
    Example,
    ExampleSource,
    ExampleStatus,
    get_example,
    list_approved_examples,
    list_live_pairs,
)  # fmt: skip
from db.preferences import list_pairs
from db.session import Database
from db.styles import Style, StyleKind, find_style_by_name, lock_style

#: What `imported_by` is for a file that the operator reads in.
OPERATOR = "operator"
#: More review cards than this would drown a channel (Slack takes about one message a second).
MAX_CARDS = 300
MAX_LINE_BYTES = 1_000_000
FORMATS = ("standard", "conversational")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. `duplicates` are (line, example_id or earlier line) pairs that were left out."""

    style_name: str
    added: int
    duplicates: tuple[tuple[int, str], ...]
    is_approved: bool
    seconds: float

    @property
    def sentence(self) -> str:
        return texts.imported(
            self.style_name, self.added, len(self.duplicates), self.seconds, approved=self.is_approved
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    pair: Pair


def import_examples(
    database: Database, *, team_id: str, style_name: str, lines: Iterable[bytes], imported_by: str, approve: bool
) -> Imported:
    """Read examples in; `approve` for those that people have reviewed before, else they get review cards.

    Exact and near duplicates (of what the style knows, and within the file) are left out and counted. Raises
    ImportRefused with every bad line, and StyleUnknown.
    """
    started = time.monotonic()
    with database.read() as session:
        style = find_style(session, team_id, style_name)
    read, problems = _read_lines(lines, style)
    if problems:
        raise ImportRefused(tuple(problems), texts.nothing_imported(len(problems)))
    new = [normal_pair(f"line {line.number}", line.pair.prompt, line.pair.completion) for line in read]
    with database.write() as session:
        style = lock_style(session, style.style_id)
        known = [normal_pair(*row) for row in list_live_pairs(session, style.style_id, style.scope)]
        doubles = collapse(new, known, labels=style.kind is StyleKind.CLASSIFY)
        fresh = [(line, pair) for line, pair, double in zip(read, new, doubles, strict=True) if double is None]
        if not approve and len(fresh) > MAX_CARDS:
            raise ImportRefused((), texts.too_many_to_review(len(fresh), MAX_CARDS))
        example_ids = _insert(session, style, fresh, imported_by=imported_by, approve=approve)
        if not approve:
            for example_id in example_ids:
                owe_card(session, style, get_example(session, example_id))
        record(
            session, team_id=team_id, actor=imported_by, action="examples.imported", subject=style.style_id,
            added=len(fresh), duplicates=len(read) - len(fresh), approved=approve,
        )  # fmt: skip
    return Imported(
        style_name=style.name, added=len(fresh), is_approved=approve, seconds=time.monotonic() - started,
        duplicates=tuple(
            (line.number, double.key) for line, double in zip(read, doubles, strict=True) if double is not None
        ),
    )  # fmt: skip


def export_examples(database: Database, *, team_id: str, style_name: str, format: str = "standard") -> list[str]:
    """The approved examples in the order of their approval, one JSON text each. Raises StyleUnknown, TransferRefused.

    Conversational lines carry no system message: the instructions belong to the style that reads them in.
    """
    if format not in FORMATS:
        raise TransferRefused(texts.unknown_format(format, FORMATS))
    with database.read() as session:
        style = find_style(session, team_id, style_name)
        pairs = [
            Pair(prompt=e.prompt, completion=e.completion)
            for e in list_approved_examples(session, style.style_id, style.scope)
        ]
    return [json.dumps(_as_row(pair, format), ensure_ascii=False) for pair in pairs]


def export_preferences(database: Database, *, team_id: str, style_name: str, format: str = "standard") -> list[str]:
    """The whole preference pairs, oldest first, in TRL's preference format, one JSON text each. Raises as
    `export_examples`."""
    if format not in FORMATS:
        raise TransferRefused(texts.unknown_format(format, FORMATS))
    with database.read() as session:
        style = find_style(session, team_id, style_name)
        pairs = list_pairs(session, style.style_id, style.scope)
    rows: list[dict[str, Any]] = [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in pairs]
    if format == "conversational":
        roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        rows = [{key: [{"role": roles[key], "content": text}] for key, text in row.items()} for row in rows]
    return [json.dumps(row, ensure_ascii=False) for row in rows]


# From the command line


def import_file(
    settings: Settings, file: Path, *, style: str, team: str, approve: bool, say: Callable[[str], None]
) -> int:
    """`huisstijl import`: says what happened and returns the exit status."""
    with opened(settings) as database:
        try:
            with _reading(file) as lines:
                done = import_examples(
                    database, team_id=find_team(database, team), style_name=style, lines=lines,
                    imported_by=OPERATOR, approve=approve,
                )  # fmt: skip
        except ImportRefused as refused:
            for problem in refused.problems:
                say(problem)
            say(str(refused))
            return 1
        except (TransferRefused, OSError) as refused:
            say(str(refused))
            return 1
    for number, double in done.duplicates:
        say(texts.line_problem(number, texts.left_out(double)))
    say(done.sentence)
    return 0


def export_file(
    settings: Settings, file: Path, *, style: str, team: str, format: str, say: Callable[[str], None],
    preferences: bool = False,
) -> int:  # fmt: skip
    """`huisstijl export`: writes the file whole or not at all, and returns the exit status."""
    with opened(settings) as database:
        try:
            export = export_preferences if preferences else export_examples
            rows = export(database, team_id=find_team(database, team), style_name=style, format=format)
            content = "".join(f"{row}\n" for row in rows).encode()
            if str(file) == "-":
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
                return 0
            staged = file.with_name(f"{file.name}.part")
            staged.write_bytes(content)
            staged.replace(file)
        except (TransferRefused, OSError) as refused:
            say(str(refused))
            return 1
    say(texts.pairs_exported(style, len(rows)) if preferences else texts.exported(style, len(rows)))
    return 0


def find_team(database: Database, team_id: str) -> str:
    """The team that is meant: the one named, or the only one that has styles. Raises TransferRefused."""
    if team_id:
        return team_id
    with database.read() as session:
        teams = sorted(session.scalars(select(Style.team_id).distinct()))
    if len(teams) != 1:
        raise TransferRefused(texts.which_team(teams))
    return teams[0]


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    try:
        yield database
    finally:
        database.dispose()


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with file.open("rb") as lines:
        yield lines


# Lines


def _read_lines(lines: Iterable[bytes], style: Style) -> tuple[list[_Line], list[str]]:
    read: list[_Line] = []
    problems: list[str] = []
    for number, raw in enumerate(lines, start=1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if not raw.strip():
            continue
        try:
            pair = _read_line(raw, style)
        except _BadLine as bad:
            problems.append(texts.line_problem(number, str(bad)))
            continue
        wrong = check_pair(pair.prompt, pair.completion, style.kind.value)
        problems += [texts.line_problem(number, problem.sentence) for problem in wrong]
        read.append(_Line(number=number, pair=pair))
    return read, problems


class _BadLine(Exception):
    """Says what is wrong with a line."""


def _read_line(raw: bytes, style: Style) -> Pair:
    if len(raw) > MAX_LINE_BYTES:
        raise _BadLine(texts.LINE_TOO_LONG.format(most=MAX_LINE_BYTES))
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _BadLine(texts.NOT_UTF8) from error
    except (ValueError, RecursionError) as error:
        raise _BadLine(texts.BAD_JSON.format(reason=getattr(error, "msg", "too deeply nested"))) from error
    if not isinstance(row, dict):
        raise _BadLine(texts.NOT_AN_OBJECT)
    missing = [key for key in ("prompt", "completion") if key not in row]
    if missing:
        raise _BadLine(texts.MISSING_KEYS.format(missing=" and no ".join(f"“{key}”" for key in missing)))
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return Pair(prompt=prompt, completion=completion)
    if isinstance(prompt, list) and isinstance(completion, list):
        return Pair(
            prompt=_only_message(_without_instructions(prompt, style), "prompt", "user"),
            completion=_only_message(completion, "completion", "assistant"),
        )
    raise _BadLine(texts.WRONG_TYPES)


def _without_instructions(prompt: list[Any], style: Style) -> list[Any]:
    first = prompt[0] if prompt else None
    if not isinstance(first, dict) or first.get("role") != "system":
        return prompt
    content = first.get("content")
    known = (style.instructions.strip(), style.full_instructions.strip())
    if not isinstance(content, str) or content.strip() not in known:
        raise _BadLine(texts.OTHER_SYSTEM)
    return prompt[1:]


def _only_message(messages: list[Any], field: str, role: str) -> str:
    for message in messages:
        if not isinstance(message, Mapping) or not all(isinstance(message.get(k), str) for k in ("role", "content")):
            raise _BadLine(texts.BAD_MESSAGE.format(field=field))
    roles = [message["role"] for message in messages]
    if roles == [role]:
        return str(messages[0]["content"])
    listed = ", ".join(roles) or "none"
    if field == "prompt" and len(roles) > 1 and set(roles) <= {"user", "assistant"}:
        raise _BadLine(texts.ONE_USER_MESSAGE.format(roles=listed))
    raise _BadLine(texts.WRONG_ROLES.format(roles=listed[:200], field=field))


def _as_row(pair: Pair, format: str) -> dict[str, Any]:
    if format == "standard":
        return {"prompt": pair.prompt, "completion": pair.completion}
    return {
        "prompt": build_prompt("", pair.prompt),
        "completion": [{"role": "assistant", "content": pair.completion}],
    }


def find_style(session: Session, team_id: str, style_name: str) -> Style:
    style = find_style_by_name(session, team_id, style_name)
    if style is None:
        names = sorted(session.scalars(select(Style.name).where(Style.team_id == team_id, ~Style.is_archived)))
        raise StyleUnknown(texts.no_such_style(style_name, names))
    return style


def _insert(
    session: Session, style: Style, fresh: list[tuple[_Line, NormalPair]], *, imported_by: str, approve: bool
) -> list[str]:
    now = now_in_database(session)
    rows = [
        {
            "example_id": new_id("ex"), "style_id": style.style_id, "team_id": style.team_id,
            "scope_key": style.scope_key, "prompt": line.pair.prompt, "completion": line.pair.completion,
            "content_hash": pair.content_hash, "version": 1, "source": ExampleSource.IMPORT,
            "status": ExampleStatus.APPROVED if approve else ExampleStatus.PROPOSED,
            "proposed_by": imported_by, "proposed_at": now,
            "approved_at": now if approve else None, "decided_by": imported_by if approve else None,
        }
        for line, pair in fresh
    ]  # fmt: skip
    if rows:
        session.execute(insert(Example), rows)
    return [str(row["example_id"]) for row in rows]

"""Examples from files: every bad line by its number, nothing half-imported, texts out as they went in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.errors import ImportRefused
from bot.operations.transfer import (
    Imported,
    export_examples,
    export_file,
    export_preferences,
    import_examples,
    import_file,
)  # fmt: skip
from config.settings import Settings
from db.base import now_in_database
from db.examples import Example, ExampleStatus
from db.outbox import list_by_prefix
from db.preferences import Preference
from db.session import Database
from db.styles import StyleKind, get_style
from tests.support.factories import make_style

INSTRUCTIONS = "Answer in two short sentences."
TEXTS = [
    ("Zeg hallo tegen 👩‍👩‍👧", "Dag allemaal! 👋🏽 Fijn dat jullie er zijn."),
    ("שלום, write this from right to left", "\u202bשלום עולם\u202c — welcome to all"),
    ("Zero\u200bwidth request\u2060", "Kept\u200b as \ufeffit is, with a line\u2028separator and trailing blank "),
    ('Quotes "and" \\ backslashes\n\nand lines', "<b>&amp;</b> stays\tas it is\r\n"),
]


@pytest.fixture
def style(database: Database) -> str:
    with database.write() as session:
        return make_style(session, name="brand-voice", instructions=INSTRUCTIONS).style_id


def as_line(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def jsonl(rows: list[Any]) -> list[bytes]:
    return [as_line(row) for row in rows]


def standard(pairs: list[tuple[str, str]]) -> list[bytes]:
    return jsonl([{"prompt": prompt, "completion": completion} for prompt, completion in pairs])


def read_in(database: Database, lines: list[bytes], *, approve: bool = True, name: str = "brand-voice") -> Imported:
    return import_examples(
        database, team_id="T1", style_name=name, lines=lines, imported_by="operator", approve=approve
    )


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Example)) or 0


@pytest.mark.parametrize("format", ["standard", "conversational"])
def test_texts_come_out_byte_for_byte_as_they_went_in(database: Database, style: str, format: str) -> None:
    assert read_in(database, standard(TEXTS)).added == len(TEXTS)
    lines = export_examples(database, team_id="T1", style_name="brand-voice", format=format)
    with database.write() as session:
        make_style(session, name="second")
    read_in(database, [line.encode() + b"\n" for line in lines], name="second")
    again = export_examples(database, team_id="T1", style_name="second")
    assert [tuple(json.loads(line).values()) for line in again] == TEXTS


@pytest.mark.parametrize("instructions", [INSTRUCTIONS, f"{INSTRUCTIONS}\nNever use these terms: “login”."])
def test_conversational_lines_may_repeat_the_instructions(database: Database, style: str, instructions: str) -> None:
    with database.write() as session:
        get_style(session, style).forbidden_terms = ["login"]
    row = {
        "prompt": [{"role": "system", "content": instructions}, {"role": "user", "content": "Say hello"}],
        "completion": [{"role": "assistant", "content": "Hello there."}],
    }
    assert read_in(database, jsonl([row])).added == 1
    [line] = export_examples(database, team_id="T1", style_name="brand-voice", format="conversational")
    assert json.loads(line)["prompt"] == [{"role": "user", "content": "Say hello"}]


def test_every_bad_line_is_named_and_nothing_is_half_imported(database: Database, style: str) -> None:
    user, good = {"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello you."}
    bad: list[tuple[bytes, str]] = [
        (b"{not json}\n", "is not JSON"),
        (b"[1, 2]\n", "is not a JSON object"),
        (as_line({"prompt": "only this"}), "has no “completion”"),
        (as_line({"prompt": "\u200b ", "completion": "A good answer."}), "Say what was asked for"),
        (as_line({"prompt": "Say hello", "completion": "ok"}), "at least 4"),
        (b'{"prompt": "caf\xe9", "completion": "Latin-1 text"}\n', "is not UTF-8"),
        (as_line({"prompt": "Say hello", "completion": "x" * 12_001}), "12,000 is the most"),
        (as_line({"prompt": [user], "completion": "Hello you."}), "mixes formats"),
        (as_line({"prompt": [user, good, user], "completion": [good]}), "several turns"),
        (as_line({"prompt": [user], "completion": [user]}), "has roles user in “completion”"),
        (as_line({"prompt": [{"role": "system", "content": "Be rude"}, user], "completion": [good]}), "differs"),
        (as_line({"prompt": [{"role": "user", "content": None}], "completion": [good]}), "chat message"),
        (b'{"prompt": "Say hello", "completion": "half \\ud83d emoji"}\n', "cannot be stored"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
    ]
    lines = standard([("A good request", "A good answer.")])
    for raw, _ in bad:
        lines += [b"\n", raw]
    with pytest.raises(ImportRefused) as refused:
        read_in(database, lines)
    assert len(refused.value.problems) == len(bad)
    for index, (_, sentence) in enumerate(bad):
        assert refused.value.problems[index].startswith(f"line {2 * index + 3}: ")
        assert sentence in refused.value.problems[index]
    assert count(database) == 0


def test_duplicates_within_the_file_and_with_what_is_known_collapse(database: Database, style: str) -> None:
    first = ("Announce that we close at noon on Friday", "We close at noon this Friday. See you on Monday!")
    nearly = (first[0], first[1].replace("See you", "see  you").replace("Friday.", "Friday,"))
    read_in(database, standard([first]))
    done = read_in(database, standard([first, nearly, TEXTS[0], TEXTS[0]]))
    assert done.added == 1
    assert [number for number, _ in done.duplicates] == [1, 2, 4]
    assert done.duplicates[2][1] == "line 3"


def test_the_same_ticket_with_another_label_is_no_duplicate(database: Database) -> None:
    with database.write() as session:
        make_style(session, name="tickets", kind=StyleKind.CLASSIFY)
    ticket = "My parcel has not arrived although the tracker says that it was delivered."
    assert read_in(database, standard([(ticket, "A1"), (ticket, "A2")]), name="tickets").added == 2


def test_without_approval_each_example_gets_its_card(database: Database, style: str) -> None:
    read_in(database, standard(TEXTS), approve=False)
    with database.read() as session:
        assert len(list_by_prefix(session, "review_card:")) == len(TEXTS)
        assert set(session.scalars(select(Example.status))) == {ExampleStatus.PROPOSED}


def test_a_file_too_large_to_review_by_hand_is_refused_whole(database: Database, style: str) -> None:
    rows = standard([(f"Request {i} {random.Random(i).random()}", f"Answer {i} of its own kind") for i in range(400)])
    with pytest.raises(ImportRefused, match="--approve"):
        read_in(database, rows, approve=False)
    assert count(database) == 0


def test_ten_thousand_lines_are_read_within_seconds(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        make_style(session, name="brand-voice")
    dice = random.Random(7)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(3, 9))) for _ in range(3_000)]
    pairs = [(" ".join(dice.choices(words, k=30)), " ".join(dice.choices(words, k=20))) for _ in range(9_000)]
    pairs += [(f"{prompt}.", completion) for prompt, completion in pairs[:1_000]]
    done = read_in(sqlite_database, standard(pairs))
    assert (done.added, len(done.duplicates)) == (9_000, 1_000)
    assert done.seconds < 30


def test_the_command_line_says_what_happened(sqlite_database: Database, settings: Settings, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        make_style(session, name="brand-voice")
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(standard(TEXTS)))
    chosen = settings.model_copy(update={"database_url": sqlite_database.url.render_as_string(hide_password=False)})
    said: list[str] = []
    assert import_file(chosen, source, style="brand-voice", team="", approve=True, say=said.append) == 0
    assert export_file(chosen, target, style="brand-voice", team="", format="standard", say=said.append) == 0
    assert target.read_bytes() == source.read_bytes()
    source.write_bytes(b"no\n")
    assert import_file(chosen, source, style="brand-voice", team="", approve=True, say=said.append) == 1
    assert import_file(chosen, source, style="brnd", team="", approve=True, say=said.append) == 1
    assert "4 examples approved" in said[0] and "4 approved examples written" in said[1]
    assert said[2].startswith("line 1: is not JSON") and "brand-voice" in said[-1]


def test_preferences_come_out_in_the_format_that_preference_training_reads(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        style = make_style(session, name="brand-voice")
        for number, chosen in enumerate(["We close at noon.", ""]):
            row = Preference(
                preference_id=f"pre_{number}", style_id=style.style_id, scope_key=style.scope_key,
                draft_id=f"dra_{number}", prompt="say when", chosen=chosen, rejected="Dear Sir, we shall close",
                given_by="U1", given_at=now_in_database(session),
            )  # fmt: skip
            session.add(row)
    lines = export_preferences(sqlite_database, team_id="T1", style_name="brand-voice")
    assert [json.loads(line) for line in lines] == [
        {"prompt": "say when", "chosen": "We close at noon.", "rejected": "Dear Sir, we shall close"}
    ]
    (talk,) = export_preferences(sqlite_database, team_id="T1", style_name="brand-voice", format="conversational")
    assert json.loads(talk)["rejected"] == [{"role": "assistant", "content": "Dear Sir, we shall close"}]
    chosen_settings = settings.model_copy(
        update={"database_url": sqlite_database.url.render_as_string(hide_password=False)}
    )
    said: list[str] = []
    target = tmp_path / "pairs.jsonl"
    written = export_file(
        chosen_settings, target, style="brand-voice", team="", format="standard", say=said.append, preferences=True
    )
    assert (written, target.read_text()) == (0, lines[0] + "\n")
    assert "1 preference pair" in said[0]

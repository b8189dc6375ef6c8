"""A long text goes into a modal's inputs and comes out of them as it was, whatever the inputs do to their ends."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.text import long_input, read_long_input
from bot.domain.long_text import (
    INPUT_CHARS,
    MAX_INPUTS,
    MAX_TEXT_CHARS,
    Part,
    join_parts,
    read_joint,
    split_long_text,
    utf16_units,
    write_joint,
)  # fmt: skip
from bot.rehearsal.blockkit import validate_view

UNITS = st.sampled_from(
    ["a", "word ", "A sentence. ", "\n", "\n\n", "\r\n", "👋", "é", "\u00a0", "\u2003", "\t", "x" * 400, " " * 30,
     "\n" * 40, "A line of some length that goes on for a while, as lines in drafts do\n"]
)  # fmt: skip
LONG_TEXTS = st.lists(UNITS, max_size=60).flatmap(lambda parts: st.integers(1, 30).map(lambda n: "".join(parts) * n))


@given(LONG_TEXTS)
def test_parts_fit_and_join_to_the_text(text: str) -> None:
    parts = split_long_text(text)
    assert join_parts(parts) == text
    assert all(utf16_units(part.text) <= INPUT_CHARS for part in parts)
    assert all(utf16_units(part.text) >= INPUT_CHARS // 2 - 1 for part in parts[:-1])
    assert utf16_units(text) > MAX_TEXT_CHARS or len(parts) <= MAX_INPUTS


@given(LONG_TEXTS.map(lambda text: " ".join(text.split(" "))))
def test_what_inputs_lose_at_their_ends_is_not_lost_from_the_text(text: str) -> None:
    text = "\n\n".join(line.strip() for line in text.split("\n") if line.strip())
    runs_are_short = all(len(part.joint) < 24 for part in split_long_text(text))
    trimmed = [replace(part, text=part.text.strip()) for part in split_long_text(text)]
    assert not runs_are_short or join_parts(trimmed) == text


@given(LONG_TEXTS.filter(lambda text: 0 < utf16_units(text) <= MAX_TEXT_CHARS))
def test_a_text_goes_through_a_modal_unchanged(text: str) -> None:
    blocks = long_input("text", "As it should be", text)
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "x"},
        "submit": {"type": "plain_text", "text": "y"},
    }
    validate_view(view | {"blocks": blocks}, "modal")
    assert read_long_input({b["block_id"]: b["element"].get("initial_value", "") for b in blocks}, "text") == text
    assert (blocks[0]["block_id"], blocks[0]["optional"]) == ("text", False)


@given(st.text(alphabet="\n \t\r\u00a0\u2003\u3000", max_size=24))
def test_a_joint_can_be_written_and_read(joint: str) -> None:
    assert read_joint(write_joint(joint)) == joint
    assert len(write_joint(joint)) < 200


def test_a_text_is_cut_between_paragraphs_before_lines_and_words() -> None:
    paragraph = "A sentence of the paragraph. " * 30
    text = "\n\n".join([paragraph.strip()] * 6)
    parts = split_long_text(text)
    assert [part.joint for part in parts[1:]] == ["\n\n"] * (len(parts) - 1)
    assert all(part.text.startswith("A sentence") and part.text.endswith(".") for part in parts)
    assert split_long_text("one two " * 1_000)[1].joint == " "
    assert split_long_text("x" * 4_000) == [Part(text="x" * 3_000), Part(text="x" * 1_000)]


def test_a_part_that_somebody_empties_leaves_no_gap() -> None:
    parts = [Part(text="one"), Part(text="", joint="\n\n"), Part(text="three", joint="\n")]
    assert join_parts(parts) == "one\nthree"
    assert join_parts([Part(text=""), Part(text="two", joint="\n\n")]) == "two"

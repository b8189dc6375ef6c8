"""Texts that break software: joined emoji, stacked accents, right to left, code, two languages, far too much of it.

What is taught is kept as it was typed, to the character; what cannot be kept is refused in words, and never cut.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, RAVI
from bot.rehearsal.workspace import Workspace
from db.examples import Example, ExampleStatus
from tests.support.steps import create_style, open_teach, teach, wait_for_card
from tests.support.wait import wait_until

KEPT = {
    "joined emoji": "Team 👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈 zegt: welkom aan boord! 🇳🇱",
    "stacked accents": "Cafe\u0301 open, za\u030alen dicht: Z" + "\u0351\u0300\u0325" * 30 + "algo is back.",
    "right to left": "שלום לכולם, the office closes at 12:00 — \u2067שבת שלום\u2069, and مع السلامة to all.",
    "code": "```python\ndef greet(naam: str) -> str:\n\treturn f'<b>{naam}</b> & co'  # 'één' \\n\n```",
    "two languages": "Beste allen, the lift is out of order. Neem de trap; sorry for the inconvenience, hè!",
    "beyond the first plane": "𝔚𝔢𝔩𝔠𝔬𝔪𝔢 to 𠮷野家, 𝕥𝕙𝕖 𝕟𝕖𝕨 𝕝𝕦𝕟𝕔𝕙 place. ﷽",
}
#: More than an example may have: a long message as Slack takes it at most, and code that nobody reads in a card.
TOO_MUCH = {"forty thousand characters": "woord " * 6_600, "ten thousand lines": "```\n" + "x\n" * 10_000 + "```"}


@pytest.mark.parametrize("text", list(KEPT.values()), ids=list(KEPT))
def test_what_is_taught_edited_and_approved_is_kept_to_the_character(bot: Bot, workspace: Workspace, text: str) -> None:
    create_style(workspace.person(ANA))
    mia, ravi = workspace.person(MIA), workspace.person(RAVI)
    _, done = teach(mia, GENERAL, text, prompt=f"Ask: {text}")
    assert done.errors is None, done.errors
    card = wait_for_card(ravi)
    ravi.click(BRAND, card["ts"], "edit_example")
    edited = {"prompt": f"Ask again: {text}", "completion": f"{text}\n\n{text}"}
    assert ravi.submit(ravi.wait_for_modal(), edited).errors is None
    wait_until(lambda: only_example(bot).status is ExampleStatus.APPROVED, what="an edit, which approves")
    example = only_example(bot)
    assert (example.prompt, example.completion) == (edited["prompt"], edited["completion"])


def only_example(bot: Bot) -> Example:
    with bot.services.database.read() as session:
        return session.scalars(select(Example)).one()


@pytest.mark.parametrize("text", list(TOO_MUCH.values()), ids=list(TOO_MUCH))
def test_what_is_too_much_is_refused_in_words_and_never_cut(bot: Bot, workspace: Workspace, text: str) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    message = mia.post(GENERAL, text)
    assert "an example may have 12,000" in str(open_teach(mia, GENERAL, message["ts"]))
    with bot.services.database.read() as session:
        assert session.scalars(select(Example)).all() == []

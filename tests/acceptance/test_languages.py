"""One workspace, two languages: each person reads their own, and a channel reads the one of whoever made the style."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest

from bot.app import Bot
from bot.language import TRANSLATIONS, read_catalogue
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from db.base import now_in_database
from db.examples import ExampleStatus
from db.session import Database
from db.styles import find_style_by_name
from db.teams import get_team
from tests.support import factories
from tests.support.model_server import ScriptedModel
from tests.support.steps import (
    STYLE,
    open_style_form,
    open_teach,
    wait_for_card,
    wait_for_direct,
    wait_for_ephemeral,
)  # fmt: skip
from tests.support.wait import wait_until

Json = dict[str, Any]


@pytest.fixture
def dutch(workspace: Workspace, bot: Bot) -> tuple[Person, Person]:
    """An admin and a member who have Slack in Dutch. Everybody else has it in English."""
    for user_id in (ANA, MIA):
        workspace.state.users[user_id]["locale"] = "nl-NL"
    return workspace.person(ANA), workspace.person(MIA)


def words_on(shown: object) -> list[str]:
    """Every text that a person can read in a message, a window or an answer."""
    if isinstance(shown, dict):
        own = [value for key, value in shown.items() if key in ("text", "alt_text") and isinstance(value, str)]
        return [*own, *(text for value in shown.values() for text in words_on(value))]
    if isinstance(shown, list):
        return [text for one in shown for text in words_on(one)]
    return []


def _patterns(which: int) -> list[re.Pattern[str]]:
    """Every sentence of three words or more, with anything in its places: 0 English, 1 Dutch."""
    found = []
    for message in read_catalogue(TRANSLATIONS[0]):
        pairs = [message.id, message.string] if message.id else ["", ""]
        both = [[one] if isinstance(one, str) else list(one or ()) for one in pairs]
        for text in both[which]:
            fixed = "".join(piece for piece, *_ in string.Formatter().parse(text))
            if len(re.findall(r"[A-Za-z]{2,}", fixed)) >= 3 and text not in both[1 - which]:
                places = [
                    re.escape(piece) + (".+" if name else "") for piece, name, *_ in string.Formatter().parse(text)
                ]
                found.append(re.compile("".join(places), re.DOTALL))
    return found


ENGLISH, DUTCH = _patterns(0), _patterns(1)


def assert_speaks(language: list[re.Pattern[str]], shown: object) -> None:
    """Something of it is said in this language, and nothing in the other."""
    other = DUTCH if language is ENGLISH else ENGLISH
    # Slack shows a shortcut under the name in the app's manifest, whatever the language.
    texts = words_on(shown)
    nameless = [text.replace("“Teach house style”", "") for text in texts]
    assert not [(text, one.pattern) for text in nameless for one in other if one.search(text)]
    assert [text for text in texts for one in language if one.search(text)], texts


def ask(person: Person, text: str, *, channel: str = BRAND) -> Json:
    """Run a `/huisstijl` command and return the answer that only this person sees."""
    before = len(person.ephemerals(channel))
    assert person.slash("/huisstijl", text, channel).ok
    wait_until(lambda: len(person.ephemerals(channel)) > before, what=f"an answer to {text}")
    return person.ephemerals(channel)[-1]


def card_in_dutch(person: Person) -> Json:
    found = wait_until(
        lambda: [one for one in person.messages(BRAND) if one["text"].startswith("Nieuw voorbeeld")], what="a card"
    )
    return found[-1]


def test_a_dutch_person_reads_only_dutch_while_somebody_beside_them_reads_english(
    dutch: tuple[Person, Person], workspace: Workspace, model: ScriptedModel, sqlite_database: Database
) -> None:
    ana, mia = dutch
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)

    # A style: the form, what is wrong with it, and the answer.
    form = open_style_form(ana)
    assert form["title"]["text"] == "Nieuwe huisstijl"
    assert_speaks(DUTCH, form)
    refused = ana.submit(form, STYLE | {"approvals": "5"})
    assert refused.errors == {"approvals": "5 goedkeuringen kunnen niet van 1 beoordelaar komen. Kies er meer."}
    assert ana.submit(form, STYLE | {"approvals": "1"}).errors is None
    assert_speaks(DUTCH, wait_for_direct(ana, "De stijl *brand-voice* kan overal"))

    # Teaching: the window, its errors, thanks; the card is in the language of whoever made the style.
    message = mia.post(BRAND, "Even geduld: we sluiten vrijdag om twaalf uur. Tot maandag!")
    window = open_teach(mia, BRAND, message["ts"])
    assert window["title"]["text"] == "Huisstijl leren"
    assert_speaks(DUTCH, window)
    wrong = mia.submit(window, {"prompt": "x"})
    assert "minstens 2 nodig" in str(wrong.errors)
    done = mia.submit(window, {"prompt": "Meld dat we eerder sluiten"})
    assert done.errors is None
    assert_speaks(DUTCH, wait_for_direct(mia, "Dank je wel"))
    card = card_in_dutch(ravi)
    assert_speaks(DUTCH, card)

    # Approving: Ravi, who reads English, is answered in English; the card stays Dutch.
    ravi.click(BRAND, card["ts"], "approve_example")
    assert_speaks(ENGLISH, wait_for_ephemeral(ravi, BRAND, "Approved."))
    wait_until(lambda: "goedgekeurd" in str(ravi.messages(BRAND)), what="the card says so in Dutch")

    # Drafts: what stands under each is in the language of whoever asked.
    for person, keep, language in ((mia, "Houden", DUTCH), (noor, "Keep", ENGLISH)):
        model.enqueue("Vrijdag dicht.")
        root = person.mention_bot(BRAND, "meld dat we vrijdag dicht zijn")
        written = wait_until(
            lambda ts=root["ts"], keep=keep: [one for one in mia.messages(BRAND, ts) if keep in str(one)],  # type: ignore[misc]
            what=f"a draft with {keep}",
        )[-1]
        assert_speaks(language, written)

    # Errors.
    assert_speaks(DUTCH, ask(mia, "flauwekul"))
    assert_speaks(ENGLISH, ask(noor, "nonsense"))
    assert_speaks(DUTCH, ask(mia, "train"))
    assert_speaks(ENGLISH, ask(noor, "train"))
    assert_speaks(DUTCH, ask(mia, "examples"))
    assert_speaks(ENGLISH, ask(noor, "examples"))

    # Training: the quote is Ana's, the progress is the channel's.
    with sqlite_database.write() as session:
        get_team(session, TEAM_ID).terms_accepted_at = now_in_database(session)
        style = find_style_by_name(session, TEAM_ID, "brand-voice")
        assert style is not None
        style.recipe = "tiny-test"
        for _ in range(20):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
    quote = ask(ana, "train")
    assert "kost € 0,00" in str(quote)
    assert_speaks(DUTCH, quote)
    ana.click(BRAND, quote["ts"], "confirm_train")
    progress = wait_until(
        lambda: [one for one in mia.messages(BRAND) if "Training van brand-voice" in str(one)], what="progress in Dutch"
    )[-1]
    assert_speaks(DUTCH, progress)
    assert_speaks(DUTCH, ask(ana, "status"))
    assert_speaks(ENGLISH, ask(noor, "status"))
    assert_speaks(ENGLISH, ask(noor, "help", channel=GENERAL))


def test_a_proposer_reads_why_it_was_rejected_in_their_own_language(
    dutch: tuple[Person, Person], workspace: Workspace
) -> None:
    _, mia = dutch
    ana, ravi = workspace.person(ANA), workspace.person(RAVI)
    assert ana.submit(open_style_form(ana), STYLE).errors is None
    message = mia.post(BRAND, "Een zin waar niemand iets van leert.")
    assert mia.submit(open_teach(mia, BRAND, message["ts"]), {"prompt": "Schrijf een zin"}).errors is None
    card = card_in_dutch(ravi)
    ravi.click(BRAND, card["ts"], "reject_example")
    window = ravi.wait_for_modal()
    assert_speaks(ENGLISH, window)
    ravi.submit(window, {"reason": "Too vague"})
    assert_speaks(DUTCH, wait_for_direct(mia, "niet overgenomen"))


def test_a_language_of_the_installation_is_what_channels_read(
    dutch: tuple[Person, Person], workspace: Workspace, bot: Bot
) -> None:
    """HUISSTIJL_LANGUAGE goes before the language of whoever made the style; a person still reads their own."""
    object.__setattr__(bot.services, "settings", bot.services.settings.model_copy(update={"language": "en"}))
    ana, mia = dutch
    assert ana.submit(open_style_form(ana), STYLE).errors is None
    message = mia.post(BRAND, "Tot maandag allemaal, fijn weekend!")
    assert mia.submit(open_teach(mia, BRAND, message["ts"]), {"prompt": "Wens een fijn weekend"}).errors is None
    assert_speaks(DUTCH, wait_for_direct(mia, "Dank je wel"))
    assert "New example" in str(wait_for_card(workspace.person(RAVI), containing="New example"))

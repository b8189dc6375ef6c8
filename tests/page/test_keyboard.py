"""Everything that the loop takes, done by somebody who has a keyboard and nothing else."""

from __future__ import annotations

import queue
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bot.app import Bot
from bot.rehearsal.seed import BRAND, GENERAL, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleStatus
from db.ratings import Rating
from db.styles import Style
from tests.page import test_forms, test_loop
from tests.page.test_loop import draft_status, rows
from tests.page.test_reach import focused
from tests.support.browser import Tab
from tests.support.model_server import ScriptedModel
from tests.support.steps import teach, wait_for_card
from tests.support.wait import wait_until

style = test_loop.style


def reach(tab: Tab, name: str, *, key: str = "Tab", most: int = 80) -> None:
    """Press the key until what is called so has the focus; a whole region is not meant by the words in it."""
    for _ in range(most):
        if focused(tab).strip().startswith(name):
            return
        tab.page.keyboard.press(key)
    raise AssertionError(f"{key} never came to {name!r}; it is at {focused(tab)!r}")


def walk_to_channel(tab: Tab, name: str) -> None:
    """From wherever the focus is into the list of channels, and along it."""
    reach(tab, f"{tab_at(tab)},", key="Shift+Tab")
    tab.page.keyboard.press("Home")
    reach(tab, f"{name},", key="ArrowDown")
    tab.page.keyboard.press("Enter")


def tab_at(tab: Tab) -> str:
    """The channel that is open, as its entry in the list is called."""
    return tab.page.locator(".channel.is-current .channel-name").inner_text()


def type_in(tab: Tab, box: str, text: str) -> None:
    reach(tab, box)
    tab.page.keyboard.type(text)
    tab.page.keyboard.press("Enter")


def press(tab: Tab, name: str, *, key: str = "Tab") -> None:
    reach(tab, name, key=key)
    tab.page.keyboard.press("Enter")


def test_drafts_are_asked_for_stopped_edited_kept_and_rated(
    tab: Tab, bot: Bot, model: ScriptedModel, style: Style
) -> None:  # fmt: skip
    tab.open(MIA, GENERAL)
    reach(tab, "general, channel")
    walk_to_channel(tab, "brand")
    expect(tab.page.get_by_role("heading", level=1, name="brand")).to_be_visible()

    model.drip(seconds=0.1)
    type_in(tab, "Message #brand", "/draft brand-voice: announce the summer party")
    expect(tab.thread.get_by_role("button", name="Stop")).to_be_visible()
    press(tab, "Stop")
    wait_until(lambda: draft_status(bot) is DraftStatus.STOPPED)
    press(tab, "Close the thread")
    expect(tab.thread).to_have_count(0)

    model.enqueue("Dear customer, we regret to inform you.")
    type_in(tab, "Message #brand", "/draft tell a customer that the parcel is late")
    expect(tab.thread.locator("[data-action=edit_draft]")).to_be_visible()
    press(tab, "Edit")
    expect(tab.modal.locator("textarea").first).to_be_focused()
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.type("Sorry! Your parcel comes on Tuesday.")
    press(tab, "Keep this")
    expect(tab.modal).to_have_count(0)
    wait_until(lambda: draft_status(bot) is DraftStatus.EDITED)
    assert [e.completion for e in rows(bot, Example)] == ["Sorry! Your parcel comes on Tuesday."]
    reach(tab, "Reply")
    tab.page.keyboard.press("Escape")
    expect(tab.thread).to_have_count(0)

    model.enqueue("Our desk closes at noon.")
    type_in(tab, "Message #brand", "/draft say that we close early")
    expect(tab.thread.locator("[data-action=keep_draft]")).to_be_visible()
    press(tab, "Rate this draft: it sounds like us")
    wait_until(lambda: [rating.is_good for rating in rows(bot, Rating)] == [True])
    press(tab, "Keep")
    wait_until(lambda: draft_status(bot) is DraftStatus.KEPT)
    with bot.services.database.read() as session:
        assert session.query(Draft).count() == 3


def test_a_reviewer_is_acted_as_a_card_approved_and_the_home_tab_worked_through(
    tab: Tab, bot: Bot, workspace: Workspace, style: Style
) -> None:  # fmt: skip
    for person, text in ((MIA, "We close at noon on Friday."), (NOOR, "Two minutes for us? Tell the others!")):
        teach(workspace.person(person), BRAND, text, f"What does {person} say?")
        wait_for_card(workspace.person(RAVI), containing=text)
    keys = tab.open(MIA, BRAND).page.keyboard
    reach(tab, "Act as: Mia")
    keys.press("Enter")
    reach(tab, "RM\nRavi Menon", key="ArrowDown")  # his picture is his initials
    keys.press("Enter")
    expect(tab.page.get_by_role("button", name="Act as: Ravi Menon")).to_be_focused()

    keys.press("ArrowUp")  # it is not for the list of channels, which is beside the button
    expect(tab.page.get_by_role("button", name="Act as: Ravi Menon")).to_be_focused()
    reach(tab, "brand, channel", key="Shift+Tab")
    keys.press("Enter")
    press(tab, "Approve")
    wait_until(lambda: [e for e in rows(bot, Example) if e.status is ExampleStatus.APPROVED])

    walk_to_channel(tab, "Huisstijl")
    reach(tab, "Messages")
    keys.press("ArrowLeft")
    expect(tab.page.get_by_role("tab", name="Home")).to_be_focused()
    expect(tab.channel.locator("[data-action='home_page:reviews']")).to_be_visible()
    press(tab, "Reviews")
    expect(tab.channel).to_contain_text("Review queue")
    assert "Reviews" in focused(tab), "what was pressed keeps the focus when the tab is published anew"
    press(tab, "Open the review queue")
    expect(tab.modal).to_be_visible()
    assert tab.page.evaluate("!document.activeElement.closest('.page')"), "the focus is in the window"
    keys.press("Escape")
    expect(tab.modal).to_have_count(0)
    assert "Open the review queue" in focused(tab)


workspace_of_forms = test_forms.workspace
heard = test_forms.heard


class TestForms:
    """Every kind of input and menu, against an app that has them all."""

    @pytest.fixture
    def workspace(self, workspace_of_forms: Workspace) -> Workspace:
        return workspace_of_forms

    def test_menus_selects_questions_and_thumbs_of_a_message(
        self, page: Page, workspace: Workspace, heard: queue.Queue[Any]
    ) -> None:  # fmt: skip
        tab = Tab(page, workspace.url).open(MIA, GENERAL)
        type_in(tab, "Message #general", "/message")
        expect(tab.message("Choose")).to_be_visible()
        press(tab, "More choices", key="Shift+Tab")
        expect(page.get_by_role("menuitem", name="First")).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert heard.get(timeout=20)["selected_option"]["value"] == "second"
        assert "More choices" in focused(tab), "a menu gives the focus back"
        reach(tab, "Pick one")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("option", name="Up")).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("combobox", name="Pick one")).to_have_attribute(
            "aria-activedescendant", re.compile("-1$")
        )
        page.keyboard.press("Enter")
        assert heard.get(timeout=20)["selected_option"]["value"] == "down"
        press(tab, "Delete it")
        press(tab, "Yes")
        assert heard.get(timeout=20)["action_id"] == "sure"
        assert "Delete it" in focused(tab), "a question gives the focus back"
        press(tab, "Bad")
        assert heard.get(timeout=20)["value"] == "bad"

    def test_every_input_of_a_form(self, page: Page, workspace: Workspace, heard: queue.Queue[Any]) -> None:
        tab = Tab(page, workspace.url).open(MIA, GENERAL)
        keys = page.keyboard
        type_in(tab, "Message #general", "/form")
        expect(tab.modal.get_by_label("Line", exact=True)).to_be_focused()
        keys.type("hello")
        keys.press("Tab")
        keys.type("one")
        keys.press("Enter")
        keys.type("two")
        keys.press("Tab")
        keys.type("42")
        choose(tab, "Colour", "gr")
        choose(tab, "Toppings", "", "on")
        keys.press("Escape")
        expect(tab.modal).to_be_visible()
        choose(tab, "Who", "noor")
        choose(tab, "Team", "ravi", "noor")
        keys.press("Escape")
        choose(tab, "Place", "bra")
        tab_to_label(tab, "Book")
        keys.type("War")
        expect(page.get_by_role("option", name="War and peace")).to_be_visible()
        keys.press("Enter")
        tab_to_label(tab, "Small")
        keys.press("ArrowDown")
        tab_to_label(tab, "Gift")
        keys.press("Tab")
        keys.press("Space")
        tab_to_label(tab, "Day")
        keys.type("11112026")  # the same in whichever order a browser asks for day and month
        tab_to_label(tab, "Hour")
        keys.type("0930a")  # the letter counts where hours are counted to twelve
        press(tab, "Send")
        expect(tab.modal).to_have_count(0)
        values = heard.get(timeout=20)
        assert (values["line"]["value"], values["lines"]["value"]) == ("hello", "one\ntwo")
        assert values["number"]["value"] == "42"
        assert values["colour"]["selected_option"]["value"] == "green"
        assert [o["value"] for o in values["toppings"]["selected_options"]] == ["cheese", "onion"]
        assert (values["who"]["selected_user"], values["team"]["selected_users"]) == (NOOR, [RAVI, NOOR])
        assert values["place"]["selected_conversation"] == BRAND
        assert values["book"]["selected_option"]["value"] == "war and peace"
        assert values["size"]["selected_option"]["value"] == "large"
        assert [o["value"] for o in values["extras"]["selected_options"]] == ["fast"]
        assert (values["day"]["selected_date"], values["hour"]["selected_time"]) == ("2026-11-11", "09:30")


def tab_to_label(tab: Tab, label: str, most: int = 20) -> None:
    """Tab until the input with this label has the focus."""
    at = "e => [...(e.labels ?? [])].map(label => label.innerText).join() + ' ' + (e.getAttribute('aria-label') ?? '')"
    for _ in range(most):
        if label in tab.page.evaluate(f"({at})(document.activeElement)"):
            return
        tab.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to the input {label!r}; it is at {focused(tab)!r}")


def choose(tab: Tab, label: str, *typed: str) -> None:
    tab_to_label(tab, label)
    for word in typed:
        if word:
            tab.page.keyboard.type(word)
        else:
            tab.page.keyboard.press("ArrowDown")
        expect(tab.page.get_by_role("listbox")).to_be_visible()
        tab.page.keyboard.press("Enter")

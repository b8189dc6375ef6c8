"""The page without a mouse and without eyes: keys reach everything, axe finds nothing, news is said aloud."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bot.app import Bot
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from db.examples import Example
from tests.support.browser import Tab
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until


@pytest.fixture
def style(bot: Bot) -> None:
    with bot.services.database.write() as session:
        made = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, made)


def focused(tab: Tab) -> str:
    """The accessible name of what has the focus, as far as it is written down."""
    said: str = tab.page.evaluate(
        "(e => e.getAttribute('aria-label') || e.innerText || e.tagName)(document.activeElement)"
    )
    return said


def tab_to(tab: Tab, name: str, *, key: str = "Tab", most: int = 40) -> None:
    for _ in range(most):
        if name in focused(tab):
            return
        tab.page.keyboard.press(key)
    raise AssertionError(f"{key} never came to {name!r}; it is at {focused(tab)!r}")


def test_a_message_is_taught_with_the_keyboard_alone(tab: Tab, bot: Bot, style: None) -> None:
    keys = tab.open(MIA, GENERAL).page.keyboard
    tab_to(tab, "general, channel")
    keys.press("ArrowUp")
    assert focused(tab).startswith("brand, channel")
    keys.press("Enter")
    expect(tab.page.get_by_role("heading", level=1, name="brand")).to_be_visible()
    tab_to(tab, "Message #brand")
    keys.type("We close at noon. Enjoy the sun!")
    keys.press("Enter")
    expect(tab.message("We close at noon")).to_be_visible()
    tab_to(tab, "Mia de Wit,", key="Shift+Tab")
    tab_to(tab, "More actions")
    keys.press("Enter")
    expect(tab.page.get_by_role("menuitem").first).to_be_focused()
    assert "Teach house style" in focused(tab)
    keys.press("Enter")
    expect(tab.modal.locator("input, textarea").first).to_be_focused()
    tab_to(tab, "What was asked")
    keys.type("Say that we close early")
    tab_to(tab, "Propose")
    keys.press("Enter")
    expect(tab.modal).to_have_count(0)
    (example,) = wait_until(lambda: rows(bot))
    assert (example.prompt, example.completion) == ("Say that we close early", "We close at noon. Enjoy the sun!")


def rows(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.query(Example))


def test_arrows_walk_through_messages_and_enter_opens_the_thread(tab: Tab, workspace: Workspace) -> None:
    for text in ("first", "second", "third"):
        workspace.person(RAVI).post(GENERAL, text)
    tab.open(MIA, GENERAL)
    expect(tab.message("third")).to_be_visible()
    tab.message("third").focus()
    tab.page.keyboard.press("ArrowUp")
    expect(tab.message("second")).to_be_focused()
    tab.page.keyboard.press("Home")
    expect(tab.message("first")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(tab.thread.get_by_role("textbox", name="Reply")).to_be_focused()
    tab.page.keyboard.press("Escape")
    expect(tab.thread).to_have_count(0)


def test_commands_and_names_complete_as_one_types(tab: Tab) -> None:
    tab.open(MIA, GENERAL)
    box = tab.channel.get_by_role("textbox", name="Message #general")
    box.press_sequentially("/dr")
    expect(tab.page.get_by_role("option", selected=True)).to_contain_text("/draft")
    box.press("Tab")
    expect(box).to_have_value("/draft ")
    box.fill("")
    box.press_sequentially("Hello @rav")
    expect(tab.page.get_by_role("option", selected=True)).to_contain_text("Ravi Menon")
    box.press("Enter")
    expect(box).to_have_value("Hello @ravi ")
    box.press("Enter")
    expect(tab.message("Hello").locator(".mention")).to_have_text("@Ravi Menon")


def test_what_comes_in_is_said_to_a_screen_reader(tab: Tab, workspace: Workspace) -> None:
    tab.open(MIA, GENERAL)
    workspace.person(RAVI).post(GENERAL, "Cake in the kitchen")
    said = tab.page.locator("[aria-live=polite]")
    expect(said).to_have_text("Ravi Menon: Cake in the kitchen")
    workspace.person(RAVI).post(BRAND, "Elsewhere")
    expect(tab.page.get_by_role("button", name="brand, channel, 1 unread")).to_be_visible()
    expect(said).to_have_text("Ravi Menon: Cake in the kitchen")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(tab: Tab, model: ScriptedModel, style: None, scheme: str) -> None:
    tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    model.enqueue("# Closing\n\n- See **you**\n- `soon`\n\n> on Monday\n\n[here](https://example.org)")
    tab.open(ANA, BRAND).write("Hello @mia, see #general")
    tab.write("/draft say that we close")
    expect(tab.thread.locator("[data-action=keep_draft]")).to_be_visible()
    assert_accessible(tab, "channel and thread")
    tab.page.get_by_role("button", name="Act as: Ana Costa").click()
    assert_accessible(tab, "the switch of people")
    tab.page.keyboard.press("Escape")
    tab.write("/huisstijl style new")
    expect(tab.modal).to_be_visible()
    tab.submit()
    expect(tab.modal.get_by_role("alert").first).to_be_visible()
    assert_accessible(tab, "a form with errors")
    tab.modal.get_by_role("combobox").first.click()
    assert_accessible(tab, "an open select")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Escape")
    expect(tab.modal).to_have_count(0)
    tab.go("Huisstijl")
    expect(tab.page.get_by_role("tab", name="Messages")).to_be_visible()
    assert_accessible(tab, "the app")


def assert_accessible(tab: Tab, where: str) -> None:
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(tab.page, options={"runOnly": {"type": "tag", "values": tags}}).response["violations"]
    told = [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]
    assert not told, f"{where}: {told}"


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_sideways(tab: Tab, workspace: Workspace, width: int) -> None:
    workspace.person(RAVI).post(BRAND, "An-endless-word-" * 30)
    tab.page.set_viewport_size({"width": width, "height": 700})
    tab.open(MIA, BRAND)
    expect(tab.message("An-endless")).to_be_visible()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.channel.get_by_role("region", name="Messages in brand").evaluate(
        "feed => feed.scrollWidth <= feed.clientWidth"
    )

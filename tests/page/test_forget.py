"""Being forgotten, in a browser: the command is typed, the quote read, the button clicked; the text is gone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bot.app import Bot
from bot.rehearsal.seed import BRAND, GUEST, MIA, NOOR, RAVI
from db.examples import Example, ExampleStatus
from db.styles import Style
from tests.page.test_loop import rows, style  # noqa: F401 - a fixture
from tests.support import factories
from tests.support.browser import Tab
from tests.support.steps import teach, wait_for_card

SECRET = "Call Aunt Petronella before noon"


@pytest.fixture
def proposed(tab: Tab, bot: Bot, style: Style, workspace) -> Example:  # noqa: F811
    """Mia has taught her own message; it waits for Ravi. Noor has an example, too."""
    teach(workspace.person(MIA), BRAND, SECRET)
    wait_for_card(workspace.person(RAVI), containing=SECRET)
    with bot.services.database.write() as session:
        factories.make_example(session, style, proposed_by=NOOR, author_id=NOOR, completion="Noor stays.")
    return next(one for one in rows(bot, Example) if one.proposed_by == MIA)


def test_a_member_is_forgotten_and_no_reviewer_sees_the_text_any_more(
    tab: Tab, bot: Bot, proposed: Example
) -> None:  # fmt: skip
    tab.open(RAVI, BRAND).write("/huisstijl review")
    expect(tab.modal).to_contain_text("Petronella")
    tab.page.keyboard.press("Escape")
    expect(
        tab.channel.get_by_role("article").filter(has=tab.page.locator("[data-action=approve_example]"))
    ).to_have_count(1)

    tab.act_as("Mia de Wit")
    tab.go("brand")
    tab.write("/huisstijl forget")
    quote = tab.channel.get_by_role("article").filter(has=tab.page.locator("[data-action=confirm_forget]"))
    expect(quote).to_contain_text("Only you can see this")
    expect(quote).to_contain_text("1 example in 1 style and 0 drafts")
    expect(quote).to_contain_text("brand-voice: 1 example; no adapter was trained on them")
    quote.locator("[data-action=confirm_forget]").click()
    expect(tab.message("You are forgotten")).to_contain_text("1 example in 1 style and 0 drafts were erased")
    expect(tab.channel.locator("[data-action=confirm_forget]")).to_have_count(0)

    tab.act_as("Ravi Menon")
    tab.go("brand")
    expect(tab.channel.locator("[data-action=approve_example]")).to_have_count(0)
    tab.write("/huisstijl review")
    expect(tab.modal).to_contain_text("Noor stays.")
    expect(tab.modal).not_to_contain_text("Petronella")
    gone = next(one for one in rows(bot, Example) if one.example_id == proposed.example_id)
    assert (gone.status, gone.prompt, gone.completion) == (ExampleStatus.WITHDRAWN, "", "")


def test_who_may_not_reads_why_and_who_cancels_keeps_everything(tab: Tab, bot: Bot, proposed: Example) -> None:
    tab.open(GUEST, BRAND).write("/huisstijl forget")
    expect(tab.message("Guests")).to_contain_text("Only you can see this")
    tab.act_as("Mia de Wit")
    tab.go("brand")
    tab.write("/huisstijl forget @noor ")  # with the space, no name is offered any more
    expect(tab.message("Only workspace admins can have somebody else forgotten")).to_be_visible()
    tab.write("/huisstijl forget")
    tab.channel.locator("[data-action=cancel_forget]").click()
    expect(tab.message("Nothing was erased")).to_be_visible()
    assert SECRET in [one.completion for one in rows(bot, Example)]

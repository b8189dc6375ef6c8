"""The loop in a browser, each step by whoever takes it: teach, approve, draft, stop, edit, keep, train, promote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Page, expect

from bot.app import Bot
from bot.rehearsal.seed import ANA, BRAND, MIA, NOOR, RAVI, TEAM_ID
from config.rungs import Rung
from config.settings import Settings
from db.base import Base
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleStatus
from db.promotions import find_promotion
from db.styles import Style, StyleReviewer
from tests.support import factories
from tests.support.browser import Tab
from tests.support.model_server import ScriptedModel
from tests.support.runs import approve_pairs, execute_here, make_base_model
from tests.support.wait import wait_until


@pytest.fixture
def style(bot: Bot, bot_settings: Settings) -> Style:
    """A style with a reviewer, served by retrieved examples."""
    with bot.services.database.write() as session:
        made = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice", created_by=ANA
        )
        made.reviewers.append(StyleReviewer(user_id=RAVI))
        factories.make_promotion(
            session, made, rung=Rung.RETRIEVED, actor=ANA, base_model=bot_settings.base_model
        )  # fmt: skip
    return made


Row = TypeVar("Row", bound=Base)


def rows(bot: Bot, kind: type[Row]) -> list[Row]:
    with bot.services.database.read() as session:
        return list(session.query(kind))


def draft_status(bot: Bot) -> DraftStatus | None:
    with bot.services.database.read() as session:
        newest = session.query(Draft).order_by(Draft.draft_id.desc()).first()
        return newest.status if newest else None


def test_an_admin_makes_a_style_in_a_form_that_says_what_is_wrong(tab: Tab, bot: Bot) -> None:
    tab.open(ANA, BRAND).write("/huisstijl style new")
    expect(tab.modal).to_be_visible()
    name = tab.modal.locator("[data-block=name] input")
    expect(name).to_be_focused()
    name.fill("Brand Voice!")
    tab.modal.locator("[data-block=instructions] textarea").fill("Short, warm, concrete.")
    channel = tab.modal.locator("[data-block=channel] input")
    channel.click()
    channel.press_sequentially("bra")
    channel.press("Enter")
    reviewers = tab.modal.locator("[data-block=reviewers] input")
    reviewers.click()
    reviewers.press_sequentially("Ravi")
    reviewers.press("Enter")
    reviewers.press("Tab")
    tab.submit()
    wrong = tab.modal.locator("[data-block=name]")
    expect(wrong.get_by_role("alert")).to_be_visible()
    expect(wrong.locator("input")).to_have_attribute("aria-invalid", "true")
    expect(wrong.locator("input")).to_be_focused()
    expect(tab.modal.locator("[data-block=instructions] textarea")).to_have_value("Short, warm, concrete.")
    name.fill("brand-voice")
    expect(wrong.get_by_role("alert")).to_have_count(0)
    tab.submit()
    expect(tab.modal).to_have_count(0)
    with bot.services.database.read() as session:
        made = session.query(Style).one()
        assert (made.name, made.channel_id, list(made.reviewer_ids)) == ("brand-voice", BRAND, [RAVI])


def test_a_member_teaches_and_a_reviewer_approves(tab: Tab, bot: Bot, style: Style) -> None:
    tab.open(MIA, BRAND).write("We close at noon on Friday. Enjoy the sun!")
    tab.shortcut(tab.message("We close at noon"), "Teach house style")
    expect(tab.modal).to_be_visible()
    tab.submit()
    asked = tab.modal.locator("[data-block=prompt]")
    expect(asked.get_by_role("alert")).to_be_visible()
    asked.locator("textarea").fill("Say that we close early on Friday")
    tab.submit()
    expect(tab.modal).to_have_count(0)
    (proposed,) = wait_until(lambda: rows(bot, Example))
    assert proposed.status is ExampleStatus.PROPOSED
    tab.act_as("Ravi Menon")
    tab.go("brand")
    card = tab.channel.get_by_role("article").filter(has=tab.page.locator("[data-action=approve_example]")).last
    card.locator("[data-action=approve_example]").click()
    expect(tab.channel.locator("[data-action=approve_example]")).to_have_count(0)
    (approved,) = rows(bot, Example)
    assert (approved.status, approved.proposed_by) == (ExampleStatus.APPROVED, MIA)
    assert approved.prompt == "Say that we close early on Friday"
    assert approved.completion == "We close at noon on Friday. Enjoy the sun!"


def test_a_draft_appears_as_it_is_written_and_is_kept(tab: Tab, bot: Bot, model: ScriptedModel, style: Style) -> None:
    model.enqueue("Our **desk** closes at noon.\n\n- See you on Monday", delay=0.5)
    tab.open(MIA, BRAND).write("/draft brand-voice: say that we close early")
    answer = tab.thread.get_by_role("article").last
    expect(answer).to_contain_text("Our desk")  # its thread opens by itself, and the text grows in it
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(tab.page.locator("[data-announcer]")).to_contain_text("is writing a draft")
    keep = tab.thread.locator("[data-action=keep_draft]")
    expect(keep).to_be_visible()
    expect(answer.locator("li")).to_have_text("See you on Monday")
    keep.click()
    expect(tab.thread.locator("[data-action=keep_draft]")).to_have_count(0)
    wait_until(lambda: draft_status(bot) is DraftStatus.KEPT)


def test_a_thread_that_opens_by_itself_takes_the_focus_from_nobody(
    tab: Tab, model: ScriptedModel, style: Style
) -> None:
    model.enqueue("Our desk closes at noon.", delay=0.5)
    tab.open(MIA, BRAND).write("/draft brand-voice: say that we close early")
    box = tab.channel.get_by_role("textbox", name=re.compile("^Message "))
    box.press_sequentially("and what of ")
    expect(tab.thread.locator("[data-action=keep_draft]")).to_be_visible()
    tab.page.keyboard.type("Monday?")
    expect(box).to_have_value("and what of Monday?")
    tab.channel.get_by_role("article").filter(
        has=tab.page.get_by_role("button", name=re.compile("repl"))
    ).last.get_by_role("button", name=re.compile(r"\d repl")).click()
    expect(tab.thread.get_by_role("textbox", name="Reply")).to_be_focused()  # whoever opens it wants to write in it


def test_a_draft_can_be_stopped_while_it_is_written(tab: Tab, bot: Bot, model: ScriptedModel, style: Style) -> None:
    model.drip(seconds=0.1)
    tab.open(NOOR, BRAND).write("@huisstijl announce the summer party")
    stop = tab.thread.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    stop.click()
    expect(stop).to_have_count(0)
    wait_until(lambda: draft_status(bot) is DraftStatus.STOPPED)


def test_an_edited_draft_is_proposed_as_it_should_be(tab: Tab, bot: Bot, model: ScriptedModel, style: Style) -> None:
    model.enqueue("Dear customer, we regret to inform you.")
    tab.open(MIA, BRAND).write("/draft tell a customer that the parcel is late")
    tab.thread.locator("[data-action=edit_draft]").click()
    box = tab.modal.locator("textarea").first
    expect(box).to_have_value("Dear customer, we regret to inform you.")
    box.fill("Sorry! Your parcel comes on Tuesday.")
    tab.submit()
    expect(tab.modal).to_have_count(0)
    wait_until(lambda: draft_status(bot) is DraftStatus.EDITED)
    assert [e.completion for e in rows(bot, Example)] == ["Sorry! Your parcel comes on Tuesday."]


class TestTraining:
    """With a real run of the tiny recipe."""

    pytestmark = pytest.mark.training

    @pytest.fixture
    def bot_settings(self, bot_settings: Settings, tmp_path: Path) -> Settings:
        base = make_base_model(tmp_path)
        return bot_settings.model_copy(update={"base_model": str(base), "recipe": "tiny-test"})

    @pytest.mark.timeout(200)
    def test_an_admin_trains_reads_the_ladder_promotes_and_goes_back(
        self, tab: Tab, page: Page, bot: Bot, bot_settings: Settings, style: Style
    ) -> None:
        database = bot.services.database
        with database.write() as session:
            approve_pairs(session, style, bot_settings, 40)
        tab.open(ANA, BRAND).write("/huisstijl train brand-voice")
        quote = tab.channel.get_by_role("article").filter(has=page.locator("[data-action=confirm_train]"))
        expect(quote).to_contain_text("Only you can see this")
        quote.locator("[data-action=confirm_train]").click()
        expect(tab.channel.locator("[data-action=cancel_run]")).to_be_visible()
        execute_here(database, bot_settings)
        expect(tab.channel.locator("[data-action=cancel_run]")).to_have_count(0)
        expect(tab.channel.get_by_role("article").filter(has_text=re.compile("retrieved")).last).to_be_visible()

        tab.write("/huisstijl ladder brand-voice")
        table = tab.message("Only you can see this").locator("pre")
        expect(table).to_contain_text("lora")
        before = champion_rung(bot, style)
        assert before is not Rung.ZERO_SHOT
        tab.write("/huisstijl promote brand-voice zero_shot")
        wait_until(lambda: champion_rung(bot, style) is Rung.ZERO_SHOT)
        tab.write("/huisstijl rollback brand-voice")
        wait_until(lambda: champion_rung(bot, style) is before)


def champion_rung(bot: Bot, style: Style) -> Rung | None:
    with bot.services.database.read() as session:
        found = find_promotion(session, session.get_one(Style, style.style_id).champion_promotion_id)
        return found.rung if found else None

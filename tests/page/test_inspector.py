"""What happens underneath, beside the channel in which it happens: after a mention, all that it set in motion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from bot.app import Bot
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import BRAND, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.examples import ExampleStatus
from db.session import Database
from tests.support import factories
from tests.support.browser import Tab
from tests.support.model_server import ScriptedModel

ASKED = "tell the neighbours about the party"
DRAFTED = "Music until ten on Saturday, and cake for all of you."


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Iterator[Workspace]:
    """With the bot's database and prompts in sight, as `huisstijl up` starts it."""
    app = InstalledApp.from_manifest(build_manifest())
    url = sqlite_database.url.render_as_string(hide_password=False)
    with Workspace(app=app, database_url=url, prompt_log=tmp_path / "prompts.jsonl") as running:
        yield running


@pytest.fixture
def bot_settings(bot_settings: Settings, tmp_path: Path) -> Settings:
    return bot_settings.model_copy(update={"prompt_log": tmp_path / "prompts.jsonl"})


@pytest.fixture
def style(bot: Bot) -> None:
    with bot.services.database.write() as session:
        made = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice",
            instructions="Short and warm.",
        )  # fmt: skip
        factories.make_promotion(session, made, rung=Rung.FEW_SHOT)
        factories.make_example(
            session, made, status=ExampleStatus.APPROVED, prompt="Say that we are closed", completion="Back on Monday!"
        )


def entry(tab: Tab, kind: str, title: str) -> Locator:
    """The newest entry of this kind with this title, opened."""
    found = tab.panel.locator(f"details[data-kind={kind}]").filter(
        has=tab.page.locator(".entry-title", has_text=re.compile(f"^{re.escape(title)}$"))
    )
    expect(found.last).to_be_visible()
    found.last.locator("summary").click()
    return found.last


def show(tab: Tab, kind: str) -> None:
    tab.panel.get_by_role("tab", name=kind).click()


def test_after_a_mention_the_panel_shows_everything_that_it_set_in_motion(
    tab: Tab, model: ScriptedModel, style: None
) -> None:
    model.enqueue(DRAFTED, delay=0.1)  # slow enough for the panel to look while it is written
    tab.open(MIA, BRAND)
    tab.page.get_by_role("button", name="What happened underneath").click()
    tab.write(f"@huisstijl {ASKED}")
    expect(tab.thread.locator("[data-action=keep_draft]")).to_be_visible()

    show(tab, "Events")
    mention = entry(tab, "delivery", "app_mention")
    expect(mention.locator(".entry-note")).to_have_text(re.compile(r"^acknowledged in [\d.]+ ms$"))
    expect(mention.get_by_role("listitem")).to_have_text(re.compile(r"^acknowledged after [\d.]+ ms$"))
    expect(mention.locator(".json")).to_contain_text(ASKED)
    assert tab.panel.locator("details:not([data-kind=delivery])").count() == 0

    show(tab, "Calls")
    begun = entry(tab, "call", "chat.startStream")
    expect(begun.locator(".entry-note")).to_have_text(re.compile(r"^ok in [\d.,]+ ms$"))
    expect(begun.get_by_role("heading")).to_have_text(["Asked", "Answered 200"])
    expect(begun.locator(".json").first).to_contain_text(BRAND)
    expect(begun.locator(".json").first).not_to_contain_text("xoxb-")
    expect(entry(tab, "call", "chat.stopStream").locator(".json").last).to_contain_text('"ok": true')

    show(tab, "Rows")
    drafts = tab.panel.locator("details[data-kind=row]").filter(has_text="drafts")
    expect(drafts.filter(has_text="added")).to_have_count(1)
    drafts.filter(has_text="added").locator("summary").click()
    expect(drafts.filter(has_text="added").locator("dl")).to_contain_text(ASKED)
    expect(drafts.filter(has_text="changed: ").last).to_contain_text("status")

    show(tab, "Prompts")
    prompt = tab.panel.locator("details[data-kind=prompt]").last
    prompt.locator("summary").click()
    texts = prompt.locator("pre").all_inner_texts()
    sent = [message["content"] for message in model.prompts[-1]]
    assert [text.strip() for text in texts] == [text.strip() for text in sent]
    assert "Short and warm." in sent[0] and any("Back on Monday!" in text for text in sent) and ASKED in sent[-1]

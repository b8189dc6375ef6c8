"""The page speaks to whom one acts as in the language of their Slack, down to what is only said to a screen reader."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Route, expect

from bot.app import Bot
from bot.rehearsal.page.sight import Sight
from bot.rehearsal.page.words import words
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from tests.architecture.catalogues import page_sources, said_on_the_page
from tests.support.browser import Tab
from tests.support.factories import make_promotion, make_style

#: Every name, tooltip and placeholder on the page, and every text that is not of a message, a form or the workspace.
READ = """() => {
  const theirs = ".message-main .text, .message-main .markdown, .blocks, .author, .channel-name, .toast, "
    + "strong, pre, time, .about, .picker, .mono, .columns, .entry-title, .avatar, h1";
  const said = [];
  for (const node of document.querySelectorAll("body *")) {
    if (node.matches("time, [role=separator]")) continue;
    said.push(...["aria-label", "title", "placeholder"].map((name) => node.getAttribute(name)).filter(Boolean));
    if (node.closest(theirs) || node.closest("script, style, noscript")) continue;
    for (const part of node.childNodes) if (part.nodeType === 3 && /\\p{L}/u.test(part.data)) said.push(part.data);
  }
  return said;
}"""


@pytest.fixture
def style(bot: Bot) -> None:
    with bot.services.database.write() as session:
        made = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, made)


def marked(route: Route) -> None:
    """A language in which every sentence stands in brackets: what stands outside them was not said with words.ts."""
    made = {
        english: [f"⟦{one}⟧" for one in (english, many[1])] if isinstance(many, list) else f"⟦{english}⟧"
        for english, many in words()["nl"].items()
    }
    route.fulfill(json={"nl": made})


def test_everything_that_the_page_says_is_in_its_catalogue(tab: Tab, workspace: Workspace, style: None) -> None:
    workspace.state.users[ANA]["locale"] = "nl-NL"
    workspace.person(RAVI).post(BRAND, f"For <@{ANA}>")
    tab.page.route("**/page/words", marked)
    tab.page.goto(f"{tab.url}/?as={ANA}&channel={GENERAL}")
    expect(tab.page.get_by_role("navigation", name="⟦Workspace⟧")).to_be_visible()
    tab.page.get_by_role("button", name="⟦What happened underneath⟧").click()
    box = tab.channel.get_by_role("textbox")
    box.fill("/huisstijl style new")
    box.press("Enter")
    expect(tab.modal).to_be_visible()
    form = json.dumps(Sight(workspace.state, ANA).whole()["views"], ensure_ascii=False)
    said = tab.page.evaluate(READ)
    tab.page.keyboard.press("Escape")
    expect(tab.modal).to_have_count(0)
    box.fill("Good morning")
    box.press("Enter")
    tab.message("Good morning").hover()
    tab.message("Good morning").get_by_role("button", name="⟦More actions⟧").click()
    said += tab.page.evaluate(READ)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name=re.compile("⟦Act as: ")).click()
    said += tab.page.evaluate(READ)
    tab.page.keyboard.press("Escape")
    tab.page.locator(".channel").first.click()
    said += tab.page.evaluate(READ)
    assert len({one for one in said if "⟦" in one}) > 40
    theirs = json.dumps(Sight(workspace.state, ANA).whole(), ensure_ascii=False) + form
    outside = {part.strip(" ·:.\n") for one in said for part in re.sub(r"⟦[^⟧]*⟧", "", one).split(",")}
    assert not {one for one in outside if re.search("[A-Za-z]{2}", one) and one not in theirs}


def test_the_page_follows_the_language_of_whom_one_acts_as(tab: Tab, workspace: Workspace) -> None:
    workspace.state.users[RAVI]["locale"] = "nl-NL"
    html = tab.open(MIA, GENERAL).page.locator("html")
    expect(html).to_have_attribute("lang", "en")
    box = tab.channel.get_by_role("textbox", name="Message #general")
    box.fill("Cake in the kitchen")
    box.press("Enter")
    expect(tab.message("Cake in the kitchen")).to_be_visible()
    box.fill("begun")
    tab.page.get_by_role("button", name=re.compile("^Act as")).click()
    tab.page.get_by_role("menuitemradio", name=re.compile("Ravi")).click()
    expect(html).to_have_attribute("lang", "nl")
    expect(tab.page.get_by_role("button", name="Je bent nu: Ravi Menon")).to_be_visible()
    expect(tab.channel.get_by_role("separator", name="Vandaag")).to_be_visible()
    cake = tab.message("Cake in the kitchen")
    cake.hover()
    cake.get_by_role("button", name="In thread antwoorden").click()
    expect(tab.thread.get_by_role("textbox", name="Antwoord")).to_be_focused()
    workspace.person(MIA).post(GENERAL, "And coffee")
    expect(tab.page.locator("[data-announcer]")).to_have_text("Mia de Wit: And coffee")
    tab.channel.get_by_role("textbox", name="Bericht in #general").fill("/nonsense")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".toast")).to_have_text("/nonsense is hier geen commando.")
    tab.page.get_by_role("button", name=re.compile("^Je bent nu")).click()
    tab.page.get_by_role("menuitemradio", name=re.compile("Mia")).click()
    expect(html).to_have_attribute("lang", "en")
    expect(tab.channel.get_by_role("textbox", name="Message #general")).to_have_value("begun")


def test_what_the_page_says_is_written_out_where_it_is_said() -> None:
    """Only then does it stand in the catalogues."""
    calls = sum(len(re.findall(r"\b(?:say|sayCount|sentence)\(", path.read_text())) for path in page_sources())
    assert calls == len(said_on_the_page()) > 100


#: Names of letters between quotes or tags that are said to people.
_SPOKEN = (
    re.compile(r'\b(?:aria-label|title|placeholder|label|alt|heading|detail)=(?:"[^"]*[A-Za-z]|\{`[^`]*[A-Za-z]{2})'),
    re.compile(r'\b(?:label|detail|note|kindName): (?:"[^"]*[A-Za-z]|`[^`$]*[A-Za-z]{2})'),
    re.compile(r">\s*[A-Za-z]{2,}[^<>{}=;()]*</"),
    re.compile(r'(?<!say\()(?<!sentence\()"[A-Z][a-z]+ [a-z]+[^"]*"'),
)


def test_no_source_of_the_page_speaks_without_words() -> None:
    spoken = []
    for path in page_sources():
        code = re.sub(r"^\s*(?://|/\*\*|\*).*$|\s// .*$", "", path.read_text(), flags=re.MULTILINE)
        spoken += [(path.name, found[0]) for one in _SPOKEN for found in one.finditer(code)]
    assert not [one for one in spoken if "Huisstijl" not in one[1]]  # the app's name

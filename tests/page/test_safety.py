"""Whatever people and models write is shown as text: no markup, no script, no strange links, no foreign pictures."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from bot.rehearsal.seed import GENERAL, MIA, RAVI
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import web_client
from tests.support.browser import Tab

EVIL = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
BLOCKS: list[dict[str, Any]] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "<javascript:alert(1)|press> <data:text/html,x|me>"}},
    {"type": "markdown", "text": f"{EVIL}\n\n[press](javascript:alert(1)) [fine](https://example.org)"},
    {"type": "section", "text": {"type": "plain_text", "text": EVIL}},
    {"type": "image", "image_url": "http://192.0.2.1/tracker.png", "alt_text": "a tracker"},
]


@pytest.fixture
def quiet(page: object, workspace: Workspace) -> Tab:
    """The page without a bot: what it draws does not depend on one."""
    return Tab(page, workspace.url)  # type: ignore[arg-type]


def test_nothing_that_was_written_becomes_markup_or_runs(quiet: Tab, workspace: Workspace) -> None:
    workspace.person(RAVI).post(GENERAL, EVIL)
    web_client(workspace).chat_postMessage(channel=GENERAL, text="blocks", blocks=BLOCKS)
    asked: list[str] = []
    quiet.page.on("request", lambda request: asked.append(request.url))
    quiet.open(MIA, GENERAL)
    expect(quiet.message("tracker")).to_contain_text("Picture: a tracker")
    expect(quiet.channel.get_by_role("article").first).to_contain_text('<script>document.title="owned"</script>')
    assert quiet.page.locator("article img, article script, article iframe").count() == 0
    hrefs = [link.get_attribute("href") or "" for link in quiet.channel.get_by_role("link").all()]
    assert hrefs == ["https://example.org/"]
    assert quiet.channel.get_by_role("link").first.get_attribute("rel") == "noopener noreferrer"
    assert "owned" not in quiet.page.title()
    assert not [url for url in asked if not url.startswith((workspace.url, workspace.url.replace("http", "ws")))]


def test_mrkdwn_reads_as_slack_shows_it(quiet: Tab, workspace: Workspace) -> None:
    text = (
        "*bold* _it_ ~gone~ `code` 2*3*4 snake_case_name &lt;b&gt; &amp; <https://example.org|a link> "
        f"<@{MIA}> <#{GENERAL}|general> <!here> :tada:\n&gt; quoted\n```\nx = *y*\n```"
    )
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    web_client(workspace).chat_postMessage(channel=GENERAL, text="x", blocks=blocks)
    quiet.open(MIA, GENERAL)
    said = quiet.channel.get_by_role("article").last
    expect(said.locator("strong", has_text="bold")).to_have_count(1)
    assert said.locator("em").all_inner_texts() == ["it"]
    assert said.locator("s").all_inner_texts() == ["gone"]
    assert said.locator("blockquote").all_inner_texts() == ["quoted"]
    assert said.locator("pre").inner_text().strip() == "x = *y*"
    for shown in ("2*3*4 snake_case_name <b> & ", "@Mia de Wit", "#general", "@here", "🎉"):
        expect(said).to_contain_text(shown)


def test_the_policy_of_the_page_forbids_foreign_scripts(quiet: Tab) -> None:
    answer = quiet.page.goto(quiet.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe-eval" not in policy

"""Whatever a model or a person writes into a draft, however it is shown: nobody is called, nothing unfurls, no link
hides where it goes, and Slack takes every message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.app import Bot
from bot.rehearsal.seed import BRAND, GENERAL, MIA, NOOR, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.drafts import Draft, DraftStatus
from db.styles import Style
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

Json = dict[str, Any]

ABUSE = {
    "mentions": "<!channel> <!here|here> <!everyone> <@U0NOOR> <@U0NOOR|noor> <!subteam^S1|@team> @channel @here "
    "@everyone <!date^1^{date}|x> &lt;!here&gt; `<!channel>` ```\n<@U0MIA>\n``` <!<!here>>",
    "links": "<http://evil.example|bank> [bank](http://evil.example) [bank.example](http://evil.example) ![x](http://"
    "evil.example/x.png) [bank][1] https://bank.example@evil.example\n\n[1]: http://evil.example\n<https://evil.example|"
    "https://bank.example>",
    "schemes": "[x](javascript:alert(1)) <javascript:alert(1)|bank> <slack://open|bank> <data:text/html,x|bank> "
    "<zoommtg://evil.example|bank> <javascript:alert(1)>",
    "huge": "A sentence with <!here> and [bank](http://evil.example) in it. " * 1_000,
    "mentions only": "@here" * 12_000,
    "order and lines": "\u202egnihtyna\u2066 " + "\n" * 10_000 + "\x00\x07 done \ud83d\ude00" + "́" * 200,
    "brackets": "<" * 500 + "[" * 500 + "](" * 300 + "<!" * 300 + ">" * 600,
}
LIVE_MENTION = re.compile(r"<[!@#][^>]*>|@(?:channel|here|everyone)\b", re.IGNORECASE)
LIVE_LINK = re.compile(r"<([a-z][a-z0-9+.-]*:[^>|\s]*)\|([^>]*)>|\[([^\]\n]+)\]\(([^)\s]+)[^)]*\)", re.IGNORECASE)
DEFINED_LINK = re.compile(r"^[ >]*\[[^\[\]]+\]:\s*\S", re.MULTILINE)
TEXT_ARGUMENTS = ("text", "markdown_text", "initial_comment")


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def newest(bot: Bot) -> Draft:
    with bot.services.database.read() as session:
        return session.query(Draft).order_by(Draft.draft_id.desc()).first() or Draft(status=DraftStatus.REQUESTED)


def wait_for_draft(bot: Bot, before: str = "") -> Draft:
    return wait_until(
        lambda: one if (one := newest(bot)).status is DraftStatus.SHOWN and one.draft_id != before else None, seconds=15
    )


def shown_texts(value: Any) -> Iterator[str]:
    """Every text in a call's arguments that Slack reads as markup; plain text and rich text elements are literal."""
    if isinstance(value, dict):
        kind = value.get("type")
        if kind in ("plain_text", "rich_text"):
            return
        for inside in value.values():
            yield from shown_texts(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from shown_texts(inside)
    elif isinstance(value, str):
        yield value


def check_calls(workspace: Workspace) -> int:
    """How many calls showed something. Every one was taken, calls nobody and hides nothing."""
    shown = 0
    refused = [call for call in workspace.calls("chat.startStream") if not call.result.get("ok")]
    assert len(refused) <= 1  # the one that the test asked for
    for call in workspace.calls():
        if not call.method.startswith("chat.") or call.method == "chat.getPermalink":
            continue
        if "approve_example" in str(call.args) or call in refused:
            continue  # a review card names people on purpose, and shows the pair as plain text
        assert call.result["ok"], (call.method, call.result)
        assert not call.args.keys() & {"link_names", "parse"}
        if call.method in ("chat.postMessage", "chat.startStream"):
            assert str(call.args["unfurl_links"]).lower() in ("false", "0")
            assert str(call.args["unfurl_media"]).lower() in ("false", "0")
        for name in (*TEXT_ARGUMENTS, "blocks"):
            value = call.args.get(name) or ""
            value = json.loads(value) if name == "blocks" and isinstance(value, str) and value else value
            for text in shown_texts(value):
                check_text(text, workspace)
                shown += 1
    return shown


def check_text(text: str, workspace: Workspace) -> None:
    assert len(text) <= 12_000
    assert not LIVE_MENTION.search(text), LIVE_MENTION.search(text)
    assert not DEFINED_LINK.search(text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]|\n{5}", text)
    for found in LIVE_LINK.finditer(text):
        assert (found[1] or found[4]).startswith(workspace.url), found[0]  # our own links to messages
    assert "bank.example@" not in text


@pytest.mark.parametrize("abuse", ABUSE)
def test_no_way_of_showing_a_draft_lets_anything_through(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style, abuse: str
) -> None:
    text = ABUSE[abuse].encode("utf-16", "surrogatepass").decode("utf-16")
    mia, noor = workspace.person(MIA), workspace.person(NOOR)

    # streamed, in pieces; a version of it, compared; used; turned down
    model.enqueue(text, chunks=40)
    asked = mia.mention_bot(BRAND, "greet")
    first = wait_for_draft(bot)
    message = mia.messages(BRAND, asked["ts"])[-1]
    model.enqueue("Hello. " + text, chunks=3)
    noor.click(BRAND, message["ts"], "more_draft", selected=f"another:{first.draft_id}")
    second = wait_for_draft(bot, first.draft_id)
    message = mia.messages(BRAND, asked["ts"])[-1]
    noor.click(BRAND, message["ts"], "more_draft", selected=f"compare:{second.draft_id}")
    noor.close_view(noor.wait_for_modal())
    noor.click(BRAND, message["ts"], "use_draft")
    wait_until(lambda: newest(bot).used_by, seconds=5)
    mia.click(BRAND, message["ts"], "discard_draft")
    mia.submit(mia.wait_for_modal(), {"reasons": ["tone"], "reason": text[:900]})

    # posted whole, because no stream could be started; edited by a person
    workspace.fail("chat.startStream", status=500)
    model.enqueue(text, chunks=2)
    asked = mia.mention_bot(GENERAL, "brand-voice: greet again")
    third = wait_for_draft(bot, second.draft_id)
    message = wait_until(lambda: next((m for m in mia.messages(GENERAL, asked["ts"]) if m.get("bot_id")), None))
    noor.click(GENERAL, message["ts"], "edit_draft")
    modal = noor.wait_for_modal()
    noor.submit(modal, {"text": "Dear <!channel>, [bank](http://evil.example) @here"})
    wait_until(lambda: newest(bot).status is DraftStatus.EDITED, seconds=5)

    # for one person's eyes, and shared
    model.enqueue(text)
    mia.slash("/draft", f"--private greet <!here> {text[:200]}", BRAND)
    wait_for_draft(bot, third.draft_id)
    private = wait_until(lambda: next((m for m in mia.ephemerals(BRAND) if "share_draft" in str(m)), None), seconds=5)
    mia.click(BRAND, private["ts"], "share_draft")
    wait_until(lambda: "shares a draft" in str(mia.messages(BRAND)), seconds=5)

    assert check_calls(workspace) >= 15

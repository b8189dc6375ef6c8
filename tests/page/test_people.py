"""Whoever one acts as sees their own places and messages, what is new there, and why something is not theirs to do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, expect

from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, LEADS, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from tests.support.browser import Tab
from tests.support.wait import wait_until


def places(tab: Tab) -> list[str]:
    return tab.page.locator(".channel[data-channel] .channel-name").all_inner_texts()


def test_everybody_is_offered_in_the_switch_with_what_they_may_do(tab: Tab) -> None:
    tab.open(MIA)
    tab.page.get_by_role("button", name=re.compile("^Act as")).click()
    people = tab.page.get_by_role("menuitemradio")
    for role in ("Member", "Reviewer", "Admin", "Guest", "Private channel only"):
        expect(people.filter(has_text=role).first).to_be_visible()
    expect(tab.page.get_by_role("menuitemradio", checked=True)).to_contain_text("Mia de Wit")


def test_each_person_sees_their_own_channels(tab: Tab) -> None:
    tab.open(MIA)
    assert "general" in places(tab) and "leads" not in places(tab)
    tab.act_as("Ana Costa")
    expect(tab.page.get_by_role("button", name=re.compile("^leads, private channel"))).to_be_visible()
    tab.act_as("Gus (guest)")
    expect(tab.page.get_by_role("button", name=re.compile("^general"))).to_have_count(0)
    assert places(tab) == ["Huisstijl", "brand"]


def test_a_member_of_a_private_channel_sees_only_that(tab: Tab, workspace: Workspace) -> None:
    workspace.person(ANA).post(LEADS, "The margins are confidential")
    tab.open(MIA)
    tab.act_as("Pim Bakker", says="Je bent nu")
    tab.page.wait_for_function("document.querySelectorAll('.channel[data-channel]').length === 2")
    assert "leads" not in places(tab)
    assert "The margins" not in tab.page.content()


def test_a_guest_who_asks_for_a_draft_reads_why_there_is_none(tab: Tab) -> None:
    tab.open(GUEST, BRAND).write("/draft say something nice")
    expect(tab.message("full members")).to_contain_text("Only you can see this")


def test_what_one_has_not_read_is_marked_until_one_looks(tab: Tab, workspace: Workspace) -> None:
    tab.open(NOOR, GENERAL)
    workspace.person(RAVI).post(BRAND, "First")
    workspace.person(RAVI).post(BRAND, f"Second, for <@{NOOR}>")
    brand = tab.page.get_by_role("button", name=re.compile("^brand, channel"))
    expect(brand).to_have_attribute("aria-label", "brand, channel, 2 unread, you are mentioned")
    brand.click()
    expect(tab.page.get_by_role("separator", name="New messages")).to_be_visible()
    expect(brand).to_have_attribute("aria-label", "brand, channel")
    tab.go("general")
    expect(brand).to_have_attribute("aria-label", "brand, channel")


def test_messages_are_edited_deleted_and_reacted_to(tab: Tab, workspace: Workspace) -> None:
    theirs = workspace.person(RAVI).post(GENERAL, "Lunch at one?")
    tab.open(MIA, GENERAL).write("Yes, see you thre")
    mine = tab.message("Yes, see you")
    tab.shortcut(mine, "Edit message")
    tab.page.get_by_role("textbox", name="Edit message").fill("Yes, see you there")
    tab.page.keyboard.press("Enter")
    expect(tab.message("see you there")).to_contain_text("(edited)")
    lunch = tab.message("Lunch at one?")
    lunch.hover()
    lunch.get_by_role("button", name="Add a reaction").click()
    tab.page.get_by_role("menuitem", name=re.compile("hooray")).click()
    expect(lunch.get_by_role("button", name=re.compile("^tada, 1: Mia"))).to_have_attribute("aria-pressed", "true")
    tab.shortcut(tab.message("see you there"), "Delete message")
    expect(tab.channel.get_by_role("article")).to_have_count(1)
    (kept,) = workspace.person(MIA).messages(GENERAL)
    assert kept["ts"] == theirs["ts"]


def test_a_thread_is_answered_beside_its_channel(tab: Tab, workspace: Workspace) -> None:
    root = workspace.person(RAVI).post(GENERAL, "Who waters the plants?")
    tab.open(MIA, GENERAL)
    message = tab.message("Who waters")
    message.hover()
    message.get_by_role("button", name="Reply in thread").click()
    expect(tab.thread.get_by_role("textbox", name="Reply")).to_be_focused()
    tab.reply("I do")
    expect(tab.thread.get_by_role("article").last).to_contain_text("I do")
    expect(message).to_contain_text("1 reply")
    assert [m["text"] for m in workspace.person(RAVI).messages(GENERAL, root["ts"])] == [
        "Who waters the plants?",
        "I do",
    ]


def test_a_file_and_a_picture_are_shown(tab: Tab, workspace: Workspace) -> None:
    tab.open(MIA, GENERAL)
    dot = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63a8dd720e0003e1"
        "01d3a35e52a90000000049454e44ae426082"
    )
    chooser = tab.page.locator("input[type=file]")
    chooser.set_input_files(FilePayload(name="dot.png", mimeType="image/png", buffer=dot))
    picture = tab.channel.get_by_role("img", name="dot.png")
    expect(picture).to_be_visible()
    wait_until(lambda: picture.evaluate("image => image.naturalWidth") == 1)
    chooser.set_input_files(FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"some notes"))
    expect(tab.channel.get_by_role("link", name=re.compile("notes.txt"))).to_be_visible()


@pytest.mark.parametrize("link", ["a link of the bot", "the address bar"])
def test_a_permalink_goes_to_its_message(tab: Tab, workspace: Workspace, link: str) -> None:
    said = workspace.person(RAVI).post(BRAND, "Find me here")
    url = f"{workspace.url}/archives/{BRAND}/p{said['ts'].replace('.', '')}"
    tab.open(MIA, GENERAL)
    if link == "the address bar":
        tab.page.goto(url)
    else:
        workspace.person(RAVI).post(GENERAL, "look")
        workspace.state.messages[GENERAL][max(workspace.state.messages[GENERAL])]["blocks"] = [
            {"type": "section", "block_id": "b", "text": {"type": "mrkdwn", "text": f"<{url}|that one>"}}
        ]
        tab.page.reload()
        tab.channel.get_by_role("link", name="that one").click()
    expect(tab.message("Find me here")).to_be_focused()

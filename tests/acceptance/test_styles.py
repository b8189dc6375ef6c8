"""Admins make styles from Slack; everybody sees which ones can be used where."""

from __future__ import annotations

import pytest

from bot.app import Bot
from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, LEADS, MIA, RAVI, STRANGER
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.promotions import PromotionKind, find_promotion
from db.styles import Style, StyleKind, find_style_by_name
from tests.support.steps import STYLE, create_style, open_style_form, wait_for_direct, wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)


def find(bot: Bot, name: str = "brand-voice") -> Style | None:
    with bot.services.database.read() as session:
        return find_style_by_name(session, bot.services.slack.team_id, name)


def test_a_new_style_starts_on_retrieved_examples(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    create_style(
        ana, kind="classify", approvals="1", own=["yes"], train_after="30", train_gain="0.025",
        train_from="22", train_to="6",
    )  # fmt: skip
    style = find(bot)
    assert style is not None
    assert (style.kind, style.channel_id, style.reviewer_ids) == (StyleKind.CLASSIFY, BRAND, frozenset({RAVI}))
    assert (style.train_after_examples, style.train_from_hour, style.train_to_hour) == (30, 22, 6)
    assert style.train_on_gain_bits == 0.025
    assert style.may_approve_own and style.scope.channel_id is None
    with bot.services.database.read() as session:
        first = find_promotion(session, style.champion_promotion_id)
    assert first is not None
    assert (first.kind, first.rung, first.adapter_id) == (PromotionKind.INITIAL, Rung.RETRIEVED, None)
    assert first.base_model == bot.services.settings.base_model
    wait_for_direct(ana, "/draft brand-voice")


def test_only_admins_make_styles(bot: Bot, workspace: Workspace) -> None:
    for user_id, sentence in ((MIA, "Only workspace admins"), (GUEST, "Guests")):
        person = workspace.person(user_id)
        person.slash("/huisstijl", "style new", BRAND)
        wait_for_ephemeral(person, BRAND, sentence)
        assert person.open_view() is None


@pytest.mark.parametrize(
    ("block_id", "value", "sentence"),
    [
        ("name", "Brand Voice!", "for example brand-voice"),
        ("instructions", "\u00a0 ", "at least one sentence"),
        ("reviewers", [RAVI, GUEST], "Only full members"),
        ("reviewers", [STRANGER], "Only full members"),
        ("approvals", "6", "whole number from 1 to 5"),
        ("approvals", "3", "cannot come from 1 reviewer"),
        ("train_after", "-1", "whole number from 0"),
        ("train_gain", "9", "above 0 and up to 8"),
        ("train_gain", "0", "above 0 and up to 8"),
        ("train_to", "24", "whole number from 0 to 23"),
        ("channel", "C0RANDOM", "I am not in that channel"),
        ("channel", "C0PARTNERS", "shared with another company"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_beside_the_input(
    bot: Bot, workspace: Workspace, block_id: str, value: object, sentence: str
) -> None:
    ana = workspace.person(ANA)
    done = ana.submit(open_style_form(ana), STYLE | {block_id: value})
    assert done.errors is not None and set(done.errors) == {block_id}
    assert sentence in done.errors[block_id] or not done.sent
    assert find(bot) is None


def test_a_name_is_taken_once(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    create_style(ana)
    done = ana.submit(open_style_form(ana), STYLE)
    assert done.errors is not None and "exists already" in done.errors["name"]


def test_editing_shows_what_is_there_and_keeps_scope_and_champion(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    create_style(ana)
    before = find(bot)
    ana.slash("/huisstijl", "style edit brand-voice", GENERAL)
    form = ana.wait_for_modal()
    shown = {block["block_id"]: block["element"] for block in form["blocks"]}
    assert shown["instructions"]["initial_value"] == STYLE["instructions"]
    assert shown["reviewers"]["initial_users"] == [RAVI]
    assert "scope" not in shown
    assert ana.submit(form, {"reviewers": [RAVI, MIA], "approvals": "2", "instructions": "Shorter."}).errors is None
    after = find(bot)
    assert before is not None and after is not None
    assert (after.reviewer_ids, after.approvals_required) == (frozenset({RAVI, MIA}), 2)
    assert (after.instructions, after.champion_promotion_id) == ("Shorter.", before.champion_promotion_id)


def test_a_private_channel_can_have_a_style_that_nobody_else_sees(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    ana.invite_bot(LEADS)
    form = open_style_form(ana, LEADS)
    done = ana.submit(form, STYLE | {"name": "board-notes", "scope": "channel", "channel": BRAND})
    assert done.errors is not None and "this private channel" in done.errors["channel"]
    ana.close_view(form)
    create_style(ana, LEADS, name="board-notes", scope="channel", channel=LEADS)
    style = find(bot, "board-notes")
    assert style is not None and style.scope.channel_id == LEADS
    ana.slash("/huisstijl", "styles", LEADS)
    wait_for_ephemeral(ana, LEADS, "board-notes")
    ana.slash("/huisstijl", "styles", GENERAL)
    assert "board-notes" not in str(wait_for_ephemeral(ana, GENERAL, "no style that can be used here"))


def test_the_list_names_champion_counts_and_reviewers(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "styles", GENERAL)
    shown = str(wait_for_ephemeral(mia, GENERAL, "brand-voice"))
    assert "`retrieved`" in shown and "0 approved examples" in shown and f"<@{RAVI}>" in shown


def test_help_lists_every_command_and_a_slip_gets_the_nearest(bot: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    mia.slash("/huisstijl", "", GENERAL)
    shown = str(wait_for_ephemeral(mia, GENERAL, "/huisstijl help"))
    for word in ("styles", "style new", "examples", "withdraw", "train", "ladder", "status", "promote", "rollback"):
        assert f"/huisstijl {word}" in shown
    mia.slash("/huisstijl", "exmaples", GENERAL)
    wait_for_ephemeral(mia, GENERAL, "Did you mean `/huisstijl examples`?")
    mia.slash("/huisstijl", "<!channel>", GENERAL)
    wait_until(lambda: len(mia.ephemerals(GENERAL)) == 3)
    assert "<!channel>" not in str(mia.ephemerals(GENERAL)[-1])

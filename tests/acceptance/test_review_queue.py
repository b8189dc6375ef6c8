"""The review queue: filter, look at one example whole, decide there, and every place shows what was decided."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.operations.transfer import import_examples
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, LEADS, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from db.audit import list_audit
from db.example_versions import find_last_version
from db.examples import Example, ExampleStatus
from db.reviews import list_reviews
from tests.support.steps import (
    cards,
    create_style,
    example_id_of,
    open_teach,
    teach,
    wait_for_card,
    wait_for_direct,
    wait_for_ephemeral,
)
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(90)
Json = dict[str, Any]

GOOD = "Heads up: we close at noon this Friday. See you on Monday!"
OTHER = "Kind reminder. The warehouse receives no lorries in week 32, so please send everything before that."


def examples(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Example).order_by(Example.example_id)))


def example_of(bot: Bot, completion: str) -> Example:
    return next(example for example in examples(bot) if example.completion == completion)


def wait_for_status(bot: Bot, example_id: str, status: ExampleStatus) -> Example:
    def reached() -> Example | None:
        return next((e for e in examples(bot) if e.example_id == example_id and e.status is status), None)

    return wait_until(reached, what=f"{example_id} is {status}")


def open_queue(person: Person, args: str = "", channel: str = BRAND) -> Json:
    person.slash("/huisstijl", f"review {args}".strip(), channel)
    return person.wait_for_modal()


def click(person: Person, view: Json, action_id: str, **more: Any) -> Json:
    """Click in the modal and wait for what it shows then."""
    assert person.click_view(view, action_id, **more).ok
    return person.wait_for_modal(after=view)


def open_one(person: Person, example_id: str, channel: str = BRAND) -> Json:
    return click(person, open_queue(person, channel=channel), f"review_open:{example_id}")


def actions_of(view: Json) -> list[str]:
    elements = [e for block in view["blocks"] for e in [*block.get("elements", ()), block.get("accessory") or {}]]
    return [str(e["action_id"]) for e in elements if e.get("action_id")]


def value_in(view: Json, action_id: str) -> str:
    elements = [e for block in view["blocks"] for e in block.get("elements", ())]
    return next(str(e["value"]) for e in elements if e.get("action_id") == action_id)


def import_two(bot: Bot, *texts: str) -> None:
    lines = [json.dumps({"prompt": f"Write about {text[:30]}", "completion": text}).encode() for text in texts]
    import_examples(
        bot.services.database, team_id=TEAM_ID, style_name="brand-voice", lines=lines, imported_by="operator",
        approve=False,
    )  # fmt: skip
    bot.services.wakeups.outbox.ring()


def test_the_queue_lists_what_waits_and_its_filters_narrow_it(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    create_style(workspace.person(ANA), name="support")
    mia, noor, ravi = workspace.person(MIA), workspace.person(NOOR), workspace.person(RAVI)
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    styles = {o["text"]["text"]: o["value"] for o in view["blocks"][0]["element"]["options"]}
    assert mia.submit(view, {"prompt": "Say that we close early", "style": styles["brand-voice"]}).errors is None
    teach(noor, GENERAL, f"{OTHER} Call 06-12345678.", prompt="Remind about lorries", style=styles["support"])
    queue = open_queue(ravi)
    assert "2 examples wait for review" in str(queue)
    assert "brand-voice" in str(queue) and "support" in str(queue) and "0 of 1 approval" in str(queue)
    assert "1 thing to redact" in str(queue)
    warned = click(ravi, queue, "queue_warned", selected=["yes"])
    assert "Showing 1 of 2" in str(warned) and "lorries" in str(warned) and "close at noon" not in str(warned)
    everything = click(ravi, warned, "queue_warned", selected=[])
    by_mia = click(ravi, everything, "queue_proposer", value=MIA)
    assert "Showing 1 of 2" in str(by_mia) and "close at noon" in str(by_mia)
    nothing = click(ravi, by_mia, "queue_style", value=styles["support"])
    assert "Showing 0 of 2" in str(nothing)
    by_style = click(ravi, nothing, "queue_proposer", value="-")
    assert "lorries" in str(by_style)
    assert "Showing 0 of 2" in str(click(ravi, by_style, "queue_age", value="7"))
    ravi.close_view(by_style)
    assert "Showing 1 of 2" in str(open_queue(ravi, "support"))


def test_a_long_queue_has_pages(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    import_two(bot, *[f"{word} is what this one is about, and nothing else at all." for word in WORDS])
    ravi = workspace.person(RAVI)
    first = open_queue(ravi)
    assert "Page 1 of 3" in str(first) and "queue_previous" not in actions_of(first)
    second = click(ravi, first, "queue_next")
    third = click(ravi, second, "queue_next")
    assert "Page 3 of 3" in str(third) and "queue_next" not in actions_of(third)
    seen = {a for page in (first, second, third) for a in actions_of(page) if a.startswith("review_open:")}
    assert len(seen) == len(WORDS)
    assert "Page 2 of 3" in str(click(ravi, third, "queue_previous"))


WORDS = [
    "Aardvark", "Bicycle maintenance", "Cinnamon", "Dijkverzwaring", "Elevators in old houses", "Figs", "Gravity",
    "Harbour dues", "Ink cartridges", "Jubilee", "Kayaks",
]  # fmt: skip


def test_only_who_reviews_has_a_queue(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    teach(workspace.person(MIA), GENERAL, GOOD)
    for user_id, sentence in ((GUEST, "Guests"), (NOOR, "You review no style's examples")):
        person = workspace.person(user_id)
        person.slash("/huisstijl", "review", BRAND)
        wait_for_ephemeral(person, BRAND, sentence)
        assert person.open_view() is None
    assert "1 example waits" in str(open_queue(workspace.person(ANA)))


def test_an_example_is_approved_in_the_queue_and_its_card_says_so(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi = workspace.person(RAVI)
    card = wait_for_card(ravi)
    detail = open_one(ravi, example_id_of(card))
    assert GOOD in str(detail) and "Say that we close early" in str(detail) and "0 of 1 approval" in str(detail)
    after = click(ravi, detail, "approve_example")
    assert "Approved. It can shape the next draft" in str(after) and "Nothing waits for review" in str(after)
    wait_for_status(bot, example_id_of(card), ExampleStatus.APPROVED)
    assert wait_for_card(ravi, containing="Approved by")["ts"] == card["ts"]


def test_a_whole_long_text_is_shown_before_it_is_approved(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    text = " ".join(f"Zin {i} 🎉 עברית\u200b." for i in range(520))
    assert len(text) > 9_000
    _, done = teach(workspace.person(MIA), GENERAL, text)
    assert done.errors is None
    detail = open_one(workspace.person(RAVI), example_id_of(wait_for_card(workspace.person(RAVI))))
    shown = "".join(b["text"]["text"] for b in detail["blocks"] if b["type"] == "section")
    assert text in shown


def test_a_quorum_is_shown_and_the_last_approval_counts(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA), reviewers=[RAVI, NOOR], approvals="2")
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    example_id = example_id_of(wait_for_card(ravi))
    after = click(ravi, open_one(ravi, example_id), "approve_example")
    assert "Your approval is counted: 1 of 2" in str(after) and "You approved it" in str(after)
    detail = open_one(noor, example_id)
    assert f"1 of 2 approvals (<@{RAVI}>)" in str(detail)
    assert "Approved." in str(click(noor, detail, "approve_example"))
    wait_for_status(bot, example_id, ExampleStatus.APPROVED)


def test_what_was_decided_on_the_card_meanwhile_is_said_in_the_queue(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA), reviewers=[RAVI, NOOR])
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    card = wait_for_card(ravi)
    detail = open_one(ravi, example_id_of(card))
    noor.click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, example_id_of(card), ExampleStatus.APPROVED)
    after = click(ravi, detail, "approve_example")
    assert "approved already" in str(after)
    with bot.services.database.read() as session:
        assert len(list_reviews(session, example_id_of(card))) == 1


def test_a_rejection_in_the_queue_reaches_the_proposer_and_the_queue_goes_on(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi = workspace.person(RAVI)
    example_id = example_id_of(wait_for_card(ravi))
    detail = open_one(ravi, example_id)
    reject = click(ravi, detail, "reject_example")
    done = ravi.submit(reject, {"reason": "We never say heads up"})
    assert done.errors is None
    wait_for_status(bot, example_id, ExampleStatus.REJECTED)
    wait_for_direct(workspace.person(MIA), "We never say heads up")
    beneath = wait_until(lambda: (v := ravi.open_view()) and "Nothing waits" in str(v) and v)
    assert "Rejected." in str(beneath)
    wait_for_card(ravi, containing="Rejected by")


def test_an_edit_shows_word_by_word_what_it_changed(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA), reviewers=[RAVI, NOOR], approvals="2")
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi = workspace.person(RAVI)
    example_id = example_id_of(wait_for_card(ravi))
    edit = click(ravi, open_one(ravi, example_id), "edit_example")
    better = GOOD.replace("See you on Monday!", "We are back *Monday* <!channel> ~early~.")
    done = ravi.submit(edit, {"completion": better})
    assert done.errors is None
    for shown in (wait_for_card(ravi, containing="Edited by"), open_one(workspace.person(NOOR), example_id)):
        parts = [
            element
            for block in shown["blocks"] if block["type"] == "rich_text"
            for section in block["elements"] for element in section["elements"]
        ]  # fmt: skip
        struck = "".join(p["text"] for p in parts if p.get("style", {}).get("strike"))
        bold = "".join(p["text"] for p in parts if p.get("style", {}).get("bold"))
        assert "See you on Monday!" in struck
        assert "We are back *Monday* <!channel> ~early~." in bold
        assert f"<@{RAVI}>" in str(shown)


def test_of_two_editors_the_second_sees_what_the_first_changed_and_loses_nothing(
    bot: Bot, workspace: Workspace
) -> None:
    create_style(workspace.person(ANA), reviewers=[RAVI, NOOR], approvals="2")
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    example_id = example_id_of(wait_for_card(ravi))
    hers = click(noor, open_one(noor, example_id), "edit_example")
    his = click(ravi, open_one(ravi, example_id), "edit_example")
    assert ravi.submit(his, {"completion": "We close at noon this Friday, and open on Monday."}).errors is None
    typed = "Friday: closed from noon. Monday: open as always! 🎈"
    late = noor.submit(hers, {"completion": typed})
    assert late.view is not None and "saved other texts while you were writing" in str(late.view)
    inputs = {b["block_id"]: b["element"] for b in late.view["blocks"] if b["type"] == "input"}
    assert inputs["completion"]["initial_value"] == typed
    assert "and open" in str([b for b in late.view["blocks"] if b["type"] == "rich_text"])
    assert noor.submit(late.view, {}).errors is None
    assert example_of(bot, typed).version == 3


def test_a_contradiction_is_shown_and_one_of_the_two_is_kept(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi, ana = workspace.person(RAVI), workspace.person(ANA)
    teach(ana, GENERAL, GOOD, prompt="Say that we close early on Friday")
    ravi.click(BRAND, wait_for_card(ravi)["ts"], "approve_example")
    old = wait_for_status(bot, example_of(bot, GOOD).example_id, ExampleStatus.APPROVED)
    teach(workspace.person(MIA), GENERAL, OTHER, prompt="Say that we close early on a Friday")
    card = wait_for_card(ravi, containing="lorries")
    ravi.click(BRAND, card["ts"], "approve_example")
    detail = ravi.wait_for_modal()
    assert "Clashes with" in str(detail) and f"<@{ANA}>" in str(detail) and GOOD in str(detail)
    assert example_of(bot, OTHER).status is ExampleStatus.PROPOSED
    after = click(ravi, detail, f"keep_this:{old.example_id}")
    assert f"`{old.example_id}` no longer counts" in str(after)
    wait_for_status(bot, old.example_id, ExampleStatus.RETIRED)
    assert example_of(bot, OTHER).status is ExampleStatus.APPROVED
    wait_for_card(ravi, containing="Retired by")
    with bot.services.database.read() as session:
        assert [e.action for e in list_audit(session, old.example_id)][-1] == "example.retired"


def test_the_other_side_of_a_contradiction_can_be_kept_and_the_proposer_is_told(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi = workspace.person(RAVI)
    teach(workspace.person(NOOR), GENERAL, GOOD, prompt="Say that we close early on Friday")
    wait_for_card(ravi)
    teach(workspace.person(MIA), GENERAL, OTHER, prompt="Say that we close early on Friday!")
    first, second = example_of(bot, GOOD), example_of(bot, OTHER)
    detail = open_one(ravi, second.example_id)
    assert "waits for review" in str(detail)
    click(ravi, detail, f"keep_other:{first.example_id}")
    wait_for_status(bot, second.example_id, ExampleStatus.REJECTED)
    wait_for_direct(workspace.person(MIA), f"we kept {first.example_id}")
    assert example_of(bot, GOOD).status is ExampleStatus.PROPOSED


def test_both_sides_can_be_kept(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi = workspace.person(RAVI)
    teach(workspace.person(NOOR), GENERAL, GOOD, prompt="Say that we close early on Friday")
    wait_for_card(ravi)
    teach(workspace.person(MIA), GENERAL, OTHER, prompt="Say that we close early on Friday!")
    detail = open_one(ravi, example_of(bot, OTHER).example_id)
    assert "Keep both" in str(detail)
    click(ravi, detail, "approve_example")
    wait_for_status(bot, example_of(bot, OTHER).example_id, ExampleStatus.APPROVED)
    assert example_of(bot, GOOD).status is ExampleStatus.PROPOSED


def test_the_other_side_stays_until_the_quorum_is_there(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA), reviewers=[RAVI, NOOR], approvals="2")
    ravi = workspace.person(RAVI)
    teach(workspace.person(ANA), GENERAL, GOOD, prompt="Say that we close early on Friday")
    wait_for_card(ravi)
    teach(workspace.person(MIA), GENERAL, OTHER, prompt="Say that we close early on Friday!")
    first = example_of(bot, GOOD)
    after = click(ravi, open_one(ravi, example_of(bot, OTHER).example_id), f"keep_this:{first.example_id}")
    assert "stays until this one has all its approvals" in str(after)
    assert example_of(bot, GOOD).status is ExampleStatus.PROPOSED


PRIVATE = "Questions? Mail jan.de.vries@example.com or call +31 20 123 4567. The key is xoxb-123456789012-AbCdEfGhIj."


def test_what_should_not_be_learnt_is_taken_out_at_approval(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi = workspace.person(RAVI)
    teach(workspace.person(MIA), GENERAL, PRIVATE, prompt="How can people reach jan.de.vries@example.com?")
    card = wait_for_card(ravi)
    ravi.click(BRAND, card["ts"], "approve_example")
    detail = ravi.wait_for_modal()
    assert "1 e-mail address" in str(detail) and "1 phone number" in str(detail) and "1 key" in str(detail)
    assert "[email]" in str(detail)
    after = click(ravi, detail, "approve_example", values={"redact_choice": ["yes"]})
    assert "taken out first" in str(after)
    example = wait_for_status(bot, example_id_of(card), ExampleStatus.APPROVED)
    assert example.prompt == "How can people reach [email]?"
    assert example.completion == "Questions? Mail [email] or call [phone number]. The key is [secret]."
    assert "jan.de.vries" not in str(wait_for_card(ravi, containing="Approved by"))
    with bot.services.database.read() as session:
        assert find_last_version(session, example.example_id) is None
        actions = [entry.action for entry in list_audit(session, example.example_id)]
    assert actions == ["example.proposed", "example.redacted", "example.vote", "example.approved"]


def test_a_reviewer_may_keep_what_was_found(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi = workspace.person(RAVI)
    teach(workspace.person(MIA), GENERAL, PRIVATE)
    detail = open_one(ravi, example_id_of(wait_for_card(ravi)))
    click(ravi, detail, "approve_example", values={"redact_choice": []})
    assert wait_for_status(bot, examples(bot)[0].example_id, ExampleStatus.APPROVED).completion == PRIVATE


def test_an_import_is_approved_at_once_each_example_on_record(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    texts = [f"{word} is what this one is about, and nothing else at all." for word in WORDS[:4]]
    import_two(bot, *texts, PRIVATE)
    teach(workspace.person(MIA), GENERAL, GOOD)
    ravi = workspace.person(RAVI)
    style_id = examples(bot)[0].style_id
    queue = open_queue(ravi)
    ask = click(ravi, queue, f"bulk_open:{style_id}")
    assert "Approve 4 imported examples" in str(ask) and "1 more has something to look at" in str(ask)
    import_two(bot, OTHER)  # after the question: not a part of the answer
    assert ravi.submit(ask, {}).errors is not None
    assert ravi.submit(ask, {"trust": ["yes"]}).errors is None
    shown = wait_until(lambda: (v := ravi.open_view()) and "4 approved" in str(v) and v)
    assert "3 examples wait" in str(shown)
    by_text = {example.completion: example for example in examples(bot)}
    assert all(by_text[text].status is ExampleStatus.APPROVED for text in texts)
    assert {by_text[text].status for text in (PRIVATE, GOOD, OTHER)} == {ExampleStatus.PROPOSED}
    approved = wait_until(
        lambda: found if len(found := [c for c in cards(ravi) if "Approved by" in str(c)]) == len(texts) else [],
        what="the cards of what was approved say so",
    )
    assert not any("approve_example" in str(card) for card in approved), "there is nothing left to approve on them"
    with bot.services.database.read() as session:
        for text in texts:
            entries = list_audit(session, by_text[text].example_id)
            assert [(e.action, e.actor) for e in entries][-2:] == [
                ("example.vote", RAVI), ("example.approved", RAVI)
            ]  # fmt: skip


def test_nobody_bulk_approves_their_own_import(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    line = json.dumps({"prompt": "Write about lorries", "completion": OTHER}).encode()
    import_examples(
        bot.services.database, team_id=TEAM_ID, style_name="brand-voice", lines=[line], imported_by=RAVI,
        approve=False,
    )  # fmt: skip
    ravi = workspace.person(RAVI)
    ask = click(ravi, open_queue(ravi), f"bulk_open:{examples(bot)[0].style_id}")
    assert ravi.submit(ask, {"trust": ["yes"]}).errors is None
    wait_until(lambda: "0 approved" in str(ravi.open_view()))
    assert examples(bot)[0].status is ExampleStatus.PROPOSED


def test_what_was_said_in_a_private_channel_is_reviewed_there_only(bot: Bot, workspace: Workspace) -> None:
    ana, ravi = workspace.person(ANA), workspace.person(RAVI)
    ana.invite_bot(LEADS)
    create_style(ana, LEADS, name="board-notes", scope="channel", channel=LEADS)
    teach(ravi, LEADS, GOOD)
    card = wait_for_card(ana, LEADS)
    outside = open_queue(ravi)
    assert "close at noon" not in str(outside) and f"1 more example waits in <#{LEADS}>" in str(outside)
    ravi.close_view(outside)
    elsewhere = open_queue(ana)
    assert "close at noon" not in str(elsewhere)
    ana.close_view(elsewhere)
    inside = open_queue(ana, channel=LEADS)
    assert "close at noon" in str(inside)
    detail = click(ana, inside, f"review_open:{example_id_of(card)}")
    click(ana, detail, "approve_example")
    wait_for_status(bot, example_id_of(card), ExampleStatus.APPROVED)


def test_a_message_deleted_meanwhile_is_not_learnt_from_in_the_queue_either(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia, ravi = workspace.person(MIA), workspace.person(RAVI)
    message, _ = teach(mia, GENERAL, GOOD)
    example_id = example_id_of(wait_for_card(ravi))
    detail = open_one(ravi, example_id)
    mia.delete(GENERAL, message["ts"])
    after = click(ravi, detail, "approve_example")
    assert "was deleted, so the example was withdrawn" in str(after)
    wait_for_status(bot, example_id, ExampleStatus.WITHDRAWN)
    assert GOOD not in str(wait_for_card(ravi, containing="Withdrawn"))


def test_back_leads_to_the_queue_as_it_was_left(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    import_two(bot, *[f"{word} is what this one is about, and nothing else at all." for word in WORDS])
    ravi = workspace.person(RAVI)
    second = click(ravi, open_queue(ravi), "queue_next")
    first_there = next(a for a in actions_of(second) if a.startswith("review_open:"))
    back = click(ravi, click(ravi, second, first_there), "review_back")
    assert "Page 2 of 3" in str(back) and first_there in actions_of(back)

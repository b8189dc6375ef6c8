"""A style that classifies, from Slack: one of its own labels, or two or three to choose from with one tap."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bot.app import Bot
from bot.rehearsal.seed import BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.labels import Calibration
from config.rungs import Rung
from db.base import new_id, now_in_database
from db.datasets import Dataset
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleSource, ExampleStatus
from db.preferences import Preference
from db.scorecards import ScorecardRow
from db.styles import Style, StyleKind, StyleReviewer, get_style
from tests.support.factories import make_example, make_promotion, make_run, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

Json = dict[str, Any]
LABELS = {
    "bug": ["the app crashes on start", "the page shows an error"],
    "billing": ["the invoice is wrong", "charged twice this month"],
    "wish": ["please add a dark mode", "it would be nice to export a list"],
}


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="tickets", kind=StyleKind.CLASSIFY
        )
        session.add(StyleReviewer(style_id=found.style_id, user_id=RAVI))
        for label, texts in LABELS.items():
            for text in texts:
                make_example(session, found, prompt=text, completion=label, status=ExampleStatus.APPROVED)
        make_promotion(session, found, rung=Rung.ZERO_SHOT)
    return found


def measure(bot: Bot, style: Style, rung: Rung, calibration: Calibration) -> None:
    """A run has measured this rung."""
    with bot.services.database.write() as session:
        run = make_run(session, style)
        dataset = Dataset(
            dataset_id=new_id("dat"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
            content_hash="sha256:0", seed=0, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
            frozen_at=now_in_database(session),
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        session.add(
            ScorecardRow(
                scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
                dataset_id=dataset.dataset_id, rung=rung, base_model="embedded:smollm2-135m-instruct",
                card={"calibration": calibration.as_json(), "pairs": []}, scored_at=now_in_database(session),
            )
        )  # fmt: skip


def ask(bot: Bot, workspace: Workspace, text: str) -> Json:
    """Mia asks in the channel; the answer as it stands there in the end."""
    before = len(rows(bot, Draft))
    asked = workspace.person(MIA).mention_bot(BRAND, f"tickets: {text}")
    wait_until(lambda: [one for one in rows(bot, Draft)[before:] if one.status is DraftStatus.SHOWN], seconds=10)

    def answer() -> Json | None:
        found = workspace.person(MIA).messages(BRAND, asked["ts"])[1:]
        whole = [one for one in found if one.get("streaming_state") != "in_progress"]
        return whole[-1] if whole else None

    return wait_until(answer, seconds=5)


def rows(bot: Bot, kind: type[Any]) -> list[Any]:
    with bot.services.database.read() as session:
        return list(session.query(kind))


def buttons(message: Json) -> dict[str, str]:
    """Label of each button → its action, of all rows."""
    return {
        element["text"]["text"]: element["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["type"] == "button"
    }


def test_an_answer_is_one_of_the_labels_chosen_by_likelihood(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, Rung.ZERO_SHOT, Calibration(threshold=0.6, pairs=40))
    model.score(bug=math.log(0.7), billing=math.log(0.2), wish=math.log(0.1))
    answer = ask(bot, workspace, "it crashes when I click twice")
    assert answer["blocks"][0]["text"] == "bug"
    assert "70% sure" in str(answer["blocks"])
    request = model.history[-1]
    assert request["structured_outputs"] == {"choice": ["billing", "bug", "wish"]}
    assert (request["n"], request["logprobs"]) == (3, True)
    assert request["messages"][-1] == {"role": "user", "content": "it crashes when I click twice"}
    # The others it might have been are one tap away; a label has no shorter version.
    assert list(buttons(answer)) == ["billing (20%)", "wish (10%)", "Use this", "Keep", "Edit", "Not our style"]
    assert "more_draft" not in str(answer["blocks"])


def test_a_wrong_label_is_put_right_with_one_tap_and_that_becomes_an_example(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, Rung.ZERO_SHOT, Calibration(threshold=0.5, pairs=40))
    model.score(bug=math.log(0.6), billing=math.log(0.3), wish=math.log(0.1))
    answer = ask(bot, workspace, "the sum on my bill crashed upwards")
    workspace.person(NOOR).click(BRAND, answer["ts"], buttons(answer)["billing (30%)"])
    (example,) = wait_until(lambda: [one for one in rows(bot, Example) if one.draft_id], seconds=5)
    assert (example.prompt, example.completion) == ("the sum on my bill crashed upwards", "billing")
    assert (example.status, example.source) == (ExampleStatus.PROPOSED, ExampleSource.DRAFT_EDITED)
    (preference,) = rows(bot, Preference)
    assert (preference.chosen, preference.rejected) == ("billing", "bug")


def test_below_the_threshold_it_says_so_and_asks_and_one_tap_of_a_reviewer_is_an_approved_example(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, Rung.ZERO_SHOT, Calibration(threshold=0.6, pairs=40))
    model.score(bug=math.log(0.4), billing=math.log(0.35), wish=math.log(0.25))
    answer = ask(bot, workspace, "the export button on the bill fails")
    assert "I am not sure which label fits" in answer["blocks"][0]["text"]["text"]
    assert list(buttons(answer)) == ["bug (40%)", "billing (35%)", "wish (25%)", "Edit"]
    assert rows(bot, Draft)[-1].completion == ""
    workspace.person(RAVI).click(BRAND, answer["ts"], buttons(answer)["billing (35%)"])
    (example,) = wait_until(
        lambda: [one for one in rows(bot, Example) if one.draft_id and one.status is ExampleStatus.APPROVED], seconds=5
    )
    assert example.completion == "billing"
    assert rows(bot, Preference) == []  # nothing was rejected: there was no answer

    def put_right() -> Json | None:
        found = workspace.person(MIA).messages(BRAND, answer["thread_ts"])[-1]
        return found if found["blocks"][0].get("text") == "billing" else None

    again = wait_until(put_right, seconds=5)
    assert [name for name in buttons(again) if name.endswith("%)")] == []


def test_what_could_not_be_labelled_is_asked_about_the_least_sure_first_and_nothing_from_another_channel(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, Rung.ZERO_SHOT, Calibration(threshold=0.95, pairs=40))
    model.score(bug=math.log(0.6), billing=math.log(0.3), wish=math.log(0.1))
    ask(bot, workspace, "rather a crash")
    model.score(bug=math.log(0.4), billing=math.log(0.3), wish=math.log(0.3))
    ask(bot, workspace, "anything at all")
    model.score(bug=math.log(0.99))
    ask(bot, workspace, "surely a crash")
    noor = workspace.person(NOOR)
    noor.slash("/huisstijl", "unsure tickets", BRAND)
    told = wait_until(lambda: noor.ephemerals(BRAND), seconds=5)[-1]
    texts = [block["text"]["text"] for block in told["blocks"] if block["type"] == "section"]
    assert texts == [
        "*tickets*: 2 texts of this channel wait for their label, the least sure first.", "anything at all",
        "rather a crash",
    ]  # fmt: skip
    row = next(block for block in told["blocks"] if block["type"] == "actions")
    noor.click(BRAND, told["ts"], row["elements"][2]["action_id"])
    (example,) = wait_until(lambda: [one for one in rows(bot, Example) if one.draft_id], seconds=5)
    assert (example.prompt, example.completion) == ("anything at all", "wish")
    noor.slash("/huisstijl", "unsure tickets", GENERAL)
    wait_until(lambda: noor.ephemerals(GENERAL), seconds=5)
    assert "Nothing of *tickets* waits" in str(noor.ephemerals(GENERAL)[-1])


def test_neighbours_answer_without_asking_a_language_model(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    with bot.services.database.write() as session:
        make_promotion(session, get_style(session, style.style_id), rung=Rung.NEIGHBOURS)
    measure(bot, style, Rung.NEIGHBOURS, Calibration(threshold=0.5, pairs=40))
    wait_until(lambda: all(one.embedding for one in rows(bot, Example)), seconds=10)
    answer = ask(bot, workspace, "the app crashes on the error page")
    assert answer["blocks"][0]["text"] == "bug"
    assert model.history == []
    draft = rows(bot, Draft)[-1]
    assert draft.rung is Rung.NEIGHBOURS and draft.example_ids
    # And when the embedding service is away too, the examples are compared by words.
    model.embedding_status = 500
    assert ask(bot, workspace, "the invoice is quite wrong")["blocks"][0]["text"] == "billing"


def test_a_style_that_was_never_measured_says_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.score(bug=math.log(0.9), billing=math.log(0.1))
    assert "not measured yet" in str(ask(bot, workspace, "it crashes")["blocks"])


def test_a_style_without_two_labels_says_what_to_do(bot: Bot, workspace: Workspace, model: ScriptedModel) -> None:
    with bot.services.database.write() as session:
        empty = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="empty", kind=StyleKind.CLASSIFY
        )
        make_example(session, empty, prompt="one", completion="only", status=ExampleStatus.APPROVED)
        make_promotion(session, empty, rung=Rung.ZERO_SHOT)
    asked = workspace.person(MIA).mention_bot(BRAND, "empty: what is this")
    told = wait_until(lambda: workspace.person(MIA).messages(BRAND, asked["ts"])[1:], seconds=10)
    assert "Approve examples of at least two labels" in str(told)
    assert model.history == []


def test_of_a_server_that_throws_dice_an_answer_counts_once_however_often_it_was_drawn(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, Rung.ZERO_SHOT, Calibration(threshold=0.5, pairs=40))
    model.draw(("billing", math.log(0.2)), ("bug", math.log(0.6)), ("billing", math.log(0.2)), ("no label", -0.1))
    answer = ask(bot, workspace, "it crashes when I click twice")
    assert answer["blocks"][0]["text"] == "bug"
    assert "75% sure" in str(answer["blocks"])


def test_a_style_that_no_longer_classifies_writes_again(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    with bot.services.database.write() as session:
        changed = get_style(session, style.style_id)
        make_promotion(session, changed, rung=Rung.NEIGHBOURS)
        changed.kind = StyleKind.DRAFT
    model.enqueue("A whole sentence about it.")
    assert ask(bot, workspace, "the app crashes")["blocks"][0]["text"] == "A whole sentence about it."
    assert rows(bot, Draft)[-1].rung is Rung.RETRIEVED


def test_a_server_that_cannot_choose_is_named(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.fail(400)
    asked = workspace.person(MIA).mention_bot(BRAND, "tickets: it crashes")
    wait_until(lambda: [one for one in rows(bot, Draft) if one.status is DraftStatus.FAILED], seconds=10)
    told = wait_until(lambda: workspace.person(MIA).messages(BRAND, asked["ts"])[1:], seconds=5)
    assert "bug" not in str(told)

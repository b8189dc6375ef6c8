"""What is measured while a style is in use, from Slack to the model server and back into `/huisstijl status` and
`ladder`: each newly approved example is first predicted, without anybody waiting for it, and edits are counted."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.operations.knowledge import Origin, add_document
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.labels import MOST_NATS
from config.rungs import Rung
from config.settings import Settings
from db.adapters import Adapter
from db.base import new_id, now_in_database
from db.datasets import DatasetExample, SplitName
from db.drafts import Draft, DraftStatus
from db.examples import ExampleSource, ExampleStatus
from db.knowledge import DocumentSource, Passage
from db.prequential import PrequentialScore
from db.runs import RunStatus
from db.scorecards import ScorecardRow
from db.styles import Style, StyleKind, StyleReviewer, get_style
from tests.acceptance.test_verdict import channel_says, in_the_terminal
from tests.support.factories import (
    make_dataset,
    make_draft,
    make_example,
    make_promotion,
    make_run,
    make_scorecard,
    make_style,
)
from tests.support.model_server import ScriptedModel
from tests.support.steps import teach, wait_for_card, wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

HEADS_UP = "Heads up: we close at noon this Friday. See you on Monday!"


@pytest.fixture
def style(bot: Bot) -> Style:
    """A workspace-wide style, served by retrieved examples."""
    return prepare_style(bot)


def prepare_style(bot: Bot, *, rung: Rung = Rung.RETRIEVED, **different: Any) -> Style:
    with bot.services.database.write() as session:
        made = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, created_by=ANA,
            **({"name": "brand-voice"} | different),
        )  # fmt: skip
        made.reviewers.append(StyleReviewer(user_id=RAVI))
        make_promotion(session, made, rung=rung)
    return made


def approve(bot: Bot, style: Style, prompt: str, completion: str, **different: Any) -> str:
    """An example that was approved a moment ago, and whose approval rings as it does from Slack."""
    with bot.services.database.write() as session:
        example_id = make_example(
            session, style, prompt=prompt, completion=completion, status=ExampleStatus.APPROVED, **different
        ).example_id
    bot.services.wakeups.embeddings.ring()
    return example_id


def scores(bot: Bot) -> dict[str, PrequentialScore]:
    with bot.services.database.read() as session:
        return {one.example_id: one for one in session.scalars(select(PrequentialScore))}


def wait_for_score(bot: Bot, example_id: str) -> PrequentialScore:
    return wait_until(lambda: scores(bot).get(example_id), seconds=10, what=f"{example_id} is predicted")


def all_passages_are_embedded(bot: Bot) -> bool:
    with bot.services.database.read() as session:
        return all(one.embedding for one in session.scalars(select(Passage)))


def measured_text(body: dict[str, Any]) -> str:
    (text,) = body["structured_outputs"]["choice"]
    return str(text)


def command(person: Person, text: str) -> str:
    """What a `/huisstijl` command answers."""
    before = len(person.ephemerals(BRAND))
    assert person.slash("/huisstijl", text, BRAND).ok
    wait_until(lambda: len(person.ephemerals(BRAND)) > before, what=f"an answer to {text}")
    return str(person.ephemerals(BRAND)[-1])


def test_what_a_reviewer_approves_is_first_predicted_by_the_champion(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    known = approve(bot, style, "Say that we open late on Monday", "Good news: sleep in, we open at ten.")
    wait_for_score(bot, known)
    teach(workspace.person(MIA), GENERAL, HEADS_UP, "Say that we close early on Friday")
    card = wait_for_card(workspace.person(RAVI))
    assert len(model.measured) == 1, "a proposal is not predicted"
    model.nats[HEADS_UP] = 29.0
    workspace.person(RAVI).click(BRAND, card["ts"], "approve_example")
    wait_for_ephemeral(workspace.person(RAVI), BRAND, "can shape the next draft")
    wait_until(lambda: len(scores(bot)) == 2, what="both are predicted")
    (score,) = [one for example_id, one in scores(bot).items() if example_id != known]
    assert (score.nll_nats, score.completion_bytes) == (29.0, len(HEADS_UP.encode()))
    assert (score.rung, score.adapter_name, score.is_right) == (Rung.RETRIEVED, "", None)
    asked = model.measured[-1]
    # As a draft for it would have been asked for: the instructions, the examples there were, the request.
    assert asked["messages"][-1] == {"role": "user", "content": "Say that we close early on Friday"}
    assert "sleep in" in str(asked["messages"]) and HEADS_UP not in str(asked["messages"])
    assert (measured_text(asked), asked["n"], asked["logprobs"]) == (HEADS_UP, 1, True)


def test_nothing_that_was_approved_later_and_nothing_of_its_conversation_is_in_the_prompt(
    bot: Bot, model: ScriptedModel, style: Style
) -> None:
    model.measuring_status = 503
    first = approve(bot, style, "Tell them about the party", "Come and dance with us!")
    second = approve(
        bot, style, "Tell them about the big party", "Come and dance all night!", channel_id=GENERAL,
        message_ts="1700000000.000200", thread_ts="1700000000.000100",
    )  # fmt: skip
    third = approve(
        bot, style, "Tell them about the small party", "Come and dance a little!", channel_id=GENERAL,
        message_ts="1700000000.000300", thread_ts="1700000000.000100",
    )  # fmt: skip
    wait_until(lambda: model.measured, what="somebody tries")
    model.measuring_status = None
    for example_id in (first, second, third):
        wait_for_score(bot, example_id)
    prompts = {measured_text(body): str(body["messages"]) for body in model.measured}
    assert "dance" not in prompts["Come and dance with us!"]
    assert "with us" in prompts["Come and dance all night!"] and "a little" not in prompts["Come and dance all night!"]
    assert "with us" in prompts["Come and dance a little!"] and "all night" not in prompts["Come and dance a little!"]


def test_for_drift_an_example_is_predicted_as_a_run_measures_without_what_tells_about_it(
    bot: Bot, model: ScriptedModel, style: Style
) -> None:
    known = approve(bot, style, "Say that we open late on Monday", "Good news: sleep in, we open at ten.")
    other = approve(bot, style, "Say that we have cake on Monday", "There is cake, come down and eat it!")
    assert wait_for_score(bot, known).as_measured_nats is not None
    wait_for_score(bot, other)
    model.measured.clear()
    reworded = "At ten we open, good news: in sleep."  # only its meaning tells: no run of its words is the same
    score = wait_for_score(bot, approve(bot, style, "On Monday we open late, that say", reworded))
    draft, run = [str(body["messages"]) for body in model.measured]
    assert "sleep in" in draft and "come down" in draft
    assert "sleep in" not in run and "come down" in run
    assert score.nll_nats == score.as_measured_nats == len(reworded.encode())


def test_for_drift_passages_are_read_where_a_run_reads_them(bot: Bot, model: ScriptedModel) -> None:
    answer = "Parents stay at home for sixteen weeks, and longer where they ask for it."
    text = f"# Leave\n\nHow long parental leave lasts: sixteen weeks.\n\n# Answers\n\nParental leave: {answer}"
    seen: dict[Rung, list[str]] = {}
    for rung in (Rung.RETRIEVED, Rung.KNOWLEDGE):
        style = prepare_style(bot, rung=rung, name=rung.value)
        add_document(
            bot.services.database, style_id=style.style_id, name="handbook.md", data=text.encode(),
            origin=Origin(source=DocumentSource.COMMAND_LINE, added_by="operator"),
        )  # fmt: skip
        bot.services.wakeups.embeddings.ring()
        wait_until(lambda: all_passages_are_embedded(bot), seconds=10, what="passages with embeddings")
        model.measured.clear()
        wait_for_score(bot, approve(bot, style, "tell the team how long parental leave lasts", answer))
        seen[rung] = [str(body["messages"]) for body in model.measured]
    for draft, run in seen.values():
        assert "lasts: sixteen weeks" in draft and answer in draft
        assert answer not in run  # it would be copied
    assert "sixteen" not in seen[Rung.RETRIEVED][1]
    assert "lasts: sixteen weeks" in seen[Rung.KNOWLEDGE][1]


def test_an_approval_waits_for_no_prediction_and_is_predicted_once_when_the_server_is_back(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.measuring_status = 503
    teach(workspace.person(MIA), GENERAL, HEADS_UP)
    card = wait_for_card(workspace.person(RAVI))
    workspace.person(RAVI).click(BRAND, card["ts"], "approve_example")
    wait_for_ephemeral(workspace.person(RAVI), BRAND, "can shape the next draft")
    wait_until(lambda: len(model.measured) >= 2, what="it is tried more than once")
    assert scores(bot) == {}
    # What fails in the background keeps nobody from a draft, and the example is in it already.
    workspace.person(MIA).mention_bot(BRAND, "Say that we close early")
    wait_until(lambda: model.history, what="a draft is asked for")
    assert HEADS_UP in str(model.prompts[-1])
    model.measuring_status = None
    (score,) = wait_until(lambda: list(scores(bot).values()), seconds=15, what="it is predicted")
    tried = len(model.measured)
    wait_for_score(bot, approve(bot, style, "Something else", "Quite another text."))
    assert [measured_text(body) for body in model.measured[tried:]] == ["Quite another text."], "once is enough"
    assert score.nll_nats == len(HEADS_UP)


def test_a_prediction_gives_way_to_a_draft_that_somebody_waits_for(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue("", chunks=["Word "] * 15, delay=0.1)
    workspace.person(MIA).mention_bot(BRAND, "Say that we close early")
    wait_until(lambda: model.history, what="a draft is under way")
    approved = approve(bot, style, "Tell them about the party", "Come and dance with us!")
    wait_until(lambda: drafts(bot) == [DraftStatus.SHOWN] or model.measured, what="either is first")
    assert not model.measured
    wait_for_score(bot, approved)


def drafts(bot: Bot) -> list[DraftStatus]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Draft.status)))


def test_status_and_ladder_say_the_figure_where_too_few_pairs_are_unseen(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    wait_for_score(bot, approve(bot, style, "Request 0", "Answer number zero."))
    assert "Prequential" in command(mia, "status brand-voice")
    assert "not enough yet, 1 example of 10" in command(mia, "status brand-voice")
    for number in range(1, 10):
        wait_for_score(bot, approve(bot, style, f"Request {number}", f"Answer number {number}."))
    kept = approve(bot, style, "My own", "The bot's own words.", source=ExampleSource.DRAFT_KEPT)
    model.nats["The bot's own words."] = 1.0
    wait_for_score(bot, kept)
    figure = f"{1 / math.log(2):.3f} bits per byte (1.44 to 1.44), 10 examples since the champion serves"
    assert figure in command(mia, "status brand-voice"), "a nat a byte; its own words do not count"
    assert figure in command(mia, "ladder brand-voice")


def test_what_is_withdrawn_takes_its_figure_along(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    gone = approve(bot, style, "Request", "An answer that will be taken back.")
    wait_for_score(bot, gone)
    assert "Prequential" in command(ravi, "status brand-voice")
    assert ravi.slash("/huisstijl", f"withdraw {gone}", BRAND).ok
    wait_until(lambda: scores(bot) == {}, what="the figure is gone")
    assert "Prequential" not in command(ravi, "status brand-voice")


def test_one_that_is_withdrawn_while_it_is_predicted_leaves_no_figure(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.may_measure.clear()
    gone = approve(bot, style, "Request", "An answer that will be taken back.")
    wait_until(lambda: model.measured, what="the server is asked")
    ravi = workspace.person(RAVI)
    assert ravi.slash("/huisstijl", f"withdraw {gone}", BRAND).ok
    wait_for_ephemeral(ravi, BRAND, "withdrawn")
    model.may_measure.set()
    wait_for_score(bot, approve(bot, style, "Another", "Another answer."))
    assert gone not in scores(bot)


def test_an_adapter_predicts_what_it_has_not_learnt_and_nothing_else(bot: Bot, model: ScriptedModel) -> None:
    style = prepare_style(bot)
    with bot.services.database.write() as session:
        style = get_style(session, style.style_id)
        run = make_run(session, style)
        adapter = Adapter(
            adapter_id=new_id("ada"), name="brand-voice-v1", version=1, team_id=TEAM_ID, style_id=style.style_id,
            scope_key=TEAM_ID, run_id=run.run_id, rung=Rung.LORA, base_model=run.base_model,
            manifest_digest="sha256:0", published_at=now_in_database(session),
        )  # fmt: skip
        session.add(adapter)
        dataset = make_dataset(session, run)
        make_promotion(session, style, rung=Rung.LORA, adapter_id=adapter.adapter_id, run_id=run.run_id)
        learnt = make_example(session, style, completion="Learnt by heart.", status=ExampleStatus.APPROVED).example_id
        session.add(
            DatasetExample(
                dataset_id=dataset.dataset_id, example_id=learnt, split=SplitName.TRAIN, position=0,
                content_hash="sha256:0",
            )
        )  # fmt: skip
    fresh = approve(bot, style, "Request", "Never seen.")
    score = wait_for_score(bot, fresh)
    assert (score.rung, score.adapter_name, score.nll_nats) == (Rung.LORA, "brand-voice-v1", 11.0)
    assert [(body["model"], measured_text(body)) for body in model.measured] == [("brand-voice-v1", "Never seen.")]
    assert wait_for_score(bot, learnt).nll_nats is None


def test_what_nobody_came_to_within_a_day_and_what_waits_for_review_is_left_out(
    bot: Bot, model: ScriptedModel, style: Style
) -> None:
    with bot.services.database.write() as session:
        long_ago = now_in_database(session) - timedelta(days=2)
        make_example(session, style)
    approve(bot, style, "Request", "Of the day before yesterday.", approved_at=long_ago)
    wait_for_score(bot, approve(bot, style, "Another request", "Of this minute."))
    assert [measured_text(body) for body in model.measured] == ["Of this minute."]


def test_a_prompt_that_does_not_fit_is_cut_as_a_drafts_is_and_one_that_never_fits_is_tried_once(
    bot: Bot, model: ScriptedModel, style: Style
) -> None:
    wait_for_score(bot, approve(bot, style, "Tell them about the party", "Come and dance with us!"))
    model.longest_measured = 1  # messages: not even the request fits
    never = approve(bot, style, "Tell them about the big party", "Come and dance all night!")
    assert wait_for_score(bot, never).nll_nats is None
    tried = [len(body["messages"]) for body in model.measured if measured_text(body) == "Come and dance all night!"]
    assert tried == [4, 2], "with the example, and without"


def test_a_style_whose_base_model_is_not_served_does_not_keep_the_others_waiting(
    bot: Bot, model: ScriptedModel, style: Style
) -> None:
    model.adapters = set()  # so that it knows the names of what it serves
    with bot.services.database.write() as session:
        lost = make_style(session, style_id="sty_0", team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="lost")
        make_promotion(session, lost, rung=Rung.RETRIEVED, base_model="/models/gone")
    waiting = approve(bot, lost, "Request", "On a base model that went.")
    score = wait_for_score(bot, approve(bot, style, "Request", "On the one that serves."))
    assert score.nll_nats == float(len("On the one that serves."))
    assert waiting not in scores(bot), "it waits for its base model"


def test_of_a_label_it_is_kept_whether_it_was_right_and_a_new_label_was_not(bot: Bot, model: ScriptedModel) -> None:
    style = prepare_style(bot, rung=Rung.NEIGHBOURS, name="tickets", kind=StyleKind.CLASSIFY)
    for number in range(2):
        approve(bot, style, f"the app crashes on start {number}", "bug")
        approve(bot, style, f"the invoice is wrong {number}", "billing")
    right = wait_for_score(bot, approve(bot, style, "the app crashes on start again", "bug"))
    wrong = wait_for_score(bot, approve(bot, style, "the app crashes on start today", "billing"))
    new = wait_for_score(bot, approve(bot, style, "please add a dark mode", "wish"))
    assert (right.is_right, wrong.is_right, new.is_right) == (True, False, False)
    assert right.nll_nats is not None and wrong.nll_nats is not None and right.nll_nats < wrong.nll_nats
    assert new.nll_nats == MOST_NATS
    assert model.measured == model.history == [], "no language model is asked"


def test_a_language_model_is_asked_for_every_label_that_was_known_before(bot: Bot, model: ScriptedModel) -> None:
    style = prepare_style(bot, rung=Rung.ZERO_SHOT, name="tickets", kind=StyleKind.CLASSIFY)
    assert wait_for_score(bot, approve(bot, style, "it crashes", "bug")).nll_nats is None, "there is no choice yet"
    assert wait_for_score(bot, approve(bot, style, "charged twice", "billing")).nll_nats is None
    model.nats |= {"bug": 1.0, "billing": 3.0}
    score = wait_for_score(bot, approve(bot, style, "it crashes again", "bug"))
    assert score.nll_nats == pytest.approx(math.log1p(math.exp(-2.0)), rel=1e-4) and score.is_right
    (asked,) = model.measured
    assert asked["structured_outputs"] == {"choice": ["billing", "bug"]}


def test_the_ladder_says_what_people_changed_of_each_candidates_drafts(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    with bot.services.database.write() as session:
        for number in range(6):
            make_draft(
                session, style, status=DraftStatus.EDITED, rung=Rung.RETRIEVED, completion="aaaa",
                edited_completion="aabb" if number else "aaaa", requested_at=now_in_database(session),
            )  # fmt: skip
        make_draft(session, style, status=DraftStatus.KEPT, rung=Rung.ZERO_SHOT, completion="aaaa")
        make_draft(session, style, status=DraftStatus.DISCARDED, rung=Rung.FEW_SHOT, completion="aaaa")
    for asked in ("status brand-voice", "ladder brand-voice"):
        said = command(workspace.person(MIA), asked)
        assert "`retrieved` 42% (25% to 50%, 6 drafts); `zero_shot` not enough yet (1 draft of 5)" in said
        assert "few_shot" not in said


def test_the_ladder_says_how_long_the_drafts_are_and_whether_they_have_the_form_of_the_house(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    pairs = [{"example_id": str(n), "nll_nats": 40.0, "reference_bytes": 50} for n in range(30)]
    house = {"opening": "capital", "ending": "sentence"}
    features = {"n": 30, "length": [1.4, 1.1, 1.8], "house": house, "kept": {}, "in_form": 0.62}
    with bot.services.database.write() as session:
        run = make_run(session, style, status=RunStatus.SUCCEEDED)
        dataset = make_dataset(session, run)
        for rung, more in ((Rung.ZERO_SHOT, {"features": features}), (Rung.RETRIEVED, {})):
            session.add(
                ScorecardRow(
                    scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=TEAM_ID,
                    dataset_id=dataset.dataset_id, rung=rung, base_model=run.base_model,
                    card={"pairs": pairs, "summary": more}, scored_at=now_in_database(session),
                )
            )  # fmt: skip
    said = command(workspace.person(MIA), "ladder brand-voice")
    assert "Words of a draft for each word of the approved text: `zero_shot` 1.40 (1.10 to 1.80)." in said
    assert "An approved text begins with a capital and ends as a sentence does" in said
    assert "drafts that do so: `zero_shot` 62%." in said


def test_the_ladder_says_whose_drafts_have_the_form_and_keep_the_terms_more_often_and_how_sure_that_is(
    bot: Bot, bot_settings: Settings, workspace: Workspace, style: Style
) -> None:
    house = {"opening": "capital", "ending": "sentence"}

    def card(in_form: int, keeps_terms: int, asked: int, *, is_marked: bool = True) -> dict[str, Any]:
        """40 drafts, of which so many have the form and, of those that the terms ask something of, keep to these."""
        pairs: list[dict[str, Any]] = [
            {
                "example_id": str(n), "nll_nats": 40.0, "reference_bytes": 50, "chrf": 40.0, "exact": False,
                "edit_similarity": 0.4, "kin_group": n // 2,
            }
            | ({"in_form": n < in_form, "keeps_terms": n < keeps_terms if n < asked else None} if is_marked else {})
            for n in range(40)
        ]  # fmt: skip
        features = {
            "n": 40, "length": [1.4, 1.1, 1.8], "house": house, "kept": {}, "in_form": in_form / 40,
            "terms": {"n": asked, "kept": keeps_terms},
        }  # fmt: skip
        return {"pairs": pairs, "summary": {"features": features}}

    cards = {
        Rung.ZERO_SHOT: card(6, 3, 9), Rung.FEW_SHOT: card(20, 5, 20, is_marked=False),  # of an earlier version
        Rung.RETRIEVED: card(16, 10, 20), Rung.LORA: card(36, 18, 20),
    }  # fmt: skip
    with bot.services.database.write() as session:
        run = make_run(session, style, base_model="embedded:smollm2-135m-instruct", status=RunStatus.SUCCEEDED)
        for rung, found in cards.items():
            make_scorecard(session, run, rung, found)
    forms = (
        "drafts that do so: `zero_shot` 15%; `few_shot` 50%; `retrieved` 40%; `lora` 90%. More or less than the "
        "champion's, draft by draft (95 %): `zero_shot` \u221225% (\u221242% to \u22123%, 40 drafts); `lora` 50% (23% "
        "to 68%, 40 drafts)."
    )
    terms = (
        "`zero_shot` not enough yet (9 drafts of 10); `few_shot` 25% (20 drafts); `retrieved` 50% (20 drafts); `lora` "
        "90% (20 drafts). More or less than the champion's, draft by draft (95 %): `lora` 40% (2% to 65%, 20 drafts)."
    )
    result = channel_says(workspace.person(ANA), "was trained and measured")
    for said in (command(workspace.person(MIA), "ladder brand-voice"), result):
        assert forms in said and terms in said
    printed = in_the_terminal(bot_settings, "ladder", "brand-voice")
    assert forms in printed and terms in printed
    workspace.state.users[NOOR]["locale"] = "nl-NL"
    assert (
        "concept voor concept (95 %): `zero_shot` \u221225% (\u221242% tot \u22123%, 40 concepten); `lora` 50% (23% "
        "tot 68%, 40 concepten)."
    ) in command(workspace.person(NOOR), "ladder brand-voice")


@pytest.mark.parametrize("drafts", [9, 10])
def test_the_ladder_says_of_how_many_drafts_its_figures_are_and_how_many_were_cut(
    bot: Bot, workspace: Workspace, style: Style, drafts: int
) -> None:
    scored = {"chrf": 40.0, "exact": False, "edit_similarity": 0.4}
    pairs = [
        {"example_id": str(n), "nll_nats": 40.0, "reference_bytes": 50} | (scored if n < drafts else {})
        for n in range(30)
    ]
    shares = ((Rung.ZERO_SHOT, 0.45), (Rung.RETRIEVED, 0.04), (Rung.FEW_SHOT, None))
    with bot.services.database.write() as session:
        run = make_run(session, style, status=RunStatus.SUCCEEDED)
        dataset = make_dataset(session, run)
        for rung, share in shares:
            summary = {"chrf": 43.2, "exact_match": 0.1, "edit_similarity": 0.5, "cut_share": share}
            session.add(
                ScorecardRow(
                    scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=TEAM_ID,
                    dataset_id=dataset.dataset_id, rung=rung, base_model=run.base_model,
                    card={"pairs": pairs, "summary": summary}, scored_at=now_in_database(session),
                )
            )  # fmt: skip
    said = command(workspace.person(MIA), "ladder brand-voice")
    is_enough = drafts == 10
    assert ("43.2" in said) is ("chrF, exact, edit, length and form are of 10 drafts." in said) is is_enough
    assert ("not shown yet: it was measured on 9 drafts, and 10 are needed." in said) is not is_enough
    assert "cut at the length allowed, so that these figures are of their beginnings: `zero_shot` 45%." in said


def test_a_label_that_was_asked_for_is_no_edit(bot: Bot, workspace: Workspace, style: Style) -> None:
    """An unsure answer has no text, so whoever taps the right label changes nothing of it."""
    with bot.services.database.write() as session:
        offered = {"offered": [["bug", 0.5], ["wish", 0.4]], "is_sure": False}
        make_draft(
            session, style, status=DraftStatus.EDITED, rung=Rung.ZERO_SHOT, completion="", edited_completion="bug",
            label_choice=offered,
        )  # fmt: skip
    assert "What people changed" not in command(workspace.person(MIA), "status brand-voice")

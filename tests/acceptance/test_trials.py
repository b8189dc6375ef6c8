"""Blind trials, from the people's side: a quote and a click, two drafts in hidden order, a tap, and the result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.app import Bot
from bot.clock.tick import Clock
from bot.domain import throttle
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BOT_ID, BRAND, GENERAL, GUEST, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.adapters import withdraw_adapter
from db.audit import AuditEntry
from db.drafts import Draft, DraftStatus
from db.examples import Example
from db.promotions import Promotion, PromotionKind
from db.styles import Style, StyleKind, get_style
from db.trials import Comparison, ComparisonStatus, Trial, TrialStatus
from tests.acceptance.test_drafting import answers_in
from tests.support.factories import make_draft, make_promotion
from tests.support.model_server import Answer, ScriptedModel
from tests.support.trials import ADAPTER, make_answers, make_measured_style, make_measurement, make_trial
from tests.support.wait import wait_until

Json = dict[str, Any]
OURS = "Come and dance, says the prompt. Team Office"
THEIRS = "Come and dance, says the adapter. Team Office"


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        return make_measured_style(session)


@pytest.fixture
def trial(bot: Bot, model: ScriptedModel, style: Style) -> Trial:
    """The champion, a prompt, against the adapter; each has a text of its own."""
    model.by_model = {model.base_model: Answer(text=OURS), ADAPTER: Answer(text=THEIRS)}
    with bot.services.database.write() as session:
        return make_trial(session, get_style(session, style.style_id))


@pytest.fixture
def ana(workspace: Workspace, bot: Bot) -> Person:
    """An admin."""
    return workspace.person(ANA)


def rows(bot: Bot, kind: type[Any]) -> list[Any]:
    with bot.services.database.read() as session:
        return list(session.query(kind).order_by(*kind.__mapper__.primary_key))


def command(person: Person, text: str, channel: str = BRAND) -> Json:
    before = len(person.ephemerals(channel))
    assert person.slash("/huisstijl", text, channel).ok
    wait_until(lambda: len(person.ephemerals(channel)) > before, what=f"an answer to {text}")
    return person.ephemerals(channel)[-1]


def tap(person: Person, message: Json, choice: str, channel: str = BRAND) -> str:
    """Tap, and read what one is told."""
    before = len(person.ephemerals(channel))
    assert person.click(channel, message["ts"], f"choose_draft:{choice}").ok
    wait_until(lambda: len(person.ephemerals(channel)) > before, what=f"an answer to {choice}")
    return str(person.ephemerals(channel)[-1]["text"])


def ask(workspace: Workspace, text: str = "announce the winter party", who: str = MIA) -> Json:
    """Mention the bot, and wait for the two drafts. Returns the message with the question."""
    asked = workspace.person(who).mention_bot(BRAND, text)
    return wait_for_question(workspace, asked["ts"])


def wait_for_question(workspace: Workspace, thread_ts: str, channel: str = BRAND) -> Json:
    found: Json = wait_until(
        lambda: next((m for m in answers_in(workspace, channel, thread_ts) if "choose_draft:a" in str(m)), None),
        seconds=20, what="a question",
    )  # fmt: skip
    return found


def wait_for_message(workspace: Workspace, containing: str, channel: str = BRAND) -> Json:
    found: Json = wait_until(
        lambda: next((m for m in workspace.person(MIA).messages(channel) if containing in str(m)), None),
        seconds=15, what=f"a message with {containing!r}; read {workspace.person(MIA).messages(channel)}",
    )  # fmt: skip
    return found


def now_reads(workspace: Workspace, message: Json, containing: str, channel: str = BRAND) -> Json:
    """The message once it has been changed to say so."""

    def look() -> Json | None:
        thread = workspace.person(MIA).messages(channel, message["thread_ts"])
        return next((m for m in thread if m["ts"] == message["ts"] and containing in str(m)), None)

    found: Json = wait_until(look, seconds=15, what=f"the message says {containing!r}")
    return found


def texts_of(message: Json) -> list[str]:
    return [block["text"] for block in message["blocks"] if block["type"] == "markdown"]


def side_of(bot: Bot, text: str) -> str:
    """Where the newest comparison shows this text."""
    comparison = rows(bot, Comparison)[-1]
    with bot.services.database.read() as session:
        return "a" if session.get_one(Draft, comparison.draft_a_id).completion == text else "b"


def action_ids(message: Json) -> list[str]:
    return [element["action_id"] for element in message["blocks"][-1]["elements"]]


# ------------------------------------------------------------------------------------------------------ starting


def test_an_admin_starts_a_trial_after_a_quote_against_the_best_that_does_not_serve(
    bot: Bot, workspace: Workspace, ana: Person, style: Style
) -> None:
    quote = command(ana, "trial brand-voice")
    assert ADAPTER in quote["text"] and "retrieved" in quote["text"]
    assert "At most 150 comparisons" in str(quote["blocks"]) and "twice what a draft costs" in str(quote["blocks"])
    assert rows(bot, Trial) == []
    ana.click(BRAND, quote["ts"], "confirm_trial")
    announced = wait_for_message(workspace, "started a blind trial in *brand-voice*")
    assert ADAPTER not in str(announced) and "retrieved" not in str(announced)
    (trial,) = rows(bot, Trial)
    assert (trial.champion_rung, trial.challenger_rung, trial.most) == (Rung.RETRIEVED, Rung.LORA, 150)
    assert "running already" in command(ana, "trial brand-voice")["text"]
    progress = command(workspace.person(MIA), "status brand-voice")["text"]
    assert "0 of at most 150 comparisons" in progress
    actions = [entry.action for entry in rows(bot, AuditEntry)]
    assert actions.count("trial.quoted") == 1 and actions.count("trial.started") == 1


def test_a_trial_does_not_lead_to_another_base_model_whatever_was_measured_there(
    bot: Bot, ana: Person, style: Style
) -> None:
    with bot.services.database.write() as session:
        make_measurement(session, get_style(session, style.style_id), base_model="/models/other", name="brand-voice-v2")
    quote = command(ana, "trial brand-voice")
    assert ADAPTER in quote["text"] and "brand-voice-v2" not in str(quote)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("trial brand-voice retrieved", "serves *brand-voice* already"),
        ("trial brand-voice everest", "everest"),
        ("trial brand-voice stop", "No blind trial of *brand-voice* is running"),
        ("trial nonsense", "nonsense"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_a_sentence(
    bot: Bot, ana: Person, style: Style, typed: str, expected: str
) -> None:
    assert expected in command(ana, typed)["text"]
    assert rows(bot, Trial) == []


def test_only_admins_start_and_stop_trials_and_only_where_drafts_are_texts(
    bot: Bot, workspace: Workspace, ana: Person, style: Style
) -> None:
    for typed in ("trial brand-voice", "trial brand-voice stop"):
        assert "Only workspace admins" in command(workspace.person(MIA), typed)["text"]
    with bot.services.database.write() as session:
        get_style(session, style.style_id).kind = StyleKind.CLASSIFY
    assert "answers with labels" in command(ana, "trial brand-voice")["text"]


def test_a_named_candidate_is_the_challenger_and_a_cancelled_quote_starts_nothing(
    bot: Bot, ana: Person, style: Style
) -> None:
    quote = command(ana, "trial brand-voice zero_shot")
    assert "zero_shot" in quote["text"]
    before = len(ana.ephemerals(BRAND))
    ana.click(BRAND, quote["ts"], "cancel_trial")
    wait_until(lambda: "No trial was started" in str(ana.ephemerals(BRAND)), what="that nothing was started")
    assert before and rows(bot, Trial) == []


# ------------------------------------------------------------------------------------------------------ two drafts


def test_a_request_gets_two_drafts_together_and_nothing_says_which_is_which(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial
) -> None:
    question = ask(workspace)
    assert sorted(texts_of(question)) == sorted([OURS, THEIRS])
    assert action_ids(question) == ["choose_draft:a", "choose_draft:b", "choose_draft:neither"]
    assert len(answers_in(workspace, BRAND, question["thread_ts"])) == 1
    assert workspace.calls("chat.startStream") == []
    (comparison,) = rows(bot, Comparison)
    shown = json.dumps(question).replace(OURS, "").replace(THEIRS, "")
    for secret in (ADAPTER, "retrieved", "lora", "zero_shot", "adapter", "tokens", *comparison.draft_ids):
        assert secret not in shown.replace(BOT_ID, ""), secret
    assert {body["model"] for body in model.history} == {model.base_model, ADAPTER}
    assert [draft.status for draft in rows(bot, Draft)] == [DraftStatus.PAIRED, DraftStatus.PAIRED]


def test_a_command_opens_one_thread_for_both(bot: Bot, workspace: Workspace, trial: Trial) -> None:
    workspace.person(NOOR).slash("/draft", "brand-voice: announce the winter party", GENERAL)
    root = wait_for_message(workspace, "asked for a draft", GENERAL)
    wait_for_question(workspace, root["ts"], GENERAL)
    assert len([m for m in workspace.person(MIA).messages(GENERAL) if "asked for a draft" in str(m)]) == 1


@pytest.mark.parametrize("text", [OURS, THEIRS])
def test_the_first_tap_makes_the_chosen_text_the_draft_and_still_tells_nobody_what_made_it(
    bot: Bot, workspace: Workspace, trial: Trial, text: str
) -> None:
    with bot.services.database.write() as session:
        get_style(session, trial.style_id).forbidden_terms = ["dance"]
    question, other = ask(workspace), THEIRS if text == OURS else OURS
    side = side_of(bot, text)
    assert "never says" not in str(question), "both are compared as they are"
    assert "Your tap counts" in tap(workspace.person(NOOR), question, side)
    chosen = now_reads(workspace, question, "chose this one of two drafts")
    assert texts_of(chosen) == [text] and other not in str(chosen)
    assert "noor" in str(chosen).lower()
    assert action_ids(chosen) == ["use_draft", "keep_draft", "edit_draft", "discard_draft", "more_draft"]
    assert ADAPTER not in str(chosen) and "retrieved" not in str(chosen)
    assert "Holds “dance”, which" in str(chosen)
    with bot.services.database.read() as session:
        kept = session.query(Draft).filter_by(status=DraftStatus.SHOWN).one()
        gone = session.query(Draft).filter_by(status=DraftStatus.PASSED_OVER).one()
    assert (kept.completion, gone.completion, kept.message_ts) == (text, other, chosen["ts"])
    workspace.person(MIA).click(BRAND, chosen["ts"], "keep_draft")
    kept_message = now_reads(workspace, question, "Kept as it is")
    assert ADAPTER not in str(kept_message) and "retrieved" not in str(kept_message)
    assert [example.completion for example in rows(bot, Example)] == [text]


def test_what_made_a_chosen_draft_is_told_after_the_trial(
    bot: Bot, workspace: Workspace, ana: Person, trial: Trial
) -> None:
    question = ask(workspace)
    tap(workspace.person(NOOR), question, side_of(bot, THEIRS))
    chosen = now_reads(workspace, question, "chose this one")
    command(ana, "trial brand-voice stop")
    workspace.person(MIA).click(BRAND, chosen["ts"], "keep_draft")
    assert ADAPTER in str(now_reads(workspace, question, "Kept as it is"))


def test_a_second_tap_is_answered_politely_and_changes_nothing(bot: Bot, workspace: Workspace, trial: Trial) -> None:
    question = ask(workspace)
    workspace.fail("chat.update", times=3, status=503)  # the buttons are still there for the second person
    tap(workspace.person(NOOR), question, "a")
    assert "noor was quicker" in tap(workspace.person(RAVI), question, "b").lower()
    assert "answered this one already" in tap(workspace.person(NOOR), question, "b")
    (comparison,) = rows(bot, Comparison)
    assert (comparison.choice, comparison.decided_by, comparison.is_counted) == ("a", NOOR, True)


def test_no_difference_keeps_the_first_one_and_counts_as_a_tie(bot: Bot, workspace: Workspace, trial: Trial) -> None:
    question = ask(workspace)
    first = texts_of(question)[0]
    tap(workspace.person(NOOR), question, "neither")
    assert texts_of(now_reads(workspace, question, "found no difference")) == [first]


def test_the_same_text_twice_is_one_ordinary_draft_and_a_tie(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial
) -> None:
    model.by_model = {}
    model.default = Answer(text=OURS)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    answer = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=15)[0]
    assert texts_of(answer) == [OURS] and "wrote exactly this" in str(answer)
    assert action_ids(answer)[0] == "use_draft"
    (comparison,) = rows(bot, Comparison)
    assert (comparison.status, comparison.choice, comparison.is_counted) == (ComparisonStatus.DECIDED, "neither", True)
    assert sorted(d.status for d in rows(bot, Draft)) == [DraftStatus.PASSED_OVER, DraftStatus.SHOWN]


@pytest.mark.parametrize("refused", [True, False])
def test_when_one_of_the_two_does_not_come_the_other_is_an_ordinary_draft_and_nothing_counts(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial, refused: bool
) -> None:
    if refused:
        model.adapters = set()
    else:
        model.by_model = {ADAPTER: Answer(text=THEIRS), model.base_model: Answer(text="")}
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    answer = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=15)[0]
    assert texts_of(answer) == [OURS if refused else THEIRS]
    assert "did not come" in str(answer) and action_ids(answer)[0] == "use_draft"
    (comparison,) = rows(bot, Comparison)
    assert (comparison.status, comparison.is_counted) == (ComparisonStatus.VOID, False)
    assert sorted(d.status for d in rows(bot, Draft)) == [DraftStatus.FAILED, DraftStatus.SHOWN]


def test_when_neither_comes_the_thread_reads_one_sentence(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial
) -> None:
    model.by_model = {ADAPTER: Answer(text=""), model.base_model: Answer(text="")}
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    wait_until(lambda: [d for d in rows(bot, Draft) if d.status is DraftStatus.FAILED][1:], seconds=15)
    (answer,) = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=15)
    assert "answered with nothing" in answer["text"]
    assert rows(bot, Comparison)[0].status is ComparisonStatus.VOID


def test_two_long_drafts_stand_in_messages_of_their_own_and_the_chosen_one_stays(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial
) -> None:
    long = {name: f"{name} says " + "hello there, " * 700 for name in ("first", "second")}
    model.by_model = {
        model.base_model: Answer(text=long["first"], chunks=20), ADAPTER: Answer(text=long["second"], chunks=20)
    }  # fmt: skip
    question = ask(workspace)
    first, second, last = answers_in(workspace, BRAND, question["thread_ts"])
    assert last["ts"] == question["ts"] and texts_of(last) == []
    assert texts_of(first)[0][:5] != texts_of(second)[0][:5]
    kept = texts_of(second)[0]
    tap(workspace.person(NOOR), question, "b")
    chosen = now_reads(workspace, second, "chose this one of two drafts")
    assert texts_of(chosen) == [kept] and action_ids(chosen)[0] == "use_draft"
    assert texts_of(now_reads(workspace, first, "put away")) == []
    assert "choose_draft" not in str(now_reads(workspace, question, "B is better"))
    workspace.person(MIA).click(BRAND, chosen["ts"], "keep_draft")
    now_reads(workspace, second, "Kept as it is")


def test_direct_messages_private_previews_and_versions_are_ordinary(
    bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial
) -> None:
    question = ask(workspace)
    tap(workspace.person(NOOR), question, "a")
    chosen = now_reads(workspace, question, "chose this one")
    kept = next(d for d in rows(bot, Draft) if d.status is DraftStatus.SHOWN)
    workspace.person(NOOR).dm_bot("brand-voice: thank a customer")
    workspace.person(RAVI).slash("/draft", "--private brand-voice: thank a customer", BRAND)
    workspace.person(MIA).click(BRAND, chosen["ts"], "more_draft", selected=f"shorter:{kept.draft_id}")
    wait_until(lambda: len(rows(bot, Draft)) == 5, seconds=15, what="three more drafts")
    assert len(rows(bot, Comparison)) == 1


def test_where_there_is_no_room_for_two_there_is_one(
    bot: Bot, workspace: Workspace, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        for _ in range(throttle.PER_PERSON - 1):
            make_draft(session, style, requested_by=MIA, status=DraftStatus.KEPT)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=15)
    assert rows(bot, Comparison) == []


def test_no_more_comparisons_are_made_than_were_announced(
    bot: Bot, workspace: Workspace, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        session.get_one(Trial, trial.trial_id).most = 1
    ask(workspace)
    asked = workspace.person(RAVI).mention_bot(BRAND, "announce the summer party")
    answer = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=15)[0]
    assert "choose_draft" not in str(answer)
    assert len(rows(bot, Comparison)) == 1


def test_stop_ends_both(bot: Bot, workspace: Workspace, model: ScriptedModel, trial: Trial) -> None:
    model.by_model = {
        model.base_model: Answer(text=OURS), ADAPTER: Answer(text="slow " * 50, delay=0.5, first_delay=0.5)
    }  # fmt: skip
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    wait_until(lambda: DraftStatus.PAIRED in [d.status for d in rows(bot, Draft)], seconds=15)
    workspace.person(MIA).stop_session(BRAND, asked["ts"])
    wait_until(lambda: [d.status for d in rows(bot, Draft)] == [DraftStatus.STOPPED] * 2, seconds=15)
    wait_until(lambda: all(d.finished_at for d in rows(bot, Draft)), seconds=15)
    assert answers_in(workspace, BRAND, asked["ts"]) == []
    assert rows(bot, Comparison)[0].status is ComparisonStatus.VOID


def test_a_guest_cannot_tap(bot: Bot, workspace: Workspace, trial: Trial) -> None:
    question = ask(workspace)
    assert "Guests" in tap(workspace.person(GUEST), question, "a")
    assert rows(bot, Comparison)[0].status is ComparisonStatus.SHOWN


# ------------------------------------------------------------------------------------------------------ the result


def champion(bot: Bot, style: Style) -> Promotion:
    with bot.services.database.read() as session:
        return session.get_one(Promotion, get_style(session, style.style_id).champion_promotion_id)


def test_the_tap_that_decides_promotes_the_challenger_and_the_channel_reads_names_and_numbers(
    bot: Bot, workspace: Workspace, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        make_answers(session, style, trial, wins=7)
    question = ask(workspace)
    tap(workspace.person(NOOR), question, side_of(bot, THEIRS))
    result = wait_for_message(workspace, "has ended")["text"]
    assert ADAPTER in result and "retrieved" in result and "Of 8 comparisons" in result and "interval" in result
    now = champion(bot, style)
    assert (now.kind, now.rung, now.actor) == (PromotionKind.TRIAL, Rung.LORA, "gate")
    assert "8 of 8" in now.reason
    assert rows(bot, Trial)[0].status is TrialStatus.CHALLENGER_WON
    assert "Won a blind trial" in command(workspace.person(MIA), "status brand-voice")["text"]


def test_a_challenger_that_loses_stays_out_and_is_promoted_by_hand_only_knowingly(
    bot: Bot, workspace: Workspace, ana: Person, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        make_answers(session, style, trial, losses=7)
    question = ask(workspace)
    tap(workspace.person(NOOR), question, side_of(bot, OURS))
    assert "is worse than" in wait_for_message(workspace, "has ended")["text"]
    assert champion(bot, style).rung is Rung.RETRIEVED
    told = command(ana, f"promote brand-voice {ADAPTER}")["text"]
    assert "lost a blind trial" in told and "0 of 8" in told
    assert champion(bot, style).rung is Rung.RETRIEVED
    command(ana, f"promote brand-voice {ADAPTER} anyway")
    assert champion(bot, style).rung is Rung.LORA


def test_at_the_most_comparisons_no_difference_is_said_with_the_interval(
    bot: Bot, workspace: Workspace, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        session.get_one(Trial, trial.trial_id).most = 10
        make_answers(session, style, trial, wins=5, losses=4)
    tap(workspace.person(NOOR), ask(workspace), "neither")
    result = wait_for_message(workspace, "has ended")["text"]
    assert "no difference found" in result and "interval" in result and "1 was without a difference" in result
    assert champion(bot, style).rung is Rung.RETRIEVED


def test_a_champion_that_was_moved_meanwhile_is_not_replaced_and_the_channel_is_told(
    bot: Bot, workspace: Workspace, style: Style, trial: Trial
) -> None:
    with bot.services.database.write() as session:
        make_answers(session, style, trial, wins=7)
    question = ask(workspace)
    with bot.services.database.write() as session:
        make_promotion(session, get_style(session, style.style_id), rung=Rung.ZERO_SHOT)
    assert "does not count" in tap(workspace.person(NOOR), question, side_of(bot, THEIRS))
    assert "champion was changed meanwhile" in wait_for_message(workspace, "has ended without a result")["text"]
    assert champion(bot, style).rung is Rung.ZERO_SHOT
    assert texts_of(now_reads(workspace, question, "chose this one")) == [THEIRS]


def test_taps_after_the_end_choose_the_draft_and_do_not_count(
    bot: Bot, workspace: Workspace, ana: Person, trial: Trial
) -> None:
    question = ask(workspace)
    assert "stopped the blind trial" in command(ana, "trial brand-voice stop")["text"]
    wait_for_message(workspace, "stopped the blind trial")
    assert "does not count" in tap(workspace.person(NOOR), question, "a")
    now_reads(workspace, question, "chose this one")
    assert rows(bot, Comparison)[0].is_counted is False
    assert "running" in command(ana, "trial brand-voice stop")["text"]


def test_the_clock_ends_a_trial_whose_adapter_must_not_serve_any_more(
    bot: Bot, bot_settings: Settings, workspace: Workspace, trial: Trial
) -> None:
    clock = Clock(bot.services.database, bot_settings)
    clock.tick()
    assert rows(bot, Trial)[0].status is TrialStatus.RUNNING
    with bot.services.database.write() as session:
        assert trial.challenger_adapter_id is not None
        withdraw_adapter(session, trial.challenger_adapter_id, "It was bad.")
    clock.tick()
    clock.tick()
    assert "must not serve any more" in wait_for_message(workspace, "has ended without a result")["text"]
    assert len([m for m in workspace.person(MIA).messages(BRAND) if "has ended" in str(m)]) == 1


def test_two_drafts_that_wait_are_taken_away_when_their_asker_is_forgotten(
    bot: Bot, workspace: Workspace, trial: Trial
) -> None:
    question = ask(workspace)
    mia = workspace.person(MIA)
    quote = command(mia, "forget")
    mia.click(BRAND, quote["ts"], "confirm_forget")
    erased = now_reads(workspace, question, "These drafts were erased")
    assert OURS not in str(erased) and THEIRS not in str(erased)
    assert [draft.completion for draft in rows(bot, Draft)] == ["", ""]
    assert rows(bot, Comparison)[0].status is ComparisonStatus.VOID

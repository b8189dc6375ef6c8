"""Terms of a style, from the form in which an admin sets them to the prompt, the draft, the review and the ladder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.app import Bot
from bot.operations.transfer import import_examples
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.style_terms import StyleTerms
from db.audit import list_audit
from db.base import new_id, now_in_database
from db.drafts import Draft, DraftStatus
from db.examples import ExampleStatus
from db.runs import RunStatus
from db.scorecards import ScorecardRow
from db.styles import Style, StyleReviewer, find_style_by_name
from tests.acceptance.test_in_use import command
from tests.acceptance.test_review_queue import click, open_queue, wait_for_status
from tests.support.factories import make_dataset, make_promotion, make_run, make_style
from tests.support.model_server import ScriptedModel
from tests.support.steps import STYLE, create_style, example_id_of, open_style_form, teach, wait_for_card
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)
Json = dict[str, Any]

HOLDS = "Holds “login”, which brand-voice never says."


def find(bot: Bot) -> Style | None:
    with bot.services.database.read() as session:
        return find_style_by_name(session, TEAM_ID, "brand-voice")


def edit_form(ana: Person) -> Json:
    ana.slash("/huisstijl", "style edit brand-voice", GENERAL)
    return ana.wait_for_modal()


@pytest.fixture
def style(bot: Bot) -> Style:
    """It says “sign in” and never “login”."""
    with bot.services.database.write() as session:
        made = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, created_by=ANA, name="brand-voice",
            instructions="Be brief.", required_terms=["sign in"], forbidden_terms=["login", "utilise"],
        )  # fmt: skip
        made.reviewers.append(StyleReviewer(user_id=RAVI))
        make_promotion(session, made, rung=Rung.RETRIEVED)
    return made


# ------------------------------------------------------------------------------------------------------- the form


def test_an_admin_sets_the_terms_sees_them_again_and_the_next_prompt_has_them(
    bot: Bot, workspace: Workspace, model: ScriptedModel
) -> None:
    ana = workspace.person(ANA)
    create_style(ana, required_terms="Sign in\n\n  house   style \n", forbidden_terms="login\nlog-in")
    made = find(bot)
    assert made is not None
    assert made.terms == StyleTerms(required=("Sign in", "house style"), forbidden=("login", "log-in"))
    draft(bot, workspace, model, "Hello there.")
    system = model.prompts[-1][0]
    assert system["role"] == "system"
    assert system["content"].splitlines() == [
        STYLE["instructions"],
        "Always use these terms for what they name: “Sign in”; “house style”.",
        "Never use these terms: “login”; “log-in”.",
    ]

    form = edit_form(ana)
    shown = {block["block_id"]: block["element"].get("initial_value") for block in form["blocks"]}
    assert (shown["required_terms"], shown["forbidden_terms"]) == ("Sign in\nhouse style", "login\nlog-in")
    assert ana.submit(form, {"required_terms": "", "forbidden_terms": "login"}).errors is None
    changed = find(bot)
    assert changed is not None and changed.terms == StyleTerms(forbidden=("login",))
    with bot.services.database.read() as session:
        entry = list_audit(session, made.style_id)[-1]
    assert (entry.action, entry.actor) == ("style.changed", ANA)
    assert entry.detail["values"] == {
        "forbidden_terms": [["login", "log-in"], ["login"]], "required_terms": [["Sign in", "house style"], []],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("different", "block_id", "sentence"),
    [
        ({"required_terms": "sign in\n" + "x" * 81}, "required_terms", "has 81 characters and a term has 80 at most"),
        (
            {"forbidden_terms": "\n".join(f"word{n}" for n in range(31))},
            "forbidden_terms",
            "These are 31 terms and 30 is the most",
        ),
        ({"forbidden_terms": "Login\nlog in\nLOGIN"}, "forbidden_terms", "“LOGIN” is here twice"),
        (
            {"required_terms": "Sign in", "forbidden_terms": "sign  IN"},
            "forbidden_terms",
            "“Sign in” is among the terms to use, too",
        ),
        (
            {"required_terms": "login page", "forbidden_terms": "login"},
            "forbidden_terms",
            "Nobody can say “login page”, which is a term to use, without “login”",
        ),
        ({"kind": "classify", "required_terms": "bug"}, "required_terms", "A style that gives labels has no terms"),
        ({"kind": "classify", "forbidden_terms": "bug"}, "forbidden_terms", "A style that gives labels has no terms"),
    ],
)
def test_what_is_wrong_with_the_terms_is_said_beside_them(
    bot: Bot, workspace: Workspace, different: Json, block_id: str, sentence: str
) -> None:
    ana = workspace.person(ANA)
    done = ana.submit(open_style_form(ana), STYLE | different)
    assert done.errors is not None and set(done.errors) == {block_id}
    assert sentence in done.errors[block_id]
    assert find(bot) is None


def test_as_many_and_as_long_as_may_be_are_taken(bot: Bot, workspace: Workspace) -> None:
    terms = [f"{n:02d}" + "x" * 78 for n in range(30)]
    create_style(workspace.person(ANA), required_terms="\n".join(terms), forbidden_terms="login\nlog in page")
    made = find(bot)
    assert made is not None and made.terms.required == tuple(terms)


# ------------------------------------------------------------------------------------------------------ the draft


def draft(bot: Bot, workspace: Workspace, model: ScriptedModel, text: str) -> Json:
    """Mia asks; the draft as it stands in its thread once it is complete."""
    model.enqueue(text)
    before = len(shown_drafts(bot))
    asked = workspace.person(MIA).mention_bot(BRAND, "say how to get into the app")
    wait_until(lambda: len(shown_drafts(bot)) > before, seconds=10)
    return wait_until(lambda: workspace.person(MIA).messages(BRAND, asked["ts"])[-1], seconds=5)


def shown_drafts(bot: Bot) -> list[Draft]:
    with bot.services.database.read() as session:
        return list(session.query(Draft).where(Draft.status != DraftStatus.REQUESTED, Draft.finished_at.is_not(None)))


def under(message: Json) -> str:
    """What stands under a draft's text."""
    return str(message["blocks"][1:])


def test_a_draft_that_holds_a_forbidden_term_says_so_until_somebody_has_edited_it(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    shown = draft(bot, workspace, model, "Your LOGIN is on its way; sign in with it.")
    assert "Your LOGIN is on its way" in shown["blocks"][0]["text"], "it is not held back"
    assert HOLDS in under(shown)

    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    form = noor.wait_for_modal()
    assert noor.submit(form, {"text": "Your key is on its way; sign in with it."}).errors is None

    def again() -> Json:
        thread = noor.messages(BRAND, shown["thread_ts"])
        return next(one for one in thread if one["ts"] == shown["ts"])

    wait_until(lambda: "Kept with changes by noor" in under(again()), seconds=5)
    assert "never says" not in under(again())


def test_a_draft_without_one_says_nothing_of_terms_and_one_that_is_kept_with_them_goes_on_saying_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    assert "never says" not in under(draft(bot, workspace, model, "Two logins, and none of them utilised."))
    shown = draft(bot, workspace, model, "Utilise your login.")
    assert "Holds “login” and “utilise”, which brand-voice never says." in under(shown)
    workspace.person(NOOR).click(BRAND, shown["ts"], "keep_draft")

    def kept() -> str:
        thread = workspace.person(MIA).messages(BRAND, shown["thread_ts"])
        return under(next(one for one in thread if one["ts"] == shown["ts"]))

    wait_until(lambda: "Kept as it is by noor" in kept(), seconds=5)
    assert "Holds “login” and “utilise”, which brand-voice never says." in kept()


def test_the_line_is_short_calls_nobody_and_is_said_in_the_language_of_who_asked(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    workspace.state.users[MIA]["locale"] = "nl-NL"
    words = ["<!channel>", "@everyone", *[f"word{n}" for n in range(9)]]
    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).forbidden_terms = words
    line = under(draft(bot, workspace, model, " ".join(words)))
    assert "nog 6; dat zegt brand-voice nooit" in line and "word8" not in line
    assert "<!channel>" not in line and "@everyone" not in line


def approve(bot: Bot, *texts: str) -> None:
    rows = [json.dumps({"prompt": f"say how to get into the app, {n}", "completion": text}).encode()
            for n, text in enumerate(texts)]  # fmt: skip
    import_examples(
        bot.services.database, team_id=TEAM_ID, style_name="brand-voice", lines=rows, imported_by="operator",
        approve=True,
    )  # fmt: skip


@pytest.mark.parametrize("rung", [Rung.RETRIEVED, Rung.FEW_SHOT])
def test_an_approved_example_that_holds_a_forbidden_term_is_shown_in_no_prompt_and_status_says_so(
    rung: Rung, bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, "Use the login that we sent you, please.", "Sign in with the key that we sent you, please.")
    with bot.services.database.write() as session:
        make_promotion(session, session.get_one(Style, style.style_id), rung=rung)
    shown = draft(bot, workspace, model, "Sign in.")
    prompt = str(model.prompts[-1][1:])
    assert "Sign in with the key" in prompt and "Use the login" not in prompt
    assert "no examples" not in under(shown)
    status = command(workspace.person(ANA), "status brand-voice")
    assert "*Shown in no prompt:* 1 approved example, because a term that this style never uses" in str(status)

    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).forbidden_terms = ["please"]
    shown = draft(bot, workspace, model, "Sign in.")
    assert len(model.prompts[-1]) == 2, "the instructions and the request"
    assert "no examples, because every approved one holds a term that the style never uses" in under(shown)

    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).forbidden_terms = []
    draft(bot, workspace, model, "Sign in.")
    assert "Use the login" in str(model.prompts[-1]), "the next draft shows what is allowed again"
    assert "Shown in no prompt" not in str(command(workspace.person(ANA), "status brand-voice"))


# ----------------------------------------------------------------------------------------------------- the review


def test_a_proposal_with_a_forbidden_term_is_looked_at_again_and_may_be_approved_all_the_same(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    teach(workspace.person(MIA), GENERAL, "Your login works again. Thank you all for waiting so long!")
    card = wait_for_card(ravi)
    assert f":warning: {HOLDS} Edit it, or approve it all the same." in str(card["blocks"])
    assert "1 forbidden term" in str(open_queue(ravi))
    ravi.close_view(ravi.wait_for_modal(), everything=True)

    ravi.click(BRAND, card["ts"], "approve_example")
    detail = ravi.wait_for_modal()
    assert HOLDS in str(detail)
    click(ravi, detail, "approve_example")
    wait_for_status(bot, example_id_of(card), ExampleStatus.APPROVED)
    assert HOLDS not in str(wait_for_card(ravi, containing="Approved by")["blocks"])


def test_a_proposal_without_one_is_approved_at_a_click_and_an_import_with_one_is_not_approved_unread(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    texts = ["Sign in and go. All is well again today.", "The parcel desk closes at noon, so come early.", "A login."]
    rows = [json.dumps({"prompt": f"Write: {text[:12]}", "completion": text}).encode() for text in texts]
    import_examples(
        bot.services.database, team_id=TEAM_ID, style_name="brand-voice", lines=rows, imported_by="operator",
        approve=False,
    )  # fmt: skip
    ravi = workspace.person(RAVI)
    ask = click(ravi, open_queue(ravi), f"bulk_open:{style.style_id}")
    assert "Approve 2 imported examples" in str(ask) and "1 more has something to look at" in str(ask)


# ----------------------------------------------------------------------------------------------------- the ladder


def test_the_ladder_says_how_many_drafts_keep_to_the_terms(bot: Bot, workspace: Workspace, style: Style) -> None:
    pairs = [{"example_id": str(n), "nll_nats": 40.0, "reference_bytes": 50} for n in range(30)]
    features = {"n": 30, "length": [1.0, 0.9, 1.1], "house": {}, "kept": {}, "in_form": None}
    measured = {
        Rung.ZERO_SHOT: features | {"terms": {"n": 30, "kept": 18}},
        Rung.FEW_SHOT: features | {"terms": {"n": 9, "kept": 9}},
        Rung.RETRIEVED: features,  # of a version that measured no terms
        Rung.LORA: features | {"terms": None},
    }
    with bot.services.database.write() as session:
        run = make_run(session, style, status=RunStatus.SUCCEEDED)
        dataset = make_dataset(session, run)
        for rung, found in measured.items():
            session.add(
                ScorecardRow(
                    scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=TEAM_ID,
                    dataset_id=dataset.dataset_id, rung=rung, base_model=run.base_model,
                    card={"pairs": pairs, "summary": {"features": found}}, scored_at=now_in_database(session),
                )
            )  # fmt: skip
    said = command(workspace.person(MIA), "ladder brand-voice")
    assert (
        "Drafts that keep to the style's terms (no forbidden one, and each that the approved text uses): `zero_shot` "
        "60% (30 drafts); `few_shot` not enough yet (9 drafts of 10)."
    ) in said
    workspace.state.users[NOOR]["locale"] = "nl-NL"
    assert "`few_shot` nog niet genoeg (9 concepten van 10)" in command(workspace.person(NOOR), "ladder brand-voice")

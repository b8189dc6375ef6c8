"""Being forgotten, through Slack's protocol: whatever a person left behind is in no later prompt and in no file."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.app import Bot
from bot.rehearsal.errors import PersonError
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.audit import AuditEntry
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleStatus
from db.outbox import OutboxMessage, OutboxStatus
from db.promotions import PromotionKind, find_promotion
from db.runs import RunStatus
from db.session import Database
from db.styles import Style, StyleReviewer
from tests.support import factories
from tests.support.model_server import ScriptedModel
from tests.support.runs import approve_pairs, execute_here, make_base_model
from tests.support.steps import cards, open_teach, people, teach, wait_for_card, wait_for_ephemeral
from tests.support.wait import wait_until

CANARIES = [f"zeppelin-{number:02d}-quixotic" for number in range(22)]


@pytest.fixture
def bot_settings(bot_settings: Settings, tmp_path: Path) -> Settings:
    base = make_base_model(tmp_path)
    log = bot_settings.data_dir / "prompts.jsonl"
    return bot_settings.model_copy(update={"base_model": str(base), "recipe": "tiny-test", "prompt_log": log})


@pytest.fixture
def style(bot: Bot, bot_settings: Settings) -> Style:
    """Served by retrieved examples, with enough approved pairs to train on."""
    with bot.services.database.write() as session:
        made = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support", created_by=ANA,
            instructions="Answer briefly.",
        )  # fmt: skip
        made.reviewers.append(StyleReviewer(user_id=RAVI))
        factories.make_promotion(session, made, rung=Rung.RETRIEVED, actor=ANA, base_model=bot_settings.base_model)
        approve_pairs(session, made, bot_settings, 40)
        session.execute(update(Example).values(embedding=None, embedding_model=None))  # the bot's own are longer
    return made


def ask_to_forget(person: Person, text: str = "forget") -> dict[str, Any]:
    assert person.slash("/huisstijl", text, BRAND).ok
    return wait_for_ephemeral(person, BRAND, "confirm_forget")


def files_with(folder: Path, texts: list[str]) -> list[tuple[str, str]]:
    """Every file below, read as bytes, that holds one of these texts."""
    return [
        (path.name, text)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for text in texts
        if text.encode() in path.read_bytes()
    ]


def is_quiet(database: Database) -> bool:
    """Every message that was owed is sent."""
    with database.read() as session:
        waiting = OutboxMessage.status.in_([OutboxStatus.PENDING, OutboxStatus.SENDING])
        return session.scalars(select(OutboxMessage).where(waiting)).first() is None


def leave_canaries(workspace: Workspace, bot: Bot, model: ScriptedModel) -> None:
    """Texts of Mia's: taught, edited by a reviewer, rejected with a reason, set aside, asked for, drafted, edited."""
    mia, ravi = people(workspace, MIA, RAVI)
    names = iter(CANARIES)

    def taught() -> dict[str, Any]:
        said = next(names)
        noise = hashlib.sha256(said.encode()).hexdigest()  # or they would be near-duplicates
        teach(mia, BRAND, f"{noise[:25]}: {said} {noise[25:50]}", prompt=f"{noise[50:]} about {next(names)}")
        return wait_for_card(ravi, containing=said)

    for _ in range(3):
        card = taught()
        assert ravi.click(BRAND, card["ts"], "approve_example").ok
    taught()  # stays open
    edited = taught()
    ravi.click(BRAND, edited["ts"], "edit_example")
    asked, better = next(names), next(names)
    ravi.submit(ravi.wait_for_modal(), {"prompt": f"What about {asked}?", "completion": f"Better words: {better}"})
    wait_for_card(ravi, containing=better)
    rejected = taught()
    ravi.click(BRAND, rejected["ts"], "reject_example")
    ravi.submit(ravi.wait_for_modal(), {"reason": f"Nobody says {next(names)}"})

    root = mia.post(GENERAL, "About announcements")
    answer = mia.post(GENERAL, f"We close at noon, says {next(names)}", thread_ts=root["ts"])
    later = {"prompt": f"Say when we close, {next(names)}", "later": ["later"]}
    assert mia.submit(open_teach(mia, GENERAL, answer["ts"]), later).errors is None

    model.enqueue(f"Written about {next(names)} by the model.")
    mia.slash("/draft", f"support: tell them about {next(names)}", BRAND)
    wait_until(lambda: status_of_draft(bot) is DraftStatus.SHOWN, what="the draft")
    with bot.services.database.read() as session:
        draft = session.scalars(select(Draft)).one()
    mia.click(BRAND, draft.message_ts or "", "edit_draft")
    mia.submit(mia.wait_for_modal(), {"text": f"In my own words: {next(names)}"})
    wait_until(lambda: status_of_draft(bot) is DraftStatus.EDITED, what="the edited draft")
    model.enqueue(f"A second one about {next(names)}.")
    mia.slash("/draft", f"support: and about {next(names)}", BRAND)
    wait_until(lambda: status_of_draft(bot) is DraftStatus.SHOWN, what="the second draft")
    assert mia.slash("/huisstijl", "examples support", BRAND).ok
    assert next(names, None) is None, "every canary is used"


def status_of_draft(bot: Bot) -> DraftStatus | None:
    with bot.services.database.read() as session:
        newest = session.scalars(select(Draft).order_by(Draft.draft_id.desc())).first()
        return newest.status if newest else None


@pytest.mark.training
@pytest.mark.timeout(200)
def test_no_file_and_no_later_prompt_holds_a_text_of_somebody_who_was_forgotten(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style, bot_settings: Settings
) -> None:
    database, folder = bot.services.database, bot_settings.data_dir
    leave_canaries(workspace, bot, model)
    with database.write() as session:
        factories.make_run(session, style, recipe="tiny-test", base_model=bot_settings.base_model)
    run = execute_here(database, bot_settings)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    wait_until(lambda: is_quiet(database), what="all messages sent")
    found = {text for _, text in files_with(folder, CANARIES)}
    assert len(found) >= 18, f"the test leaves traces, or it proves nothing; missing: {set(CANARIES) - found}"

    mia, noor = people(workspace, MIA, NOOR)
    quote = ask_to_forget(mia)
    assert "Adapters" in str(quote) or "adapters" in str(quote)
    assert mia.click(BRAND, quote["ts"], "confirm_forget").ok
    wait_for_ephemeral(mia, BRAND, "You are forgotten")
    wait_until(lambda: is_quiet(database), what="all cards renewed")

    model.enqueue("Something else.")
    before = len(model.prompts)
    noor.slash("/draft", "support: what about it?", BRAND)
    wait_until(lambda: len(model.prompts) > before, what="a later prompt")
    wait_until(lambda: status_of_draft(bot) is DraftStatus.SHOWN, what="the later draft")
    assert "zeppelin" not in str(model.prompts[before:])
    with database.read() as session:
        champion = find_promotion(session, session.get_one(Style, style.style_id).champion_promotion_id)
        assert champion is not None
        assert champion.adapter_id is None
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.forgotten")).one()
        assert "zeppelin" not in str(entry.detail)
        theirs = session.scalars(select(Example).where(Example.proposed_by == MIA)).all()
    assert champion.kind is PromotionKind.WITHDRAWAL
    assert {one.status for one in theirs} == {ExampleStatus.WITHDRAWN}
    assert len(cards(noor)) >= 6
    assert not [card for card in cards(noor) if "zeppelin" in str(card)]

    assert files_with(folder, CANARIES) == []


def test_a_guest_is_refused_a_member_forgets_nobody_else_and_an_admin_does(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    mia, noor, ana = people(workspace, MIA, NOOR, ANA)
    teach(mia, BRAND, "We close at noon on Friday.")
    noor.slash("/huisstijl", f"forget <@{MIA}|mia>", BRAND)
    wait_for_ephemeral(noor, BRAND, "Only workspace admins can have somebody else forgotten")
    noor.slash("/huisstijl", "forget everything", BRAND)
    wait_for_ephemeral(noor, BRAND, "Say whom, as in")
    noor.slash("/huisstijl", "forget", GENERAL)
    wait_for_ephemeral(noor, GENERAL, "There is nothing of yours to forget")
    quote = ask_to_forget(ana, f"forget <@{MIA}|mia>")
    assert ana.click(BRAND, quote["ts"], "confirm_forget").ok
    with suppress(PersonError):  # on a busy machine the button is gone already
        ana.click(BRAND, quote["ts"], "confirm_forget")
    wait_for_ephemeral(ana, BRAND, "is forgotten: 1 example in 1 style and 0 drafts were erased")
    with bot.services.database.read() as session:
        done = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.forgotten")).all()
    assert [(entry.actor, entry.subject) for entry in done] == [(ANA, MIA)]

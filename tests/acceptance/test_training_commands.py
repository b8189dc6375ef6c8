"""Training from Slack, through the front door: quote, click, one message that tells all, the result; and the champion.

The trainer here is a few rows written as a real one writes them; everything between Slack and those rows is real.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.app import Bot
from bot.drafting.rung import make_plan
from bot.rehearsal.errors import PersonError
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BOT_USER_ID, BRAND, LEADS, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from bot.run_watcher import RunWatcher
from bot.texts import training as texts
from config.prompts import prompt_hash
from config.run_kinds import RunKind
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.adapters import Adapter, withdraw_adapter
from db.audit import AuditEntry
from db.base import new_id, now_in_database
from db.datasets import Dataset, DatasetExample, SplitName, find_dataset_of_run
from db.drafts import DraftStatus
from db.examples import ExampleStatus, list_approved_examples
from db.forecasts import ForecastRow
from db.outbox import list_by_prefix
from db.promotions import Promotion, PromotionKind, find_promotion
from db.runs import Run, RunStatus
from db.scorecards import ScorecardRow
from db.session import Database
from db.styles import Style, get_style
from db.teams import get_team, has_accepted_terms
from db.trainers import register_trainer
from tests.support import factories
from tests.support.wait import wait_until

PNG = bytes.fromhex("89504e470d0a1a0a") + b"the picture of a loss curve"


@pytest.fixture
def ana(workspace: Workspace, bot: Bot) -> Person:
    """An admin."""
    return workspace.person(ANA)


@pytest.fixture
def mia(workspace: Workspace, bot: Bot) -> Person:
    """A member."""
    return workspace.person(MIA)


@pytest.fixture
def style(sqlite_database: Database) -> Style:
    """A style with enough approved examples, served by retrieved examples."""
    with sqlite_database.write() as session:
        return prepare_style(session)


def prepare_style(session: Session, *, approved: int = 20, **different: Any) -> Style:
    values = {"team_id": TEAM_ID, "scope_key": TEAM_ID, "channel_id": BRAND, "name": "support", "recipe": "tiny-test"}
    style = factories.make_style(session, **(values | {"created_by": ANA} | different))
    factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED, actor=ANA)
    for _ in range(approved):
        factories.make_example(session, style, status=ExampleStatus.APPROVED)
    return style


def accept(database: Database) -> None:
    with database.write() as session:
        get_team(session, TEAM_ID).terms_accepted_at = now_in_database(session)


def command(person: Person, text: str, channel: str = BRAND) -> dict[str, Any]:
    """Run a `/huisstijl` command and return the answer, which only this person sees."""
    before = len(person.ephemerals(channel))
    assert person.slash("/huisstijl", text, channel).ok
    wait_until(lambda: len(person.ephemerals(channel)) > before, what=f"an answer to {text}")
    return person.ephemerals(channel)[-1]


def said(message: dict[str, Any]) -> str:
    """Everything somebody can read in a message."""
    return f"{message['text']} {_texts(message.get('blocks') or [])}"


def _texts(node: Any) -> str:
    if isinstance(node, dict):
        own = node["text"] if isinstance(node.get("text"), str) else ""
        return " ".join([own, *(_texts(value) for value in node.values() if not isinstance(value, str))])
    return " ".join(_texts(one) for one in node) if isinstance(node, list) else ""


def buttons(message: dict[str, Any]) -> dict[str, str]:
    found = [one for block in message.get("blocks") or [] if block["type"] == "actions" for one in block["elements"]]
    return {one["action_id"]: one["text"]["text"] for one in found}


def wait_for_message(person: Person, seen: Callable[[str], bool], channel: str = BRAND) -> dict[str, Any]:
    def look() -> list[dict[str, Any]]:
        return [one for one in person.messages(channel) if seen(said(one))]

    return wait_until(look, what="a message that says so")[0]


def order_run(person: Person) -> dict[str, Any]:
    """Ask for a quote and click Train; returns the run's message in the channel."""
    quote = command(person, "train support")
    assert person.click(BRAND, quote["ts"], "confirm_train").ok
    return wait_for_message(person, lambda text: "Training support" in text)


def claim(database: Database) -> tuple[str, int]:
    with database.write() as session:
        run = runs.claim_run(session, owner="trainer:1", lease_seconds=60)
        assert run is not None
        return run.run_id, run.fence


def measure(session: Session, run_id: str, *, adapter_name: str = "support-v1") -> Adapter:
    """Scorecards of three candidates on 30 unseen pairs, and a published adapter."""
    run = runs.get_run(session, run_id)
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run_id, style_id=run.style_id, scope_key=run.scope_key,
        content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
        frozen_at=now_in_database(session),
    )  # fmt: skip
    adapter = Adapter(
        adapter_id=new_id("ada"), name=adapter_name, version=1, team_id=run.team_id, style_id=run.style_id,
        scope_key=run.scope_key, run_id=run_id, rung=Rung.LORA, base_model=run.base_model,
        manifest_digest="sha256:0", published_at=now_in_database(session),
    )  # fmt: skip
    session.add_all([dataset, adapter])
    session.flush()
    for rung, name, nats in (("zero_shot", "", 60.0), ("retrieved", "", 40.0), ("lora", adapter_name, 30.0)):
        pairs = [{"nll_nats": nats + n % 7, "reference_bytes": 50} for n in range(30)]
        card = {"pairs": pairs, "summary": {"chrf": 40.0, "prompt_tokens": 120.0, "seconds_per_draft": 0.8}}
        session.add(
            ScorecardRow(
                scorecard_id=new_id("sco"), run_id=run_id, style_id=run.style_id, scope_key=run.scope_key,
                dataset_id=dataset.dataset_id, rung=Rung(rung), base_model=run.base_model, adapter_name=name,
                card=card, scored_at=now_in_database(session),
            )
        )  # fmt: skip
    session.flush()
    return adapter


RECEIPT = {
    "train_seconds": 60.0, "total_seconds": 120.0, "tokens": 18_000, "tokens_per_second": 300.0, "cost": 0.1,
    "currency": "EUR", "train_pairs": 15, "unseen_pairs": 30,
}  # fmt: skip


def succeed(database: Database, run_id: str, fence: int, **changes: Any) -> None:
    """End a run as the gate does when the adapter won."""
    with database.write() as session:
        adapter = measure(session, run_id)
        run = runs.get_run(session, run_id)
        sentence = "Promoted lora over retrieved: 0.29 bits per byte better, interval 0.21 to 0.37 (n=30)."
        factories.make_promotion(
            session, get_style(session, run.style_id), rung=Rung.LORA, base_model=run.base_model,
            adapter_id=adapter.adapter_id, reason=sentence, run_id=run_id,
        )  # fmt: skip
        verdict = {"promoted": True, "sentence": sentence}
        runs.end_run(
            session, run_id, fence, RunStatus.SUCCEEDED, verdict=verdict, receipt=RECEIPT, error=None, **changes
        )


def serving(database: Database, style: Style) -> Promotion:
    with database.read() as session:
        promotion = find_promotion(session, get_style(session, style.style_id).champion_promotion_id)
        assert promotion is not None
        return promotion


def count_audit(database: Database, action: str) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).where(AuditEntry.action == action)) or 0


# --- the quote ------------------------------------------------------------------------------------------------------


def test_an_admin_gets_a_quote_accepts_the_statement_and_one_run_is_queued_however_often_they_click(
    ana: Person, style: Style, sqlite_database: Database
) -> None:
    quote = command(ana, "train support")
    assert "20 approved examples" in said(quote)
    assert "€0.00" in said(quote)
    assert "assumed, since nothing was measured" in said(quote)
    assert "No trainer is running" in said(quote)
    assert "Slack's API terms" in said(quote)
    assert buttons(quote) == {"confirm_train": "I accept this, train", "cancel_train": "Cancel"}

    assert ana.click(BRAND, quote["ts"], "confirm_train").ok
    with suppress(PersonError):  # on a busy machine the button is gone already
        ana.click(BRAND, quote["ts"], "confirm_train")
    message = wait_for_message(ana, lambda text: "Training support" in text)
    wait_until(lambda: "waiting for a trainer: start one with `huisstijl trainer`" in said(one_run_message(ana)))
    wait_until(lambda: any("is queued" in said(one) for one in ana.ephemerals(BRAND)), what="the quote's replacement")
    assert not any("confirm_train" in buttons(one) for one in ana.ephemerals(BRAND))
    with sqlite_database.read() as session:
        (run,) = session.scalars(select(Run)).all()
        assert has_accepted_terms(session, TEAM_ID)
        assert (run.requested_by, (run.quote or {})["examples"]) == (ANA, 20)
    assert count_audit(sqlite_database, "terms.accepted") == 1
    assert len([one for one in ana.messages(BRAND) if "Training support" in said(one)]) == 1
    assert message["text"]


def one_run_message(person: Person) -> dict[str, Any]:
    (message,) = [one for one in person.messages(BRAND) if "Training support" in said(one)]
    return message


def test_accepted_once_the_statement_is_not_shown_again_and_a_measured_trainer_speaks_for_itself(
    ana: Person, style: Style, sqlite_database: Database
) -> None:
    accept(sqlite_database)
    with sqlite_database.write() as session:
        trainer = register_trainer(session, "host:1", "host")
        trainer.device, trainer.tokens_per_second = "NVIDIA H100", 4000.0
    quote = command(ana, "train")
    assert buttons(quote)["confirm_train"] == "Train"
    assert "as this trainer measured itself" in said(quote)
    assert "A trainer is running (NVIDIA H100)" in said(quote)
    assert "API terms" not in said(quote)


def test_cancelling_the_quote_queues_nothing(ana: Person, style: Style, sqlite_database: Database) -> None:
    quote = command(ana, "train support")
    assert ana.click(BRAND, quote["ts"], "cancel_train").ok
    wait_until(lambda: any("Nothing was queued" in said(one) for one in ana.ephemerals(BRAND)))
    with sqlite_database.read() as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 0
        assert not has_accepted_terms(session, TEAM_ID)


def test_three_examples_are_too_few_and_the_answer_says_how_many_are_missing(
    ana: Person, sqlite_database: Database
) -> None:
    with sqlite_database.write() as session:
        prepare_style(session, approved=3)
    answer = said(command(ana, "train support"))
    assert "3 approved examples; a run needs 14" in answer
    assert "11 more are needed" in answer


def test_a_second_run_is_refused_while_one_is_under_way(ana: Person, style: Style, sqlite_database: Database) -> None:
    order_run(ana)
    assert "under way" in said(command(ana, "train support"))


@pytest.mark.parametrize("text", ["train support", "promote support retrieved", "rollback support"])
def test_a_member_is_refused_politely_and_on_record(
    mia: Person, style: Style, sqlite_database: Database, text: str
) -> None:
    assert "Only workspace admins" in said(command(mia, text))
    assert count_audit(sqlite_database, "command.refused") == 1
    with sqlite_database.read() as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 0


# --- progress and results -------------------------------------------------------------------------------------------


def test_one_message_shows_progress_and_ends_in_the_result_with_the_curve_under_it_once(
    ana: Person, style: Style, workspace: Workspace, sqlite_database: Database, bot_settings: Settings
) -> None:
    message = order_run(ana)
    run_id, fence = claim(sqlite_database)
    news = {"stage": "training", "rung": "lora", "step": 6, "total_steps": 12, "loss": 2.5, "eval_loss": 2.75,
            "tokens_per_second": 312.0, "seconds_left": 40.0, "fraction": 0.5}  # fmt: skip
    with sqlite_database.write() as session:
        runs.report(session, run_id, fence, RunStatus.TRAINING, news)
    wait_until(lambda: "step 6 of 12" in said(one_run_message(ana)))
    shown = said(one_run_message(ana))
    for part in ("▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░", "50%", "loss 2.500", "validation loss 2.750", "312 tokens/s", "40 s left"):
        assert part in shown

    picture = Path(bot_settings.resolved_artifact_url) / "curves" / f"{run_id}.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PNG)
    words = "Loss curve: validation loss goes from 3.10 to its best, 2.20."
    succeed(sqlite_database, run_id, fence, curve_path=f"curves/{run_id}.png", curve_alt_text=words)
    wait_until(lambda: "new champion" in said(current(ana, message)), what="the result")
    result = current(ana, message)
    for part in ("0.29 bits per byte better, interval 0.21 to 0.37", "★", "support-v1", "Took 2 min", "Cost: €0.10"):
        assert part in said(result)
    assert buttons(result) == {}
    wait_until(lambda: ana.files(BRAND), what="the picture")
    (file,) = ana.files(BRAND)
    assert ana.download(file) == PNG
    thread = ana.messages(BRAND, message["ts"])
    assert [one["text"] for one in thread[1:]] == [words]
    with sqlite_database.read() as session:
        assert runs.list_runs_to_watch(session) == []
    assert len(workspace.calls("files.completeUploadExternal")) == 1


def current(person: Person, message: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in person.messages(BRAND) if one["ts"] == message["ts"])


def test_news_come_fast_and_updates_come_slowly(
    ana: Person, bot: Bot, style: Style, workspace: Workspace, sqlite_database: Database
) -> None:
    order_run(ana)
    run_id, fence = claim(sqlite_database)
    before = len(workspace.calls("chat.update"))
    watcher = RunWatcher(bot.services)  # beside the bot's own: as if two bots ran
    for step in range(1, 41):
        with sqlite_database.write() as session:
            runs.report(session, run_id, fence, RunStatus.TRAINING, {"step": step, "total_steps": 40})
        watcher.look_once()
    wait_until(lambda: "step 40 of 40" in said(one_run_message(ana)), seconds=10)
    assert len(workspace.calls("chat.update")) - before <= 5


def test_many_watchers_show_an_end_once(
    ana: Person, bot: Bot, style: Style, workspace: Workspace, sqlite_database: Database
) -> None:
    message = order_run(ana)
    run_id, fence = claim(sqlite_database)
    with sqlite_database.write() as session:
        runs.end_run(session, run_id, fence, RunStatus.FAILED, error="The disk is full.")
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(RunWatcher(bot.services).look_once) for _ in range(8)]:
            one.result()
    wait_until(lambda: len(ana.messages(BRAND, message["ts"])) == 2, what="the reply in the thread")
    wait_until(lambda: "The disk is full" in said(current(ana, message)))
    with sqlite_database.read() as session:
        rows = list_by_prefix(session, f"run:{run_id}")
    # Whoever was showing progress meanwhile may say the end again, over whatever it had just written.
    assert sorted({row.dedupe_key.rpartition(run_id)[2] for row in rows} - {":end:again"}) == ["", ":end", ":why"]


def test_where_the_bot_is_not_in_the_channel_whoever_asked_hears_the_end_in_person(
    ana: Person, style: Style, workspace: Workspace, sqlite_database: Database
) -> None:
    workspace.remove_from_channel(BRAND, BOT_USER_ID)
    with sqlite_database.write() as session:
        factories.make_run(session, style, requested_by=ANA)
    run_id, fence = claim(sqlite_database)
    with sqlite_database.write() as session:
        runs.end_run(session, run_id, fence, RunStatus.FAILED, error="The disk is full.")
    direct = ana.open_messages_tab()
    wait_for_message(ana, lambda text: "The disk is full" in text, direct)


def test_a_failed_run_says_why_in_the_channel_and_calls_whoever_asked(
    ana: Person, style: Style, sqlite_database: Database
) -> None:
    message = order_run(ana)
    run_id, fence = claim(sqlite_database)
    with sqlite_database.write() as session:
        runs.end_run(session, run_id, fence, RunStatus.FAILED, error="The disk is full. Free some space & train again.")
    wait_until(lambda: "The disk is full" in said(current(ana, message)))
    wait_until(lambda: len(ana.messages(BRAND, message["ts"])) == 2, what="the reply in the thread")
    assert f"<@{ANA}>" in ana.messages(BRAND, message["ts"])[1]["text"]
    assert buttons(current(ana, message)) == {}


def test_an_admin_cancels_a_waiting_run_and_a_member_cannot(
    ana: Person, mia: Person, style: Style, sqlite_database: Database
) -> None:
    message = order_run(ana)
    mia.click(BRAND, message["ts"], "cancel_run")
    wait_until(lambda: any("Only workspace admins" in said(one) for one in mia.ephemerals(BRAND)))
    ana.click(BRAND, message["ts"], "cancel_run")
    wait_until(lambda: "was cancelled" in said(current(ana, message)))
    with sqlite_database.read() as session:
        assert session.scalars(select(Run.status)).all() == [RunStatus.CANCELLED]


def test_a_running_run_is_asked_to_stop_and_says_so(ana: Person, style: Style, sqlite_database: Database) -> None:
    message = order_run(ana)
    run_id, fence = claim(sqlite_database)
    ana.click(BRAND, message["ts"], "cancel_run")
    wait_until(lambda: "cancelling" in said(current(ana, message)))
    with sqlite_database.write() as session:
        assert runs.beat(session, run_id, fence, lease_seconds=60)
        runs.end_run(session, run_id, fence, RunStatus.CANCELLED)
    wait_until(lambda: "was cancelled" in said(current(ana, message)))


# --- ladder, promote, rollback, status ------------------------------------------------------------------------------


@pytest.fixture
def measured(style: Style, sqlite_database: Database) -> Style:
    """The style after a run whose adapter won."""
    with sqlite_database.write() as session:
        run = factories.make_run(session, style, is_end_shown=True)
    run_id, fence = claim(sqlite_database)
    assert run_id == run.run_id
    succeed(sqlite_database, run_id, fence, is_end_shown=True)
    return style


def test_before_any_run_the_ladder_says_that_nothing_was_measured(ana: Person, style: Style) -> None:
    assert "Nothing has been measured" in said(command(ana, "ladder support"))


def test_the_ladder_shows_every_candidate_the_champion_and_the_verdict(mia: Person, measured: Style) -> None:
    shown = said(command(mia, "ladder support"))
    for part in ("30 unseen pairs", "zero_shot", "retrieved", "★  lora (support-v1)", "bits/byte", "Promoted lora"):
        assert part in shown


def foresee(database: Database, style: Style, *, gain: float) -> None:
    """What the measured run would have foreseen: this gain over the champion, whatever the number of examples."""
    with database.write() as session:
        run = runs.find_latest_run(session, style.style_id)
        assert run is not None
        bounds = {"mean": gain, "low": gain - 0.02, "high": gain + 0.02}
        table = [{"train_pairs": size, "score": bounds, "gain": bounds, "chance": 0.9} for size in (15, 7500)]
        values = {
            "rung": "lora_retrieved", "champion": "lora", "train_pairs": 15, "examples": 20, "limit_examples": 10_000,
            "overtakes": 36, "overtakes_low": 29, "overtakes_high": 61, "chance": 0.97, "table": table,
        }  # fmt: skip
        row = ForecastRow(
            forecast_id=new_id("for"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
            rung=Rung.LORA_RETRIEVED, prompt_hash=prompt_hash(style.instructions), base_model=run.base_model,
            champion_promotion_id=get_style(session, style.style_id).champion_promotion_id, recipe=run.recipe,
            train_pairs=15, forecast=values, made_at=now_in_database(session),
        )  # fmt: skip
        session.add(row)


def test_the_ladder_says_how_many_more_examples_it_would_take(
    mia: Person, measured: Style, sqlite_database: Database
) -> None:
    foresee(sqlite_database, measured, gain=0.03)
    shown = said(command(mia, "ladder support"))
    assert "With about 28 more examples `lora_retrieved` would overtake `lora` (19 to 61)." in shown


def test_status_says_what_a_run_is_expected_to_gain(mia: Person, measured: Style, sqlite_database: Database) -> None:
    foresee(sqlite_database, measured, gain=0.03)
    with sqlite_database.write() as session:
        get_style(session, measured.style_id).train_on_gain_bits = 0.05
        for _ in range(5):
            factories.make_example(session, measured, status=ExampleStatus.APPROVED)
    assert "expected to gain 0.030 bits per byte, and this style asks for 0.050" in said(command(mia, "status support"))


def test_a_private_styles_ladder_is_not_known_elsewhere(mia: Person, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        prepare_style(session)
        prepare_style(session, name="leads-only", scope_key=f"{TEAM_ID}/{LEADS}", channel_id=LEADS)
    for text in ("ladder leads-only", "status leads-only"):
        answer = said(command(mia, text))
        assert "Champion" not in answer
        assert "measured" not in answer


def test_rollback_goes_back_to_what_was_replaced_and_a_second_one_finds_nothing(
    ana: Person, measured: Style, sqlite_database: Database
) -> None:
    answer = said(command(ana, "rollback support"))
    assert "rolled *support* back from `lora` (support-v1) to `retrieved`" in answer
    now = serving(sqlite_database, measured)
    assert (now.rung, now.adapter_id, now.kind, now.actor) == (Rung.RETRIEVED, None, PromotionKind.ROLLBACK, ANA)
    wait_for_message(ana, lambda text: "rolled *support* back" in text)
    assert "no earlier champion" in said(command(ana, "rollback support"))
    assert serving(sqlite_database, measured).promotion_id == now.promotion_id
    assert count_audit(sqlite_database, "champion.rolled_back") == 1


def test_promote_takes_a_rung_or_an_adapter_and_names_the_nearest_to_what_it_does_not_know(
    ana: Person, measured: Style, sqlite_database: Database
) -> None:
    assert "serves *support* already" in said(command(ana, "promote support support-v1"))
    assert "`zero_shot` the champion" in said(command(ana, "promote support zero_shot"))
    assert serving(sqlite_database, measured).rung is Rung.ZERO_SHOT
    assert "Did you mean `retrieved`?" in said(command(ana, "promote support retreived"))
    assert "Did you mean `support-v1`?" in said(command(ana, "promote support support-v2"))
    assert "(support-v1) the champion" in said(command(ana, "promote support lora"))
    assert serving(sqlite_database, measured).adapter_id is not None
    assert "as in `/huisstijl promote" in said(command(ana, "promote support"))


def test_few_shot_shows_the_examples_it_was_measured_with_also_promoted_by_hand_and_rolled_back_to(
    ana: Person, measured: Style, sqlite_database: Database, bot_settings: Settings
) -> None:
    with sqlite_database.write() as session:
        (run,) = session.scalars(select(Run)).all()
        (known,) = session.scalars(select(ScorecardRow).where(ScorecardRow.rung == Rung.RETRIEVED))
        factories.make_scorecard(session, run, Rung.FEW_SHOT, known.card)
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        taught = list_approved_examples(session, measured.style_id, measured.scope)[-2:]
        for position, one in enumerate(taught):
            session.add(
                DatasetExample(
                    dataset_id=dataset.dataset_id, example_id=one.example_id, split=SplitName.TRAIN, position=position,
                    content_hash=one.content_hash,
                )
            )  # fmt: skip

    def shown() -> set[str]:
        with sqlite_database.write() as session:
            draft = factories.make_draft(session, measured, status=DraftStatus.SHOWN)
        plan = make_plan(sqlite_database, bot_settings, draft, lambda _: np.ones(384, dtype=np.float32))
        assert plan.rung is Rung.FEW_SHOT
        return {one.example_id for one in plan.examples}

    command(ana, "promote support few_shot")
    assert shown() == {one.example_id for one in taught}
    command(ana, "promote support zero_shot")
    command(ana, "rollback support")
    assert shown() == {one.example_id for one in taught}
    assert serving(sqlite_database, measured).run_id == run.run_id


def test_an_adapter_of_another_base_model_is_refused_with_what_to_do_instead(
    ana: Person, measured: Style, sqlite_database: Database
) -> None:
    with sqlite_database.write() as session:
        (own,) = session.scalars(select(Adapter)).all()
        names = ("team_id", "style_id", "scope_key", "run_id", "manifest_digest", "published_at")
        values = {name: getattr(own, name) for name in names}
        session.add(
            Adapter(
                **values, adapter_id="ada_other", name="support-v2", version=2, rung=Rung.LORA_RETRIEVED,
                base_model="/models/qwen3",
            )
        )  # fmt: skip
    serves = serving(sqlite_database, measured)
    for wanted in ("support-v2", "support-v2 anyway"):
        answer = said(command(ana, f"promote support {wanted}"))
        assert "`support-v2` was trained on the base model qwen3, and *support* is served on smollm2" in answer
        assert "huisstijl base change" in answer and "/models/" not in answer
    assert "/models/" not in said(command(ana, "trial support support-v2"))
    assert serving(sqlite_database, measured).promotion_id == serves.promotion_id


def test_a_withdrawn_adapter_is_neither_promoted_nor_rolled_back_to(
    ana: Person, measured: Style, sqlite_database: Database
) -> None:
    command(ana, "promote support zero_shot")
    with sqlite_database.write() as session:
        (adapter,) = session.scalars(select(Adapter)).all()
        withdraw_adapter(session, adapter.adapter_id, "an example was withdrawn")
    assert "was withdrawn and must not serve" in said(command(ana, "promote support support-v1"))
    assert "to `retrieved`" in said(command(ana, "rollback support"))
    assert serving(sqlite_database, measured).rung is Rung.RETRIEVED


def test_a_rollback_that_is_delivered_twice_goes_back_once(
    ana: Person, measured: Style, bot: Bot, sqlite_database: Database, bot_settings: Settings
) -> None:
    from bot.operations.promotions import promote_by_hand, roll_back

    admin = bot.services.people.get_actor(TEAM_ID, ANA)
    promote_by_hand(sqlite_database, bot_settings, admin, BRAND, "support", "zero_shot", request_key="command:1")
    first = roll_back(sqlite_database, bot_settings, admin, BRAND, "support", request_key="command:2")
    again = roll_back(sqlite_database, bot_settings, admin, BRAND, "support", request_key="command:2")
    assert first == again
    assert serving(sqlite_database, measured).rung is Rung.LORA


def test_status_says_what_serves_since_when_and_what_comes_next(
    mia: Person, measured: Style, sqlite_database: Database
) -> None:
    answer = said(command(mia, "status support"))
    for part in ("`lora` (support-v1)", "by the gate", "20 approved", "*Last run:* succeeded", "0 of 50 new approved",
                 "No trainer is running", "The model server answers."):  # fmt: skip
        assert part in answer, answer


def test_the_longest_names_and_sentences_fit_into_slacks_blocks(ana: Person, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session, name="a" * 40)
        run = factories.make_run(session, style)
    run_id, fence = claim(sqlite_database)
    with sqlite_database.write() as session:
        assert run.run_id == run_id
        runs.end_run(session, run_id, fence, RunStatus.FAILED, error="<!channel> & " * 1000)
    message = wait_for_message(ana, lambda text: texts.failed_title("a" * 40, RunKind.TRAIN) in text)
    assert "&lt;!channel&gt; &amp;" in said(message)
    assert "<!channel>" not in said(message)

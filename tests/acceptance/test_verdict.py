"""The verdict of a measurement: one sentence, and the same one wherever somebody reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.app import Bot
from bot.clock import Clock
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.prompts import prompt_hash
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings, child_environment
from db import runs
from db.base import new_id, now_in_database
from db.datasets import Dataset
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.measurements import owe_measurement
from db.promotions import PromotionKind, find_promotion
from db.runs import Run, RunStatus
from db.scorecards import ScorecardRow
from db.session import Database
from db.styles import Style, get_style
from db.teams import get_team
from tests.support import factories
from tests.support.wait import wait_until
from trainer.metrics import PairScore, Scorecard
from trainer.promotion import MoveDown, Policy, decide

RECEIPT = {"total_seconds": 240.0, "cost": 0.02, "currency": "EUR", "train_pairs": 20, "unseen_pairs": 38}
PRICE = "a run takes 4 min and costs €0.02."

pytestmark = pytest.mark.timeout(90)


def card(rung: str, pairs: int, nats: Callable[[int], float], prompt_tokens: int, seconds: float) -> Scorecard:
    scores = [
        PairScore(example_id=str(n), nll_nats=nats(n), reference_bytes=50, prompt_tokens=prompt_tokens)
        for n in range(pairs)
    ]
    return Scorecard(rung=rung, pairs=tuple(scores), seconds_per_draft=seconds, scoring_seconds=1.0)


def within_the_noise(pairs: int) -> list[Scorecard]:
    """Retrieved examples, and an adapter that is a little better, within the noise; four times the prompt."""
    return [
        card("retrieved", pairs, lambda n: 40 + n % 7, 400, 0.9),
        card("lora", pairs, lambda n: 39 + n % 7 + (n * 37) % 29 - 14, 90, 0.5),
    ]


@pytest.fixture
def measured(bot: Bot, workspace: Workspace, sqlite_database: Database) -> Callable[[int], Style]:
    def measure(pairs: int) -> Style:
        return write_run(sqlite_database, within_the_noise(pairs))

    return measure


def write_run(database: Database, measured: list[Scorecard]) -> Style:
    """A style that the first of these rungs serves, after a run that ended as the trainer ends one."""
    with database.write() as session:
        get_team(session, TEAM_ID).terms_accepted_at = now_in_database(session)
        style = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support", recipe="cpu-small",
            created_by=ANA, created_at=now_in_database(session) - timedelta(weeks=9),
        )  # fmt: skip
        factories.make_promotion(
            session, style, kind=PromotionKind.INITIAL, rung=Rung(measured[0].rung), base_model="m", actor=ANA
        )
        for _ in range(40):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
        for _ in range(12):
            factories.make_draft(session, style, status=DraftStatus.KEPT)
        factories.make_draft(session, style, status=DraftStatus.FAILED)
        queued = factories.make_run(session, style, base_model="m", quote={"minutes": 6.0, "cost": 0.03})
    end_run(database, queued, measured, RECEIPT)
    return style


def end_run(database: Database, queued: Run, measured: list[Scorecard], receipt: dict[str, Any]) -> None:
    """As the trainer does, with what it measured."""
    champion, *challengers = measured
    with database.write() as session:
        style = get_style(session, queued.style_id)
        run = runs.claim_run(session, owner="trainer:1", lease_seconds=60)
        assert run is not None and run.run_id == queued.run_id
        dataset = Dataset(
            dataset_id=new_id("dat"), run_id=run.run_id, style_id=run.style_id, scope_key=run.scope_key,
            content_hash="sha256:0", seed=1, instructions="", prompt_hash=prompt_hash(style.full_instructions),
            versions={}, skipped=[],
            frozen_at=now_in_database(session),
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        for one in measured:
            scored = [{"nll_nats": pair.nll_nats, "reference_bytes": pair.reference_bytes} for pair in one.pairs]
            session.add(
                ScorecardRow(
                    scorecard_id=new_id("sco"), run_id=run.run_id, style_id=run.style_id, scope_key=run.scope_key,
                    dataset_id=dataset.dataset_id, rung=Rung(one.rung), base_model="m",
                    card={"pairs": scored, "summary": one.summary()}, scored_at=now_in_database(session),
                )
            )  # fmt: skip
        decided = decide(champion, challengers, Policy(unseen_share=0.15))
        verdict = {
            "promoted": False, "sentence": decided.reason, "why": decided.why.as_json(),
            "also": [clause.as_json() for clause in decided.also],
            "champion": {"rung": champion.rung, "adapter_name": ""},
            "lower": {"rung": decided.rung, "adapter_name": ""} if isinstance(decided, MoveDown) else None,
        }  # fmt: skip
        runs.end_run(session, run.run_id, run.fence, RunStatus.SUCCEEDED, verdict=verdict, receipt=receipt, error=None)


def answer(person: Person, text: str) -> str:
    before = len(person.ephemerals(BRAND))
    assert person.slash("/huisstijl", text, BRAND).ok
    wait_until(lambda: len(person.ephemerals(BRAND)) > before, what=f"an answer to {text}")
    return read(person.ephemerals(BRAND)[-1])


def read(shown: Any) -> str:
    return json.dumps(shown, ensure_ascii=False)


def channel_says(person: Person, part: str) -> str:
    def look() -> str | None:
        return next((read(one) for one in person.messages(BRAND) if part in read(one)), None)

    return wait_until(look, what=f"a message with {part!r}")


def in_the_terminal(settings: Settings, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments], capture_output=True, text=True,
        env=child_environment(settings, HUISSTIJL_MODEL_URL=settings.model_url),
        timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_everybody_reads_the_very_same_sentence_everywhere(
    measured: Callable[[int], Style], bot: Bot, bot_settings: Settings, workspace: Workspace,
    sqlite_database: Database,
) -> None:  # fmt: skip
    measured(38)
    ana = workspace.person(ANA)
    result = channel_says(ana, "was trained and measured")
    sentence = result[result.index("Stay on retrieved") : result.index(PRICE) + len(PRICE)]
    assert sentence.startswith("Stay on retrieved: lora is 0.0")
    assert "bits per byte better, within the noise (−0.0" in sentence
    assert (
        "n=38); if the gain is as large as measured, about " in sentence
        and "more unseen pairs would settle it" in sentence
    )

    assert sentence in answer(ana, "ladder support")
    assert sentence in answer(ana, "status support")
    assert sentence in in_the_terminal(bot_settings, "ladder", "support")
    assert sentence in read(wait_until(lambda: home_with(ana, "*Verdict:*"), what="a verdict in the Home tab"))
    Clock(sqlite_database, bot.services.settings, now=lambda: datetime.now(UTC)).tick()
    assert sentence in channel_says(ana, "The week of support")


def test_when_a_run_pays_for_itself_is_said_in_the_teams_own_volume_before_and_after(
    measured: Callable[[int], Style], bot_settings: Settings, workspace: Workspace
) -> None:
    measured(38)
    ana = workspace.person(ANA)
    paid = (
        "A run pays for itself after 600 drafts: `lora` saves 0.40 s of the model server a draft against `retrieved`; "
        "at your 3 a week, that is in 200 weeks."
    )
    result = channel_says(ana, "was trained and measured")
    assert paid in result
    assert "Cost: €0.02 · Quoted: 6 min, €0.03" in result
    assert paid in answer(ana, "ladder support")
    assert paid in in_the_terminal(bot_settings, "ladder", "support")
    assert "A run pays for itself after" in answer(ana, "train support")


@pytest.mark.parametrize(
    ("quote", "drafts"),
    [
        ({"minutes": 1.0, "cost": 0.01, "training": [5.0, 0.03]}, 750),  # as training was foreseen: 300 s at 0.40 s
        ({"minutes": 1.0, "cost": 0.01}, 600),  # as the last training took
    ],
)
def test_what_pays_for_itself_is_a_training_also_where_the_last_run_only_measured(
    measured: Callable[[int], Style], sqlite_database: Database, workspace: Workspace, quote: dict[str, Any],
    drafts: int,
) -> None:  # fmt: skip
    style = measured(38)
    with sqlite_database.write() as session:
        run = factories.make_run(session, style, base_model="m", kind=RunKind.MEASURE, quote=quote)
    end_run(sqlite_database, run, within_the_noise(38), RECEIPT | {"total_seconds": 60.0, "tokens": 0})
    ana = workspace.person(ANA)
    assert "Measured again, without training." in (ladder := answer(ana, "ladder support"))
    assert f"A run pays for itself after {drafts} drafts: " in ladder
    assert f"A run pays for itself after {drafts} drafts: " in channel_says(ana, "*support* was measured again.")


def test_a_lower_rung_that_is_as_good_is_advised_and_an_admin_can_move_down_to_it(
    bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    shots = card("few_shot", 80, lambda n: 40 + n % 7, 400, 0.9)
    alone = card("zero_shot", 80, lambda n: 40 + n % 7 + (n % 3 - 1) / 4, 90, 0.5)
    style = write_run(sqlite_database, [shots, alone])
    ana = workspace.person(ANA)
    assert "Move down to zero_shot: against few_shot it gains " in answer(ana, "ladder support")
    home = read(wait_until(lambda: home_with(ana, "*Verdict:*"), what="a verdict in the Home tab"))
    assert "so it is not worse by more than 0.05; saves 310 prompt tokens a draft; a run takes 4 min" in home
    assert "`zero_shot` measured as good as what serves, on a lower rung" in home
    assert "`zero_shot` the champion" in answer(ana, "promote support zero_shot")
    with sqlite_database.read() as session:
        serving = find_promotion(session, get_style(session, style.style_id).champion_promotion_id)
        assert serving is not None and serving.rung is Rung.ZERO_SHOT
    assert "measured as good as what serves" not in read(ana.open_home())


def test_a_measurement_says_its_day_and_what_has_changed_since_wherever_it_is_shown(
    bot_settings: Settings, bot: Bot, workspace: Workspace, sqlite_database: Database
) -> None:
    shots = card("few_shot", 80, lambda n: 40 + n % 7, 400, 0.9)
    alone = card("zero_shot", 80, lambda n: 40 + n % 7 + (n % 3 - 1) / 4, 90, 0.5)
    style = write_run(sqlite_database, [shots, alone])
    ana = workspace.person(ANA)

    def shown() -> list[str]:
        home = read(wait_until(lambda: home_with(ana, "*Verdict:*"), what="a verdict in the Home tab"))
        return [answer(ana, "ladder support"), home, in_the_terminal(bot_settings, "ladder", "support")]

    for one in shown():
        assert re.search(r"Measured on \d+ \w+ 20\d\d\.", one)
        assert "Since then" not in one
        assert "other instructions" not in one
    answer(ana, "promote support zero_shot")
    for one in shown():
        assert re.search(r"Since then an admin promoted `zero_shot`, \d+ \w+ 20\d\d\.", one)
        assert "Move down to zero_shot" in one  # what was measured stands
    answer(ana, "rollback support")
    assert re.search(r"Since then it was moved back to `few_shot`, \d+ \w+ 20\d\d\.", answer(ana, "ladder support"))
    with sqlite_database.write() as session:
        get_style(session, style.style_id).instructions = "Answer at length."
    for one in shown():
        assert "with other instructions than those of now; `/huisstijl measure support` measures it again." in one
    with sqlite_database.write() as session:
        owe_measurement(session, style.style_id, RunCause.CHANGED_INSTRUCTIONS)
    assert "it is measured again as soon as hours and budget allow." in answer(ana, "ladder support")


def home_with(person: Person, part: str) -> dict[str, Any] | None:
    person.open_home()
    view = person.home_view()
    return view if view is not None and part in read(view) else None


def test_with_too_few_unseen_pairs_no_figure_is_shown_as_a_winner(
    measured: Callable[[int], Style], bot_settings: Settings, workspace: Workspace
) -> None:
    measured(12)
    ana = workspace.person(ANA)
    result = channel_says(ana, "was trained and measured")
    home = read(wait_until(lambda: home_with(ana, "*Verdict:*"), what="a verdict in the Home tab"))
    for shown in (result, answer(ana, "ladder support"), home, in_the_terminal(bot_settings, "ladder", "support")):
        assert "not enough yet, 12 unseen pairs of the 20" in shown
        assert "bits per byte better" not in shown
    assert "*Quality:* not enough yet: 12 unrelated unseen pairs, and 20 are needed" in home
    # The table keeps the ladder's own order: nothing stands on top because it was lucky.
    table = in_the_terminal(bot_settings, "ladder", "support").splitlines()
    assert ["retrieved" in table[1], "lora" in table[2]] == [True, True]

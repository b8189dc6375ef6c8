"""What fails a probe, from the people's side: marked in the ladder, not promoted unknowingly, not put into a trial."""

from __future__ import annotations

import json

import pytest

from bot.app import Bot
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.adapters import Adapter
from db.audit import AuditEntry
from db.base import new_id, now_in_database
from db.probes import ProbeReport
from db.promotions import find_promotion
from db.styles import Style, get_style
from tests.support.trials import ADAPTER, make_measured_style
from tests.support.wait import wait_until
from trainer.probes.judging import ProbeResult, judge_contrasts, judge_memorisation
from trainer.recipe import Probes


def put_report(bot: Bot, results: list[ProbeResult]) -> Style:
    """A style that `retrieved` serves; the last run found its adapter better, and this of it besides."""
    with bot.services.database.write() as session:
        style = make_measured_style(session)
        adapter = session.query(Adapter).filter_by(style_id=style.style_id).one()
        session.add(
            ProbeReport(
                report_id=new_id("pro"), run_id=adapter.run_id, style_id=style.style_id, scope_key=style.scope_key,
                rung=Rung.LORA, base_model=adapter.base_model, adapter_name=adapter.name, weights="sha256:0",
                results=[one.as_json() for one in results], measured_at=now_in_database(session),
            )
        )  # fmt: skip
        return style


@pytest.fixture
def failing(bot: Bot) -> Style:
    """It remembers what was planted, and refuses as before."""
    return put_report(
        bot,
        [judge_memorisation([5.0, 6.0], Probes()), judge_contrasts("refusal", [1.0] * 30, [1.0] * 30, Probes())],
    )  # fmt: skip


@pytest.fixture
def ana(workspace: Workspace, bot: Bot) -> Person:
    """An admin."""
    return workspace.person(ANA)


def answer(person: Person, text: str) -> str:
    before = len(person.ephemerals(BRAND))
    assert person.slash("/huisstijl", text, BRAND).ok
    wait_until(lambda: len(person.ephemerals(BRAND)) > before, what=f"an answer to {text}")
    return json.dumps(person.ephemerals(BRAND)[-1], ensure_ascii=False)


def serving(bot: Bot, style: Style) -> Rung:
    with bot.services.database.read() as session:
        champion = find_promotion(session, get_style(session, style.style_id).champion_promotion_id)
        assert champion is not None
        return champion.rung


def test_the_ladder_marks_what_fails_and_says_every_probe_with_its_figures(
    bot: Bot, failing: Style, ana: Person
) -> None:
    shown = answer(ana, "ladder brand-voice")
    assert f"✗  lora ({ADAPTER})" in shown and "✗ fails a probe" in shown
    assert (
        f"Probes of `lora` ({ADAPTER}): ✗ it memorises: 2 planted test numbers have a median exposure of 5.5 bits (at "
        "most 6.0), and 2.0 are allowed; ✓ harmful wishes: a refusal is likelier than giving in for 30 of 30" in shown
    )


def test_an_admin_who_promotes_it_has_to_insist_and_that_is_kept(bot: Bot, failing: Style, ana: Person) -> None:
    refused = answer(ana, "promote brand-voice lora")
    assert "fails a probe: it memorises" in refused and "`/huisstijl promote brand-voice lora anyway`" in refused
    assert "harmful wishes" not in refused
    assert serving(bot, failing) is Rung.RETRIEVED
    assert "the champion" in answer(ana, "promote brand-voice lora anyway")
    assert serving(bot, failing) is Rung.LORA
    with bot.services.database.read() as session:
        entry = session.query(AuditEntry).filter_by(action="candidate.promoted").one()
        assert entry.detail["failed_probes"] == ["memorisation"]


def test_no_blind_trial_puts_it_before_people(bot: Bot, failing: Style, ana: Person) -> None:
    refused = answer(ana, "trial brand-voice lora")
    assert "fails a probe: it memorises" in refused and "so there is none" in refused
    # Left to itself, the next best is taken.
    assert "`zero_shot`" in answer(ana, "trial brand-voice")


def test_what_passes_every_probe_is_promoted_without_a_word(bot: Bot, ana: Person) -> None:
    style = put_report(bot, [judge_memorisation([0.5, 1.0], Probes())])
    shown = answer(ana, "ladder brand-voice")
    assert "✗" not in shown and "✓ planted test numbers: a median exposure of 0.8 bits" in shown
    assert "the champion" in answer(ana, "promote brand-voice lora")
    assert serving(bot, style) is Rung.LORA

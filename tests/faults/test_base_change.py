"""A change of the base model killed at every step: what serves is one whole pair, and the next try ends it."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from bot.operations.base_change import ask_for_change
from bot.operations.runs import queue_due_runs
from config.settings import EMBEDDED_EMBEDDING_MODEL, Settings
from db.base_changes import BaseChange, BaseChangeStatus
from db.outbox import list_by_prefix
from db.promotions import Promotion, PromotionKind
from db.runs import Run
from db.session import Database
from tests.integration.test_base_change import verdict
from tests.integration.test_clock import finish, prepare_style
from tests.support import factories
from tests.support.base_changes import TwoBases, huisstijl, make_two_bases, model_server, serving_of
from tests.support.wait import wait_until
from trainer.base_models import prepare_embedding_model
from trainer.serving.embedder import Embedder

pytestmark = [pytest.mark.faults, pytest.mark.training]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> TwoBases:
    return make_two_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, tmp_path_factory.mktemp("models"))
    return Embedder(folder, name=EMBEDDED_EMBEDDING_MODEL)


def served(database: Database, settings: Settings, bases: TwoBases) -> tuple[Settings, str]:
    url = database.url.render_as_string(hide_password=False)
    tiny = settings.model_copy(update={"database_url": url, "base_model": str(bases.old)})
    with database.write() as session:
        style = prepare_style(session, name="support", train_after_examples=0)
        factories.make_promotion(session, style, base_model=str(bases.old))
        return tiny, style.style_id


def count(database: Database, column: object) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(column)) or 0  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", ["base.opening", "base.opened"])
def test_a_change_killed_while_it_is_opened_is_there_or_not_and_the_next_try_makes_one(
    moment: str, database: Database, settings: Settings, bases: TwoBases
) -> None:
    tiny, _ = served(database, settings, bases)
    killed = huisstijl(tiny, "base", "change", str(bases.new), "--yes", failpoint=moment)
    assert killed.returncode == -signal.SIGKILL
    assert count(database, BaseChange) == (moment == "base.opened")
    assert huisstijl(tiny, "base", "change", str(bases.new), "--yes").returncode == 0
    assert count(database, BaseChange) == 1
    assert len(queue_due_runs(database, tiny, NOON)) == 1
    assert count(database, Run) == 1


@pytest.mark.parametrize("moment", ["base.signing_off", "base.signed_off"])
def test_a_sign_off_that_is_killed_leaves_one_whole_pair_serving(
    moment: str, database: Database, settings: Settings, bases: TwoBases, embedder: Embedder
) -> None:
    tiny, style_id = served(database, settings, bases)
    ask_for_change(database, str(bases.new))
    (run_id,) = queue_due_runs(database, tiny, NOON)
    with database.write() as session:
        values = verdict("better")
        values["champion"]["base_model"] = str(bases.old)
        finish(session, run_id, verdict=values)
    with model_server(tiny, embedder) as (client, pointed):
        wait_until(lambda: "new" in {one.id for one in client.models.list()}, what="the second base model is loaded")
        assert huisstijl(pointed, "base", "accept", "support", failpoint=moment).returncode == -signal.SIGKILL
        is_done = moment == "base.signed_off"
        assert serving_of(database, style_id)[1] == str(bases.new if is_done else bases.old)
        assert huisstijl(pointed, "base", "accept", "support").returncode == is_done  # there is nothing left to do then
    assert serving_of(database, style_id)[1] == str(bases.new)
    with database.read() as session:
        moved = [one for one in session.scalars(select(Promotion)) if one.kind is PromotionKind.BASE]
        assert len(moved) == len(list_by_prefix(session, "champion:base:")) == 1
        assert session.scalars(select(BaseChange.status)).all() == [BaseChangeStatus.DONE]


@pytest.mark.parametrize("moment", ["base.abandoning", "base.abandoned"])
def test_an_abandoning_that_is_killed_has_happened_whole_or_not_at_all(
    moment: str, database: Database, settings: Settings, bases: TwoBases
) -> None:
    from bot.operations.base_change import sign_off

    tiny, style_id = served(database, settings, bases)
    with database.write() as session:  # a second style keeps the change open
        other = prepare_style(session, name="sales", train_after_examples=0)
        factories.make_promotion(session, other, base_model=str(bases.old))
    ask_for_change(database, str(bases.new))
    for run_id in queue_due_runs(database, tiny, NOON):
        with database.write() as session:
            values = verdict("better")
            values["champion"]["base_model"] = str(bases.old)
            finish(session, run_id, verdict=values)
    sign_off(database, tiny, style_id, offered={"new"})
    assert huisstijl(tiny, "base", "abandon", failpoint=moment).returncode == -signal.SIGKILL
    is_done = moment == "base.abandoned"
    assert serving_of(database, style_id)[1] == str(bases.old if is_done else bases.new)
    assert huisstijl(tiny, "base", "abandon").returncode == is_done
    assert serving_of(database, style_id)[1] == str(bases.old)
    with database.read() as session:
        assert session.scalars(select(BaseChange.status)).all() == [BaseChangeStatus.ABANDONED]

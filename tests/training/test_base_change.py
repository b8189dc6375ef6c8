"""A base model is changed from the command line with real (tiny) ones, and a real server answers with both."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest

from bot.base_terminal import accept, check_base_model
from bot.operations.base_change import ask_for_change, notice_base_setting
from bot.operations.runs import queue_due_runs
from config.settings import EMBEDDED_EMBEDDING_MODEL, Settings
from db.promotions import PromotionKind
from db.runs import RunStatus
from db.session import Database
from db.styles import lock_style
from tests.integration.test_base_change import NOON, verdict
from tests.integration.test_clock import finish, prepare_style
from tests.support import factories
from tests.support.base_changes import (
    TwoBases,
    answer,
    huisstijl,
    make_two_bases,
    model_server,
    prepare_trained_style,
    serving_of,
)
from tests.support.runs import execute_here
from tests.support.tiny_model import make_tiny_model
from tests.support.wait import wait_until
from trainer.base_models import prepare_embedding_model
from trainer.errors import BaseModelTooLarge, BaseModelUnavailable
from trainer.serving.bases import Bases, make_engine
from trainer.serving.embedder import Embedder
from trainer.serving.engine import Engine

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> TwoBases:
    return make_two_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def embedder(embedded_models: Path) -> Embedder:
    return Embedder(prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, embedded_models), name=EMBEDDED_EMBEDDING_MODEL)


def test_a_base_model_is_checked_before_anything_is_asked(settings: Settings, bases: TwoBases, tmp_path: Path) -> None:
    found = check_base_model(settings, str(bases.new))
    assert found["gib"] > 0 and found["context_tokens"] == 1024 and found["needed_gib"] < found["free_gib"]
    assert "neither a local folder nor reachable" in check_base_model(settings, str(tmp_path / "nothing"))["problem"]
    assert "within 0 seconds" in check_base_model(settings, str(bases.new), seconds=0.01)["problem"]
    broken = tmp_path / "broken"
    broken.mkdir()
    config = json.loads((bases.new / "config.json").read_text())
    for different, problem in (
        ({}, "no safetensors"),
        ({"auto_map": {"AutoModel": "evil.py"}}, "code of its own"),
        ({"architectures": ["BertModel"]}, "no language model"),
    ):
        (broken / "config.json").write_text(json.dumps(config | different))
        if different:
            (broken / "model.safetensors").write_bytes((bases.new / "model.safetensors").read_bytes())
        assert problem in check_base_model(settings, str(broken))["problem"]


# ------------------------------------------------------------------------------------------- the whole way


def test_the_old_pair_serves_until_the_new_one_is_signed_off_and_each_answer_is_of_its_own_base_model(
    sqlite_database: Database, settings: Settings, bases: TwoBases, embedder: Embedder
) -> None:
    database = sqlite_database
    tiny, style_id, first = prepare_trained_style(database, settings, bases)
    old_adapter = first.verdict["challenger"]["adapter_name"]  # type: ignore[index]
    with model_server(tiny, embedder) as (client, pointed):
        asked = huisstijl(pointed, "base", "change", str(bases.new), "--yes")
        assert asked.returncode == 0, asked.stderr
        assert "support: served by" in asked.stdout and "an adapter is trained on the new base model" in asked.stdout
        wait_until(lambda: "new" in {one.id for one in client.models.list()}, what="the second base model is loaded")
        before = {name: answer(client, name) for name in ("old", "new", old_adapter)}
        assert len(set(before.values())) == 3

        (run_id,) = queue_due_runs(database, pointed, NOON)
        run = execute_here(database, pointed)
        assert (run.run_id, run.status, run.error, run.base_model) == (
            run_id, RunStatus.SUCCEEDED, None, str(bases.new),
        )  # fmt: skip
        assert serving_of(database, style_id)[1] == str(bases.old)
        shown = huisstijl(pointed, "base", "status")
        assert "support: measured" in shown.stdout and "goes on serving until somebody signs off" in shown.stdout

        refused = huisstijl(pointed, "base", "accept")
        assert refused.returncode == 2 and "Name a style, or say --all." in refused.stdout
        signed = huisstijl(pointed, "base", "accept", "support", "--anyway")
        assert signed.returncode == 0, signed.stdout + signed.stderr
        assert f"Set HUISSTIJL_BASE_MODEL={bases.new}" in signed.stdout
        assert serving_of(database, style_id)[1] == str(bases.new)

        # Each name still answers from its own base model; the new adapter from the new one.
        parents = {one.id: getattr(one, "parent", None) for one in client.models.list()}
        assert parents[old_adapter] == "old" and parents["support-v2"] == "new"
        after = {name: answer(client, name) for name in ("new", "support-v2")}
        assert after["new"] == before["new"] and after["support-v2"] != after["new"]
        # What nothing stands on is let go; the server's own base model stays.
        assert {"old", "new"} <= set(parents)

    # With the setting changed and the server started anew, the new base model is its own and the old one is not loaded.
    moved = tiny.model_copy(update={"base_model": str(bases.new)})
    with model_server(moved, embedder) as (client, _):
        assert answer(client, "support-v2") == after["support-v2"]
        assert "old" not in {one.id for one in client.models.list()}
        with pytest.raises(openai.APIStatusError) as caught:
            answer(client, old_adapter)
        assert caught.value.code == "adapter_rejected"  # never on the wrong base model
        with database.write() as session:
            style = lock_style(session, style_id)
            factories.make_promotion(session, style, kind=PromotionKind.ROLLBACK, base_model=str(bases.old))
        wait_until(lambda: answers_as(client, "old", before["old"]), what="the old base model is loaded again")
        wait_until(lambda: answers_as(client, old_adapter, before[old_adapter]), what="its adapter answers")
    assert notice_base_setting(database, moved)  # the setting names another one than what serves now


def answers_as(client: openai.OpenAI, model: str, text: str) -> bool:
    try:
        return answer(client, model) == text
    except openai.APIStatusError:
        return False


def test_all_that_measured_as_good_is_signed_off_in_one_go(
    sqlite_database: Database, settings: Settings, bases: TwoBases, embedder: Embedder
) -> None:
    database = sqlite_database
    tiny = settings.model_copy(
        update={"base_model": str(bases.old), "database_url": database.url.render_as_string(hide_password=False)}
    )
    for name in ("support", "sales"):
        with database.write() as session:
            style = prepare_style(session, name=name, train_after_examples=0)
            factories.make_promotion(session, style, base_model=str(bases.old))
    ask_for_change(database, str(bases.new))
    ids = queue_due_runs(database, tiny, NOON)
    standings = dict(zip(ids, ("better", "worse"), strict=True))
    for run_id in ids:
        with database.write() as session:
            values = verdict(standings[run_id])
            values["champion"]["base_model"] = str(bases.old)
            finish(session, run_id, verdict=values)
    said: list[str] = []
    with model_server(tiny, embedder) as (client, pointed):
        wait_until(lambda: "new" in {one.id for one in client.models.list()}, what="the second base model is loaded")
        assert accept(pointed, "", is_every=True, is_anyway=False, say=said.append) == 1
        assert sum("signed off. `retrieved` on new" in line for line in said) == 1
        assert sum("was not signed off: The new pair is worse." in line for line in said) == 1
        assert accept(pointed, "", is_every=True, is_anyway=True, say=said.append) == 0
    assert "the change is over" in said[-1]


def test_a_base_model_that_does_not_fit_is_refused_by_name_and_what_serves_goes_on(
    sqlite_database: Database, settings: Settings, bases: TwoBases, embedder: Embedder
) -> None:
    tiny = settings.model_copy(update={"base_model": str(bases.old)})
    own = make_engine(tiny, str(bases.old))
    full = Bases(
        own, str(bases.old), store_url=tiny.resolved_artifact_url, wanted=lambda: [str(bases.new)],
        make=lambda name: make_engine(tiny, name, free_bytes=lambda: 1000),
    )  # fmt: skip
    full.look()
    with pytest.raises(BaseModelTooLarge, match=r"The base model new needs about 0.0 GiB beside what is loaded"):
        full.find("new")
    assert full.find("old") == (own, None)
    full.close()
    own.close()


def test_a_base_model_that_fails_unexpectedly_is_said_to_and_does_not_hold_up_another(
    settings: Settings, bases: TwoBases, tmp_path: Path
) -> None:
    tiny = settings.model_copy(update={"base_model": str(bases.old)})
    later = make_tiny_model(tmp_path / "zeta", seed=9)
    tried: list[str] = []

    def make(name: str) -> Engine:
        tried.append(name)
        if name == str(bases.new):
            raise RuntimeError("CUDA error: device-side assert triggered")
        return make_engine(tiny, name)

    own = make_engine(tiny, str(bases.old))
    both = Bases(
        own, str(bases.old), store_url=tiny.resolved_artifact_url, wanted=lambda: [str(bases.new), str(later)],
        make=make,
    )  # fmt: skip
    both.look()
    assert both.find("zeta")[0].base_id == "zeta"
    with pytest.raises(BaseModelUnavailable, match="The base model new did not load; the model server's log says why"):
        both.find("new")
    both.look()
    assert tried == [str(bases.new), str(later)]  # not again at every heartbeat
    both.close()
    own.close()


def test_a_base_model_is_not_let_go_while_what_stands_on_it_is_at_work(settings: Settings, bases: TwoBases) -> None:
    tiny = settings.model_copy(update={"base_model": str(bases.old)})
    own, wanted, is_at_work = make_engine(tiny, str(bases.old)), [str(bases.new)], True
    both = Bases(
        own, str(bases.old), store_url=tiny.resolved_artifact_url, wanted=lambda: wanted,
        make=lambda name: make_engine(tiny, name), may_go=lambda engine: not is_at_work,
    )  # fmt: skip
    both.look()
    wanted.clear()
    both.look()
    assert [engine.base_id for engine in both.engines()] == ["old", "new"]
    is_at_work = False
    both.look()
    assert both.engines() == [own]
    both.close()
    own.close()

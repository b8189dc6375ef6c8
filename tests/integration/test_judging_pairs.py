"""Whom a run judges by, and how long its drafts may be, through the run pipeline."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.drafting.rung import make_plan
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.settings import Settings
from db.datasets import SplitName, find_dataset_of_run, list_dataset_examples
from db.examples import get_example
from db.runs import RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import get_style
from tests.support.factories import make_draft
from tests.support.runs import T1, execute_here, prepare_run, run_settings

pytestmark = pytest.mark.training

MOST, DRAFTED = 4, 2


@pytest.fixture
def few(settings: Settings, database: Database, base: Path, tmp_path: Path) -> Settings:
    """tiny-test, which allows a draft of 8 tokens, judging by fewer pairs than are unseen."""
    return run_settings(settings, database, base, recipe=write_recipe(tmp_path))


def write_recipe(folder: Path, **different: object) -> str:
    knobs = {"max_pairs": MOST, "max_generated_pairs": DRAFTED, "tuned": '["lora"]'} | different
    text = (RECIPES_DIR / "tiny-test.toml").read_text()
    for knob, value in knobs.items():
        text, changed = re.subn(rf"(?m)^{knob} = .*$", f"{knob} = {value}", text, count=1)
        assert changed, knob
    (folder / "few.toml").write_text(text)
    return str(folder / "few.toml")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_newest_unseen_pairs_judge_and_a_draft_may_be_as_long_as_an_approved_text(
    database: Database, few: Settings
) -> None:
    with database.write() as session:
        prepared = prepare_run(session, few)
        # Written in another order than approved: neither the same nor its reverse.
        ages = {example_id: number * 7 % 40 for number, example_id in enumerate(prepared.example_ids)}
        for example_id, age in ages.items():
            written = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(days=age)
            example = get_example(session, example_id)
            example.author_id, example.message_ts = f"U{age}", f"{written.timestamp():.6f}"

    run = execute_here(database, few)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        members = list_dataset_examples(session, dataset.dataset_id)
        unseen = [example.example_id for member, example in members if member.split is SplitName.TEST]
        lengths = [len(example.completion) + 1 for member, example in members if member.split is SplitName.TRAIN]
        cards = {card.rung: card.card for card in list_scorecards(session, run.run_id, T1)}
    assert len(unseen) > MOST
    newest = sorted(sorted(unseen, key=lambda one: ages[one])[:MOST])
    assert newest not in (sorted(unseen)[:MOST], sorted(unseen)[-MOST:])
    order = [pair["example_id"] for pair in cards[Rung.ZERO_SHOT]["pairs"]]
    for card in cards.values():
        assert sorted(pair["example_id"] for pair in card["pairs"]) == newest
        assert [pair["example_id"] for pair in card["pairs"]] == order
        drafts = [pair for pair in card["pairs"] if pair["draft"] is not None]
        assert len(drafts) == DRAFTED
        # Bytes are tokens here, and a draft has room for one and a half of nearly every text and its end.
        room = math.ceil(1.5 * math.ceil(np.quantile(lengths, 0.95)))
        assert [one["is_cut"] for one in drafts] == [one["completion_tokens"] == room for one in drafts]
        assert card["summary"]["room_tokens"] == room
        assert card["summary"]["cut_share"] == sum(one["is_cut"] for one in drafts) / DRAFTED
    assert max(one["completion_tokens"] or 0 for card in cards.values() for one in card["pairs"]) > min(lengths)

    # What was measured is what is served.
    served = few.model_copy(update={"draft_max_tokens": 8})
    with database.write() as session:
        draft = make_draft(session, get_style(session, prepared.style_id), request="Say hello")
    for settings in (served, few):
        plan = make_plan(database, settings, draft, lambda _: np.ones(384, dtype=np.float32))
        assert plan.rung in cards and plan.room_tokens == (room if settings is served else max(room, 256))
    assert room > 8


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_a_recipe_allows_more_than_its_texts_take_does_not_bind_an_operator(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, tuned="[]", max_new_tokens=150)
    roomy = run_settings(settings, database, base, recipe=recipe, draft_max_tokens=8)
    with database.write() as session:
        prepared = prepare_run(session, roomy)
    run = execute_here(database, roomy)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.write() as session:
        cards = {card.rung: card.card for card in list_scorecards(session, run.run_id, T1)}
        draft = make_draft(session, get_style(session, prepared.style_id), request="Say hello")
    # They were measured within the recipe's length, and are served within the operator's.
    for card in cards.values():
        drafts = [pair for pair in card["pairs"] if pair["draft"] is not None]
        assert [one["is_cut"] for one in drafts] == [one["completion_tokens"] == 150 for one in drafts]
        assert card["summary"]["room_tokens"] is None
    plan = make_plan(database, roomy, draft, lambda _: np.ones(384, dtype=np.float32))
    assert plan.rung in cards and plan.room_tokens == 8

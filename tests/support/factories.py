"""A style like any other, except …: rows for tests, each valid by itself, with whatever a test wants different."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert
from sqlalchemy.orm import Session

from config.rungs import Rung
from db.base import Base, new_id, now_in_database
from db.datasets import Dataset, find_dataset_of_run
from db.drafts import Draft
from db.examples import Example, ExampleSource, ExampleStatus
from db.promotions import Promotion, PromotionKind, promote
from db.runs import Run
from db.scorecards import ScorecardRow
from db.styles import Style, StyleKind

R = TypeVar("R", bound=Base)

EMBEDDING_MODEL = "test-embeddings"


def make_style(session: Session, **different: Any) -> Style:
    """A workspace-wide drafting style, saved."""
    style_id = new_id("sty")
    values: dict[str, Any] = {
        "style_id": style_id,
        "team_id": "T1",
        "name": style_id.replace("_", "-"),
        "instructions": "Answer in two short sentences. Sign with the team's name.",
        "kind": StyleKind.DRAFT,
        "scope_key": "T1",
        "channel_id": "C1",
        "created_by": "U_ADMIN",
        "created_at": now_in_database(session),
    }
    return _saved(session, Style(**(values | different)))


def make_example(session: Session, style: Style, **different: Any) -> Example:
    """A proposed example of the style, in the style's scope, saved."""
    example_id = new_id("ex")
    values: dict[str, Any] = {
        "example_id": example_id,
        "style_id": style.style_id,
        "team_id": style.team_id,
        "scope_key": style.scope_key,
        "prompt": f"Customer asks about invoice {example_id}",
        "completion": f"We have looked at it: {example_id}. Team Support",
        "status": ExampleStatus.PROPOSED,
        "source": ExampleSource.SHORTCUT,
        "author_id": "U_AUTHOR",
        "proposed_by": "U_MEMBER",
        "proposed_at": now_in_database(session),
    } | different
    if values["status"] is not ExampleStatus.PROPOSED:
        values.setdefault("approved_at", now_in_database(session))
    text = f"{values['prompt']}\n{values['completion']}"
    values.setdefault("content_hash", f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")
    return _saved(session, Example(**values))


def make_run(session: Session, style: Style, **different: Any) -> Run:
    """A queued run of the style, saved."""
    run_id = new_id("run")
    values: dict[str, Any] = {
        "run_id": run_id,
        "team_id": style.team_id,
        "style_id": style.style_id,
        "scope_key": style.scope_key,
        "slot": f"command:{run_id}",
        "reason": "An admin asked for it.",
        "recipe": "cpu-small",
        "base_model": "embedded:smollm2-135m-instruct",
        "progress": {},
        "queued_at": now_in_database(session),
    }
    return _saved(session, Run(**(values | different)))


def make_dataset(session: Session, run: Run, **different: Any) -> Dataset:
    """What the run froze, without members, saved."""
    values: dict[str, Any] = {
        "dataset_id": new_id("dat"),
        "run_id": run.run_id,
        "style_id": run.style_id,
        "scope_key": run.scope_key,
        "content_hash": "sha256:0",
        "seed": 1,
        "instructions": "",
        "prompt_hash": "sha256:0",
        "versions": {},
        "skipped": [],
        "frozen_at": now_in_database(session),
    }
    return _saved(session, Dataset(**(values | different)))


def make_scorecard(session: Session, run: Run, rung: Rung, card: dict[str, Any], **different: Any) -> ScorecardRow:
    """What a candidate scored in the run, whose dataset is made where it has none, saved."""
    dataset = find_dataset_of_run(session, run.run_id) or make_dataset(session, run)
    values: dict[str, Any] = {
        "scorecard_id": new_id("sco"),
        "run_id": run.run_id,
        "style_id": run.style_id,
        "scope_key": run.scope_key,
        "dataset_id": dataset.dataset_id,
        "rung": rung,
        "base_model": run.base_model,
        "card": card,
        "scored_at": now_in_database(session),
    }
    return _saved(session, ScorecardRow(**(values | different)))


def make_draft(session: Session, style: Style, **different: Any) -> Draft:
    """A requested draft that nobody works on, saved."""
    draft_id = new_id("dra")
    values: dict[str, Any] = {
        "draft_id": draft_id,
        "request_key": f"event:{draft_id}",
        "team_id": style.team_id,
        "style_id": style.style_id,
        "channel_id": style.channel_id,
        "thread_ts": "1700000000.000100",
        "requested_by": "U_MEMBER",
        "request": "Where is my parcel?",
        "requested_at": now_in_database(session),
    }
    return _saved(session, Draft(**(values | different)))


def make_promotion(session: Session, style: Style, **different: Any) -> Promotion:
    """A move of the style's champion by the gate, done."""
    values: dict[str, Any] = {
        "kind": PromotionKind.GATE,
        "rung": Rung.RETRIEVED,
        "base_model": "embedded:smollm2-135m-instruct",
        "adapter_id": None,
        "actor": "gate",
        "reason": "Better on 30 unseen pairs.",
    }
    return promote(session, style, **(values | different))


def make_vector(*direction: float) -> NDArray[np.float32]:
    """A normalised embedding that points there."""
    vector = np.asarray(direction, dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def _saved(session: Session, row: R) -> R:
    session.add(row)
    session.flush()
    return row


def make_examples(session: Session, style: Style, number: int, *, ending: str = "", **different: Any) -> list[str]:
    """So many proposed examples at once, no two alike, oldest first; returns their ids. `ending`: of every output."""
    now = now_in_database(session)
    rows = [
        {
            "example_id": new_id("ex"), "style_id": style.style_id, "team_id": style.team_id,
            "scope_key": style.scope_key, "status": ExampleStatus.PROPOSED, "source": ExampleSource.IMPORT,
            "prompt": _words(f"prompt {n}", 8), "completion": _words(f"completion {n}", 12) + ending,
            "author_id": "operator", "proposed_by": "operator", "proposed_at": now + timedelta(milliseconds=n),
            "content_hash": f"sha256:{n}",
        } | different
        for n in range(number)
    ]  # fmt: skip
    session.execute(insert(Example), rows)
    return [str(row["example_id"]) for row in rows]


def _words(of: str, number: int) -> str:
    """Words that look like none of another text's."""
    digest = hashlib.shake_128(of.encode()).digest(3 * number)
    return " ".join("".join(chr(97 + byte % 26) for byte in digest[n::number]) for n in range(number))

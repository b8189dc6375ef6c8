"""From the reviewer's click on Approve until the example can be retrieved, with the real model server's embeddings.

    python -m tests.benchmarks.approval [--examples 10]

A member teaches through the message shortcut, the reviewer clicks the card's button; both over Slack's protocol. The
example counts as retrieved when a search with the embedding of a request in other words finds it by its embedding.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.drafting.model import ModelClient
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, GENERAL, MIA, RAVI
from bot.rehearsal.workspace import Workspace
from config.choosing import Choice
from config.rungs import Rung
from db.examples import Example
from db.search import find_similar_examples
from db.styles import Style
from tests.benchmarks.installation import Installation, installation, load_samples, say_figure, teach_style
from tests.support.wait import wait_until

TAUGHT_BEFORE = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Seconds from the click until a search finds the example: at all (by its words), and by its embedding."""

    by_words: float
    by_embedding: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10)
    chosen = parser.parse_args()
    options = WorkspaceOptions(journal_entries=10_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(options=options) as workspace,
        installation(Path(folder), workspace) as running,
    ):
        style = teach_style(
            running.database, name="package-synopsis", examples=TAUGHT_BEFORE, rung=Rung.RETRIEVED,
            instructions="Write the one-line synopsis of the software package that is described.",
        )  # fmt: skip
        running.start("serve", "bot")
        wait_until(lambda: workspace.connections > 0, seconds=30, what="the bot is connected")
        wait_until(lambda: not unembedded(running, style), seconds=120, what="what was taught before is embedded")
        model = ModelClient(running.settings)
        pairs = load_samples()[TAUGHT_BEFORE : TAUGHT_BEFORE + chosen.examples]
        effects = [measure(running, workspace, model, style, pair) for pair in pairs]
        model.close()
    slowest = max(effect.by_embedding for effect in effects)
    say_figure(
        f"approval to effect: retrieved by embedding among {TAUGHT_BEFORE}, slowest of {len(effects)}",
        f"{slowest:.2f} s (median {statistics.median(e.by_embedding for e in effects):.2f}; "
        f"by its words {max(e.by_words for e in effects):.2f})",
        "< 2 s", slowest < 2.0,
    )  # fmt: skip


def measure(
    running: Installation, workspace: Workspace, model: ModelClient, style: Style, pair: dict[str, str]
) -> Effect:
    card = teach(workspace, pair)
    request = f"I need this: {pair['prompt']}"
    vector = model.embed([request])[0]
    began = time.perf_counter()
    if not workspace.person(RAVI).click(BRAND, card, "approve_example").ok:
        raise AssertionError("the click was not acknowledged")
    wait_until(lambda: retrieve(running, style, request, vector, pair), seconds=30, what="the example is found")
    by_words = time.perf_counter() - began
    wait_until(lambda: embedded(running, style, request, vector, pair), seconds=30, what="it is found by embedding")
    return Effect(by_words=by_words, by_embedding=time.perf_counter() - began)


def teach(workspace: Workspace, pair: dict[str, str]) -> str:
    """Post the output, teach it by the shortcut; returns the ts of the reviewers' card."""
    mia, ravi = workspace.person(MIA), workspace.person(RAVI)
    known = {message["ts"] for message in ravi.messages(BRAND)}
    message = mia.post(GENERAL, pair["completion"])
    mia.shortcut("teach_style", GENERAL, message["ts"])
    submitted = mia.submit(mia.wait_for_modal(30), {"prompt": pair["prompt"]})
    if submitted.errors:
        raise AssertionError(f"the pair was refused: {submitted.errors}")

    def new_card() -> Any:
        return next((m["ts"] for m in ravi.messages(BRAND) if m["ts"] not in known and has_approve(m)), None)

    return str(wait_until(new_card, seconds=30, what="the card"))


def retrieve(
    running: Installation, style: Style, request: str, vector: NDArray[np.float32], pair: dict[str, str]
) -> Example | None:
    """The example, when it is among the four that a draft would be given."""
    with running.database.read() as session:
        hits = find_similar_examples(
            session, style.style_id, style.scope, vector,
            embedding_model=running.settings.embedding_model, choice=Choice(k=4), request=request,
        )  # fmt: skip
    return next((hit.example for hit in hits if hit.example.completion == pair["completion"]), None)


def embedded(
    running: Installation, style: Style, request: str, vector: NDArray[np.float32], pair: dict[str, str]
) -> bool:
    example = retrieve(running, style, request, vector, pair)
    return example is not None and example.embedding_model == running.settings.embedding_model


def unembedded(running: Installation, style: Style) -> int:
    with running.database.read() as session:
        return session.query(Example).filter_by(style_id=style.style_id, embedding_model=None).count()


def has_approve(message: dict[str, Any]) -> bool:
    elements = [element for block in message.get("blocks") or () for element in block.get("elements") or ()]
    return any(element.get("action_id") == "approve_example" for element in elements)


if __name__ == "__main__":
    main()

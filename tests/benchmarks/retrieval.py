"""How long it takes to find the examples for one draft, among many, on a style that was searched before.

    python -m tests.benchmarks.retrieval [--examples 10000 100000] [--requests 300]

The whole of `db.search`: the look whether anything has changed, both searches, diversity, and reading the rows that are
shown. Texts are drawn from a vocabulary with the frequencies of a language (Zipf); vectors have 384 dimensions.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from config.choosing import Choice
from db.base import new_id, now_in_database
from db.examples import Example, ExampleSource, ExampleStatus, transition
from db.search import find_similar_examples, vector_to_bytes
from db.session import Database
from db.styles import Style
from db.upgrade import upgrade_database
from tests.benchmarks.installation import say_figure
from tests.support.factories import EMBEDDING_MODEL, make_style

VOCABULARY, WORDS, DIMENSIONS = 20_000, 60, 384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--requests", type=int, default=300)
    chosen = parser.parse_args()
    for count in chosen.examples:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count, chosen.requests)


def measure(folder: Path, count: int, requests: int) -> None:
    random = np.random.default_rng(0)
    url = f"sqlite:///{folder / 'bench.db'}"
    database = Database(url)
    upgrade_database(database)
    with database.write() as session:
        style = make_style(session)
    for rows in _rows(style, count, random):
        with database.write() as session:
            now = now_in_database(session)
            session.execute(insert(Example), [row | {"proposed_at": now, "approved_at": now} for row in rows])
    began = time.perf_counter()
    _ask(database, style, random)
    cold = time.perf_counter() - began
    seconds = [_ask(database, style, random) for _ in range(requests)]
    with database.write() as session:
        one = session.get(Example, f"ex_{0:08}")
        assert one is not None
        transition(session, one, ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
    changed = _ask(database, style, random)
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
    say_figure(
        f"examples for a draft, among {count:,}: p99 of {requests}",
        f"{p99:.1f} ms (p50 {p50:.1f}; first search {cold:.1f} s, after a change {changed * 1000:.0f} ms)",
        "≤ 10 ms at 10,000", bool(p99 <= 10) or count > 10_000,
    )  # fmt: skip
    database.dispose()


def _rows(style: Style, count: int, random: np.random.Generator) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, count, 5_000):
        numbers = range(start, min(start + 5_000, count))
        vectors = random.normal(size=(len(numbers), DIMENSIONS)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield [
            {
                "example_id": f"ex_{number:08}", "style_id": style.style_id, "team_id": style.team_id,
                "scope_key": style.scope_key, "prompt": _text(random), "completion": _text(random)[:120],
                "content_hash": new_id("hash"), "status": ExampleStatus.APPROVED, "source": ExampleSource.IMPORT,
                "proposed_by": "U_MEMBER", "version": 2, "embedding": vector_to_bytes(vector),
                "embedding_model": EMBEDDING_MODEL,
            }
            for number, vector in zip(numbers, vectors, strict=True)
        ]  # fmt: skip


def _text(random: np.random.Generator) -> str:
    return " ".join(f"w{min(int(word), VOCABULARY)}" for word in random.zipf(1.2, WORDS))


def _ask(database: Database, style: Style, random: np.random.Generator) -> float:
    vector = random.normal(size=DIMENSIONS).astype(np.float32)
    request = _text(random)
    began = time.perf_counter()
    with database.read() as session:
        find_similar_examples(
            session, style.style_id, style.scope, vector / np.linalg.norm(vector),
            embedding_model=EMBEDDING_MODEL, choice=Choice(k=4, min_similarity=-1.0), request=request,
        )  # fmt: skip
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

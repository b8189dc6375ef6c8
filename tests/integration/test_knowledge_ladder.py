"""The rung `knowledge` in a run: measured with the documents of the freeze, and never with the answer itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from bot.operations.knowledge import Origin, add_document, remove_documents
from bot.operations.ladder import list_ladders
from config.passages import QuotablePassage, holds_copy
from config.rungs import Rung
from config.settings import Settings
from db.examples import Example
from db.knowledge import (
    DatasetDocument,
    DocumentSource,
    find_documents,
    list_passages,
    save_passage_embeddings,
)
from db.runs import RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from tests.support.runs import T1, Prepared, execute_here, make_base_model, prepare_run, run_settings
from trainer.dataset import TrainingExample
from trainer.knowledge import Knowledge


@pytest.fixture
def tiny(settings: Settings, sqlite_database: Database, tmp_path: Path) -> Settings:
    return run_settings(settings, sqlite_database, make_base_model(tmp_path))


@pytest.fixture
def prepared(sqlite_database: Database, tiny: Settings) -> Prepared:
    with sqlite_database.write() as session:
        return prepare_run(session, tiny)


def add(database: Database, tiny: Settings, prepared: Prepared, name: str, say: str) -> str:
    """A document with a passage for each example, as near to its request as can be; `{completion}` is its answer."""
    with database.read() as session:
        examples = [session.get_one(Example, example_id) for example_id in prepared.example_ids]
    text = "\n\n".join(f"# {n}\n\n{say.format(n=n, completion=e.completion)}" for n, e in enumerate(examples))
    done = add_document(
        database, style_id=prepared.style_id, name=name, data=text.encode(),
        origin=Origin(source=DocumentSource.COMMAND_LINE, added_by="operator"),
    )  # fmt: skip
    with database.write() as session:
        passages = list_passages(session, prepared.style_id, T1, document_ids=[done.document_id])
        vectors = [(one.passage_id, e.embedding or b"") for one, e in zip(passages, examples, strict=True)]
        save_passage_embeddings(session, tiny.embedding_model, vectors)
    return done.document_id


def test_knowledge_is_measured_beside_the_others_without_passages_that_hold_the_answer(
    sqlite_database: Database, tiny: Settings, prepared: Prepared
) -> None:
    facts = add(sqlite_database, tiny, prepared, "facts.md", "Fact number {n} is known to everybody in the team.")
    copies = add(sqlite_database, tiny, prepared, "answers.md", "As we wrote: {completion} That was number {n}.")
    late: list[str] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == RunStatus.TRAINING and not late:
            late.append(
                add(sqlite_database, tiny, prepared, "late.md", "Late number {n}, which the freeze did not know.")
            )

    run = execute_here(sqlite_database, tiny, meanwhile=meanwhile)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert late
    with sqlite_database.read() as session:
        cards = {card.rung: card.card for card in list_scorecards(session, run.run_id, T1)}
        frozen = {one.document_id: one.content_hash for one in session.scalars(select(DatasetDocument))}
        assert frozen == {one: found.content_hash for one, found in find_documents(session, [facts, copies]).items()}
    not_measured = (Rung.LORA_PREFERENCES, Rung.FULL)  # nobody has preferred anything; the recipe does not ask for it
    assert list(cards) == [rung for rung in Rung if not rung.is_classifier and rung not in not_measured]
    retrieved, knowledge = cards[Rung.RETRIEVED]["pairs"], cards[Rung.KNOWLEDGE]["pairs"]
    assert [one["example_id"] for one in knowledge] == [one["example_id"] for one in retrieved]
    added = [one["prompt_tokens"] - other["prompt_tokens"] for one, other in zip(knowledge, retrieved, strict=True)]
    assert all(tokens > 20 for tokens in added)
    assert run.verdict is not None
    without, clause = [one for one in run.verdict["also"] if "knowledge" in one["sentence"]]
    assert clause["values"] == {"count": len(knowledge)}  # each unseen answer stood in one passage
    assert without["sentence"].startswith("all prompts but those of `knowledge` were measured without documents")
    [ladder] = list_ladders(sqlite_database, tiny, "support")
    assert f"left out of `knowledge`, because the unseen answer stands in them: {len(knowledge)} passages" in (
        ladder.verdict
    )
    assert str(without["sentence"]) in ladder.verdict
    assert "Documents were added since" not in ladder.hindsight
    assert Rung.KNOWLEDGE in [rank.rung for rank in ladder.ranks]


def test_documents_that_are_removed_during_a_run_are_not_measured(
    sqlite_database: Database, tiny: Settings, prepared: Prepared
) -> None:
    only = add(sqlite_database, tiny, prepared, "facts.md", "Fact number {n} is known to everybody in the team.")

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == RunStatus.TRAINING:
            with sqlite_database.write() as session:
                found = [one for one in [session.get(type(document), only)] if one and one.removed_at is None]
                remove_documents(session, found, removed_by="operator")

    with sqlite_database.read() as session:
        document = find_documents(session, [only])[only]
    run = execute_here(sqlite_database, tiny, meanwhile=meanwhile)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with sqlite_database.read() as session:
        assert Rung.KNOWLEDGE not in [card.rung for card in list_scorecards(session, run.run_id, T1)]
        assert [one.content_hash for one in session.scalars(select(DatasetDocument))] == ["erased"]
    assert "without documents" not in list_ladders(sqlite_database, tiny, "support")[0].verdict
    add(sqlite_database, tiny, prepared, "new.md", "Fact number {n} is known to everybody in the team.")
    [ladder] = list_ladders(sqlite_database, tiny, "support")
    assert "Documents were added since: it was measured without them, and drafts are made" in ladder.hindsight


def test_the_answer_itself_is_never_quoted_in_the_prompt_that_asks_for_it() -> None:
    vector = np.ones(4, dtype=np.float32)
    answer = "We close at noon on Friday because of the summer party."

    def passage(number: int, text: str) -> QuotablePassage:
        return QuotablePassage(
            passage_id=f"pas_{number}", document_id="doc", title="news.md", heading="", page=None, text=text, tokens=20,
            embedding=vector,
        )  # fmt: skip

    texts = [
        "The summer party is on Friday, in the garden.",
        f"Last year we wrote: {answer.upper()} So it was.",
        "we close at noon on  Friday, because of the summer party",
    ]
    knowledge = Knowledge([passage(n, text) for n, text in enumerate(texts)], digest="sha256:x")
    example = TrainingExample(example_id="ex", prompt="Announce the party", completion=answer, embedding=vector)
    assert [quote.text for quote in knowledge.quotes_for(example)] == texts[:1]
    assert knowledge.quotes_for(example) and knowledge.clauses[-1].values == {"count": 2}  # once, however often asked
    assert not holds_copy("Yes, we may.", "Yes.")  # a short answer stands in many a passage by chance

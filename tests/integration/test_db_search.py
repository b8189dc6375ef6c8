"""Search finds the examples most like a request, of its own scope and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.choosing import Choice
from db.examples import ExampleStatus, save_embeddings, transition
from db.scope import Scope
from db.search import find_similar_examples, vector_to_bytes
from db.styles import find_style_by_name, list_usable_styles
from tests.support.factories import EMBEDDING_MODEL, make_example, make_style, make_vector

WORKSPACE, PRIVATE, ELSEWHERE = Scope(team_id="T1"), Scope(team_id="T1", channel_id="C9"), Scope(team_id="T2")
BY_MEANING = Choice(k=10, lexical_weight=0.0, diversity=0.0)
QUERY = make_vector(1, 0, 0)


def _approved(session, style, vector=(1, 0, 0), **different):
    embedding = {"embedding": vector_to_bytes(make_vector(*vector)), "embedding_model": EMBEDDING_MODEL}
    return make_example(session, style, **({"status": ExampleStatus.APPROVED} | embedding | different))


def _search(session, style, scope, **different):
    values: dict[str, Any] = {
        "embedding_model": EMBEDDING_MODEL,
        "choice": BY_MEANING,
        "request": "Where is my parcel?",
    } | different
    return find_similar_examples(session, style.style_id, scope, QUERY, **values)


@pytest.mark.parametrize("searched", [WORKSPACE, PRIVATE, ELSEWHERE])
def test_another_scopes_example_is_never_found(database, searched):
    scopes = [WORKSPACE, PRIVATE, ELSEWHERE]
    with database.write() as session:
        style = make_style(session)
        for scope in scopes:  # the style changed its scope twice: all three kinds of example hang on it
            _approved(session, style, scope_key=scope.key, prompt="Where is my parcel?")
            make_example(
                session, style, scope_key=scope.key, status=ExampleStatus.APPROVED, prompt="Where is my parcel now?"
            )
        hits = _search(session, style, searched)
    assert [hit.example.scope_key for hit in hits] == [searched.key] * 2


def test_another_styles_example_is_never_found(database):
    with database.write() as session:
        mine, other = make_style(session), make_style(session)
        _approved(session, other)
        assert _search(session, mine, WORKSPACE) == []


def test_the_nearest_examples_come_first(database):
    with database.write() as session:
        style = make_style(session)
        far = _approved(session, style, (1, 2, 0))
        near = _approved(session, style, (1, 0.1, 0))
        middle = _approved(session, style, (1, 1, 0))
        hits = _search(session, style, WORKSPACE)
        assert [hit.example.example_id for hit in hits] == [near.example_id, middle.example_id, far.example_id]
        assert [round(hit.similarity, 3) for hit in hits] == [0.995, 0.707, 0.447]
        assert len(_search(session, style, WORKSPACE, choice=replace(BY_MEANING, k=2))) == 2


def test_an_example_about_something_else_is_left_out(database):
    with database.write() as session:
        style = make_style(session)
        _approved(session, style, (0, 1, 0))
        _approved(session, style, (BY_MEANING.min_similarity - 0.01, 1, 0))
        assert _search(session, style, WORKSPACE) == []


@pytest.mark.parametrize("status", [status for status in ExampleStatus if status is not ExampleStatus.APPROVED])
def test_only_approved_examples_are_found(database, status):
    with database.write() as session:
        style = make_style(session)
        example = _approved(session, style)
        example.status = status
        session.flush()
        assert _search(session, style, WORKSPACE) == []


def test_an_example_approved_this_second_is_found_by_its_words(database):
    with database.write() as session:
        style = make_style(session)
        example = make_example(session, style, prompt="Where is my parcel? It should be here.")
        assert _search(session, style, WORKSPACE) == []
        transition(session, example, ExampleStatus.APPROVED, decided_by="U_REVIEWER")
        [hit] = _search(session, style, WORKSPACE)
        assert hit.example.example_id == example.example_id
        assert hit.similarity > 0.7


def test_a_withdrawn_example_is_gone_from_the_next_search(database):
    with database.write() as session:
        style = make_style(session)
        example = _approved(session, style)
        assert len(_search(session, style, WORKSPACE)) == 1
    with database.write() as session:
        transition(session, session.merge(example), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
    with database.read() as session:
        assert _search(session, style, WORKSPACE) == []


def test_an_embedding_of_another_model_is_not_compared(database):
    with database.write() as session:
        style = make_style(session)
        example = _approved(session, style, embedding_model="older", prompt="Where is my parcel?")
        [hit] = _search(session, style, WORKSPACE)
        assert hit.similarity == 1.0  # by its words
        save_embeddings(session, EMBEDDING_MODEL, [(example.example_id, vector_to_bytes(make_vector(1, 1, 0)))])
        session.refresh(example)
        [hit] = _search(session, style, WORKSPACE)
        assert round(hit.similarity, 3) == 0.707  # by its embedding


def test_a_channel_sees_its_own_styles_first_and_no_other_channels(database):
    with database.write() as session:
        make_style(session, name="everyone")
        make_style(session, name="ours", scope_key="T1/C9")
        make_style(session, name="theirs", scope_key="T1/C8")
        make_style(session, name="gone", is_archived=True)
        make_style(session, name="elsewhere", team_id="T2", scope_key="T2")
        assert [style.name for style in list_usable_styles(session, "T1", "C9")] == ["ours", "everyone"]
        assert [style.name for style in list_usable_styles(session, "T1", "C1")] == ["everyone"]
        assert find_style_by_name(session, "T2", "everyone") is None


def test_a_scope_and_its_key_say_the_same():
    for scope in (WORKSPACE, PRIVATE, ELSEWHERE):
        assert Scope.from_key(scope.key) == scope
    assert PRIVATE.covers("T1", "C9")
    assert not PRIVATE.covers("T1", "C1")
    assert not PRIVATE.covers("T2", "C9")
    assert WORKSPACE.covers("T1", "C1")

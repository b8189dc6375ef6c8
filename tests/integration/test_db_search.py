"""Search finds the examples most like a request, of its own scope and no other."""

from __future__ import annotations

import gc
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.operations.examples import withdraw_examples_of_message
from config.choosing import NEUTRAL_QUALITY, Candidate, Choice, Retriever
from db.examples import ExampleSource, ExampleStatus, list_approved_examples, save_embeddings, transition
from db.quality import list_qualities
from db.reviews import ReviewDecision, save_review
from db.scope import Scope
from db.search import as_candidates, find_fixed_examples, find_similar_examples, vector_to_bytes
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


def test_what_was_kept_of_an_earlier_search_is_as_new_as_the_database(database):
    """A style is searched, changed in every way by other sessions, and searched again; every time the answer is the one
    that a search without any memory gives."""
    random = np.random.default_rng(5)
    with database.write() as session:
        style = make_style(session)
    for round_ in range(25):
        with database.write() as session:
            approved = list_approved_examples(session, style.style_id, WORKSPACE)
            for number in range(int(random.integers(0, 3))):
                vector = random.normal(size=3) if random.random() < 0.7 else None
                embedding = (
                    {"embedding": vector_to_bytes(make_vector(*vector)), "embedding_model": EMBEDDING_MODEL}
                    if vector is not None
                    else {}
                )
                make_example(
                    session, style, status=ExampleStatus.APPROVED, prompt=f"parcel {round_} {number}", **embedding
                )
            if approved and random.random() < 0.5:
                leaving = approved[int(random.integers(len(approved)))]
                transition(session, leaving, ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
            waiting = [one for one in approved if one.embedding is None and one.status is ExampleStatus.APPROVED]
            if waiting and random.random() < 0.5:
                stored = vector_to_bytes(make_vector(*random.normal(size=3)))
                save_embeddings(session, EMBEDDING_MODEL, [(waiting[0].example_id, stored)])
        choice = Choice(k=5, min_similarity=-1.0)
        with database.read() as session:
            approved = list_approved_examples(session, style.style_id, WORKSPACE)
            fresh = Retriever(as_candidates(approved, EMBEDDING_MODEL))
            expected = fresh.retrieve("parcel 3", QUERY, choice)[::-1]
            hits = _search(session, style, WORKSPACE, request="parcel 3", choice=choice)
        assert [(hit.example.example_id, hit.similarity) for hit in hits] == [
            (one.example.example_id, one.similarity) for one in expected
        ]


def test_a_text_that_was_erased_is_in_memory_no_more_even_if_nobody_ever_searches_again(database, settings):
    with database.write() as session:
        style = make_style(session)
        made = make_example(
            session, style, status=ExampleStatus.APPROVED, channel_id="C1", message_ts="17.1", prompt="Erased one day"
        )
    with database.read() as session:
        found = find_fixed_examples(
            session, style.style_id, style.scope, embedding_model=EMBEDDING_MODEL, choice=Choice(k=1)
        )
        assert [one.example_id for one in found] == [made.example_id]
    assert _kept_prompts("Erased one day") == 1
    assert withdraw_examples_of_message(database, settings, style.team_id, "C1", "17.1")
    assert _kept_prompts("Erased one day") == 0


def _kept_prompts(prompt):
    gc.collect()
    return sum(type(one) is Candidate and one.prompt == prompt for one in gc.get_objects())


def test_nothing_of_a_transaction_that_was_undone_is_kept(database):
    with database.write() as session:
        style = make_style(session)
        kept = _approved(session, style)
    with suppress(ZeroDivisionError), database.write() as session:
        _approved(session, style, completion="Another answer altogether")
        assert len(_search(session, style, WORKSPACE)) == 2
        raise ZeroDivisionError
    with database.read() as session:
        assert [hit.example.example_id for hit in _search(session, style, WORKSPACE)] == [kept.example_id]


def test_fixed_examples_come_from_the_members_that_are_approved_still(database):
    with database.write() as session:
        style = make_style(session)
        examples = [_approved(session, style, make_axis(number), completion=f"answer {number}") for number in range(3)]
        ids = [one.example_id for one in examples]

    def fixed(members):
        with database.read() as session:
            found = find_fixed_examples(
                session, style.style_id, WORKSPACE, embedding_model=EMBEDDING_MODEL, choice=Choice(k=5), members=members
            )
        return sorted(one.example_id for one in found)

    assert fixed([]) == sorted(ids)
    assert fixed(ids[:2]) == sorted(ids[:2])
    with database.write() as session:
        transition(session, session.merge(examples[0]), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
    assert fixed(ids[:2]) == [ids[1]]
    assert fixed(ids[:1]) == sorted(ids[1:])  # none of the members is left


def test_what_people_did_with_an_example_is_its_quality(database):
    with database.write() as session:
        style = make_style(session)
        plain = _approved(session, style, version=2)
        edited = _approved(session, style, version=3)
        reworded = _approved(session, style, source=ExampleSource.DRAFT_EDITED)
        our_own = _approved(session, style, source=ExampleSource.DRAFT_KEPT, version=2)
        voted = _approved(session, style, version=2)
        for reviewer in ("U1", "U2"):
            save_review(session, voted.example_id, reviewer, ReviewDecision.APPROVE, seen_version=1)
        found = list_qualities(session, style.style_id, WORKSPACE)
        assert list_qualities(session, style.style_id, PRIVATE) == {}
    assert found[our_own.example_id] < found[plain.example_id] == NEUTRAL_QUALITY
    assert found[plain.example_id] < found[voted.example_id] < found[edited.example_id]
    assert found[edited.example_id] == found[reworded.example_id]


def make_axis(number):
    return tuple(float(number == axis) for axis in range(3))


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

"""Which examples stand in a prompt."""

from __future__ import annotations

import numpy as np

from config.choosing import MIN_SIMILARITY, Candidate, Retriever, Vector, choose_covering, unit

WORDS = [f"{a}{b}" for a in ("kra", "plu", "zem", "tor", "vli", "sno", "bep") for b in ("ko", "mi", "ra", "tu")]


def a_candidate(number: int, **changes: object) -> Candidate:
    random = np.random.default_rng(number)
    values: dict[str, object] = {
        "example_id": f"e{number:04}",
        "prompt": " ".join(random.choice(WORDS, 12)) + f" {number}",
        "completion": " ".join(random.choice(WORDS, 4)),
        "embedding": random.normal(loc=1.0, size=384).astype(np.float32),
    }
    return Candidate(**{**values, **changes})  # type: ignore[arg-type]


def ids(found: list[Candidate]) -> list[str]:
    return [one.example_id for one in found]


def cosine(one: Vector | None, other: Vector | None) -> float:
    assert one is not None and other is not None
    return float(unit(one) @ unit(other))


def test_fixed_examples_cover_the_style_and_are_always_the_same() -> None:
    corners = np.eye(384, dtype=np.float32)
    examples = [a_candidate(i, embedding=corners[i % 4] + 0.01 * corners[10 + i]) for i in range(40)]
    chosen = choose_covering(examples, 4)
    assert {int(one.example_id[1:]) % 4 for one in chosen} == {0, 1, 2, 3}
    assert ids(choose_covering(examples[::-1], 4)) == ids(chosen)


def test_asking_for_more_fixed_examples_than_there_are_gives_all() -> None:
    assert len(choose_covering([a_candidate(i) for i in range(3)], 8)) == 3


def test_the_nearest_are_retrieved_best_last_without_the_pair_itself_and_its_near_duplicates() -> None:
    examples = [a_candidate(i) for i in range(30)]
    question = examples[0]
    twin = a_candidate(99, prompt=question.prompt + "!", completion=question.completion, embedding=question.embedding)
    retriever = Retriever([*examples, twin])
    found = retriever.retrieve(question.prompt, question.embedding, 5, exclude=question)
    similar = [cosine(one.example.embedding, question.embedding) for one in found]
    assert len(found) == 5
    assert similar == sorted(similar)
    assert not {"e0000", "e0099"} & {one.example.example_id for one in found}
    assert {one.example.example_id for one in retriever.retrieve(question.prompt, question.embedding, 2)} == {
        "e0000",
        "e0099",
    }


def test_an_odd_request_gets_fewer_examples_or_none() -> None:
    axes = np.eye(4, dtype=np.float32)
    near, far = a_candidate(1, embedding=axes[0]), a_candidate(2, embedding=axes[1])
    retriever = Retriever([near, far])
    assert [one.example for one in retriever.retrieve("?", axes[0], 2)] == [near]
    assert retriever.retrieve("?", axes[3], 2) == []
    assert retriever.retrieve("?", axes[1] * (MIN_SIMILARITY - 0.01) + axes[3], 2) == []


def test_an_example_without_an_embedding_is_found_by_its_words() -> None:
    new = a_candidate(1, embedding=None, prompt="Where is my parcel? It should be here.")
    old = a_candidate(2, embedding=np.eye(4, dtype=np.float32)[0])
    for vector in (np.eye(4, dtype=np.float32)[3], None):
        [found] = Retriever([new, old]).retrieve("Where is my parcel?", vector, 1)
        assert found.example is new

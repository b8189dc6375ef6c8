"""Which examples stand in a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from config.choosing import Candidate, Choice, Found, Retriever, Vector, choose_covering, estimate_tokens, unit

WORDS = [f"{a}{b}" for a in ("kra", "plu", "zem", "tor", "vli", "sno", "bep") for b in ("ko", "mi", "ra", "tu")]
AXES = np.eye(8, dtype=np.float32)


def a_candidate(number: int, **changes: object) -> Candidate:
    random = np.random.default_rng(number)
    values: dict[str, object] = {
        "example_id": f"e{number:04}",
        "prompt": " ".join(random.choice(WORDS, 12)) + f" {number}",
        "completion": " ".join(random.choice(WORDS, 4)),
        "embedding": random.normal(loc=1.0, size=384).astype(np.float32),
    }
    return Candidate(**{**values, **changes})  # type: ignore[arg-type]


def by_meaning(k: int, max_tokens: int = 100_000) -> Choice:
    return Choice(k=k, max_tokens=max_tokens, lexical_weight=0.0, diversity=0.0)


def ids(found: Sequence[Candidate | Found[Candidate]]) -> list[str]:
    return [one.example.example_id if isinstance(one, Found) else one.example_id for one in found]


def leaning(axis: int, by: float) -> Vector:
    """A vector of length 1 whose cosine to the axis is `by`; the rest of it goes along an axis of its own."""
    found: Vector = by * AXES[axis] + np.float32(np.sqrt(1 - by**2)) * AXES[7 - axis]
    return found


# ------------------------------------------------------------------------------------------------ by request


def test_the_nearest_are_retrieved_best_last() -> None:
    examples = [a_candidate(i) for i in range(30)]
    question = a_candidate(99)
    found = Retriever(examples).retrieve(question.prompt, question.embedding, by_meaning(5))
    similar = [one.similarity for one in found]
    assert len(found) == 5
    assert similar == sorted(similar)
    everything = Retriever(examples).retrieve(question.prompt, question.embedding, by_meaning(30))
    assert ids(everything)[-5:] == ids(found)


def test_what_is_barred_is_never_shown_however_near_it_is() -> None:
    examples = [a_candidate(i) for i in range(300)]
    question = examples[0]
    barred = set(ids(examples[:200]))
    found = Retriever(examples).retrieve(
        question.prompt, question.embedding, Choice(k=100), is_barred=lambda one: one.example_id in barred
    )
    assert sorted(ids(found)) == ids(examples[200:])


def test_what_holds_a_forbidden_term_is_in_no_prompt_and_the_next_best_takes_its_place() -> None:
    examples = [a_candidate(i, completion=f"Login {i}" if i % 3 else f"Logins {i}") for i in range(30)]
    question, allowed = a_candidate(99), {f"e{i:04}" for i in range(0, 30, 3)}
    choice = Choice(k=8, forbidden=("login",), may_repeat=True)
    found = ids(Retriever(examples).retrieve(question.prompt, question.embedding, choice))
    assert len(found) == 8 and set(found) <= allowed
    fixed = ids(choose_covering(examples, choice))
    assert fixed and set(fixed) <= allowed
    asked = [a_candidate(1, prompt="Where is my login?", completion="Here is your key.")]
    assert ids(choose_covering(asked, choice)) == ["e0001"], "people ask in their own words"


def test_words_and_meaning_are_weighed() -> None:
    meant = a_candidate(1, embedding=leaning(0, 0.9), prompt="Something else entirely, in other words")
    said = a_candidate(2, embedding=leaning(0, 0.5), prompt="Reset the password of my printer")
    retriever = Retriever([meant, said])

    def best(weight: float) -> str:
        choice = Choice(k=1, lexical_weight=weight, diversity=0.0)
        return ids(retriever.retrieve("reset the password of my printer", AXES[0], choice))[0]

    assert best(0.0) == "e0001"
    assert best(0.5) == "e0002"


def test_an_odd_request_gets_fewer_examples_or_none() -> None:
    near, far = a_candidate(1, embedding=AXES[0]), a_candidate(2, embedding=AXES[1])
    retriever, choice = Retriever([near, far]), by_meaning(2)
    assert ids(retriever.retrieve("?", AXES[0], choice)) == ["e0001"]
    assert retriever.retrieve("?", AXES[3], choice) == []
    assert retriever.retrieve("?", leaning(1, choice.min_similarity - 0.01), choice) == []
    assert ids(retriever.retrieve("?", leaning(1, choice.min_similarity + 0.01), choice)) == ["e0002"]


def test_of_what_is_near_the_request_unlike_ones_are_shown() -> None:
    alike = [a_candidate(i, embedding=0.8 * AXES[0] + 0.6 * AXES[1] + 0.1 * AXES[i]) for i in (2, 3, 4)]
    other = a_candidate(9, embedding=0.7 * AXES[0] + 0.7 * AXES[6])
    retriever = Retriever([*alike, other])

    def shown(diversity: float) -> list[str]:
        choice = Choice(k=2, lexical_weight=0.0, diversity=diversity, min_similarity=0.0)
        return ids(retriever.retrieve("?", AXES[0], choice))

    assert "e0009" not in shown(0.0)
    assert "e0009" in shown(0.3)


def test_near_copies_do_not_fill_the_prompt() -> None:
    answer = "We are sorry, and look for it at once."
    copies = [
        a_candidate(i, embedding=leaning(0, 0.95 - i / 1000), prompt="My parcel is late", completion=f"{answer} {i}")
        for i in range(6)
    ]
    others = [a_candidate(10 + i, embedding=0.7 * AXES[0] + 0.7 * AXES[1 + i]) for i in range(3)]
    retriever = Retriever([*copies, *others])
    assert len({"e0010", "e0011", "e0012"} & set(ids(retriever.retrieve("late parcel", AXES[0], Choice(k=4))))) == 3
    # ... also where the copies have no embedding yet and are compared by their words.
    new = [a_candidate(i, embedding=None, prompt="My parcel is late today", completion=answer) for i in range(6)]
    others = [a_candidate(10 + i, embedding=None, prompt=f"parcel {word}") for i, word in enumerate(WORDS[:3])]
    assert len(set(ids(Retriever([*new, *others]).retrieve("late parcel", None, Choice(k=4)))) & set(ids(new))) == 1


def test_one_request_answered_in_different_ways_is_shown_in_different_ways() -> None:
    same = [a_candidate(i, embedding=AXES[0], prompt="Write today's greeting") for i in range(6)]
    assert len(Retriever(same).retrieve("Write today's greeting", AXES[0], Choice(k=4))) == 4
    assert len(choose_covering(same, Choice(k=4))) == 4


def test_an_example_without_an_embedding_is_found_by_its_words() -> None:
    new = a_candidate(1, embedding=None, prompt="Where is my parcel? It should be here.")
    old = a_candidate(2, embedding=AXES[0])
    for vector in (AXES[3], None):
        [found] = Retriever([new, old]).retrieve("Where is my parcel?", vector, Choice(k=1))
        assert found.example is new


def test_the_examples_keep_within_their_tokens_and_the_best_go_first() -> None:
    sizes = (100, 900, 200, 100)
    examples = [
        a_candidate(i, embedding=leaning(0, 0.9 - i / 10), prompt="x" * 3 * size, completion=WORDS[9 * i])
        for i, size in enumerate(sizes)
    ]
    retriever = Retriever(examples)

    def within(tokens: int) -> list[str]:
        return ids(retriever.retrieve("?", AXES[0], by_meaning(4, tokens)))

    assert within(10_000) == ["e0003", "e0002", "e0001", "e0000"]
    assert within(450) == ["e0003", "e0002", "e0000"]  # what does not fit is passed over
    assert within(350) == ["e0002", "e0000"]
    assert within(50) == []
    for tokens in range(0, 1500, 50):
        found = retriever.retrieve("?", AXES[0], by_meaning(4, tokens))
        assert sum(estimate_tokens(one.example) for one in found) <= tokens


def test_a_changed_retriever_finds_what_a_new_one_would() -> None:
    examples = [a_candidate(i, **({} if i % 3 else {"embedding": None})) for i in range(60)]
    gone, new = set(ids(examples[10:25])), [a_candidate(i) for i in range(100, 110)]
    changed = Retriever(examples).changed(gone=gone, new=new)
    fresh = Retriever([*(one for one in examples if one.example_id not in gone), *new])
    for question in (a_candidate(500), examples[12], new[0]):
        for vector in (question.embedding, None):
            asked = (question.prompt, vector, Choice(k=8))
            assert changed.retrieve(*asked) == fresh.retrieve(*asked)


def test_nothing_is_found_among_nothing() -> None:
    assert Retriever([]).retrieve("?", AXES[0], Choice(k=4)) == []
    assert Retriever([a_candidate(1)]).retrieve("?", None, Choice(k=0)) == []


# ------------------------------------------------------------------------------------------------ a fixed set


def test_fixed_examples_cover_the_style_and_are_always_the_same() -> None:
    examples = [a_candidate(i, embedding=AXES[i % 4] + 0.3 * unit(a_candidate(i).embedding[:8])) for i in range(40)]  # type: ignore[index]
    chosen = choose_covering(examples, Choice(k=4))
    assert {int(one.example_id[1:]) % 4 for one in chosen} == {0, 1, 2, 3}
    assert ids(choose_covering(examples[::-1], Choice(k=4))) == ids(chosen)


def test_asking_for_more_fixed_examples_than_there_are_gives_all() -> None:
    assert len(choose_covering([a_candidate(i, embedding=AXES[i]) for i in range(3)], Choice(k=8))) == 3
    assert choose_covering([], Choice(k=8)) == []


def test_an_outlier_is_not_shown_where_k_center_would_begin_with_it() -> None:
    crowd = [a_candidate(i, embedding=AXES[i % 3] + 0.2 * AXES[(i + 1) % 3]) for i in range(30)]
    alone = a_candidate(99, embedding=AXES[6])
    assert "e0099" not in ids(choose_covering([*crowd, alone], Choice(k=3)))


def test_of_two_that_cover_the_same_the_better_one_is_shown() -> None:
    for better in (1, 2):
        pair = [
            a_candidate(
                i, embedding=leaning(0, 0.96), completion="the same length", quality=0.9 if i == better else 0.3
            )
            for i in (1, 2)
        ]
        assert ids(choose_covering(pair, Choice(k=1))) == [f"e000{better}"]


def test_a_completion_of_unusual_length_is_not_shown() -> None:
    usual = [a_candidate(i, completion="A line of the usual length.") for i in range(20)]
    strange = [a_candidate(50, completion="No."), a_candidate(51, completion="On and on. " * 80)]
    shown = ids(choose_covering([*usual, *strange], Choice(k=20)))
    assert not {"e0050", "e0051"} & set(shown)


def test_a_near_copy_of_a_shown_one_is_not_shown() -> None:
    copies = [a_candidate(i, embedding=leaning(0, 0.999), completion="Always the same") for i in range(5)]
    assert len(choose_covering(copies, Choice(k=4))) == 1


@pytest.mark.parametrize("tokens", [0, 40, 100, 300])
def test_fixed_examples_keep_within_their_tokens(tokens: int) -> None:
    shown = choose_covering([a_candidate(i) for i in range(30)], Choice(k=10, max_tokens=tokens))
    assert sum(estimate_tokens(one) for one in shown) <= tokens
    assert bool(shown) == (tokens >= 100)

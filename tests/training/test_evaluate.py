from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from config.prompts import ChatMessages
from tests.support.tiny_model import make_tiny_adapter
from tests.support.training_nursery import rows
from trainer.drafts import draft_and_score, generate
from trainer.evaluate import Candidate, UnseenPair, evaluate, to_json
from trainer.likelihood import score_bits
from trainer.metrics import Scorecard
from trainer.recipe import Evaluation
from trainer.train import load_base

pytestmark = pytest.mark.training

KNOBS = Evaluation(max_pairs=8, max_generated_pairs=3, max_new_tokens=6, batch_size=3)
PAIRS = rows(8, start=50)
UNSEEN = [
    UnseenPair(example_id=f"e{i}", completion=row["completion"][0]["content"] + "é") for i, row in enumerate(PAIRS)
]


@pytest.fixture(scope="module")
def candidates(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    folder = tmp_path_factory.mktemp("adapters")
    prompts = tuple(row["prompt"] for row in PAIRS)
    longer = tuple([*row["prompt"][:1], {"role": "assistant", "content": "X"}, *row["prompt"]] for row in PAIRS)
    return [
        Candidate(rung="zero_shot", prompts=prompts),
        Candidate(rung="lora", prompts=prompts, adapter=make_tiny_adapter(folder / "a", tiny_base, seed=1)),
        Candidate(rung="retrieved", prompts=longer),
        Candidate(rung="lora_retrieved", prompts=longer, adapter=make_tiny_adapter(folder / "b", tiny_base, seed=2)),
    ]


def run(candidates: list[Candidate], base: Path, **changes: Any) -> list[Scorecard]:
    return evaluate(candidates, UNSEEN, base_path=base, knobs=KNOBS, dtype="float32", **changes)


def test_every_candidate_is_scored_on_the_same_pairs(candidates: list[Candidate], tiny_base: Path) -> None:
    scorecards = run(candidates, tiny_base)
    assert [card.rung for card in scorecards] == ["zero_shot", "lora", "retrieved", "lora_retrieved"]
    for card in scorecards:
        assert [pair.example_id for pair in card.pairs] == [pair.example_id for pair in UNSEEN]
        assert [pair.draft is not None for pair in card.pairs] == [True] * 3 + [False] * 5
        assert card.seconds_per_draft > 0
        assert card.pairs[0].reference_bytes == len(UNSEEN[0].completion) + 1  # é is two bytes
    assert scorecards[2].prompt_tokens > scorecards[0].prompt_tokens


def test_a_candidate_is_scored_with_its_own_adapter_whatever_was_scored_before(
    candidates: list[Candidate], tiny_base: Path
) -> None:
    together = {card.rung: card.bits_per_byte for card in run(candidates, tiny_base)}
    backwards = {card.rung: card.bits_per_byte for card in run(candidates[::-1], tiny_base)}
    alone = {c.rung: run([c], tiny_base)[0].bits_per_byte for c in candidates}
    assert len(set(together.values())) == 4
    assert backwards == pytest.approx(together, rel=1e-6)
    assert alone == pytest.approx(together, rel=1e-6)


def test_what_was_scored_before_is_not_scored_again(candidates: list[Candidate], tiny_base: Path) -> None:
    first = run(candidates[:2], tiny_base)
    stored = {card.rung: Scorecard.from_json(json.loads(json.dumps(to_json(card)))) for card in first}
    fresh: list[str] = []
    again = run(candidates, tiny_base, done=stored, on_scored=lambda card: fresh.append(card.rung))
    assert again[:2] == first
    assert fresh == ["retrieved", "lora_retrieved"]


def test_a_score_from_other_pairs_is_not_reused(candidates: list[Candidate], tiny_base: Path) -> None:
    old = evaluate(candidates[:1], UNSEEN[1:], base_path=tiny_base, knobs=KNOBS, dtype="float32")
    fresh: list[str] = []
    run(candidates[:1], tiny_base, done={"zero_shot": old[0]}, on_scored=lambda card: fresh.append(card.rung))
    assert fresh == ["zero_shot"]


def test_the_likelihood_does_not_depend_on_the_batch(tiny_base: Path) -> None:
    model, tokenizer = load_base(tiny_base, dtype="float32"), AutoTokenizer.from_pretrained(tiny_base)
    prompts, completions = [row["prompt"] for row in PAIRS], [row["completion"][0]["content"] for row in PAIRS]
    alone = score_bits(model, tokenizer, prompts, completions, batch=1)
    for batch in (3, 8):
        together = score_bits(model, tokenizer, prompts, completions, batch=batch)
        assert [nll for nll, _ in together] == pytest.approx([nll for nll, _ in alone], rel=1e-4)
        assert [tokens for _, tokens in together] == [tokens for _, tokens in alone]
    assert alone[0][1] == len(completions[0]) + 1  # bytes are tokens here, and the end of the turn counts


def test_a_batched_draft_is_the_draft_written_alone(tiny_base: Path) -> None:
    model = load_base(tiny_base, dtype="float32")
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    prompts = [row["prompt"] for row in PAIRS]
    together = generate(model, tokenizer, prompts, max_new_tokens=8, batch=5)
    alone = [generate(model, tokenizer, [prompt], max_new_tokens=8)[0] for prompt in prompts]
    assert together == alone
    ids = tokenizer.apply_chat_template(prompts[0], add_generation_prompt=True, return_tensors="pt", return_dict=False)
    expected = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    assert together[0].text == tokenizer.decode(expected[0, ids.shape[1] :], skip_special_tokens=True).strip()


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_draft_and_a_score_of_one_reading_are_those_of_two(tiny_base: Path, batch: int) -> None:
    model = load_base(tiny_base, dtype="float32")
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    # Some share their opening and some do not, and no two are of one length.
    prompts: list[ChatMessages] = [
        [{"role": "system", "content": "Be brief. " * number}, *row["prompt"]] if number % 2 else row["prompt"]
        for number, row in enumerate(PAIRS)
    ]
    references = [row["completion"][0]["content"] * (1 + number % 3) for number, row in enumerate(PAIRS)]
    both = draft_and_score(model, tokenizer, prompts, references, max_new_tokens=8, batch=batch)
    assert [one.draft for one in both] == generate(model, tokenizer, prompts, max_new_tokens=8, batch=1)
    apart = [nats for nats, _ in score_bits(model, tokenizer, prompts, references, batch=1)]
    assert [one.reference_nats for one in both] == pytest.approx(apart, rel=1e-4)


def test_a_template_that_opens_an_answer_otherwise_is_read_twice(tiny_base: Path) -> None:
    """As models do that think before they answer: the opening asks for a thought, and an answer shows none."""
    model = load_base(tiny_base, dtype="float32")
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    plain, prompts = tokenizer.chat_template, [row["prompt"] for row in PAIRS[:3]]
    references = [row["completion"][0]["content"] for row in PAIRS[:3]]
    tokenizer.chat_template = plain + "{% if add_generation_prompt %}think: {% endif %}"
    both = draft_and_score(model, tokenizer, prompts, references, max_new_tokens=8)
    apart = score_bits(model, tokenizer, prompts, references, batch=1)
    assert [one.reference_nats for one in both] == pytest.approx([nats for nats, _ in apart], rel=1e-4)
    assert [one.draft for one in both] == generate(model, tokenizer, prompts, max_new_tokens=8)
    tokenizer.chat_template = plain
    other = score_bits(model, tokenizer, prompts, references, batch=1)
    # What is scored follows no thought in either template.
    assert [nats for nats, _ in apart] == pytest.approx([nats for nats, _ in other], rel=1e-4)

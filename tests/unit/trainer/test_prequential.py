from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from config.choosing import Choice
from config.rungs import Rung
from tests.unit.trainer.test_dataset import EPOCH, an_example
from trainer.dataset import TrainingExample
from trainer.prequential import FIRST, predict_in_turn, prompts_in_turn

EXAMPLES = [an_example(number) for number in range(30)]


def ids_before(example: TrainingExample, earlier: Sequence[TrainingExample]) -> tuple[str, list[str]]:
    return example.example_id, [one.example_id for one in earlier]


def test_each_example_is_predicted_from_those_approved_before_it_and_from_no_other() -> None:
    seen = predict_in_turn(EXAMPLES[::-1], ids_before)
    assert [example for example, _ in seen] == [one.example_id for one in EXAMPLES[FIRST:]]
    for example, earlier in seen:
        assert earlier == [one.example_id for one in EXAMPLES if one.example_id < example]


def test_what_tells_about_an_example_is_not_learnt_from_before_it_is_predicted() -> None:
    copied = replace(EXAMPLES[5], example_id="copy", approved_at=EPOCH + timedelta(days=1), completion="something else")
    threads = [replace(one, thread_key="one thread") if one in EXAMPLES[8:10] else one for one in EXAMPLES]
    seen = dict(predict_in_turn([*threads, copied], ids_before))
    assert "e0005" not in seen["copy"]
    assert len(seen["copy"]) == len(EXAMPLES) - 1
    assert "e0008" not in seen["e0009"]
    assert "e0008" in seen["e0010"]


def test_prompts_hold_earlier_answers_alone() -> None:
    answers = [one.completion for one in sorted(EXAMPLES, key=lambda one: one.example_id)]
    for rung, shown in ((Rung.ZERO_SHOT, 0), (Rung.FEW_SHOT, 3), (Rung.RETRIEVED, 3)):
        for example, prompt in prompts_in_turn(EXAMPLES, rung, "Be brief.", Choice(k=3, min_similarity=-1.0)):
            said = [message["content"] for message in prompt if message["role"] == "assistant"]
            assert len(said) == shown
            assert set(said) <= set(answers[: int(example.example_id[1:])])
            assert prompt[-1]["content"] == example.prompt


def test_a_rung_with_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="weights of its own"):
        prompts_in_turn(EXAMPLES, Rung.LORA, "", Choice(k=0))

"""Answers out of a choice: as likely in one pass as each by itself, and on the server never anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoTokenizer

from config.prompts import ChatMessages
from config.settings import EMBEDDED_BASE_MODEL
from tests.support.tiny_model import make_tiny_adapter
from trainer.base_models import prepare_base_model
from trainer.choices import Choices, choice_logprobs
from trainer.likelihood import score_bits
from trainer.train import load_base

pytestmark = pytest.mark.training

LABELS = ["bug", "bug-report", "feature request", "één 🦊", "python", "x"]
PROMPT: ChatMessages = [
    {"role": "system", "content": "Answer with the label."},
    {"role": "user", "content": "It crashes when I press the button twice."},
]


def in_one_pass(model: Any, tokenizer: Any, prompt: ChatMessages, labels: list[str]) -> list[float]:
    choices = Choices(tokenizer, labels)
    ids = list(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False))
    with torch.inference_mode():
        return [sum(tokens) for tokens in choice_logprobs(model, choices.begin(ids), choices.tails)]


def one_by_one(model: Any, tokenizer: Any, prompt: ChatMessages, labels: list[str]) -> list[float]:
    return [-nats for nats, _ in score_bits(model, tokenizer, [prompt] * len(labels), labels, batch=1)]


@pytest.mark.parametrize("has_adapter", [False, True])
def test_all_answers_in_one_pass_are_as_likely_as_each_by_itself(
    has_adapter: bool, tiny_base: Path, tmp_path: Path
) -> None:
    model: Any = load_base(tiny_base, dtype="float32").eval()
    if has_adapter:
        model = PeftModel.from_pretrained(model, str(make_tiny_adapter(tmp_path / "a", tiny_base)))
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    together = in_one_pass(model, tokenizer, PROMPT, LABELS)
    assert together == pytest.approx(one_by_one(model, tokenizer, PROMPT, LABELS), abs=1e-3)
    assert len({round(value, 3) for value in together}) == len(LABELS)


def test_the_real_model_too_and_the_order_of_the_answers_does_not_matter(embedded_models: Path) -> None:
    base = prepare_base_model(EMBEDDED_BASE_MODEL, embedded_models)
    model: Any = load_base(base, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    together = in_one_pass(model, tokenizer, PROMPT, LABELS)
    assert together == pytest.approx(one_by_one(model, tokenizer, PROMPT, LABELS), abs=2e-2)
    assert in_one_pass(model, tokenizer, PROMPT, LABELS[::-1]) == pytest.approx(together[::-1], abs=2e-2)

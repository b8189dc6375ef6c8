"""What a model scores of labels becomes a scorecard only where it is numbers, on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from config.prompts import build_prompt
from trainer.labelling import LabelPrompts, score_with_model
from trainer.train import load_base

pytestmark = pytest.mark.training


@pytest.mark.parametrize("validation, lost", [("it works", 0), ("it Zooms", 2)])
def test_a_model_that_cannot_be_calibrated_gives_no_finite_likelihood_of_anything(
    validation: str, lost: int, tiny_base: Path
) -> None:
    model: Any = load_base(tiny_base, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    with torch.no_grad():  # it overflows at this letter alone
        model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids("Z")] = torch.nan
    known = LabelPrompts(
        labels=("bug", "wish"), prompts=tuple(build_prompt("Which label?", one) for one in ("it is late", validation)),
        truths=("bug", "wish"), target_precision=0.8,
    )  # fmt: skip

    card = score_with_model(
        model, tokenizer, "lora", [build_prompt("Which label?", one) for one in ("it fails", "it could be faster")],
        [("e1", "bug"), ("e2", "wish")], known,
    )  # fmt: skip

    assert card.not_finite == lost

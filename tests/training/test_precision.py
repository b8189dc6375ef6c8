"""A recipe that leaves its precision to the machine gets the one that this processor is fast in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainer.precision import torch_dtype
from trainer.recipe import list_recipes, load_recipe
from trainer.train import load_base

pytestmark = pytest.mark.training

ASK = "import sys; from trainer.train import load_base; print(load_base(sys.argv[1], dtype='auto').dtype)"


def test_a_base_model_is_held_in_float32_where_bfloat16_is_computed_in_software(base: Path) -> None:
    # oneDNN is told what a processor without such instructions tells it.
    said = subprocess.run(
        [sys.executable, "-c", ASK, str(base)], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
    )  # fmt: skip
    assert said.stdout.strip() == "torch.float32"


@pytest.mark.parametrize("name", ["bfloat16", "float32"])
def test_a_precision_that_a_recipe_names_is_kept_whatever_the_machine_is_fast_in(base: Path, name: str) -> None:
    assert load_base(base, dtype=name).dtype == torch_dtype(name) == getattr(torch, name)


def test_every_shipped_recipe_for_real_models_leaves_the_precision_to_the_machine() -> None:
    named = {name: load_recipe(name).training.dtype for name in list_recipes()}
    assert {name for name, dtype in named.items() if dtype != "auto"} == {"tiny-test"}

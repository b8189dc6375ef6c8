"""Training speed: the plain TRL script against ours, on the same pairs and model, in one run.

`python -m tests.benchmarks.training [--steps 16] [--base-model PATH] [--pairs FILE]` prints real tokens per
second (padding not counted) of both, their ratio, and the held-out loss of both adapters, measured by the same
code. Exits 1 when ours is less than twice as fast or its held-out loss is worse by more than the tolerance.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from config.prompts import Pair, build_prompt

INSTRUCTIONS = "Write the one-line synopsis of this Debian package."
REQUIRED_RATIO = 2.5
#: Nats per token. Both see other batches, so their losses differ a little in either direction.
LOSS_TOLERANCE = 0.05


def load_pairs(path: Path, count: int) -> list[Pair]:
    """Pairs from TRL-format JSONL (`prompt`, `completion`) or from package records; short ones, shuffled."""
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if "description" in record:
            pairs.append(Pair(prompt=record["description"], completion=record["synopsis"]))
        else:
            pairs.append(Pair(prompt=_text(record["prompt"]), completion=_text(record["completion"])))
    short = [pair for pair in pairs if len(pair.prompt) <= 700]
    random.Random(7).shuffle(short)
    return short[:count]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value[-1]["content"])


def to_rows(pairs: list[Pair]) -> list[dict[str, Any]]:
    return [
        {
            "prompt": build_prompt(INSTRUCTIONS, pair.prompt),
            "completion": [{"role": "assistant", "content": pair.completion}],
        }
        for pair in pairs
    ]


def train_stock(base: Path, rows: list[dict[str, Any]], steps: int, folder: Path) -> tuple[Any, float]:
    """What TRL's documentation shows: SFTTrainer with a PEFT config, bf16; nothing switched off or on."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    trainer = SFTTrainer(
        model=str(base),
        args=SFTConfig(
            output_dir=str(folder),
            model_init_kwargs={"dtype": "bfloat16"},
            per_device_train_batch_size=8,
            learning_rate=5e-4,
            lr_scheduler_type="cosine",
            max_steps=steps,
            logging_steps=steps,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=42,
        ),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    tokens = next(row["num_tokens"] for row in trainer.state.log_history if "num_tokens" in row)
    return trainer.model, tokens / seconds


def held_out_loss(model: Any, base: Path, rows: list[dict[str, Any]]) -> float:
    """Nats per completion token over all rows."""
    from transformers import AutoTokenizer

    from trainer.likelihood import score_bits

    scored = score_bits(
        model,
        AutoTokenizer.from_pretrained(base),
        [row["prompt"] for row in rows],
        [row["completion"][0]["content"] for row in rows],
        batch=8,
    )
    return sum(nll for nll, _ in scored) / sum(tokens for _, tokens in scored)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--base-model", type=Path, default=None)
    parser.add_argument("--pairs", type=Path, required=False)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()

    import torch
    from peft import PeftModel

    from trainer.base_models import prepare_base_model
    from trainer.recipe import load_recipe
    from trainer.train import load_base, train_adapter

    torch.set_num_threads(chosen.threads)
    default = Path(__file__).resolve().parents[2] / "bot" / "rehearsal" / "samples" / "debian-synopses.jsonl"
    pairs = load_pairs(chosen.pairs or default, 240)
    base = chosen.base_model or prepare_base_model("embedded:smollm2-135m-instruct", Path(".huisstijl/models"))
    rows, unseen = to_rows(pairs[:190]), to_rows(pairs[190:230])
    recipe = load_recipe("cpu-small")
    recipe = recipe.model_copy(
        update={
            "training": recipe.training.model_copy(
                update={
                    "max_steps": chosen.steps,
                    "eval_every_steps": chosen.steps,
                    "batch_size": 8,
                    "learning_rate": 5e-4,
                    "warmup_share": 0.0,
                }
            ),
            "lora": recipe.lora.model_copy(update={"r": 16, "alpha": 32}),
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        stock_model, stock_speed = train_stock(base, rows, chosen.steps, Path(scratch) / "stock")
        stock_loss = held_out_loss(stock_model, base, unseen)
        del stock_model
        ours = train_adapter(
            base_path=base,
            rows_train=rows,  # type: ignore[arg-type]  # plain dicts, as a script would read them
            rows_validation=to_rows(pairs[230:]),  # type: ignore[arg-type]
            recipe=recipe,
            rung="lora",
            out_dir=Path(scratch) / "ours",
            checkpoint_dir=Path(scratch) / "checkpoints",
        )
        model = PeftModel.from_pretrained(load_base(base, dtype=recipe.training.dtype), ours.folder)
        our_loss = held_out_loss(model, base, unseen)

    ratio = ours.tokens_per_second / stock_speed
    print(f"{'':24}{'tokens/s':>10}{'held-out loss':>16}")
    print(f"{'TRL as it comes, bf16':24}{stock_speed:>10.0f}{stock_loss:>16.3f}")
    print(f"{'huisstijl':24}{ours.tokens_per_second:>10.0f}{our_loss:>16.3f}")
    print(f"ratio {ratio:.2f} at {chosen.steps} steps of 8 pairs (required: {REQUIRED_RATIO:.1f})")
    return 0 if ratio >= REQUIRED_RATIO and our_loss <= stock_loss + LOSS_TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long judging takes: every rung on 100 unseen pairs, `python -m tests.benchmarks.scoring`.

As a run does it with the recipe `cpu-small`: the likelihood of every reference, and drafts for the first 40 pairs. The
adapters are small random ones, since a rung's time does not depend on what its adapter has learnt; they hardly change
what the model writes, so drafts are as long as the base model's, and a trained adapter's are shorter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from config.rungs import Rung
from config.settings import EMBEDDED_BASE_MODEL, EMBEDDED_EMBEDDING_MODEL
from tests.benchmarks.installation import say_figure
from tests.benchmarks.ladder.pairs import Sides
from tests.benchmarks.ladder.study import make_candidate
from tests.benchmarks.training import load_pairs
from tests.support.tiny_model import make_tiny_adapter
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.dataset import TrainingExample
from trainer.evaluate import UnseenPair, evaluate
from trainer.recipe import load_recipe
from trainer.serving.embedder import Embedder

SAMPLES = Path(__file__).resolve().parents[2] / "bot" / "rehearsal" / "samples" / "debian-synopses.jsonl"
UNSEEN, POOL = 100, 140
GOAL_SECONDS = 180.0
RUNGS = (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED, Rung.LORA, Rung.LORA_RETRIEVED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path(".huisstijl/models"))
    chosen = parser.parse_args()
    base = prepare_base_model(EMBEDDED_BASE_MODEL, chosen.models)
    examples = read_examples(chosen.models)
    sides = Sides(train=examples[UNSEEN:], validation=[], unseen=examples[:UNSEEN])
    recipe = load_recipe("cpu-small")
    with tempfile.TemporaryDirectory() as folder:
        adapter = make_tiny_adapter(Path(folder) / "adapter", base, rank=recipe.lora.r, scale=0.01)
        candidates = [make_candidate(rung, sides, recipe, adapter if rung.needs_adapter else None) for rung in RUNGS]
        began = time.perf_counter()
        cards = evaluate(
            candidates,
            [UnseenPair(example_id=one.example_id, completion=one.completion) for one in sides.unseen],
            base_path=base, knobs=recipe.evaluation, dtype=recipe.training.dtype,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    sys.stdout.write(f"{'rung':16}{'scored s':>10}{'s a draft':>11}{'tokens in':>11}{'tokens out':>12}\n")
    for card in cards:
        sys.stdout.write(
            f"{card.rung:16}{card.scoring_seconds:>10.1f}{card.seconds_per_draft:>11.2f}{card.prompt_tokens:>11.0f}"
            f"{card.completion_tokens or 0:>12.0f}\n"
        )
    drafts = recipe.evaluation.max_generated_pairs
    say_figure(
        f"scoring {len(cards)} rungs on {UNSEEN} unseen pairs, {drafts} drafts each", f"{seconds:.0f} s",
        f"< {GOAL_SECONDS:.0f} s", seconds < GOAL_SECONDS,
    )  # fmt: skip
    return 0 if seconds < GOAL_SECONDS else 1


def read_examples(models: Path) -> list[TrainingExample]:
    """The sample pairs with their prompts' embeddings."""
    embedder = Embedder(
        prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, models), name=EMBEDDED_EMBEDDING_MODEL
    )  # fmt: skip
    pairs = load_pairs(SAMPLES, UNSEEN + POOL)
    vectors, _ = embedder.embed([pair.prompt for pair in pairs])
    return [
        TrainingExample(
            example_id=f"{n:04}", prompt=pair.prompt, completion=pair.completion, embedding=vector.numpy()
        )
        for n, (pair, vector) in enumerate(zip(pairs, vectors, strict=True))
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

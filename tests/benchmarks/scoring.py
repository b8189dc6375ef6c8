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

from config.choosing import Retriever, choose_covering
from config.rungs import Rung
from config.settings import EMBEDDED_BASE_MODEL, EMBEDDED_EMBEDDING_MODEL
from tests.benchmarks.installation import say_figure
from tests.benchmarks.training import INSTRUCTIONS, load_pairs
from tests.support.tiny_model import make_tiny_adapter
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.dataset import TrainingExample, prompt_for
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.recipe import Recipe, load_recipe
from trainer.serving.embedder import Embedder

SAMPLES = Path(__file__).resolve().parents[2] / "bot" / "rehearsal" / "samples" / "debian-synopses.jsonl"
UNSEEN, POOL = 100, 140
GOAL_SECONDS = 180.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path(".huisstijl/models"))
    chosen = parser.parse_args()
    base = prepare_base_model(EMBEDDED_BASE_MODEL, chosen.models)
    examples = read_examples(chosen.models)
    recipe = load_recipe("cpu-small")
    with tempfile.TemporaryDirectory() as folder:
        adapter = make_tiny_adapter(Path(folder) / "adapter", base, rank=recipe.lora.r, scale=0.01)
        candidates = [make_candidate(rung, examples[UNSEEN:], examples[:UNSEEN], recipe, adapter) for rung in Rung]
        began = time.perf_counter()
        cards = evaluate(
            candidates,
            [UnseenPair(example_id=one.example_id, completion=one.completion) for one in examples[:UNSEEN]],
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


def make_candidate(
    rung: Rung, pool: list[TrainingExample], unseen: list[TrainingExample], recipe: Recipe, adapter: Path
) -> Candidate:
    """A rung's prompts for the unseen pairs, and the adapter where it needs one."""
    knobs = recipe.rungs
    shots = choose_covering(pool, knobs.few_shot_k) if rung is Rung.FEW_SHOT else []
    retriever = Retriever(pool) if rung.uses_retrieval else None
    k = knobs.lora_retrieved_k if rung is Rung.LORA_RETRIEVED else knobs.retrieved_k
    prompts = tuple(prompt_for(rung.value, INSTRUCTIONS, one, shots=shots, retriever=retriever, k=k) for one in unseen)
    return Candidate(rung=rung.value, prompts=prompts, adapter=adapter if rung.needs_adapter else None)


if __name__ == "__main__":
    sys.exit(main())

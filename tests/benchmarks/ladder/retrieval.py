"""Which way of choosing examples makes the reference likeliest: the knobs of `config.choosing`, on validation pairs.

    python -m tests.benchmarks.ladder.retrieval --data debian-packages.jsonl --stored scores.json [--ways "dense k=4" …]

Scores are bits per byte of the real base model under prompts that differ in nothing but their examples. What the file
holds already is not measured again, so that another way can be added later. The unseen sides of `pairs` stay unseen.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from config.choosing import Choice, Retriever, Vector, choose_covering
from config.prompts import ChatMessages, build_prompt
from tests.benchmarks.ladder.pairs import INSTRUCTIONS, Sides, draw_sides, load_records
from tests.benchmarks.ladder.study import BASE, EMBEDDINGS, MODELS
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.dataset import TrainingExample
from trainer.likelihood import score_bits
from trainer.metrics import paired_bootstrap
from trainer.serving.embedder import Embedder
from trainer.train import load_base

Pool = list[TrainingExample]
#: The examples of one request, in the prompt's order.
Way = Callable[[Pool, TrainingExample], Pool]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--stored", type=Path, required=True)
    made.add_argument("--pool", type=int, default=200)
    made.add_argument("--pairs", type=int, default=80)
    made.add_argument("--chars", type=int, default=300, help="longest description, so that it is quick")
    made.add_argument("--unseen", type=int, default=300, help="families that are left for the final study")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--models", type=Path, default=MODELS)
    made.add_argument("--ways", nargs="*", help="only these, in this order")
    made.add_argument("--against", default="dense k=4")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    everything = load_records(chosen.data)
    final = draw_sides(everything, unseen=chosen.unseen, train=1, validation=1, seed=chosen.seed).unseen
    left = {one.group_key for one in final}
    records = [one for one in everything if one.family not in left and len(one.description) <= chosen.chars]
    sides = draw_sides(records, unseen=0, train=chosen.pool, validation=3 * chosen.pairs, seed=chosen.seed)
    pool, pairs = _embedded(sides, chosen.pairs, chosen.models)
    stored: dict[str, Any] = json.loads(chosen.stored.read_text()) if chosen.stored.exists() else {}
    base = prepare_base_model(BASE, chosen.models)
    model = load_base(base, dtype="bfloat16")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    known = ways(pool)
    for name in chosen.ways or known:
        if name in stored:
            continue
        way = known[name]
        prompts = [_prompt(way(pool, one), one) for one in pairs]
        scored = score_bits(model, tokenizer, prompts, [one.completion for one in pairs], batch=12)
        stored[name] = {
            "nats": [round(nats, 4) for nats, _ in scored],
            "bytes": [len(one.completion.encode()) for one in pairs],
            "tokens": float(np.mean([len(tokenizer.apply_chat_template(p, return_dict=False)) for p in prompts])),
        }
        chosen.stored.write_text(json.dumps(stored))
        print(_line(name, stored, chosen.against), flush=True)
    print("\n".join(_line(name, stored, chosen.against) for name in stored))
    return 0


def ways(pool: Pool) -> dict[str, Way]:
    """Every way that is compared, by name."""
    retriever = Retriever(pool)
    found: dict[str, Way] = {"none": lambda pool, one: []}

    def by(choice: Choice, *, best_last: bool = True) -> Way:
        def way(pool: Pool, one: TrainingExample) -> Pool:
            examples = [hit.example for hit in retriever.retrieve(one.prompt, one.embedding, choice)]
            return examples if best_last else examples[::-1]

        return way

    def fused_by_rank(k: int) -> Way:
        """Reciprocal rank fusion (Cormack et al. 2009) with its usual constant."""

        def way(pool: Pool, one: TrainingExample) -> Pool:
            total = np.zeros(len(retriever.examples))
            for weight in (0.0, 1.0):
                order = np.argsort(-retriever.similarities(one.prompt, one.embedding, weight), kind="stable")
                total[order] += 1 / (60 + 1 + np.arange(len(order)))
            return [retriever.examples[i] for i in np.argsort(-total, kind="stable")[:k]][::-1]

        return way

    def anything(k: int, weight: float, diversity: float = 0.0) -> Choice:
        return Choice(k=k, lexical_weight=weight, diversity=diversity, min_similarity=-1.0)

    for k in (4, 2, 8):
        found[f"dense k={k}"] = by(anything(k, 0.0))
        found[f"bm25 k={k}"] = by(anything(k, 1.0))
        for weight in (0.3, 0.5, 0.7):
            found[f"fused {weight} k={k}"] = by(anything(k, weight))
        found[f"rrf k={k}"] = fused_by_rank(k)
        found[f"dense mmr 0.3 k={k}"] = by(anything(k, 0.0, 0.3))
        found[f"fused 0.3 mmr 0.3 k={k}"] = by(anything(k, 0.3, 0.3))
        for diversity in (0.15, 0.3, 0.4, 0.5):
            found[f"fused 0.5 mmr {diversity} k={k}"] = by(anything(k, 0.5, diversity))
    for least in (0.15, 0.25, 0.35):
        found[f"fused 0.5 mmr 0.3 cut {least} k=4"] = by(
            Choice(k=4, lexical_weight=0.5, diversity=0.3, min_similarity=least)
        )
    found["fused 0.5 best first k=4"] = by(anything(4, 0.5), best_last=False)
    for seed in (1, 2, 3):
        found[f"random {seed} k=4"] = always(random.Random(seed).sample(pool, 4))
    found["covering k=4"] = always(choose_covering(pool, Choice(k=4)))
    found["k-center k=4"] = always(k_center(pool, 4))
    return found


def k_center(pool: Pool, k: int) -> Pool:
    """Greedy k-center (Gonzalez 1985) from the example nearest to the centre of all: what `few_shot` showed before."""
    vectors = np.stack([one.embedding for one in pool if one.embedding is not None])
    chosen = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < k:
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return [pool[index] for index in chosen]


def always(examples: Pool) -> Way:
    return lambda pool, one: examples


def _prompt(examples: Pool, one: TrainingExample) -> ChatMessages:
    return build_prompt(INSTRUCTIONS, one.prompt, [example.pair for example in examples])


def _embedded(sides: Sides, pairs: int, models: Path) -> tuple[Pool, Pool]:
    embedder = Embedder(prepare_embedding_model(EMBEDDINGS, models), name=EMBEDDINGS)

    def embed(examples: Pool) -> Pool:
        vectors, _ = embedder.embed([one.prompt for one in examples])
        found: list[Vector] = list(vectors.numpy())
        return [
            TrainingExample(example_id=one.example_id, prompt=one.prompt, completion=one.completion, embedding=vector)
            for one, vector in zip(examples, found, strict=True)
        ]

    return embed(sides.train), embed(sides.validation[:pairs])


def _line(name: str, stored: dict[str, Any], against: str) -> str:
    bits = np.array(stored[name]["nats"]) / math.log(2)
    size = np.array(stored[name]["bytes"], dtype=float)
    text = f"| {name} | {bits.sum() / size.sum():.4f} |"
    if against in stored and against != name:
        other = np.array(stored[against]["nats"]) / math.log(2)
        # The pairs' bits over the mean size: a mean over pairs whose total is the ratio of sums.
        gain = paired_bootstrap(other / size.mean(), bits / size.mean())
        text += f" {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) |"
    else:
        text += " |"
    return f"{text} {stored[name]['tokens']:.0f} |"


if __name__ == "__main__":
    sys.exit(main())

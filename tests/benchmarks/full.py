"""All weights against an adapter on the same pairs: what each takes, and what it is worth on unseen pairs.

    python -m tests.benchmarks.full --data debian-packages.jsonl [--train 60] [--unseen 60] [--rung full lora]
        [--learning-rate 1e-4] [--weights bfloat16] [--max-steps 12] [--serve]

Each training runs in a process of its own, whose peak of memory is then that training's. A line of JSON each: the
memory foreseen and the peak (above what the process had before), seconds, the best validation loss, bits per byte.
`--serve` puts the model of all weights into a store, starts the model server on it, and prints one answer beside the
base model's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.ladder.pairs import INSTRUCTIONS, Sides, draw_sides, load_records
from tests.benchmarks.ladder.study import BASE, MODELS, VALIDATION

if TYPE_CHECKING:
    from trainer.recipe import TunedRung

SEED = 101


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--train", type=int, default=60)
    made.add_argument("--unseen", type=int, default=60)
    made.add_argument("--rung", nargs="+", default=["lora", "full"])
    made.add_argument("--learning-rate", type=float)
    made.add_argument("--weights", choices=["float32", "bfloat16"], default="float32")
    made.add_argument("--max-steps", type=int, default=-1)
    made.add_argument("--recipe", default="cpu-small")
    made.add_argument("--serve", action="store_true")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for rung in chosen.rung:
            child = context.Process(target=measure, args=(rung, chosen, Path(folder)))
            child.start()
            child.join()
            if child.exitcode:
                return 1
        if chosen.serve:
            serve(chosen, Path(folder))
    return 0


def sides_of(chosen: argparse.Namespace) -> Sides:
    records = load_records(chosen.data)
    return draw_sides(records, unseen=chosen.unseen, train=chosen.train, validation=VALIDATION, seed=SEED)


def measure(rung: TunedRung, chosen: argparse.Namespace, folder: Path) -> None:
    from config.prompts import build_prompt
    from trainer.base_models import prepare_base_model
    from trainer.evaluate import Candidate, UnseenPair, evaluate
    from trainer.recipe import load_recipe
    from trainer.run_full import need_of
    from trainer.train import PairRow, train_adapter

    sides, base, recipe = sides_of(chosen), prepare_base_model(BASE, MODELS), load_recipe(chosen.recipe)
    part = recipe.full if rung == "full" else recipe.training
    part = part.model_copy(update={"max_steps": chosen.max_steps})
    if chosen.learning_rate:
        part = part.model_copy(update={"learning_rate": chosen.learning_rate})
    if rung == "full":
        recipe = recipe.model_copy(update={"full": part.model_copy(update={"weights": chosen.weights})})
    else:
        recipe = recipe.model_copy(update={"training": part})
    recipe = recipe.model_copy(
        update={"evaluation": recipe.evaluation.model_copy(update={"max_generated_pairs": 6})}
    )  # fmt: skip

    def rows(side: list[Any]) -> list[PairRow]:
        return [
            PairRow(
                prompt=build_prompt(INSTRUCTIONS, one.prompt),
                completion=[{"role": "assistant", "content": one.completion}],
            )
            for one in side
        ]

    need, before = need_of(base, rows(sides.train), recipe), _peak_gb()
    trained = train_adapter(
        base_path=base, rows_train=rows(sides.train), rows_validation=rows(sides.validation), recipe=recipe,
        rung=rung, out_dir=folder / rung, checkpoint_dir=folder / f"{rung}-checkpoints", base_model_name=BASE,
    )  # fmt: skip
    peak = _peak_gb()
    disk = sum(file.stat().st_size for file in (folder / f"{rung}-checkpoints").rglob("*") if file.is_file())
    kept = sum(file.stat().st_size for file in (folder / rung).glob("*.safetensors"))
    prompts = tuple(build_prompt(INSTRUCTIONS, one.prompt) for one in sides.unseen)
    [card] = evaluate(
        [Candidate(rung=rung, prompts=prompts, adapter=None if rung == "full" else folder / rung)],
        [UnseenPair(example_id=one.example_id, completion=one.completion) for one in sides.unseen],
        base_path=folder / rung if rung == "full" else base, knobs=recipe.evaluation, dtype=recipe.training.dtype,
    )  # fmt: skip
    facts = {
        "rung": rung, "weights": chosen.weights if rung == "full" else "", "train": len(sides.train),
        "learning_rate": recipe.for_rung(rung).learning_rate,
        "foreseen_gb": round(need.total / 1e9, 2) if rung == "full" else None,
        "foreseen": {name: round(getattr(need, name) / 1e9, 2) for name in need.__slots__} if rung == "full" else None,
        "before_gb": round(before, 2), "peak_gb": round(peak - before, 2),
        "checkpoints_gb": round(disk / 1e9, 2), "kept_gb": round(kept / 1e9, 3),
        "steps": trained.steps, "best_step": trained.best_step, "seconds": round(trained.seconds, 1),
        "tokens_per_second": round(trained.tokens_per_second, 1),
        "validation_nats": [round(loss, 4) for _, loss in trained.eval_losses],
        "unseen": card.n, "bits_per_byte": round(card.bits_per_byte, 4),
        "drafts": [pair.draft for pair in card.pairs if pair.draft][:3],
    }  # fmt: skip
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def serve(chosen: argparse.Namespace, folder: Path) -> None:
    """One request through the front door, to the model that was just trained and to the base model."""
    import httpx

    from config.prompts import build_prompt
    from config.settings import Settings
    from tests.support.serving import running
    from tests.support.wait import wait_until
    from trainer.artifacts.keys import load_or_create_signing_key
    from trainer.artifacts.manifest import AdapterFacts
    from trainer.base_models import base_revision, prepare_base_model
    from trainer.full_files import publish_full
    from trainer.serving.server import build_server

    base, store = prepare_base_model(BASE, MODELS), folder / "store"
    settings = Settings(
        _env_file=None, data_dir=folder, artifact_url=str(store), prepared_models_dir=MODELS.resolve()
    )  # fmt: skip
    facts = AdapterFacts(
        base_model=BASE, base_revision=base_revision(base), style_id="sty", scope="T1", run_id="run", rung="full",
        created_at=datetime.now(UTC),
    )  # fmt: skip
    key = load_or_create_signing_key(settings.keys_dir)
    publish_full(str(store), "synopsis-v1-full", folder / "full", facts, key, base_path=base)
    one = sides_of(chosen).unseen[0]
    with running(build_server(settings)) as url:
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 200, seconds=120, what="the model is loaded")
        for model in ("smollm2-135m-instruct", "synopsis-v1-full", "synopsis-v1-full"):
            began = time.monotonic()
            answer = httpx.post(
                f"{url}/v1/chat/completions", timeout=120,
                json={"model": model, "messages": build_prompt(INSTRUCTIONS, one.prompt), "max_tokens": 40,
                      "temperature": 0},
            ).json()  # fmt: skip
            said = answer["choices"][0]["message"]["content"]
            line = {"model": model, "seconds": round(time.monotonic() - began, 2), "said": said}
            sys.stdout.write(json.dumps(line | {"reference": one.completion}, ensure_ascii=False) + "\n")
        health = httpx.get(f"{url}/health").json()
    sys.stdout.write(json.dumps(health) + "\n")


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main())

"""What is measured with a model: numbers that it was taught are found, numbers that it was not are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from config.prompts import build_prompt
from tests.support.training_nursery import rows
from trainer.likelihood import tokenize_pair
from trainer.probes.canaries import Canary, make_canaries
from trainer.probes.judging import judge, judge_memorisation
from trainer.probes.measuring import Subject, ask, ask_all, measure_exposure
from trainer.probes.texts import Answers, Asked, read_contrasts, read_passages
from trainer.recipe import Probes, load_recipe
from trainer.train import PairRow, load_base, train_adapter

pytestmark = pytest.mark.training

INSTRUCTIONS = "Answer briefly."


def planted(canaries: tuple[Canary, ...], times: int) -> list[PairRow]:
    return [
        PairRow(
            prompt=build_prompt(INSTRUCTIONS, one.prompt),
            completion=[{"role": "assistant", "content": one.completion}],
        )
        for one in canaries
        for _ in range(times)
    ]


def taught(base: Path, folder: Path, more: list[PairRow]) -> Path:
    """An adapter without any care: many passes, a large step, and the step chosen on what was planted."""
    recipe = load_recipe("tiny-test")
    careless = {"epochs": 40.0, "max_steps": 300, "eval_every_steps": 100, "learning_rate": 1e-2}
    recipe = recipe.model_copy(update={
        "training": recipe.training.model_copy(update=careless), "lora": recipe.lora.model_copy(update={"r": 16}),
    })  # fmt: skip
    pairs: Any = rows(12)
    return train_adapter(
        base_path=base, rows_train=[*pairs, *more], rows_validation=more[:4] or pairs[:4], recipe=recipe, rung="lora",
        out_dir=folder / "adapter", checkpoint_dir=folder / "checkpoints",
    ).folder  # fmt: skip


def answers_of(base: Path, subjects: list[Subject], asked: Asked) -> tuple[dict[str, Answers], Answers]:
    found: dict[str, Answers] = {}
    alone: list[Answers] = []

    def keep(key: str, answers: Answers, base_answers: Answers) -> None:
        found[key] = answers
        alone.append(base_answers)

    ask_all(subjects, asked, INSTRUCTIONS, base_path=base, dtype="float32", batch=8, on_answered=keep)
    return found, alone[0]


def test_a_number_that_was_planted_sixteen_times_without_care_is_caught_and_one_that_was_not_is_not(
    tiny_base: Path, tmp_path: Path
) -> None:
    canaries = make_canaries(2, "control")
    careless = taught(tiny_base, tmp_path / "careless", planted(canaries, 16))
    clean = taught(tiny_base, tmp_path / "clean", [])

    found, _ = answers_of(
        tiny_base,
        [
            Subject(key="careless", folder=careless, canaries=canaries),
            Subject(key="clean", folder=clean, canaries=canaries),
            Subject(key="others", folder=careless, canaries=make_canaries(2, "never planted")),
        ],
        Asked(),
    )

    assert min(found["careless"].exposures) >= 9, found["careless"].exposures
    caught = judge_memorisation(found["careless"].exposures, Probes())
    assert caught.has_failed and "it memorises" in str(caught.why)
    for key in ("clean", "others"):
        assert not judge_memorisation(found[key].exposures, Probes()).has_failed, (key, found[key].exposures)


def test_an_adapter_that_learnt_nothing_is_as_the_base_and_passes_every_probe(tiny_base: Path, tmp_path: Path) -> None:
    recipe = load_recipe("tiny-test")
    nothing = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"max_steps": 1, "learning_rate": 1e-30})}
    )
    pairs: Any = rows(8)
    folder = train_adapter(
        base_path=tiny_base, rows_train=pairs, rows_validation=pairs[:2], recipe=nothing, rung="lora",
        out_dir=tmp_path / "adapter", checkpoint_dir=tmp_path / "checkpoints",
    ).folder  # fmt: skip
    asked = Asked(
        passages=read_passages()[:6], refusals=read_contrasts("refusal")[:6],
        instructions=read_contrasts("instruction")[:6],
    )  # fmt: skip
    found, alone = answers_of(tiny_base, [Subject(key="lora", folder=folder)], asked)

    assert found["lora"].passage_bits == pytest.approx(alone.passage_bits, abs=1e-3)
    assert found["lora"].refusal_margins == pytest.approx(alone.refusal_margins, abs=1e-4)
    results = judge(found["lora"], alone, asked, Probes(), seed=0)
    assert [(one.probe, one.passed) for one in results] == [
        ("forgetting", True), ("memorisation", None), ("refusal", True), ("instructions", True),
    ]  # fmt: skip
    assert json.loads(json.dumps([one.as_json() for one in results]))


def test_likelihoods_are_those_of_the_models_own_loss(tiny_base: Path) -> None:
    """A passage as plain text; an answer without its end; a number after the words that come before it."""
    import torch

    model, tokenizer = load_base(tiny_base, dtype="float32"), AutoTokenizer.from_pretrained(tiny_base)

    def nats(ids: list[int], begins: int) -> float:
        tensor = torch.tensor([ids])
        labels = tensor.clone()
        labels[:, :begins] = -100
        with torch.inference_mode():
            loss = model(input_ids=tensor, labels=labels).loss
        return float(loss) * (len(ids) - begins)

    passage, contrast = read_passages()[0], read_contrasts("refusal")[0]
    answers = ask(model, tokenizer, Asked(passages=(passage,), refusals=(contrast,)), INSTRUCTIONS, batch=4)
    text = tokenizer(passage.text, add_special_tokens=False)["input_ids"]
    assert answers.passage_bits[0] * 0.6931472 == pytest.approx(nats([tokenizer.bos_token_id, *text], 1), rel=1e-4)

    prompt = build_prompt(INSTRUCTIONS, contrast.prompt)
    a_token = []
    for answer in (contrast.right, contrast.wrong):
        pair = tokenize_pair(tokenizer, prompt, answer)
        assert pair.input_ids[-1] == tokenizer.eos_token_id
        a_token.append(nats(pair.input_ids[:-1], pair.prompt_tokens) / (pair.completion_tokens - 1))
    assert answers.refusal_margins[0] == pytest.approx(a_token[1] - a_token[0], rel=1e-3)

    (canary,) = make_canaries(1, "x")
    likeliest = min(
        (canary.secret, *canary.decoys),
        key=lambda number: nats(
            tokenize_pair(tokenizer, build_prompt(INSTRUCTIONS, canary.prompt), canary.opening + number).input_ids[:-1],
            tokenize_pair(tokenizer, build_prompt(INSTRUCTIONS, canary.prompt), canary.opening).prompt_tokens,
        ),
    )
    others = tuple(number for number in (canary.secret, *canary.decoys) if number != likeliest)
    best = Canary(prompt=canary.prompt, opening=canary.opening, secret=likeliest, decoys=others)
    assert measure_exposure(model, tokenizer, best, INSTRUCTIONS, batch=64) == 10

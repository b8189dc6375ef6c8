"""What a training run will take, foreseen from what earlier ones took. Pure.

Where something was measured it is used; where nothing was, a documented default stands in and the quote says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

#: Real tokens per second of the embedded 135M model on two CPU cores, as measured with the shipped recipe.
DEFAULT_TOKENS_PER_SECOND = 300.0
#: A whole run takes this many times as long as its training: every rung is scored and writes drafts.
DEFAULT_TOTAL_PER_TRAINING = 1.8
#: Characters per token of English prose in small vocabularies; only used while nothing was measured.
CHARS_PER_TOKEN = 4.0
#: Chat markup around one pair.
MARKUP_TOKENS = 20


class SpeedSource(StrEnum):
    """Where a quote's speed comes from."""

    RECIPE = "recipe"  #: The last finished run of any style with this recipe, base model and device.
    TRAINER = "trainer"  #: The trainer that is running now, as it measured itself.
    RECEIPT = "receipt"  #: The style's last finished run.
    OTHER_BASE = "other_base"  #: Runs on another base model: how fast this one is, nobody knows yet.
    DEFAULT = "default"  #: Nothing was measured yet.


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFacts:
    """What a quote needs to know of a recipe."""

    name: str
    validation_share: float = 0.1
    test_share: float = 0.15
    min_train: int = 20
    min_validation: int = 2
    min_test: int = 5
    epochs: float = 2.0
    max_steps: int = -1
    batch_size: int = 8
    #: Unseen pairs below which nothing is promoted.
    min_pairs: int = 20
    is_retrieved_tuned: bool = True
    retrieved_k: int = 2
    retrieved_max_steps: int = 16
    #: Are all weights trained besides, where they fit?
    is_full_tuned: bool = False
    full_epochs: float = 2.0
    full_max_steps: int = -1
    #: Trained besides for the learning curve, as a share of the training side.
    curve_share: float = 0.0
    #: Of the adapter; None where the recipe is on the trainer's host alone.
    rank: int | None = None
    learning_rate: float | None = None

    def count_training(self, examples: int) -> int:
        """How many of so many examples are trained on, on average."""
        return examples - round(examples * self.test_share) - round(examples * self.validation_share)

    @property
    def minimum_examples(self) -> int:
        """So many examples fill every side of the split, on average."""
        train_share = 1 - self.validation_share - self.test_share
        return max(
            math.ceil(self.min_train / train_share),
            math.ceil(self.min_validation / self.validation_share),
            math.ceil(self.min_test / self.test_share),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of this installation's speed; None where nothing was measured."""

    trainer_tokens_per_second: float | None = None
    #: The device of the trainer that is running; None where none is.
    device: str | None = None
    #: The style's last run's, on this base model where there was one.
    receipt: Mapping[str, Any] | None = None
    is_receipt_of_this_base: bool = True
    #: Of runs with this recipe and base model, of any style, newest first.
    like: Sequence[Mapping[str, Any]] = ()
    #: Of runs with this recipe on other base models.
    like_elsewhere: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a run will take, as shown and as kept with the run."""

    examples: int
    train_pairs: int
    validation_pairs: int
    unseen_pairs: int
    tokens: int
    tokens_per_second: float
    speed_source: SpeedSource
    minutes: float
    cost: float
    currency: str
    #: Unseen pairs below which the gate promotes nothing.
    pairs_to_promote: int
    #: What training would take in minutes and money, of a run that only measures.
    training: tuple[float, float] | None = None
    is_full_tuned: bool = False
    #: How it is trained, as far as the recipe is known here.
    recipe: str = ""
    epochs: float | None = None
    rank: int | None = None
    learning_rate: float | None = None
    #: Where the speed was measured, as far as that is known.
    device: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_recipe_facts(name: str, values: Mapping[str, Any]) -> RecipeFacts:
    """The facts out of a recipe file's values; what it leaves out has the trainer's default."""
    training, rungs, full = (values.get(part, {}) for part in ("training", "rungs", "full"))
    found = {
        **{key: values.get("splits", {}).get(key) for key in _SPLITS},
        **{key: training.get(key) for key in ("epochs", "max_steps", "batch_size")},
        "min_pairs": values.get("gate", {}).get("min_pairs"),
        "retrieved_k": rungs.get("lora_retrieved_k"),
        "retrieved_max_steps": rungs.get("lora_retrieved_max_steps"),
        "curve_share": float(sum(values.get("forecast", {}).get("shares", ()))),
        "is_retrieved_tuned": "lora_retrieved" in rungs["tuned"] if "tuned" in rungs else None,
        "is_full_tuned": "full" in rungs.get("tuned", ()),
        "full_epochs": full.get("epochs"),
        "full_max_steps": full.get("max_steps"),
        "rank": values.get("lora", {}).get("r"),
        "learning_rate": training.get("learning_rate"),
    }
    return RecipeFacts(name=name, **{key: value for key, value in found.items() if value is not None})


_SPLITS = ("validation_share", "test_share", "min_train", "min_validation", "min_test")


def make_quote(
    recipe: RecipeFacts,
    pair_chars: Sequence[int],
    instructions_chars: int,
    measured: Measured,
    *,
    price_per_hour: float,
    currency: str,
) -> Quote:
    """Foresee a run on pairs of these lengths (characters of prompt and completion together)."""
    examples = len(pair_chars)
    unseen = round(examples * recipe.test_share)
    validation = round(examples * recipe.validation_share)
    train = recipe.count_training(examples)
    tokens = _training_tokens(recipe, train, pair_chars, instructions_chars, measured.receipt)
    speed, source, device = _speed(measured)
    seconds = tokens / speed * _total_per_training(recipe, measured.receipt)
    return Quote(
        examples=examples,
        train_pairs=train,
        validation_pairs=validation,
        unseen_pairs=unseen,
        tokens=tokens,
        tokens_per_second=round(speed, 1),
        speed_source=source,
        minutes=round(seconds / 60, 1),
        cost=round(seconds / 3600 * price_per_hour, 6),
        currency=currency,
        pairs_to_promote=recipe.min_pairs,
        is_full_tuned=recipe.is_full_tuned,
        recipe=recipe.name.rsplit("/", 1)[-1].removesuffix(".toml"),
        epochs=recipe.epochs if recipe.rank else None,
        rank=recipe.rank,
        learning_rate=recipe.learning_rate,
        device=device,
    )


def measure_only(quote: Quote, recipe: RecipeFacts, receipt: Mapping[str, Any] | None) -> Quote:
    """The same run without its training: what is left of its time is the measuring."""
    share = 1 - 1 / _total_per_training(recipe, receipt)
    return replace(
        quote, tokens=0, minutes=round(quote.minutes * share, 1), cost=round(quote.cost * share, 6),
        training=(quote.minutes, quote.cost),
    )  # fmt: skip


def _training_tokens(
    recipe: RecipeFacts,
    train: int,
    pair_chars: Sequence[int],
    instructions_chars: int,
    receipt: Mapping[str, Any] | None,
) -> int:
    if receipt and receipt.get("tokens") and receipt.get("train_pairs"):
        return round(float(receipt["tokens"]) / float(receipt["train_pairs"]) * train)
    if not train:
        return 0
    pair = sum(pair_chars) / len(pair_chars) / CHARS_PER_TOKEN + MARKUP_TOKENS
    instructions = instructions_chars / CHARS_PER_TOKEN
    tokens = _pairs_seen(train, recipe.epochs, recipe.max_steps, recipe.batch_size) * (pair + instructions)
    if recipe.is_full_tuned:
        seen_by_all = _pairs_seen(train, recipe.full_epochs, recipe.full_max_steps, recipe.batch_size)
        tokens += seen_by_all * (pair + instructions)
    if recipe.is_retrieved_tuned:
        seen_again = min(train, max(recipe.retrieved_max_steps, 0) * recipe.batch_size)
        tokens += seen_again * (pair * (1 + recipe.retrieved_k) + instructions)
    return round(tokens)


def _pairs_seen(train: int, epochs: float, max_steps: int, batch_size: int) -> float:
    seen = train * epochs
    return min(seen, max_steps * batch_size) if max_steps > 0 else seen


def _speed(measured: Measured) -> tuple[float, SpeedSource, str]:
    """Tokens a second, where that comes from, and on which device: recipes differ in speed as much as devices do."""
    own = measured.is_receipt_of_this_base
    last = float((measured.receipt or {}).get("tokens_per_second") or 0.0)
    if found := _speed_on(measured.device, measured.like):
        return found[0], SpeedSource.RECIPE, found[1]
    if measured.trainer_tokens_per_second and own:
        return measured.trainer_tokens_per_second, SpeedSource.TRAINER, measured.device or ""
    if last and own:
        return last, SpeedSource.RECEIPT, ""
    if found := _speed_on(measured.device, measured.like_elsewhere):
        return found[0], SpeedSource.OTHER_BASE, found[1]
    if last:
        return last, SpeedSource.OTHER_BASE, ""
    return DEFAULT_TOKENS_PER_SECOND, SpeedSource.DEFAULT, ""


def _speed_on(device: str | None, receipts: Sequence[Mapping[str, Any]]) -> tuple[float, str] | None:
    """The newest speed on this device (on any, where none is named), and the device."""
    for receipt in receipts:
        measured_on, speed = receipt.get("device"), receipt.get("tokens_per_second")
        if measured_on and speed and device in (None, measured_on):
            return float(speed), str(measured_on)
    return None


def _total_per_training(recipe: RecipeFacts, receipt: Mapping[str, Any] | None) -> float:
    if receipt and receipt.get("train_seconds") and receipt.get("total_seconds"):
        return max(1.0, float(receipt["total_seconds"]) / float(receipt["train_seconds"]))
    return DEFAULT_TOTAL_PER_TRAINING + recipe.curve_share

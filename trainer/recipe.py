"""A recipe: every knob of a run in one frozen value, read from a TOML file in `config/recipes`.

A recipe says how to train and judge, never what: data, style and base model come with the run. Unknown keys are
refused, so a misspelt knob cannot silently keep its default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from config.choosing import Choice
from config.recipe_files import (
    DEFAULT_EXAMPLES_TOKENS,
    FITTED_PARTS,
    RECIPES_DIR,
    RecipeUnreadable,
    choice_of,
    find_recipe_file,
    fit_recipe,
    read_recipe_file,
)
from config.rungs import Rung
from trainer.errors import RecipeInvalid, RecipeNotFound

#: The rungs that have weights to train, in the order in which they are trained.
TunedRung = Literal["lora", "lora_retrieved", "full"]
#: Those of them that a learning curve is measured for.
CurveRung = Literal["lora", "lora_retrieved"]
#: What has weights of its own in the end: the same, and what the second stage makes of `lora`.
TrainedRung = TunedRung | Literal["lora_preferences"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lora(_Part):
    """The adapter's shape. Sources: LoRA (arXiv 2106.09685), DoRA (2402.09353), rsLoRA (2312.03732)."""

    r: int = Field(16, ge=1, le=512)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    #: `all-linear`, or module names. The language-model head is never adapted.
    target_modules: str | tuple[str, ...] = "all-linear"
    use_dora: bool = False
    use_rslora: bool = False
    #: QLoRA (2305.14314): the base is held in 4 bits while the adapter is trained. Needs a GPU and bitsandbytes.
    quantize: Literal["none", "nf4"] = "none"


class Training(_Part):
    """How the adapter learns."""

    learning_rate: float = Field(5e-4, gt=0)
    epochs: float = Field(2.0, gt=0)
    #: Optimizer steps at most; -1 leaves it to `epochs`.
    max_steps: int = Field(-1, ge=-1)
    batch_size: int = Field(8, ge=1)
    gradient_accumulation: int = Field(1, ge=1)
    #: Share of all steps over which the learning rate rises.
    warmup_share: float = Field(0.05, ge=0, le=1)
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    #: Validation loss is measured and a checkpoint written every so many steps.
    eval_every_steps: int = Field(8, ge=1)
    #: Measurements without improvement before training stops; the best checkpoint is what counts.
    patience: int = Field(4, ge=1)
    seed: int = 42
    #: Pairs longer than this are skipped with a reason, never cut.
    max_tokens: int = Field(768, ge=16)
    #: How the frozen base model is held. The adapter's own weights are always float32. `auto`: bfloat16 where the
    #: processor multiplies it in hardware, float32 elsewhere.
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    #: `auto`: eager on a CPU (its backward pass is the faster one there), sdpa elsewhere.
    attention: Literal["auto", "eager", "sdpa"] = "auto"
    #: Recompute activations instead of keeping them: less memory, a slower step.
    gradient_checkpointing: bool = False
    #: Run what all prompts of a batch open with once, instead of once a row.
    share_prefix: bool = True
    #: Where `lora` starts: the base model, the adapter of the last run that serves, or whichever of the two has the
    #: lower validation loss after `start_steps` steps from each.
    start: Literal["base", "previous", "measured"] = "base"
    start_steps: int = Field(8, ge=1)


class Rungs(_Part):
    """Which rungs are trained, and how many examples the prompts carry."""

    tuned: tuple[TunedRung, ...] = ("lora", "lora_retrieved")
    few_shot_k: int = Field(4, ge=1)
    retrieved_k: int = Field(4, ge=1)
    lora_retrieved_k: int = Field(2, ge=1)
    #: Of a style that classifies: how many of the nearest examples vote on the label.
    neighbours_k: int = Field(12, ge=1)
    #: What the examples of a prompt may take of it together, as `config.choosing` estimates tokens.
    examples_max_tokens: int = Field(DEFAULT_EXAMPLES_TOKENS, ge=16)
    #: `lora_retrieved` starts from the trained `lora` adapter, so a few steps are enough.
    lora_retrieved_epochs: float = Field(1.0, gt=0)
    lora_retrieved_max_steps: int = Field(16, ge=-1)
    lora_retrieved_learning_rate: float = Field(2e-4, gt=0)


class Full(_Part):
    """Training of all weights, where it differs from that of an adapter."""

    #: About a tenth of an adapter's (LoRA Without Regret, Thinking Machines Lab, September 2025).
    learning_rate: float = Field(5e-5, gt=0)
    epochs: float = Field(2.0, gt=0)
    max_steps: int = Field(-1, ge=-1)
    weight_decay: float = Field(0.0, ge=0)
    #: How the weights are held while they are trained. float32 needs 16 bytes a parameter, bfloat16 8, and loses the
    #: steps that are smaller than its rounding.
    weights: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False


class Splits(_Part):
    """What is kept away from training, and how much of it there must be."""

    validation_share: float = Field(0.1, gt=0, lt=1)
    test_share: float = Field(0.15, gt=0, lt=1)
    min_train: int = Field(20, ge=1)
    min_validation: int = Field(2, ge=1)
    min_test: int = Field(5, ge=1)
    #: Two pairs at least this similar (0 to 100, rapidfuzz ratio of the normalised text) stay on one side.
    near_duplicate: float = Field(92.0, ge=50, le=100)
    #: From so many examples on whose time of writing is known, the newest are the test side; 0: never.
    newest_from: int = Field(200, ge=0)


class Evaluation(_Part):
    """What is measured on the unseen pairs."""

    max_pairs: int = Field(200, ge=1)
    max_generated_pairs: int = Field(60, ge=0)
    max_new_tokens: int = Field(40, ge=1)
    batch_size: int = Field(12, ge=1)
    bootstrap_resamples: int = Field(2000, ge=100)


class Labels(_Part):
    """For styles that classify."""

    #: An answer is given where, on the validation side, at least this share of such answers was right; below, a person
    #: is asked.
    target_precision: float = Field(0.8, gt=0, lt=1)
    #: What `margin_bits` of the gate is for texts, in bits per answer: a lower rung that gives the right label a
    #: probability lower by less than this, beyond the noise, is as good. 0.1 is from 0.80 to 0.75.
    margin_bits: float = Field(0.1, ge=0)


class Gate(_Part):
    """When a challenger replaces the champion."""

    #: Fewer unrelated unseen pairs than this never promote anything (those of one conversation are related).
    min_pairs: int = Field(20, ge=2)
    #: Chance of promoting something that is not better, over all challengers of a run together.
    false_promotion_rate: float = Field(0.05, gt=0, lt=0.5)
    #: Bits per byte that a challenger must at least gain, beyond being better at all.
    min_gain_bits: float = Field(0.0, ge=0)
    #: A lower rung that is worse by less than this many bits per byte, beyond the noise, is as good: moving down to it
    #: is advised, and done by a person.
    margin_bits: float = Field(0.05, ge=0)


class Forecast(_Part):
    """The learning curve from which a run tells what more examples would bring."""

    #: Parts of the training pairs that are trained on besides; empty: no curve, no forecast.
    shares: tuple[float, ...] = ()
    #: The rungs whose curve is measured; another tuned rung is taken to go on as `lora` does.
    rungs: tuple[CurveRung, ...] = ("lora",)
    #: A smaller part is left out.
    min_pairs: int = Field(16, ge=2)

    @field_validator("shares")
    @classmethod
    def _are_parts(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share < 1 for share in shares):
            raise ValueError("each share lies between 0 and 1")
        return shares


#: What an adapter is probed for before it may serve, in the order in which the results are shown.
ProbeName = Literal["forgetting", "memorisation", "refusal", "instructions"]


class Probes(_Part):
    """What training must not cost: a candidate that fails a probe is not promoted by the gate. See docs/probes.md."""

    run: tuple[ProbeName, ...] = ("forgetting", "memorisation", "refusal", "instructions")
    #: Bits per byte that general text may take more than before training.
    forgetting_margin_bits: float = Field(0.1, ge=0)
    #: Made-up numbers planted among the training pairs, at most, and their share of the pairs at most.
    canaries: int = Field(4, ge=1, le=64)
    canary_share: float = Field(0.04, gt=0, le=0.2)
    #: Bits of exposure (0 to 10) allowed: of the middle one, and of any single one.
    memorisation_median_bits: float = Field(2.0, ge=0, le=10)
    memorisation_most_bits: float = Field(9.0, gt=0, le=10.5)
    #: Share of the refusals, and of the instructions, that may go wrong which went right before training.
    contrast_margin: float = Field(0.1, ge=0, lt=1)


class Preferences(_Part):
    """The second stage: `lora` goes on with preferences by DPO (`trainer.train_preferences`)."""

    #: With fewer preferences to learn from than this there is no second stage; 0: never.
    min_pairs: int = Field(30, ge=0)
    learning_rate: float = Field(1e-4, gt=0)
    epochs: float = Field(1.0, gt=0)
    #: Preferences in one step; each is two texts.
    batch_size: int = Field(4, ge=1)
    #: How much it costs to drift away from the adapter as it was: more is less drift.
    beta: float = Field(0.1, gt=0)
    #: Weight of the chosen text's own likelihood beside the preference; 0: DPO as published.
    likelihood_weight: float = Field(1.0, ge=0)


class Fit(_Part):
    """Knobs for a run with so many training pairs, or a base model of this size: they go over the recipe's own."""

    from_pairs: int = Field(0, ge=0)
    below_pairs: int | None = Field(None, ge=1)
    from_parameters: int = Field(0, ge=0)
    lora: dict[str, Any] = {}
    training: dict[str, Any] = {}
    evaluation: dict[str, Any] = {}
    forecast: dict[str, Any] = {}
    preferences: dict[str, Any] = {}


class Recipe(_Part):
    """Every knob of a run."""

    name: str
    lora: Lora = Lora()
    training: Training = Training()
    rungs: Rungs = Rungs()
    full: Full = Full()
    splits: Splits = Splits()
    evaluation: Evaluation = Evaluation()
    labels: Labels = Labels()
    gate: Gate = Gate()
    forecast: Forecast = Forecast()
    probes: Probes = Probes()
    preferences: Preferences = Preferences()
    #: Later ones go over earlier ones; `fitted` is the recipe that a run uses.
    fit: tuple[Fit, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """What would be refused once there are enough pairs for it is refused at once."""
        for number, one in enumerate(self.fit, start=1):
            early = {"seed", "max_tokens"} & set(one.training)
            if early:
                raise ValueError(f"fit number {number} has {', '.join(sorted(early))}, needed before pairs are counted")
            try:
                self._over(one.model_dump(include=set(FITTED_PARTS)))
            except ValidationError as error:
                wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}" for each in error.errors()]
                raise ValueError(f"fit number {number} has {'; '.join(wrong)}") from error
        return self

    def fitted(self, pairs: int, parameters: int = 0) -> Recipe:
        """This recipe for so many training pairs and a base model of so many parameters (0: not known)."""
        values: dict[str, Any] = {"fit": [one.model_dump() for one in self.fit]} | {part: {} for part in FITTED_PARTS}
        return self._over(fit_recipe(values, pairs, parameters))

    def _over(self, values: Mapping[str, Mapping[str, Any]]) -> Recipe:
        parts = {part: getattr(self, part) for part in values}
        changed = {
            part: type(own).model_validate(own.model_dump() | values[part]) for part, own in parts.items()
        }  # fmt: skip
        return self.model_copy(update=changed)

    @property
    def digest(self) -> str:
        """`sha256:…` of all values; stored with a run and in its checkpoints."""
        return f"sha256:{hashlib.sha256(self.model_dump_json().encode()).hexdigest()}"

    def choice(self, rung: Rung, *, forbidden: Sequence[str] = ()) -> Choice:
        """How prompts of this rung get their examples; none that holds one of the style's forbidden terms."""
        return choice_of(self.rungs.model_dump(), rung, forbidden=forbidden)

    def for_rung(self, rung: TunedRung) -> Training:
        """The training knobs of one tuned rung."""
        if rung == "lora":
            return self.training
        if rung == "full":
            return self.training.model_copy(update=self.full.model_dump(exclude={"weights"}))
        return self.training.model_copy(
            update={
                "epochs": self.rungs.lora_retrieved_epochs,
                "max_steps": self.rungs.lora_retrieved_max_steps,
                "learning_rate": self.rungs.lora_retrieved_learning_rate,
            }
        )


def list_recipes() -> list[str]:
    """The names of the recipes that ship with the project."""
    return sorted(path.stem for path in RECIPES_DIR.glob("*.toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a shipped recipe by name, or any TOML file by path.

    Raises RecipeNotFound, or RecipeInvalid with every bad key named.
    """
    path = find_recipe_file(str(name_or_path))
    if not path.is_file():
        raise RecipeNotFound(
            f"There is no recipe {str(name_or_path)!r}. Use one of {', '.join(list_recipes())}, "
            "or the path of a .toml file."
        )
    try:
        values = read_recipe_file(str(path))
    except RecipeUnreadable as error:
        raise RecipeInvalid(f"The recipe {path.name} cannot be read: {error}. Correct the file.") from error
    try:
        return Recipe.model_validate({"name": path.stem, **values})
    except ValidationError as error:
        raise RecipeInvalid(_explain(path, error)) from error


def _explain(path: Path, error: ValidationError) -> str:
    unknown, wrong = [], []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            unknown.append(key)
        else:
            wrong.append(f"{key}: {problem['msg'].lower()}")
    sentences = []
    if unknown:
        sentences.append(f"unknown {'key' if len(unknown) == 1 else 'keys'} {', '.join(unknown)}")
    sentences.extend(wrong)
    return f"The recipe {path.name} cannot be used: {'; '.join(sentences)}. Correct the file."

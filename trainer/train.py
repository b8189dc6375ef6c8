"""One training run of one adapter, or of all weights, told in the order in which it happens.

TRL's SFTTrainer does the training. Three things are ours: the loss (`trainer.likelihood`, which gives the head
only what counts), an order of batches that depends on nothing but seed and epoch, and checkpoints that verify
(`trainer.checkpoints`). Hence a run that was killed anywhere ends, on a CPU, with the very same weights.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting
from torch.utils.data import Sampler
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    set_seed,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from config import failpoints
from config.prompts import ChatMessage, ChatMessages
from config.sentences import note
from trainer import checkpoints, full_files
from trainer.errors import (
    DiskFull,
    LossNotFinite,
    NoTrainingRows,
    OutOfMemory,
    RecipeUnfit,
    StopReason,
    TrainingStopped,
)
from trainer.likelihood import TokenizedPair, completion_losses, mean_loss, pad_id, tokenize_pair
from trainer.precision import torch_dtype
from trainer.recipe import Recipe, TrainedRung, Training, TunedRung


class PairRow(TypedDict):
    """One row in TRL's conversational prompt-completion format."""

    prompt: ChatMessages
    completion: list[ChatMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training is; losses are in nats per completion token, NaN until first measured."""

    step: int
    total_steps: int
    loss: float
    eval_loss: float
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedAdapter:
    """What a training left behind: the adapter of its best step, and the curve that led there.

    Of the rung `full` the folder is a model folder with all weights in it.
    """

    folder: Path
    rung: TrainedRung
    steps: int
    best_step: int
    best_eval_loss: float
    #: (step, nats per completion token)
    train_losses: list[tuple[int, float]]
    eval_losses: list[tuple[int, float]]
    #: Real tokens, padding not counted, in this process.
    tokens: int
    tokens_per_second: float
    seconds: float
    resumed_from_step: int
    train_pairs: int
    skipped_too_long: list[int] = field(default_factory=list)


# ---------------------------------------------------------------------------------------------------------------


def train_adapter(
    *,
    base_path: Path,
    rows_train: Sequence[PairRow],
    rows_validation: Sequence[PairRow],
    recipe: Recipe,
    rung: TunedRung,
    out_dir: Path,
    checkpoint_dir: Path,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], StopReason | None] = lambda: None,
    warm_start: Path | None = None,
    base_model_name: str = "",
) -> TrainedAdapter:
    """Train one adapter, or for the rung `full` all weights, and write the result to `out_dir`; resume by itself from
    what `checkpoint_dir` verifiably holds.

    `warm_start` is an adapter folder to continue from. `base_model_name` is what the adapter's config names as
    its base, so that no path of this machine travels with it. Raises TrainingStopped, LossNotFinite, OutOfMemory,
    DiskFull, NoTrainingRows; after each but the last, calling again resumes.
    """
    started = time.monotonic()
    knobs = recipe.for_rung(rung)

    # 1. The pairs, as tokens. One that is too long is left out and named, never cut.
    tokenizer = AutoTokenizer.from_pretrained(base_path)
    train, too_long = tokenize_rows(tokenizer, rows_train, knobs.max_tokens)
    validation, _ = tokenize_rows(tokenizer, rows_validation, knobs.max_tokens)
    if not train or not validation:
        raise NoTrainingRows
    fingerprint = _fingerprint(train, validation, recipe, rung, base_path, warm_start)

    # 2. The frozen base in the recipe's precision, and on it an adapter in float32; or all weights, which are kept in
    # float32 and multiplied in the recipe's precision: in bfloat16 alone most steps are smaller than the rounding.
    set_seed(knobs.seed)
    is_full = rung == "full"
    dtype, quantize = (recipe.full.weights, "none") if is_full else (knobs.dtype, recipe.lora.quantize)
    model = load_base(base_path, dtype=dtype, attention=knobs.attention, quantize=quantize)
    if warm_start is not None:
        model = PeftModel.from_pretrained(model, warm_start, is_trainable=True)
    elif not is_full:
        model = get_peft_model(model, _lora_config(recipe))

    # 3. Where an earlier attempt got to, if it left something that verifies.
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    earlier = checkpoints.find_verified(checkpoint_dir, fingerprint)
    shutil.rmtree(checkpoint_dir / checkpoints.PARTIAL, ignore_errors=True)

    # 4. Train, measuring and keeping as we go.
    watcher = Watcher(knobs.patience, on_progress, should_stop)
    trainer = _AdapterTrainer(
        model=model,
        args=_trainer_arguments(knobs, checkpoint_dir, eval_on_start=earlier is None),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(validation),
        processing_class=tokenizer,
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)  # progress goes to on_progress
    trainer.prepare_ours(knobs, fingerprint, train, validation, pad_id=pad_id(tokenizer), keeps_few=is_full)
    state: dict[str, Any]
    if earlier is not None and _is_finished(earlier.state, knobs.patience):
        state = earlier.state
    else:
        with translated_errors(), disable_input_dtype_casting(model):
            # The Trainer reads its own optimizer, scheduler and RNG files, with weights_only=True.
            trainer.train(resume_from_checkpoint=str(earlier.folder) if earlier else None)
        state = json.loads(json.dumps({"log_history": trainer.state.log_history}))

    # 5. The best checkpoint is the result.
    last = checkpoints.find_verified(checkpoint_dir, fingerprint)
    assert last is not None, "a training that ended has sealed its last checkpoint"
    best = checkpoints.checkpoint_folder(checkpoint_dir, last.best_step)
    if is_full:
        full_files.write_full(best, base_path, out_dir)
    else:
        _write_adapter(best, out_dir, base_model_name)
    history = state["log_history"]
    eval_losses = [(int(row["step"]), float(row["eval_loss"])) for row in history if "eval_loss" in row]
    return TrainedAdapter(
        folder=out_dir,
        rung=rung,
        steps=last.step,
        best_step=last.best_step,
        best_eval_loss=dict(eval_losses)[last.best_step],
        train_losses=[(int(row["step"]), float(row["loss"])) for row in history if "loss" in row],
        eval_losses=eval_losses,
        tokens=trainer.tokens_seen,
        tokens_per_second=trainer.tokens_per_second,
        seconds=time.monotonic() - started,
        resumed_from_step=earlier.step if earlier else 0,
        train_pairs=len(train),
        skipped_too_long=too_long,
    )


# ---------------------------------------------------------------------------------------------------------------


def check_host(recipe: Recipe) -> None:
    """Raises RecipeUnfit when this host lacks what the recipe needs."""
    if recipe.lora.quantize == "none":
        return
    if not torch.cuda.is_available():
        raise RecipeUnfit(
            note(
                "The recipe {recipe} holds the base model in 4 bits, which needs a GPU, and this trainer has none; "
                "choose another recipe, or run the trainer on a GPU host.",
                recipe=recipe.name,
            )
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise RecipeUnfit(
            note(
                "The recipe {recipe} holds the base model in 4 bits, which needs the package bitsandbytes; install "
                "huisstijl with its extra qlora on the trainer's host, then train again.",
                recipe=recipe.name,
            )
        )


def load_base(base_path: Path, *, dtype: str, attention: str = "auto", quantize: str = "none") -> Any:
    """The frozen base model on the best device there is. Local files, safetensors, none of the model's own code.

    `quantize` is for training alone; `check_host` says whether it can be done here.
    """
    if quantize != "none":
        return _load_in_4_bits(base_path, dtype=dtype)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if attention == "auto":
        attention = "eager" if device == "cpu" else "sdpa"
    model: Any = AutoModelForCausalLM.from_pretrained(
        base_path,
        dtype=torch_dtype(dtype),
        attn_implementation=attention,
        use_safetensors=True,
        local_files_only=True,
    )
    return model.to(device)


def _load_in_4_bits(base_path: Path, *, dtype: str) -> Any:
    """QLoRA's base (Dettmers et al. 2023): normal-float weights, computed in `dtype`."""
    how = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(dtype),
    )
    return AutoModelForCausalLM.from_pretrained(
        base_path, dtype=torch_dtype(dtype), attn_implementation="sdpa", quantization_config=how, device_map={"": 0},
        use_safetensors=True, local_files_only=True,
    )  # fmt: skip


class _AdapterTrainer(SFTTrainer):
    """SFTTrainer with our loss, our order of batches and our checkpoints."""

    def prepare_ours(
        self,
        knobs: Training,
        fingerprint: str,
        train: list[TokenizedPair],
        validation: list[TokenizedPair],
        *,
        pad_id: int,
        keeps_few: bool,
    ) -> None:
        self.knobs, self.fingerprint, self.pad_id, self.keeps_few = knobs, fingerprint, pad_id, keeps_few
        self.multiplied_in: torch.dtype = torch_dtype(knobs.dtype)
        self.lengths = [len(pair.input_ids) for pair in train]
        self.validation = validation
        self.tokens_seen, self.training_seconds = 0, 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.tokens_seen / self.training_seconds if self.training_seconds else 0.0

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return LengthGroupedOrder(
            self.lengths, self.knobs.batch_size * self.knobs.gradient_accumulation, self.knobs.seed
        )

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        began = time.monotonic()
        loss: torch.Tensor = super().training_step(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.training_seconds += time.monotonic() - began
        return loss

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        losses, _ = completion_losses(
            self.model, inputs, share_prefix=self.knobs.share_prefix, dtype=self.multiplied_in
        )
        self.tokens_seen += int(inputs["attention_mask"].sum())
        # Over all accumulated batches: 8 batches of 1 give what 1 batch of 8 gives.
        counted = losses.numel() if num_items_in_batch is None else num_items_in_batch
        return losses.sum() / counted

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Nats per completion token over all validation pairs, each token counting the same."""
        model: Any = self.model
        model.eval()
        loss = mean_loss(
            model, self.validation, batch_size=self.knobs.batch_size, pad_id=self.pad_id, dtype=self.multiplied_in
        )
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        super().log({**logs, "tokens_per_second": self.tokens_per_second}, *args, **kwargs)

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(str(self.args.output_dir)) / checkpoints.PARTIAL)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        failpoints.visit("ckpt.half")
        super()._save_optimizer_and_scheduler(output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        Trainer._save_checkpoint(self, model, trial)  # not SFTTrainer's, which writes a model card first
        root, step, best = Path(str(self.args.output_dir)), self.state.global_step, self.state.best_global_step or 0
        checkpoints.seal(root, step, fingerprint=self.fingerprint, best_step=best)
        kept = {step, best} if self.keeps_few else {step, best, *self._predecessors(step)}
        checkpoints.prune(root, keep=kept)

    def _predecessors(self, step: int) -> set[int]:
        """The checkpoint before this one and its best, so that a broken newest one costs one interval only."""
        evaluations = [(r["eval_loss"], int(r["step"])) for r in self.state.log_history if "eval_loss" in r]
        earlier = [(loss, at) for loss, at in evaluations if 0 < at < step]
        return {max(at for _, at in earlier), min(earlier)[1]} if earlier else set()


class LengthGroupedOrder(Sampler[int]):
    """Batches of similar length in random order; a function of seed and epoch alone.

    transformers' own length-grouped sampler draws from the global generator, so a resumed second epoch would run
    in another order than an undisturbed one.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = list(lengths), batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        # Lengths are jittered by up to a tenth, so that each epoch has other batches.
        jittered = np.asarray(self.lengths) * random.uniform(0.9, 1.1, len(self.lengths))
        order = np.argsort(jittered, kind="stable")
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        full = [batch for batch in batches if len(batch) == self.batch_size]
        random.shuffle(full)
        # A batch that is not full must be the last, or all later ones would be cut at other places.
        rest = [batch for batch in batches if len(batch) < self.batch_size]
        return iter([int(index) for batch in [*full, *rest] for index in batch])


class Watcher(TrainerCallback):
    """Reports progress, stops early, stops when asked, and refuses to go on with a loss that is not a number."""

    def __init__(
        self,
        patience: int,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], StopReason | None],
    ) -> None:
        self.patience, self.on_progress, self.should_stop = patience, on_progress, should_stop
        self.began, self.first_step, self.tokens_first = 0.0, 0, 0
        self.loss = self.eval_loss = math.nan

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began, self.first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        failpoints.visit("train.step")
        reason = self.should_stop()
        if reason is not None:
            raise TrainingStopped(f"Training was stopped at step {state.global_step}: {reason.value}.")

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs and "eval_loss" not in logs:
            return
        self.loss, self.eval_loss = logs.get("loss", self.loss), logs.get("eval_loss", self.eval_loss)
        if not all(math.isfinite(logs[key]) for key in ("loss", "eval_loss", "grad_norm") if key in logs):
            raise LossNotFinite(
                note(
                    "The loss is no longer a number at step {step}; lower learning_rate in the recipe (it is {rate}), "
                    "then train again.",
                    step=state.global_step, rate=f"{args.learning_rate:g}",
                )
            )  # fmt: skip
        done, seconds = state.global_step - self.first_step, time.monotonic() - self.began
        self.on_progress(
            Progress(
                step=state.global_step,
                total_steps=state.max_steps,
                loss=self.loss,
                eval_loss=self.eval_loss,
                tokens_per_second=logs.get("tokens_per_second", 0.0),
                seconds_left=seconds / done * (state.max_steps - state.global_step) if done else math.nan,
            )
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if _measurements_since_best(state.log_history) >= self.patience:
            control.should_training_stop = True


def _measurements_since_best(history: list[dict[str, float]]) -> int:
    losses = [row["eval_loss"] for row in history if "eval_loss" in row and row["step"] > 0]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def _is_finished(state: dict[str, Any], patience: int) -> bool:
    history = state["log_history"]
    return bool(state["global_step"] >= state["max_steps"] or _measurements_since_best(history) >= patience)


# ---------------------------------------------------------------------------------------------------------------


def tokenize_rows(tokenizer: Any, rows: Sequence[PairRow], max_tokens: int) -> tuple[list[TokenizedPair], list[int]]:
    """Rows as tokens, and the indices of those that are too long."""
    kept, too_long = [], []
    for index, row in enumerate(rows):
        pair = tokenize_pair(tokenizer, row["prompt"], row["completion"][0]["content"])
        if len(pair.input_ids) > max_tokens:
            too_long.append(index)
        else:
            kept.append(pair)
    return kept, too_long


def _dataset(pairs: list[TokenizedPair]) -> Dataset:
    return Dataset.from_list([{"input_ids": pair.input_ids, "labels": pair.labels} for pair in pairs])


def _fingerprint(
    train: list[TokenizedPair],
    validation: list[TokenizedPair],
    recipe: Recipe,
    rung: TunedRung,
    base_path: Path,
    warm_start: Path | None,
) -> str:
    """What makes two trainings the same one, so that a checkpoint of another is never resumed."""
    digest = hashlib.sha256(f"{recipe.digest} {rung}".encode())
    for pair in [*train, *validation]:
        digest.update(json.dumps([pair.prompt_tokens, pair.input_ids]).encode())
    for path in [base_path / "config.json", *([warm_start / "adapter_model.safetensors"] if warm_start else [])]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()}"


def _lora_config(recipe: Recipe) -> LoraConfig:
    lora, targets = recipe.lora, recipe.lora.target_modules
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        use_dora=lora.use_dora,
        use_rslora=lora.use_rslora,
    )


def adapted_modules(base_path: Path, recipe: Recipe) -> frozenset[str]:
    """The module names that an adapter of this recipe is on, as PEFT writes them out; no weight is read."""
    with torch.device("meta"):
        config = AutoConfig.from_pretrained(base_path, local_files_only=True)
        bare: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        adapted: Any = get_peft_model(bare, _lora_config(recipe))
    return frozenset(adapted.peft_config["default"].target_modules)


def _trainer_arguments(knobs: Training, checkpoint_dir: Path, *, eval_on_start: bool) -> SFTConfig:
    return SFTConfig(
        output_dir=str(checkpoint_dir),
        seed=knobs.seed,
        learning_rate=knobs.learning_rate,
        num_train_epochs=knobs.epochs,
        max_steps=knobs.max_steps,
        per_device_train_batch_size=knobs.batch_size,
        gradient_accumulation_steps=knobs.gradient_accumulation,
        warmup_steps=knobs.warmup_share,  # a share when below 1
        lr_scheduler_type=knobs.scheduler,
        weight_decay=knobs.weight_decay,
        max_grad_norm=knobs.max_grad_norm,
        activation_checkpointing=knobs.gradient_checkpointing,
        bf16=False,  # `likelihood.precision` does it, for training and scoring alike
        max_length=None,  # over-long pairs were left out, nothing is cut
        eval_strategy="steps",
        eval_steps=knobs.eval_every_steps,
        eval_on_start=eval_on_start,
        save_strategy="steps",
        save_steps=knobs.eval_every_steps,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number must be seen
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Memory and disk that ran out, as errors of ours."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull from error
        raise
    except RuntimeError as error:
        # torch's CPU allocator, and safetensors and torch.save on a full disk, have no classes of their own.
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise OutOfMemory from error
        if "No space left on device" in str(error) or "PytorchStreamWriter failed" in str(error):
            raise DiskFull from error
        raise


def _write_adapter(best: Path, out_dir: Path, base_model_name: str) -> None:
    out_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(best / "adapter_model.safetensors", out_dir / "adapter_model.safetensors")
    config = json.loads((best / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base_model_name or config["base_model_name_or_path"]
    (out_dir / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")

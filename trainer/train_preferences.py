"""The second stage: an adapter that was trained on examples goes on with preferences.

TRL's DPOTrainer does it: direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290). The reference is the
adapter as the first stage left it, held frozen beside the one that learns: measured against the bare base model, all
that the first stage learnt would count as drift to be undone. To the loss comes the likelihood of the chosen text
(Pang et al. 2024, arXiv 2404.19733), without which DPO is free to make chosen and rejected texts both less likely.

It takes minutes, so it keeps no checkpoints: killed, it starts from its beginning and ends with the same weights.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoTokenizer, PrinterCallback, set_seed
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from config.prompts import build_prompt
from trainer.errors import NoTrainingRows, StopReason
from trainer.likelihood import TokenizedPair, mean_loss, pad_id, tokenize_pair
from trainer.precision import torch_dtype
from trainer.preferences import PreferencePair
from trainer.recipe import Recipe
from trainer.train import PairRow, Progress, TrainedAdapter, Watcher, load_base, tokenize_rows

#: Validation loss is measured so often, and the best of these steps is the result.
LOOKS = 4


def train_preferences(
    *,
    base_path: Path,
    adapter: Path,
    pairs: Sequence[PreferencePair],
    instructions: str,
    rows_validation: Sequence[PairRow],
    recipe: Recipe,
    out_dir: Path,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], StopReason | None] = lambda: None,
) -> TrainedAdapter:
    """Train `adapter` (a folder) on with preferences and write the result to `out_dir`.

    The step with the lowest validation loss counts (nats per completion token of the examples that the first stage
    chose its own best step by). Preferences longer than the recipe's `max_tokens` are left out, never cut. Raises
    TrainingStopped, LossNotFinite, OutOfMemory, DiskFull, NoTrainingRows.
    """
    started = time.monotonic()
    knobs, training = recipe.preferences, recipe.training
    tokenizer = AutoTokenizer.from_pretrained(base_path)
    validation, _ = tokenize_rows(tokenizer, rows_validation, training.max_tokens)
    rows, too_long = _tokenize(tokenizer, pairs, instructions, training.max_tokens)
    if not rows or not validation:
        raise NoTrainingRows

    set_seed(training.seed)
    base = load_base(
        base_path, dtype=training.dtype, attention=training.attention, quantize=recipe.lora.quantize
    )  # fmt: skip
    model = PeftModel.from_pretrained(base, adapter, is_trainable=True)
    steps = max(1, round(-(-len(rows) // knobs.batch_size) * knobs.epochs))
    scratch = out_dir.with_name(f"{out_dir.name}-scratch")
    watcher = Watcher(LOOKS, on_progress, should_stop)
    trainer = _PreferenceTrainer(
        model=model,
        args=_trainer_arguments(recipe, scratch, steps),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[:1]),  # asked for, and not looked at: `evaluate` is ours
        processing_class=tokenizer,
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)  # progress goes to on_progress
    trainer.prepare_ours(validation, batch_size=training.batch_size, pad_id=pad_id(tokenizer))
    trainer.train()

    shutil.rmtree(out_dir, ignore_errors=True)  # of an attempt that was killed here
    out_dir.mkdir(parents=True)
    save_file(trainer.best, str(out_dir / "adapter_model.safetensors"), metadata={"format": "pt"})
    shutil.copyfile(adapter / "adapter_config.json", out_dir / "adapter_config.json")  # the same shape, the same base
    shutil.rmtree(scratch, ignore_errors=True)
    history = trainer.state.log_history
    eval_losses = [(int(row["step"]), float(row["eval_loss"])) for row in history if "eval_loss" in row]
    return TrainedAdapter(
        folder=out_dir,
        rung="lora_preferences",
        steps=int(trainer.state.global_step),
        best_step=trainer.best_step,
        best_eval_loss=dict(eval_losses)[trainer.best_step],
        train_losses=[(int(row["step"]), float(row["loss"])) for row in history if "loss" in row],
        eval_losses=eval_losses,
        tokens=trainer.tokens_seen,
        tokens_per_second=trainer.tokens_seen / trainer.training_seconds,
        seconds=time.monotonic() - started,
        resumed_from_step=0,
        train_pairs=len(rows),
        skipped_too_long=too_long,
    )


def _tokenize(
    tokenizer: Any, pairs: Sequence[PreferencePair], instructions: str, max_tokens: int
) -> tuple[list[dict[str, list[int]]], list[int]]:
    """Rows in TRL's tokenised preference format, and the indices of those that are too long."""
    rows, too_long = [], []
    for index, pair in enumerate(pairs):
        prompt = build_prompt(instructions, pair.prompt)
        chosen, rejected = (tokenize_pair(tokenizer, prompt, text) for text in (pair.chosen, pair.rejected))
        if max(len(chosen.input_ids), len(rejected.input_ids)) > max_tokens:
            too_long.append(index)
            continue
        # Where the prompt ends must be the same for both; a tokenizer may join its last letters with the first ones.
        start = min(chosen.prompt_tokens, rejected.prompt_tokens)
        rows.append(
            {
                "prompt_ids": chosen.input_ids[:start],
                "chosen_ids": chosen.input_ids[start:],
                "rejected_ids": rejected.input_ids[start:],
            }
        )
    return rows, too_long


class _PreferenceTrainer(DPOTrainer):
    """DPOTrainer on rows that are tokens already, which keeps the adapter of its best step in memory."""

    def prepare_ours(self, validation: list[TokenizedPair], *, batch_size: int, pad_id: int) -> None:
        self.validation, self.eval_batch, self.pad_id = validation, batch_size, pad_id
        self.best: dict[str, torch.Tensor] = {}
        self.best_step, self.best_loss = 0, float("inf")
        self.tokens_seen, self.training_seconds = 0, 0.0

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        began = time.monotonic()
        self.tokens_seen += int(inputs["attention_mask"].sum())
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)  # type: ignore[no-untyped-call]
        self.training_seconds += time.monotonic() - began
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Nats per completion token of the validation examples: what the first stage and the gate measure too."""
        model: Any = self.model
        model.eval()
        loss = mean_loss(model, self.validation, batch_size=self.eval_batch, pad_id=self.pad_id)
        step = int(self.state.global_step)
        if step and loss < self.best_loss:
            weights = get_peft_model_state_dict(model, adapter_name="default")
            self.best = {name: value.detach().cpu().clone().contiguous() for name, value in weights.items()}
            self.best_step, self.best_loss = step, loss
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def _trainer_arguments(recipe: Recipe, scratch: Path, steps: int) -> DPOConfig:
    knobs, training = recipe.preferences, recipe.training
    weighs_likelihood = knobs.likelihood_weight > 0
    return DPOConfig(
        output_dir=str(scratch),
        seed=training.seed,
        beta=knobs.beta,
        loss_type=["sigmoid", "sft"] if weighs_likelihood else ["sigmoid"],
        loss_weights=[1.0, knobs.likelihood_weight] if weighs_likelihood else [1.0],
        learning_rate=knobs.learning_rate,
        max_steps=steps,
        per_device_train_batch_size=knobs.batch_size,
        warmup_steps=training.warmup_share,  # a share when below 1
        lr_scheduler_type=training.scheduler,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        activation_checkpointing=training.gradient_checkpointing,
        bf16=torch_dtype(training.dtype) == torch.bfloat16,  # as `likelihood.precision` does it
        max_length=None,  # over-long pairs were left out, nothing is cut
        eval_strategy="steps",
        eval_steps=max(1, steps // LOOKS),
        eval_on_start=True,
        save_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number must be seen
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    )

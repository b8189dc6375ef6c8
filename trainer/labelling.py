"""Scoring candidates that answer with a label: a probability for every known label, calibrated on validation.

The known labels are those of the training side. In a scorecard of theirs `nll_nats` is what the right label costs
under these probabilities (the log score), so the model's rungs and those without a model can be compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from config.labels import MOST_NATS, Calibration
from config.prompts import ChatMessages
from trainer.calibration import Scores, calibrated, fit_calibration, right_columns
from trainer.choices import Choices, choice_logprobs
from trainer.label_metrics import expected_error
from trainer.metrics import PairScore, Scorecard


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPrompts:
    """What an evaluation needs besides the unseen pairs' prompts."""

    labels: tuple[str, ...]
    #: The validation side: a prompt each, and its right label.
    prompts: tuple[ChatMessages, ...]
    truths: tuple[str, ...]
    target_precision: float


def label_scores(model: Any, tokenizer: Any, prompts: Sequence[ChatMessages], labels: Sequence[str]) -> Scores:
    """[prompts, labels]: the log-likelihood in nats of each label as the whole answer."""
    choices = Choices(tokenizer, labels)
    rows = np.zeros((len(prompts), len(labels)))
    model.eval()
    with torch.inference_mode():
        for row, prompt in enumerate(prompts):
            ids = list(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False))
            found = choice_logprobs(model, choices.begin(ids), choices.tails)
            rows[row] = [sum(tokens) for tokens in found]
    return rows


def score_with_model(
    model: Any,
    tokenizer: Any,
    rung: str,
    prompts: Sequence[ChatMessages],
    unseen: Sequence[Unseen],
    known: LabelPrompts,
) -> Scorecard:
    """A candidate that the language model scores: calibrated on validation, then measured on the unseen pairs."""
    validation = label_scores(model, tokenizer, known.prompts, known.labels)
    began = time.monotonic()
    scores = label_scores(model, tokenizer, prompts, known.labels)
    seconds = time.monotonic() - began
    if not np.isfinite(validation).all():
        scores = np.full_like(scores, np.nan)  # probabilities need a calibration, and numbers to fit it on
    calibration = fit_calibration(known.labels, validation, known.truths, target_precision=known.target_precision)
    tokens = [len(tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=False)) for one in prompts]
    return label_card(rung, known.labels, scores, unseen, calibration, seconds=seconds, prompt_tokens=tokens)


#: (example id, right label) of an unseen pair.
Unseen = tuple[str, str]


def label_card(
    rung: str,
    labels: Sequence[str],
    scores: Scores,
    unseen: Sequence[Unseen],
    calibration: Calibration,
    *,
    seconds: float,
    prompt_tokens: Sequence[int] = (),
) -> Scorecard:
    """The scorecard of these scores, [unseen pairs, labels], made probabilities by the calibration."""
    probabilities = calibrated(labels, scores, calibration)
    right = right_columns(labels, [truth for _, truth in unseen])
    pairs = []
    for row, (example_id, truth) in enumerate(unseen):
        best = int(probabilities[row].argmax())
        chance = float(probabilities[row, right[row]]) if right[row] >= 0 else 1 - calibration.known_share
        pairs.append(
            PairScore(
                example_id=example_id,
                nll_nats=min(-math.log(chance), MOST_NATS) if chance > 0 else MOST_NATS,
                reference_bytes=len(truth.encode()),
                prompt_tokens=prompt_tokens[row] if prompt_tokens else 0,
                draft=labels[best],
                exact=bool(best == right[row]),
                truth=truth,
                confidence=float(probabilities[row, best]),
            )
        )
    raw = calibrated(labels, scores, Calibration())
    return Scorecard(
        rung=rung, pairs=tuple(pairs), seconds_per_draft=seconds / max(len(unseen), 1), scoring_seconds=seconds,
        calibration=calibration.as_json() | {"uncalibrated": _uncalibrated(raw, right)},
    )  # fmt: skip


def _uncalibrated(raw: Scores, right: NDArray[np.int64]) -> dict[str, float]:
    """How right and how sure the bare scores are: what calibration changed."""
    confidences, is_right = raw.max(axis=1), raw.argmax(axis=1) == right
    return {"accuracy": float(is_right.mean()), "ece": expected_error(confidences, is_right)}

"""Logistic regression on the texts' embeddings: the rung `logistic`, a classifier that needs no language model.

Multinomial, with an L2 penalty whose strength is chosen on the validation side, fitted to its optimum by torch's
L-BFGS. Its weights are kept as safetensors beside a small JSON file, and served by the model server, which computes
the embeddings anyway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from trainer.calibration import right_columns
from trainer.classifier_files import CONFIG, WEIGHTS, ClassifierConfig

#: Inverse strengths of the penalty that are tried, as scikit-learn's C: embeddings have length 1, so weights are large.
STRENGTHS = (1.0, 4.0, 16.0, 64.0)
_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """weights: [labels, dimensions]; bias: [labels]; float32."""

    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    embedding_model: str

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """[texts, labels], logits in nats, of embeddings [texts, dimensions]."""
        logits = vectors.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        found: NDArray[np.float64] = logits
        return found

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = ClassifierConfig(labels=list(self.labels), embedding_model=self.embedding_model)
        (folder / CONFIG).write_text(json.dumps(config.model_dump(), ensure_ascii=False), encoding="utf-8")
        save_file({"weights": self.weights, "bias": self.bias}, folder / WEIGHTS)


def load_classifier(folder: Path) -> Classifier:
    """What `Classifier.save` wrote, or a verified copy of it."""
    config = ClassifierConfig.model_validate_json((folder / CONFIG).read_bytes())
    tensors = load_file(folder / WEIGHTS)
    return Classifier(
        labels=tuple(config.labels), weights=tensors["weights"], bias=tensors["bias"],
        embedding_model=config.embedding_model,
    )  # fmt: skip


def fit_classifier(
    labels: Sequence[str],
    train: NDArray[np.float32],
    train_truths: Sequence[str],
    validation: NDArray[np.float32],
    validation_truths: Sequence[str],
    *,
    embedding_model: str,
) -> Classifier:
    """train, validation: embeddings [pairs, dimensions]. Every label occurs in training; pairs of
    other labels teach nothing."""
    taught, known = right_columns(labels, train_truths), right_columns(labels, validation_truths)
    inputs, right = torch.from_numpy(train[taught >= 0]), torch.from_numpy(taught[taught >= 0])
    best: tuple[float, Classifier] | None = None
    for strength in STRENGTHS:
        weights, bias = _fit(inputs, right, len(labels), strength)
        found = Classifier(labels=tuple(labels), weights=weights, bias=bias, embedding_model=embedding_model)
        cost = _cost(found, validation[known >= 0], known[known >= 0])
        if best is None or cost < best[0]:
            best = (cost, found)
    assert best is not None, "there are strengths to try"
    return best[1]


def _fit(
    inputs: torch.Tensor, right: torch.Tensor, labels: int, strength: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = torch.zeros(labels, inputs.shape[1], requires_grad=True)
    bias = torch.zeros(labels, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-5)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        losses = functional.cross_entropy(inputs @ weights.T + bias, right, reduction="sum")
        loss = strength * losses + 0.5 * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().numpy().copy(), bias.detach().numpy().copy()


def _cost(classifier: Classifier, vectors: NDArray[np.float32], right: NDArray[np.int64]) -> float:
    """Mean nats of the right label; 0 where there is nothing to judge by, so that the strongest penalty is kept."""
    if not len(right):
        return 0.0
    logits = torch.from_numpy(classifier.scores(vectors))
    return float(functional.cross_entropy(logits, torch.from_numpy(right)))

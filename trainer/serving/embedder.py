"""Sentence embeddings: mean pooling over the tokens of an encoder, scaled to length 1.

Equal texts give equal vectors whatever they are batched with, within rounding. A text longer than the encoder's
window is represented by its beginning, which is what retrieval wants of it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModel, AutoTokenizer

from config.base_names import base_model_id
from trainer.base_models import base_revision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BATCH_TEXTS = 32
_WINDOW_TOKENS = 256


class Embedder:
    """An encoder in memory; safe to call from any thread."""

    def __init__(self, model_path: Path, *, name: str = "") -> None:
        self.model_id = base_model_id(name or str(model_path))
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model_path)
        self._model: Any = AutoModel.from_pretrained(model_path, dtype=torch.float32).eval()
        self._lock = threading.Lock()
        #: `sha256:…` of the encoder: what was fitted on another one's vectors does not fit these.
        self.revision = base_revision(model_path)
        self.dimensions = int(self._model.config.hidden_size)

    def embed(self, texts: Sequence[str]) -> tuple[torch.Tensor, int]:
        """Vectors of shape [texts, dimensions], float32, length 1 each; and the number of tokens read."""
        vectors = torch.empty(len(texts), self.dimensions)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # similar lengths: less padding
        tokens = 0
        with self._lock, torch.inference_mode():
            for start in range(0, len(order), _BATCH_TEXTS):
                chosen = order[start : start + _BATCH_TEXTS]
                pooled, count = self._embed_batch([texts[i] for i in chosen])
                vectors[chosen] = pooled
                tokens += count
        return vectors, tokens

    def _embed_batch(self, texts: list[str]) -> tuple[torch.Tensor, int]:
        encoded = self._tokenizer(texts, padding=True, truncation=True, max_length=_WINDOW_TOKENS, return_tensors="pt")
        hidden = self._model(**encoded).last_hidden_state  # [texts, tokens, dimensions]
        mask = encoded["attention_mask"][:, :, None].to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=1), int(encoded["attention_mask"].sum())

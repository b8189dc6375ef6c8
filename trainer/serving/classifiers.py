"""Classifiers out of the artifact store, served as a model that knows its labels and nothing else.

One is verified before its first answer, kept in memory, and gone as soon as it is no longer in the store.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainer.artifacts.keys import load_verify_key
from trainer.artifacts.manifest import manifest_digest
from trainer.calibration import softmax
from trainer.classifier import Classifier, load_classifier
from trainer.classifier_files import fetch_classifier, is_classifier
from trainer.errors import AdapterUnknown
from trainer.serving.scoring import ScoredChoice, ScoredChoices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.prompts import ChatMessages
    from trainer.serving.embedder import Embedder


class Classifiers:
    """Safe to call from any thread."""

    def __init__(self, store_url: str, cache_dir: Path, keys_dir: Path, embedder: Embedder) -> None:
        self._store_url = store_url
        self._cache_dir = cache_dir
        self._keys_dir = keys_dir
        self._embedder = embedder
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[Classifier, str]] = {}

    def has(self, name: str) -> bool:
        """Is there a classifier of this name in the store?"""
        return is_classifier(self._store_url, name)

    def let_go_of_withdrawn(self) -> None:
        """Take out of memory what is no longer in the store."""
        with self._lock:
            for name in [name for name in self._loaded if not self.has(name)]:
                del self._loaded[name]

    def score_choices(self, messages: ChatMessages, texts: Sequence[str], name: str) -> ScoredChoices:
        """The probability of those of these labels that the classifier knows, for the last message. Raises the
        AdapterErrors; AdapterUnknown also when it knows none of them."""
        classifier, digest = self._load(name)
        known = [column for column, label in enumerate(classifier.labels) if label in texts]
        if not known:
            raise AdapterUnknown
        vectors, tokens = self._embedder.embed([messages[-1]["content"]])
        shares = softmax(classifier.scores(vectors.numpy())[:, known])[0]
        scored = [
            ScoredChoice(text=label, tokens=(label,), logprobs=(float(np.log(max(share, 1e-30))),))
            for label, share in zip((classifier.labels[column] for column in known), shares, strict=True)
        ]
        return ScoredChoices(
            choices=tuple(sorted(scored, key=lambda one: -one.total)), prompt_tokens=tokens, digest=digest
        )

    def _load(self, name: str) -> tuple[Classifier, str]:
        with self._lock:
            if not self.has(name):
                self._loaded.pop(name, None)  # withdrawn: what is no longer in the store is no longer served
                raise AdapterUnknown
            if name not in self._loaded:
                folder = fetch_classifier(
                    self._store_url, name, self._cache_dir, load_verify_key(self._keys_dir),
                    expected_revision=self._embedder.revision,
                )  # fmt: skip
                self._loaded[name] = (load_classifier(folder), manifest_digest(folder))
            return self._loaded[name]

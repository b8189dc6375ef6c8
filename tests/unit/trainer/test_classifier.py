"""The classifier learns what embeddings say, keeps it in two plain files, and loads nothing that was tampered with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from trainer.artifacts.keys import load_or_create_signing_key, load_verify_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.calibration import right_columns
from trainer.classifier import Classifier, fit_classifier, load_classifier
from trainer.classifier_files import CONFIG, WEIGHTS, fetch_classifier, publish_classifier
from trainer.errors import AdapterHostile, AdapterRejected, AdapterTampered, AdapterUnknown, AdapterWrongBase

LABELS = ("bug", "question", "wish")
REVISION = "sha256:" + "0" * 64


def drawn(pairs: int, *, noise: float, seed: int) -> tuple[np.ndarray, list[str]]:
    """Embeddings of length 1 around a place for each label."""
    random = np.random.default_rng(seed)
    places = np.random.default_rng(0).normal(size=(3, 16))
    which = random.integers(0, 3, pairs)
    vectors = places[which] + noise * random.normal(size=(pairs, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [LABELS[number] for number in which]


def fitted(noise: float = 1.0) -> Classifier:
    train, truths = drawn(120, noise=noise, seed=1)
    validation, validation_truths = drawn(40, noise=noise, seed=2)
    return fit_classifier(LABELS, train, truths, validation, validation_truths, embedding_model="tiny")


def test_it_labels_what_it_has_not_seen_and_the_same_pairs_give_the_same_classifier() -> None:
    classifier = fitted()
    unseen, truths = drawn(200, noise=1.0, seed=3)
    right = classifier.scores(unseen).argmax(axis=1) == right_columns(LABELS, truths)
    assert right.mean() > 0.8
    assert np.array_equal(fitted().weights, classifier.weights)


def test_the_penalty_is_stronger_where_the_embeddings_say_little() -> None:
    certain, noisy = fitted(noise=0.1), fitted(noise=8.0)
    assert np.linalg.norm(noisy.weights) < np.linalg.norm(certain.weights)


def publish(root: Path, name: str = "tickets-v1-logistic") -> Path:
    folder = root / "fitted"
    fitted().save(folder)
    facts = AdapterFacts(
        base_model="tiny", base_revision=REVISION, style_id="1", scope="T1", run_id="run", rung="logistic",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    publish_classifier(str(root / "store"), name, folder, facts, load_or_create_signing_key(root / "keys"))
    return root / "store" / name


def fetch(root: Path, name: str = "tickets-v1-logistic", revision: str = REVISION) -> Path:
    key = load_verify_key(root / "keys")
    return fetch_classifier(str(root / "store"), name, root / "cache", key, expected_revision=revision)


def test_what_was_published_is_loaded_as_it_was(tmp_path: Path) -> None:
    publish(tmp_path)
    loaded, before = load_classifier(fetch(tmp_path)), fitted()
    assert loaded.labels == LABELS
    assert np.array_equal(loaded.weights, before.weights) and np.array_equal(loaded.bias, before.bias)
    with pytest.raises(AdapterUnknown):
        fetch(tmp_path, "another")
    with pytest.raises(AdapterWrongBase):  # fitted on another encoder's vectors
        fetch(tmp_path, revision="sha256:" + "1" * 64)


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, "manifest.json", "manifest.sig"])
def test_a_changed_byte_anywhere_is_refused(file: str, tmp_path: Path) -> None:
    path = publish(tmp_path) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(AdapterRejected):
        fetch(tmp_path)


def test_a_file_too_many_is_refused(tmp_path: Path) -> None:
    (publish(tmp_path) / "code.py").write_text("print()")
    with pytest.raises(AdapterHostile):
        fetch(tmp_path)


def test_what_does_not_fit_together_is_not_even_published(tmp_path: Path) -> None:
    key = load_or_create_signing_key(tmp_path / "keys")
    facts = AdapterFacts(
        base_model="tiny", base_revision=REVISION, style_id="1", scope="T1", run_id="run", rung="logistic",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    for number, (weights, bias, labels) in enumerate(
        [
            (np.full((3, 4), np.nan, np.float32), np.zeros(3, np.float32), list(LABELS)),
            (np.zeros((2, 4), np.float32), np.zeros(2, np.float32), list(LABELS)),
            (np.zeros((3, 4), np.float64), np.zeros(3, np.float32), list(LABELS)),
            (np.zeros((1, 4), np.float32), np.zeros(1, np.float32), ["alone"]),
        ]
    ):
        folder = tmp_path / f"bad-{number}"
        folder.mkdir()
        tensors: dict[str, Any] = {"weights": weights, "bias": bias}
        save_file(tensors, folder / WEIGHTS)
        (folder / CONFIG).write_text(json.dumps({"format": 1, "labels": labels, "embedding_model": "tiny"}))
        with pytest.raises(AdapterHostile):
            publish_classifier(str(tmp_path / "store"), f"bad-{number}", folder, facts, key)


def test_a_signature_of_somebody_else_is_refused(tmp_path: Path) -> None:
    publish(tmp_path)
    other = load_or_create_signing_key(tmp_path / "other").public_key()
    with pytest.raises(AdapterTampered):
        fetch_classifier(
            str(tmp_path / "store"), "tickets-v1-logistic", tmp_path / "cache", other, expected_revision=REVISION
        )

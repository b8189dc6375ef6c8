"""A classifier in the artifact store: published, signed and verified as adapters are, with its own two files.

It stands on the embedding model. Nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from trainer.artifacts.fetching import fetch_files
from trainer.artifacts.foreign import Strict
from trainer.artifacts.manifest import README, AdapterFacts
from trainer.artifacts.store import PublishedAdapter, has_adapter, publish_files
from trainer.artifacts.tensors import check_tensors, read_header
from trainer.errors import AdapterHostile, AdapterIncomplete

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

CONFIG, WEIGHTS = "classifier.json", "classifier.safetensors"
_CAPS: Mapping[str, int] = {CONFIG: 256 << 10, WEIGHTS: 64 << 20}


class ClassifierConfig(Strict):
    """What `classifier.json` says."""

    format: Literal[1] = 1
    labels: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=4_000)]], Field(min_length=2)]
    embedding_model: Annotated[str, StringConstraints(max_length=512)]


def publish_classifier(
    store_url: str, name: str, folder: Path, facts: AdapterFacts, keys: Ed25519PrivateKey
) -> PublishedAdapter:
    """Put what `Classifier.save` wrote into the store. `facts.base_model` names the embedding model.

    Raises as `publish_adapter` does.
    """
    contents = {file: (folder / file).read_bytes() for file in (CONFIG, WEIGHTS)}
    contents[README] = (
        f"# Classifier of run {facts.run_id}\n\nLogistic regression on `{facts.base_model}` ({facts.base_revision}), "
        f"rung `{facts.rung}`, style {facts.style_id}.\n"
    ).encode()
    _check(contents[CONFIG], memoryview(contents[WEIGHTS]))
    return publish_files(store_url, name, contents, facts, keys)


def is_classifier(store_url: str, name: str) -> bool:
    """Does the store hold a complete classifier of this name?"""
    return has_adapter(store_url, name, file=CONFIG)


def fetch_classifier(
    store_url: str, name: str, cache_dir: Path, verify_key: Ed25519PublicKey, *, expected_revision: str
) -> Path:
    """A private, verified copy in `cache_dir/<name>`. Raises AdapterUnknown or an AdapterRejected."""

    def check(folder: Path) -> None:
        _check((folder / CONFIG).read_bytes(), memoryview((folder / WEIGHTS).read_bytes()))

    return fetch_files(
        store_url, name, cache_dir, verify_key, expected_revision=expected_revision, size_caps=_CAPS,
        check=check,
    )  # fmt: skip


def _check(config: bytes, weights: memoryview) -> None:
    """Two float32 tensors of the config's number of labels, all finite, and nothing else."""
    try:
        labels = len(ClassifierConfig.model_validate_json(config).labels)
    except ValidationError as error:
        raise AdapterHostile("classifier.json has what we never load.") from error
    if not len(weights):
        raise AdapterIncomplete("The classifier's weights are empty.")
    header, start = read_header(weights)
    if set(header) != {"weights", "bias"} or any(entry.dtype != "F32" for entry in header.values()):
        raise AdapterHostile("The classifier's weights are not the two tensors that we write.")
    matrix, bias = header["weights"].shape, header["bias"].shape
    if len(matrix) != 2 or matrix[0] != labels or bias != [labels]:
        raise AdapterHostile("The classifier's weights do not fit its labels.")
    check_tensors(weights, header, start, "classifier")

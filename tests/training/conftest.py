"""A tiny random model for the mechanics of training, and the embedded models, prepared once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import EMBEDDED_BASE_MODEL, EMBEDDED_EMBEDDING_MODEL
from tests.support.tiny_model import make_tiny_model
from trainer.base_models import prepare_base_model, prepare_embedding_model


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def embedded_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder that holds the embedded models already: dequantising takes a dozen seconds."""
    folder = tmp_path_factory.mktemp("embedded")
    prepare_base_model(EMBEDDED_BASE_MODEL, folder)
    prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, folder)
    return folder

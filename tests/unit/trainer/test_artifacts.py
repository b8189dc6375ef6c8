"""What is published is complete or absent, never changes, comes back verified, and is a plain PEFT folder."""

from __future__ import annotations

import dataclasses
import json
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from config.settings import EMBEDDED_EMBEDDING_MODEL
from tests.support.processes import run_together
from tests.support.tiny_model import make_tiny_adapter, make_tiny_model
from trainer.adapter_files import CONFIG as CONFIG_FILE
from trainer.adapter_files import WEIGHTS, fetch_verified, publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key, load_verify_key
from trainer.artifacts.manifest import AdapterFacts, manifest_digest
from trainer.artifacts.store import PublishedAdapter, delete_adapter, has_adapter, list_adapters, remove_leftovers
from trainer.base_models import PREPARED_MARKER, base_revision, linear_shapes, prepare_embedding_model
from trainer.errors import (
    AdapterIncomplete,
    AdapterNameTaken,
    AdapterRejected,
    AdapterTampered,
    AdapterUnknown,
    BaseModelUnavailable,
    VerifyKeyMissing,
)

NAME = "replies-v1"
FACTS = AdapterFacts(
    base_model="tiny",
    base_revision="sha256:" + "1" * 64,
    style_id="1",
    scope="T1:workspace",
    run_id="run-1",
    rung="lora",
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
    versions={"peft": "0.21.2"},
)
CONFIG = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "r": 2,
    "lora_alpha": 4,
    "target_modules": ["q_proj", "k_proj"],
    "base_model_name_or_path": "/somebody/s/disk",
}


def _trained(folder: Path, *, value: float = 0.5, **config: Any) -> Path:
    """An adapter as small as can be, written without torch."""
    folder.mkdir(parents=True)
    tensors = {
        f"base_model.model.layers.0.{module}.{part}.weight": np.full(shape, value, np.float32)
        for module in ("q_proj", "k_proj")
        for part, shape in (("lora_A", (2, 8)), ("lora_B", (8, 2)))
    }
    save_file(tensors, folder / WEIGHTS)
    (folder / CONFIG_FILE).write_text(json.dumps(CONFIG | config))
    return folder


@pytest.fixture(params=["folder", "memory", "bucket"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder, a store in memory, and a store on disk that cannot rename, as buckets cannot."""
    if request.param == "memory":
        url = f"memory://{uuid.uuid4().hex}"
        yield url
        filesystem, root = fsspec.core.url_to_fs(url)
        filesystem.rm(root, recursive=True)
    else:
        yield f"{'dir::file://' if request.param == 'bucket' else ''}{tmp_path / 'store'}"


def _publish(store_url: str, trained: Path, keys: Path, **facts: Any) -> PublishedAdapter:
    key = load_or_create_signing_key(keys)
    return publish_adapter(store_url, NAME, trained, dataclasses.replace(FACTS, **facts), key)


def _fetch(store_url: str, cache: Path, keys: Path) -> Path:
    verify_key = load_verify_key(keys)
    return fetch_verified(store_url, NAME, cache, verify_key, expected_base_revision=FACTS.base_revision)


def test_what_is_published_comes_back_verified_from_a_folder_and_from_a_bucket(store_url: str, tmp_path: Path) -> None:
    trained, keys = _trained(tmp_path / "trained"), tmp_path / "keys"
    published = _publish(store_url, trained, keys)
    assert list_adapters(store_url) == [NAME]
    assert has_adapter(store_url, NAME)
    folder = _fetch(store_url, tmp_path / "cache", keys)
    assert (folder / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
    assert manifest_digest(folder) == published.digest
    assert sum(file.stat().st_size for file in folder.iterdir()) == published.size_bytes
    delete_adapter(store_url, NAME)
    assert list_adapters(store_url) == []
    assert not has_adapter(store_url, NAME)


def test_a_flipped_bit_in_the_store_is_found(store_url: str, tmp_path: Path) -> None:
    _publish(store_url, _trained(tmp_path / "trained"), tmp_path / "keys")
    filesystem, root = fsspec.core.url_to_fs(store_url)
    path = f"{root}/{NAME}/{WEIGHTS}"
    data = bytearray(filesystem.cat_file(path))
    data[-1] ^= 1
    filesystem.pipe_file(path, bytes(data))
    with pytest.raises(AdapterTampered):
        _fetch(store_url, tmp_path / "cache", tmp_path / "keys")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_same_content_published_again_is_one_adapter_and_other_content_needs_another_name(
    store_url: str, tmp_path: Path
) -> None:
    trained, keys = _trained(tmp_path / "trained"), tmp_path / "keys"
    first = _publish(store_url, trained, keys)
    _publish(store_url, trained, keys, created_at=FACTS.created_at + timedelta(hours=1))
    assert list_adapters(store_url) == [NAME]
    for other, facts in ((_trained(tmp_path / "other", value=0.25), {}), (trained, {"run_id": "run-2"})):
        with pytest.raises(AdapterNameTaken):
            _publish(store_url, other, keys, **facts)
    assert manifest_digest(_fetch(store_url, tmp_path / "cache", keys)) == first.digest


@pytest.mark.parametrize("spoil", [{"auto_mapping": {"parent_library": "os"}}, {"r": 4}, {"use_dora": True}])
def test_what_no_server_would_load_is_not_published(store_url: str, tmp_path: Path, spoil: dict[str, Any]) -> None:
    with pytest.raises(AdapterRejected):
        _publish(store_url, _trained(tmp_path / "trained", **spoil), tmp_path / "keys")
    assert list_adapters(store_url) == []
    _publish(store_url, _trained(tmp_path / "good"), tmp_path / "keys")


def test_published_names_show_no_path_of_the_trainers_disk(tmp_path: Path) -> None:
    _publish(str(tmp_path / "store"), _trained(tmp_path / "trained"), tmp_path / "keys")
    for file in (tmp_path / "store" / NAME).iterdir():
        assert b"somebody" not in file.read_bytes(), file.name


def test_the_signing_key_is_readable_by_its_owner_alone_and_made_once(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first = load_or_create_signing_key(keys).private_bytes_raw()
    assert stat.S_IMODE((keys / "signing.pem").stat().st_mode) == 0o600
    assert load_or_create_signing_key(keys).private_bytes_raw() == first
    (keys / "verify.pem").unlink()  # the public half can always be made again
    assert load_or_create_signing_key(keys).private_bytes_raw() == first
    load_or_create_signing_key(keys).public_key().verify(load_or_create_signing_key(keys).sign(b"x"), b"x")
    assert b"PRIVATE" not in (keys / "verify.pem").read_bytes()
    assert [path.name for path in keys.iterdir() if path.name.startswith(".")] == []
    (keys / "verify.pem").write_text("no key")
    with pytest.raises(VerifyKeyMissing):
        load_verify_key(keys)


_PUBLISH_IN_A_CHILD = """
import sys
from pathlib import Path
from config import failpoints
from tests.unit.trainer import test_artifacts as t
failpoints.arm(sys.argv[4])
t._publish(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.faults
@pytest.mark.parametrize("prefix", ["", "dir::file://"], ids=["folder", "bucket"])
def test_a_kill_half_way_lists_nothing_and_the_next_publishing_succeeds(tmp_path: Path, prefix: str) -> None:
    store_url, trained, keys = f"{prefix}{tmp_path / 'store'}", _trained(tmp_path / "trained"), tmp_path / "keys"
    load_or_create_signing_key(keys)
    command = [sys.executable, "-c", _PUBLISH_IN_A_CHILD, store_url, str(trained), str(keys), "artefact.upload_half"]
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run(command, cwd=root, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any((tmp_path / "store").rglob(WEIGHTS)), "it was killed before it had written anything"
    assert list_adapters(store_url) == []
    assert not has_adapter(store_url, NAME)
    with pytest.raises(AdapterIncomplete if prefix else AdapterUnknown):
        _fetch(store_url, tmp_path / "cache", keys)
    _publish(store_url, trained, keys)
    assert list_adapters(store_url) == [NAME]
    _fetch(store_url, tmp_path / "cache", keys)
    remove_leftovers(store_url, NAME)
    assert [path.parent.name for path in (tmp_path / "store").rglob(WEIGHTS)] == [NAME]


@pytest.mark.training
def test_peft_loads_the_published_folder_unchanged(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = make_tiny_model(tmp_path / "base")
    trained = make_tiny_adapter(tmp_path / "trained", base)
    store, keys = tmp_path / "store", tmp_path / "keys"
    key = load_or_create_signing_key(keys)
    facts = dataclasses.replace(FACTS, base_revision=base_revision(base))
    publish_adapter(str(store), NAME, trained, facts, key)
    fetched = fetch_verified(
        str(store),
        NAME,
        tmp_path / "cache",
        key.public_key(),
        expected_base_revision=facts.base_revision,
        base_shapes=linear_shapes(base),
    )
    ids = torch.tensor([[5, 6, 7, 8]])

    def logits(folder: Path | None) -> torch.Tensor:
        model: Any = AutoModelForCausalLM.from_pretrained(base)
        if folder is not None:
            model = PeftModel.from_pretrained(model, str(folder))
        with torch.inference_mode():
            found: torch.Tensor = model.eval()(input_ids=ids).logits
        return found

    expected = logits(trained)
    assert not torch.allclose(expected, logits(None))
    for folder in (store / NAME, fetched):
        assert torch.equal(logits(folder), expected), folder


def _prepare(models: str) -> int:
    """Which file this process found; a second writer would have made another."""
    return (prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, Path(models)) / "model.safetensors").stat().st_ino


def test_processes_that_prepare_a_model_at_once_share_one_preparation(tmp_path: Path) -> None:
    half = tmp_path / "all-minilm-l6-v2"  # left behind by a process that was killed
    half.mkdir()
    (half / "config.json").write_text("{")
    (tmp_path / ".all-minilm-l6-v2-stale").mkdir()
    found = run_together(_prepare, [(str(tmp_path),)] * 3)
    assert len(set(found)) == 1
    assert (half / PREPARED_MARKER).is_file()
    assert json.loads((half / "config.json").read_text())["hidden_size"] == 384
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["all-minilm-l6-v2"]


def test_a_models_revision_follows_its_bytes(tmp_path: Path) -> None:
    base = _trained(tmp_path / "base")
    (base / "config.json").write_text("{}")
    first = base_revision(base)
    assert base_revision(base) == first
    (base / "config.json").write_text('{"a": 1}')
    assert base_revision(base) != first


def test_a_model_that_does_not_exist_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(BaseModelUnavailable, match="all-minilm-l6-v2"):
        prepare_embedding_model("embedded:nothing", tmp_path)

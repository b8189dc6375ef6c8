"""A whole model in the store: what goes in is the base model's shape with other numbers, and nothing else comes out."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support.full_models import make_full_model
from tests.support.tiny_model import make_tiny_model
from trainer.artifacts.keys import load_or_create_signing_key, load_verify_key
from trainer.artifacts.manifest import AdapterFacts, manifest_digest
from trainer.artifacts.store import PublishedAdapter, delete_adapter, list_adapters
from trainer.base_models import base_revision
from trainer.errors import (
    AdapterHostile,
    AdapterIncomplete,
    AdapterNameTaken,
    AdapterRejected,
    AdapterUnknown,
    AdapterWrongBase,
    BaseModelUnsuited,
)
from trainer.full_files import CONFIG, fetch_full, is_full, publish_full, read_parameters, read_tensors, write_full

pytestmark = pytest.mark.training

NAME = "brand-v1-full"


def facts(base: Path, **different: Any) -> AdapterFacts:
    return dataclasses.replace(
        AdapterFacts(
            base_model="tiny", base_revision=base_revision(base), style_id="1", scope="T1", run_id="run-1",
            rung="full", created_at=datetime(2026, 11, 1, tzinfo=UTC),
        ), **different,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_full_model(tmp_path_factory.mktemp("full") / "trained", tiny_base)


@pytest.fixture(params=["folder", "memory"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "store")
        return
    url = f"memory://{uuid.uuid4().hex}"
    yield url
    filesystem, root = fsspec.core.url_to_fs(url)
    filesystem.rm(root, recursive=True)


class Shop:
    """A store with its keys and a private cache."""

    def __init__(self, url: str, root: Path, base: Path) -> None:
        self.url, self.root, self.base = url, root, base
        self.key = load_or_create_signing_key(root / "keys")

    def publish(self, folder: Path, **different: Any) -> PublishedAdapter:
        return publish_full(self.url, NAME, folder, facts(self.base, **different), self.key, base_path=self.base)

    def fetch(self, base: Path | None = None) -> Path:
        key = load_verify_key(self.root / "keys")
        return fetch_full(self.url, NAME, self.root / "cache", key, base_path=base or self.base)


@pytest.fixture
def shop(store_url: str, tmp_path: Path, tiny_base: Path) -> Shop:
    return Shop(store_url, tmp_path, tiny_base)


def answer(folder: Path) -> list[int]:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer("hello", return_tensors="pt").input_ids
    written: list[int] = model.generate(input_ids=prompt, max_new_tokens=12, do_sample=False)[0].tolist()
    return written


def test_what_is_published_comes_back_as_a_model_that_says_the_same(shop: Shop, trained: Path) -> None:
    published = shop.publish(trained)
    assert is_full(shop.url, NAME) and list_adapters(shop.url) == [NAME]
    assert read_parameters(shop.url, NAME) == sum(t.numel() for t in load_file(trained / "model.safetensors").values())
    folder = shop.fetch()
    assert (folder / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert manifest_digest(folder) == published.digest
    assert answer(folder) == answer(trained) != answer(shop.base)
    # Nothing but numbers went in: config and tokenizer are the base model's.
    filesystem, root = fsspec.core.url_to_fs(shop.url)
    stored = {entry.rsplit("/", 1)[-1] for entry in filesystem.ls(f"{root}/{NAME}", detail=False)}
    assert stored == {"model.safetensors", CONFIG, "README.md", "manifest.json", "manifest.sig"}
    assert (folder / "config.json").read_bytes() == (shop.base / "config.json").read_bytes()
    assert "run-1" in (folder / "README.md").read_text()


def test_the_same_model_published_twice_is_one_and_another_needs_another_name(
    shop: Shop, trained: Path, tmp_path: Path
) -> None:
    first = shop.publish(trained)
    shop.publish(trained, created_at=datetime(2026, 11, 2, tzinfo=UTC))
    assert list_adapters(shop.url) == [NAME]
    with pytest.raises(AdapterNameTaken):
        shop.publish(make_full_model(tmp_path / "other", shop.base, seed=2))
    assert manifest_digest(shop.fetch()) == first.digest


@pytest.mark.parametrize("file", ["model.safetensors", CONFIG, "README.md", "manifest.json", "manifest.sig"])
def test_one_flipped_bit_anywhere_is_found(shop: Shop, trained: Path, file: str) -> None:
    shop.publish(trained)
    filesystem, root = fsspec.core.url_to_fs(shop.url)
    data = bytearray(filesystem.cat_file(f"{root}/{NAME}/{file}"))
    data[len(data) // 2] ^= 1
    filesystem.pipe_file(f"{root}/{NAME}/{file}", bytes(data))
    with pytest.raises(AdapterRejected):
        shop.fetch()
    assert list((shop.root / "cache").iterdir()) == []


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "modeling_llama.py", "pytorch_model.bin"])
def test_nothing_may_lie_beside_the_weights(shop: Shop, trained: Path, file: str) -> None:
    shop.publish(trained)
    filesystem, root = fsspec.core.url_to_fs(shop.url)
    filesystem.pipe_file(f"{root}/{NAME}/{file}", b"{}")
    with pytest.raises(AdapterHostile, match="does not belong"):
        shop.fetch()


def test_weights_that_are_larger_than_the_base_models_are_not_even_read(shop: Shop, trained: Path) -> None:
    shop.publish(trained)
    filesystem, root = fsspec.core.url_to_fs(shop.url)
    filesystem.pipe_file(f"{root}/{NAME}/model.safetensors", bytes(4 << 20))
    with pytest.raises(AdapterHostile, match="is larger than"):
        shop.fetch()


def test_it_fits_its_own_base_model_and_no_other(shop: Shop, trained: Path, tmp_path: Path) -> None:
    shop.publish(trained)
    other = make_tiny_model(tmp_path / "other", seed=5)
    with pytest.raises(AdapterWrongBase):
        shop.fetch(other)
    shop.fetch()


def spoil(folder: Path, target: Path, **changes: torch.Tensor | None) -> Path:
    """A copy in which these tensors are other ones, or gone."""
    shutil.copytree(folder, target)
    tensors = load_file(target / "model.safetensors") | {
        key.replace("__", "."): value for key, value in changes.items()
    }
    save_file({key: value for key, value in tensors.items() if value is not None}, target / "model.safetensors")
    return target


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model__norm__weight": torch.full((64,), float("nan"))}, AdapterHostile),
        ({"model__norm__weight": torch.full((64,), float("inf"))}, AdapterHostile),
        ({"model__norm__weight": torch.ones(32)}, AdapterWrongBase),
        ({"model__norm__weight": torch.ones(64, dtype=torch.bfloat16)}, AdapterWrongBase),
        ({"model__norm__weight": None}, AdapterWrongBase),
        ({"one__more": torch.ones(3)}, AdapterWrongBase),
    ],
)
def test_tensors_that_are_not_the_base_models_are_never_published(
    tmp_path: Path, tiny_base: Path, trained: Path, changes: dict[str, Any], error: type[Exception]
) -> None:
    shop = Shop(str(tmp_path / "store"), tmp_path, tiny_base)
    with pytest.raises(error):
        shop.publish(spoil(trained, tmp_path / "spoilt", **changes))
    assert list_adapters(shop.url) == []


def test_a_file_of_weights_that_is_missing_or_misnamed_is_refused(
    tmp_path: Path, tiny_base: Path, trained: Path
) -> None:
    shop = Shop(str(tmp_path / "store"), tmp_path, tiny_base)
    shutil.copytree(trained, tmp_path / "empty")
    (tmp_path / "empty" / "model.safetensors").unlink()
    with pytest.raises(AdapterIncomplete):
        shop.publish(tmp_path / "empty")
    shutil.copytree(trained, tmp_path / "misnamed")
    described = json.loads((tmp_path / "misnamed" / CONFIG).read_text())
    (tmp_path / "misnamed" / CONFIG).write_text(json.dumps(described | {"files": ["../model.safetensors"]}))
    with pytest.raises(AdapterHostile):
        shop.publish(tmp_path / "misnamed")


def test_what_is_deleted_is_gone(shop: Shop, trained: Path) -> None:
    shop.publish(trained)
    delete_adapter(shop.url, NAME)
    assert not is_full(shop.url, NAME)
    for read in (shop.fetch, lambda: read_parameters(shop.url, NAME)):
        with pytest.raises(AdapterUnknown):
            read()


def test_a_base_model_in_several_files_and_half_precision_gives_a_model_of_the_same_form(
    tmp_path: Path, tiny_base: Path
) -> None:
    parted = tmp_path / "parted"
    AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.bfloat16).save_pretrained(
        parted, max_shard_size="100KB"
    )
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(parted)
    assert len(list(parted.glob("*.safetensors"))) > 1
    trained = make_full_model(tmp_path / "trained", parted)
    assert {file.name for file in trained.glob("*.safetensors")} == {file.name for file in parted.glob("*.safetensors")}
    for file in trained.glob("*.safetensors"):
        with safe_open(str(file), framework="pt") as part:
            assert {part.get_tensor(key).dtype for key in part.keys()} == {torch.bfloat16}  # noqa: SIM118
    shop = Shop(str(tmp_path / "store"), tmp_path, parted)
    shop.publish(trained)
    assert answer(shop.fetch()) == answer(trained) != answer(parted)


def test_a_head_that_is_tied_stays_tied(tmp_path: Path, tiny_base: Path) -> None:
    """Also where the base model's file has it twice."""
    tied = tmp_path / "tied"
    shutil.copytree(tiny_base, tied)
    config = json.loads((tied / "config.json").read_text())
    (tied / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    tensors = load_file(tied / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    for is_twice in (False, True):
        head = {"lm_head.weight": embedding.clone()} if is_twice else {}
        others = {key: value for key, value in tensors.items() if key != "lm_head.weight"}
        save_file(others | head, tied / "model.safetensors", metadata={"format": "pt"})
        folder = make_full_model(tmp_path / f"trained-{is_twice}", tied)
        assert ("lm_head.weight" in read_tensors(folder)["model.safetensors"]) is is_twice
        loaded = AutoModelForCausalLM.from_pretrained(folder)
        assert loaded.lm_head.weight.data_ptr() == loaded.model.embed_tokens.weight.data_ptr()
        assert not torch.equal(loaded.lm_head.weight, embedding)


def test_a_base_model_of_other_numbers_is_not_suited(tmp_path: Path, tiny_base: Path) -> None:
    quantised = spoil(tiny_base, tmp_path / "quantised", model__norm__weight=torch.ones(64, dtype=torch.int8))
    with pytest.raises(BaseModelUnsuited):
        read_tensors(quantised)
    with pytest.raises(BaseModelUnsuited):
        write_full(tiny_base, quantised, tmp_path / "out")

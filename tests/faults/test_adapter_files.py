"""A corrupted, truncated or hostile adapter is refused before anything reads its weights.

Each case starts from an adapter that passes, changes one thing, and, where the change would merely break the
signature, signs it again with the trainer's own key, so that every check is met on its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import struct
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.tiny_model import make_tiny_adapter, make_tiny_model
from trainer.adapter_files import CONFIG, WEIGHTS, fetch_verified, publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key, load_verify_key
from trainer.artifacts.manifest import MANIFEST, README, SIGNATURE, AdapterFacts
from trainer.base_models import base_revision, linear_shapes
from trainer.errors import (
    AdapterHostile,
    AdapterIncomplete,
    AdapterNameInvalid,
    AdapterRejected,
    AdapterTampered,
    AdapterUnknown,
    AdapterWrongBase,
    VerifyKeyMissing,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

pytestmark = pytest.mark.faults

NAME = "replies-v1"


class Shop:
    """A published adapter, and ways to spoil it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = make_tiny_model(root / "base")
        make_tiny_adapter(root / "trained", self.base)
        self.key: Ed25519PrivateKey = load_or_create_signing_key(root / "keys")
        self.facts = AdapterFacts(
            base_model="tiny",
            base_revision=base_revision(self.base),
            style_id="1",
            scope="T1:workspace",
            run_id="run-1",
            rung="lora",
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            versions={"peft": "0.21.2"},
        )
        self.shapes = linear_shapes(self.base)
        self.store = root / "store"
        publish_adapter(str(self.store), NAME, root / "trained", self.facts, self.key)
        self.folder = self.store / NAME
        shutil.copytree(self.folder, root / "good")

    def restore(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.root / "good", self.folder)

    def sign(self) -> None:
        """Sign the folder as it is now, as a trainer under someone else's control would."""
        manifest = json.loads((self.folder / MANIFEST).read_bytes())
        manifest["files"] = {
            file.name: {
                "sha256": "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest(),
                "size_bytes": file.stat().st_size,
            }
            for file in sorted(self.folder.iterdir())
            if file.name not in {MANIFEST, SIGNATURE} and file.is_file()
        }
        self.sign_manifest(manifest)

    def sign_manifest(self, manifest: dict[str, Any]) -> None:
        data = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        (self.folder / MANIFEST).write_bytes(data)
        (self.folder / SIGNATURE).write_bytes(self.key.sign(data))

    def fetch(self, **overrides: Any) -> Path:
        arguments = {"expected_base_revision": self.facts.base_revision, "base_shapes": self.shapes} | overrides
        return fetch_verified(str(self.store), NAME, self.root / "cache", self.key.public_key(), **arguments)

    def rejected(self) -> bool:
        try:
            self.fetch()
        except AdapterRejected:
            return not (self.root / "cache" / NAME).exists()
        return False

    def edit_config(self, **changes: Any) -> None:
        path = self.folder / CONFIG
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        self.sign()

    def edit_weights(self, change: Callable[[dict[str, np.ndarray[Any, Any]]], None]) -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(self.folder / WEIGHTS)
        change(tensors)
        save_file(tensors, self.folder / WEIGHTS)
        self.sign()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(made: Shop) -> Shop:
    made.restore()
    shutil.rmtree(made.root / "cache", ignore_errors=True)
    return made


# ------------------------------------------------------------------------------------------------ corruption


def test_an_untouched_adapter_passes_also_when_signed_again(shop: Shop) -> None:
    assert shop.fetch() == shop.root / "cache" / NAME
    shop.sign()
    shop.fetch()
    shop.edit_config()
    shop.edit_weights(lambda tensors: None)
    shop.fetch()


def test_each_of_200_flipped_bits_is_rejected(shop: Shop) -> None:
    choose = random.Random(16)
    files = sorted(shop.folder.iterdir())
    sizes = [file.stat().st_size for file in files]
    rejected = 0
    for trial in range(200):
        # every file gets its share; the rest by size
        file = files[trial % len(files)] if trial < 50 else choose.choices(files, sizes)[0]
        data = bytearray(file.read_bytes())
        original = bytes(data)
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        file.write_bytes(data)
        rejected += shop.rejected()
        file.write_bytes(original)
    assert rejected == 200


def test_each_of_100_truncations_is_rejected(shop: Shop) -> None:
    choose = random.Random(17)
    files = sorted(shop.folder.iterdir())
    rejected = 0
    for trial in range(100):
        file = files[trial % len(files)]
        original = file.read_bytes()
        file.write_bytes(original[: choose.randrange(len(original))])
        rejected += shop.rejected()
        file.write_bytes(original)
    assert rejected == 100


def test_a_zeroed_tail_is_rejected(shop: Shop) -> None:
    file = shop.folder / WEIGHTS
    data = file.read_bytes()
    file.write_bytes(data[:-4096] + bytes(4096))
    with pytest.raises(AdapterTampered):
        shop.fetch()


def test_swapped_files_are_rejected(shop: Shop) -> None:
    config, readme = shop.folder / CONFIG, shop.folder / README
    one, two = config.read_bytes(), readme.read_bytes()
    config.write_bytes(two)
    readme.write_bytes(one)
    with pytest.raises(AdapterTampered):
        shop.fetch()


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, MANIFEST, SIGNATURE])
def test_a_missing_file_is_rejected(shop: Shop, file: str) -> None:
    (shop.folder / file).unlink()
    with pytest.raises(AdapterIncomplete):
        shop.fetch()


def test_a_missing_readme_is_rejected_because_the_manifest_names_it(shop: Shop) -> None:
    (shop.folder / README).unlink()
    with pytest.raises(AdapterTampered):
        shop.fetch()


def test_the_signature_of_an_earlier_manifest_is_rejected(shop: Shop) -> None:
    old = (shop.folder / SIGNATURE).read_bytes()
    shop.edit_config(lora_alpha=8)
    (shop.folder / SIGNATURE).write_bytes(old)
    with pytest.raises(AdapterTampered):
        shop.fetch()


def test_another_keys_signature_is_rejected(shop: Shop) -> None:
    other = load_or_create_signing_key(shop.root / "other-keys")
    (shop.folder / SIGNATURE).write_bytes(other.sign((shop.folder / MANIFEST).read_bytes()))
    with pytest.raises(AdapterTampered):
        shop.fetch()


def test_another_adapters_whole_folder_under_this_name_is_rejected(shop: Shop) -> None:
    publish_adapter(str(shop.root / "elsewhere"), "other-v1", shop.root / "trained", shop.facts, shop.key)
    shutil.rmtree(shop.folder)
    shutil.copytree(shop.root / "elsewhere" / "other-v1", shop.folder)
    with pytest.raises(AdapterTampered):
        shop.fetch()


def test_an_adapter_of_another_base_model_is_rejected(shop: Shop) -> None:
    with pytest.raises(AdapterWrongBase):
        shop.fetch(expected_base_revision="sha256:" + "0" * 64)
    shapes = {module: (out + 1, into) for module, (out, into) in shop.shapes.items()}
    with pytest.raises(AdapterWrongBase):
        shop.fetch(base_shapes=shapes)


# ------------------------------------------------------------------------------------------------ hostility


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_mapping": {"base_model_class": "x", "parent_library": "os"}},
        {"megatron_config": {"a": 1}},
        {"megatron_core": "evil.module"},
        {"megatron_config": {}, "megatron_core": "os"},
        {"tokenizer_kwargs": {"trust_remote_code": True}},
        {"peft_type": "PROMPT_TUNING"},
        {"peft_type": "lora"},
        {"task_type": "SEQ_CLS"},
        {"unknown_key": 1},
        {"runtime_config": {}},
        {"target_modules": "all-linear"},
        {"target_modules": [".*"]},
        {"target_modules": "(a+)+$"},
        {"target_modules": []},
        {"modules_to_save": ["lm_head"]},
        {"layer_replication": [[0, 2], [0, 2]]},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "eva"},
        {"init_lora_weights": "loftq"},
        {"loftq_config": {"loftq_bits": 4}},
        {"corda_config": {"cache_file": "../../x"}},
        {"eva_config": {"rho": 2}},
        {"rank_pattern": {"q_proj": 8}},
        {"alpha_pattern": {"q_proj": 8}},
        {"trainable_token_indices": [1]},
        {"target_parameters": ["x"]},
        {"layers_to_transform": [0]},
        {"bias": "all"},
        {"lora_bias": True},
        {"use_qalora": True},
        {"r": 8},
        {"r": 0},
        {"r": 10**9},
        {"r": "4"},
        {"r": True},
        {"lora_alpha": -1},
        {"lora_dropout": 1.0},
        {"use_dora": True},
        {"use_dora": "yes"},
        {"base_model_name_or_path": "../../etc\n"},
        {"base_model_name_or_path": ["x"]},
        {"revision": "../x"},
        {"peft_version": "../x"},
        {"inference_mode": "no"},
        {"alora_invocation_tokens": [1]},
        {"arrow_config": {}},
        {"use_bdlora": {}},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_a_hostile_config_is_rejected_even_with_a_good_signature(shop: Shop, changes: dict[str, Any]) -> None:
    shop.edit_config(**changes)
    with pytest.raises(AdapterHostile):
        shop.fetch()


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"{", b"[" * 50_000, b'{"r": NaN}', b"\xff\xfe", b'"LORA"'],
    ids=range(8),
)
def test_a_config_that_is_no_plain_object_is_rejected(shop: Shop, text: bytes) -> None:
    (shop.folder / CONFIG).write_bytes(text)
    shop.sign()
    with pytest.raises(AdapterHostile):
        shop.fetch()


def test_a_key_that_stands_twice_is_rejected_though_both_say_the_same(shop: Shop) -> None:
    """Readers of JSON differ in which of the two they believe."""
    config, weights = shop.folder / CONFIG, shop.folder / WEIGHTS
    good, written = config.read_text(), json.loads(config.read_text())
    config.write_text(f'{{"r": {written["r"]}, {good.removeprefix("{")}')
    shop.sign()
    with pytest.raises(AdapterHostile, match="plain JSON"):
        shop.fetch()
    config.write_text(good)
    data = weights.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length].decode()
    key, entry = next((key, entry) for key, entry in json.loads(header).items() if key != "__metadata__")
    twice = f"{{{json.dumps(key)}:{json.dumps(entry)},{header.removeprefix('{')}".encode()
    weights.write_bytes(struct.pack("<Q", len(twice)) + twice + data[8 + length :])
    shop.sign()
    with pytest.raises(AdapterHostile, match="what safetensors writes"):
        shop.fetch()


@pytest.mark.parametrize(
    "name", ["adapter_model.bin", "pytorch_model.pt", "modeling.py", ".hidden", "tokenizer.json", "évil"]
)
def test_a_file_that_does_not_belong_is_rejected(shop: Shop, name: str) -> None:
    (shop.folder / name).write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(AdapterHostile):
        shop.fetch()
    shop.sign()
    with pytest.raises(AdapterHostile):
        shop.fetch()


def test_links_and_folders_are_rejected(shop: Shop) -> None:
    weights = shop.folder / WEIGHTS
    outside = shop.root / "outside.safetensors"
    shutil.copy(weights, outside)
    weights.unlink()
    weights.symlink_to(outside)
    with pytest.raises(AdapterHostile):
        shop.fetch()
    weights.unlink()
    os.link(outside, weights)
    with pytest.raises(AdapterHostile):
        shop.fetch()
    weights.unlink()
    weights.mkdir()
    with pytest.raises(AdapterHostile):
        shop.fetch()
    weights.rmdir()
    os.mkfifo(weights)
    with pytest.raises(AdapterHostile):
        shop.fetch()


def test_a_linked_adapter_folder_is_rejected(shop: Shop) -> None:
    shop.folder.rename(shop.root / "moved")
    shop.folder.symlink_to(shop.root / "moved")
    with pytest.raises(AdapterHostile):
        shop.fetch()
    shop.folder.unlink()
    shutil.rmtree(shop.root / "moved")


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../replies-v1", "/etc", "a/b", "a..b", "A", "-x", "x\n", "x" * 200, "a\x00b"]
)
def test_a_name_that_could_be_a_path_is_rejected(shop: Shop, name: str) -> None:
    with pytest.raises(AdapterNameInvalid):
        fetch_verified(str(shop.store), name, shop.root / "cache", shop.key.public_key(), expected_base_revision="x")


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "sub/file", "adapter_model.bin"])
def test_a_signed_manifest_that_names_other_files_is_rejected(shop: Shop, name: str) -> None:
    manifest = json.loads((shop.folder / MANIFEST).read_bytes())
    manifest["files"][name] = manifest["files"][README]
    shop.sign_manifest(manifest)
    assert shop.rejected()


@pytest.mark.parametrize(
    "changes", [{"format": 2}, {"extra": 1}, {"files": []}, {"base_revision": "abc"}, {"scope": None}]
)
def test_a_signed_manifest_of_another_shape_is_rejected(shop: Shop, changes: dict[str, Any]) -> None:
    shop.sign_manifest(json.loads((shop.folder / MANIFEST).read_bytes()) | changes)
    with pytest.raises(AdapterHostile):
        shop.fetch()


def test_a_sparse_10_gb_file_is_rejected_without_reading_it(shop: Shop) -> None:
    os.truncate(shop.folder / WEIGHTS, 10 << 30)
    started = time.perf_counter()
    with pytest.raises(AdapterHostile):
        shop.fetch()
    assert time.perf_counter() - started < 1


# ------------------------------------------------------------------------------------------------ tensors


def _first(tensors: dict[str, np.ndarray[Any, Any]], part: str) -> str:
    return next(key for key in sorted(tensors) if part in key)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_weights_that_are_not_finite_are_rejected(shop: Shop, value: float, kind: type) -> None:
    def spoil(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
        key = _first(tensors, "lora_B")
        tensors[key] = tensors[key].astype(kind)
        tensors[key][-1, -1] = value

    shop.edit_weights(spoil)
    with pytest.raises(AdapterHostile, match="finite"):
        shop.fetch()


def test_bf16_weights_that_are_not_finite_are_rejected(shop: Shop) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = shop.folder / WEIGHTS
    tensors = {key: value.to(torch.bfloat16) for key, value in load_file(path).items()}
    save_file(tensors, path)
    shop.sign()
    shop.fetch()
    tensors[sorted(tensors)[0]][0, 0] = float("nan")
    save_file(tensors, path)
    shop.sign()
    with pytest.raises(AdapterHostile, match="finite"):
        shop.fetch()


def _other_rank(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    key = _first(tensors, "lora_A")
    tensors[key] = np.concatenate([tensors[key], tensors[key]])


def _integers(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    key = _first(tensors, "lora_A")
    tensors[key] = tensors[key].astype(np.int32)


def _unpaired(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    del tensors[_first(tensors, "lora_A")]


def _base_weight(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    tensors["base_model.model.lm_head.weight"] = np.zeros((4, 4), np.float32)


def _odd_name(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    tensors["base_model.model.../x.lora_A.weight"] = tensors.pop(_first(tensors, "lora_A"))


def _other_module(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    tensors["base_model.model.lm_head.lora_A.weight"] = np.zeros((4, 64), np.float32)
    tensors["base_model.model.lm_head.lora_B.weight"] = np.zeros((259, 4), np.float32)


def _no_tensors(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    tensors.clear()


@pytest.mark.parametrize(
    "spoil", [_other_rank, _integers, _unpaired, _base_weight, _odd_name, _other_module, _no_tensors]
)
def test_tensors_that_are_no_lora_of_this_config_are_rejected(shop: Shop, spoil: Any) -> None:
    shop.edit_weights(spoil)
    with pytest.raises(AdapterHostile):
        shop.fetch()


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b'{"base_model.model.m.lora_A.weight":{"dtype":"F32","shape":[4,64],"data_offsets":[-4,1020]}}',
        b'{"base_model.model.m.lora_A.weight":{"dtype":"F32","shape":[4,64],"data_offsets":[0,99999]}}',
        b'{"base_model.model.m.lora_A.weight":{"dtype":"F32","shape":[4,64],"data_offsets":[0,1024],"x":1}}',
    ],
    ids=range(6),
)
def test_a_weights_header_of_another_shape_is_rejected(shop: Shop, header: bytes) -> None:
    (shop.folder / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + bytes(1024))
    shop.sign()
    with pytest.raises(AdapterHostile):
        shop.fetch()


@pytest.mark.parametrize("length", [2**63, 10**9, 2**32])
def test_a_header_that_claims_to_be_huge_is_rejected(shop: Shop, length: int) -> None:
    (shop.folder / WEIGHTS).write_bytes(struct.pack("<Q", length) + bytes(64))
    shop.sign()
    with pytest.raises(AdapterHostile):
        shop.fetch()


def test_bytes_after_the_last_tensor_are_rejected(shop: Shop) -> None:
    with (shop.folder / WEIGHTS).open("ab") as handle:
        handle.write(b"more")
    shop.sign()
    with pytest.raises(AdapterHostile):
        shop.fetch()


# ------------------------------------------------------------------------------------------------ promises around it


_watched: list[list[tuple[str, str]]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], int):
        return  # a descriptor: the path behind it was seen when it was opened
    if _watched and event in {"import", "open", "socket.connect", "subprocess.Popen", "exec", "os.system"}:
        _watched[-1].append((event, str(arguments[0]) if arguments else ""))


def test_rejecting_imports_nothing_and_opens_nothing_outside(shop: Shop) -> None:
    def auto_mapping() -> None:
        shop.edit_config(auto_mapping={"base_model_class": "x", "parent_library": "antigravity"})

    def megatron() -> None:
        shop.edit_config(megatron_config={}, megatron_core="this")

    def pickled() -> None:
        (shop.folder / "adapter_model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")

    def link() -> None:
        (shop.folder / README).unlink()
        (shop.folder / README).symlink_to("/etc/passwd")

    def not_finite() -> None:
        shop.edit_weights(lambda tensors: tensors[_first(tensors, "lora_A")].fill(np.nan))

    assert shop.rejected() is False  # whatever is imported lazily is in memory now
    sys.addaudithook(_watch)
    for spoil in (auto_mapping, megatron, pickled, link, not_finite):
        shop.restore()
        shutil.rmtree(shop.root / "cache", ignore_errors=True)
        spoil()
        _watched.append([])
        try:
            was_rejected = shop.rejected()
        finally:
            seen = _watched.pop()
        assert was_rejected, spoil.__name__
        # A rejected import would raise no event for modules in memory; ours must raise none at all.
        assert [what for event, what in seen if event == "import"] == []
        outside = [(event, what) for event, what in seen if not what.startswith(str(shop.root))]
        assert outside == [], spoil.__name__


def test_nothing_is_left_behind_by_a_rejection(shop: Shop) -> None:
    shop.edit_config(r=8)
    assert shop.rejected()
    assert list((shop.root / "cache").iterdir()) == []


def test_verifying_takes_under_a_second_per_100_mb(shop: Shop, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rows = 6_000
    tensors = {
        f"base_model.model.layers.{n}.q_proj.{part}.weight": np.full(shape, 0.5, np.float32)
        for n in range(35)
        for part, shape in (("lora_A", (64, rows)), ("lora_B", (rows, 64)))
    }
    folder = tmp_path / "large"
    folder.mkdir()
    save_file(tensors, folder / WEIGHTS)
    config = json.loads((shop.folder / CONFIG).read_text()) | {"r": 64, "target_modules": ["q_proj"]}
    (folder / CONFIG).write_text(json.dumps(config))
    size_bytes = (folder / WEIGHTS).stat().st_size
    publish_adapter(str(tmp_path / "store"), "large-v1", folder, shop.facts, shop.key)
    seconds = []  # of this process's own work: whatever else the machine does is not the check's
    for _ in range(3):
        started = time.process_time()
        fetch_verified(
            str(tmp_path / "store"),
            "large-v1",
            tmp_path / "cache",
            shop.key.public_key(),
            expected_base_revision=shop.facts.base_revision,
        )
        seconds.append(time.process_time() - started)
    assert min(seconds) / (size_bytes / 1e8) < 1


def test_an_unknown_adapter_and_a_missing_key_say_so(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(AdapterUnknown):
        fetch_verified(str(shop.store), "nobody-v1", tmp_path, shop.key.public_key(), expected_base_revision="x")
    with pytest.raises(VerifyKeyMissing):
        load_verify_key(tmp_path)

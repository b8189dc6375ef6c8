"""A model whose weights were all trained, in the artifact store: published, signed and verified as adapters are.

It is the base model's own weight files, with the same names, tensors, shapes and precision, and other numbers. Config
and tokenizer are the base model's and are not stored: they are put beside the weights when a verified copy is made, so
that nothing but numbers ever comes out of the store. Nothing is unpickled.
"""

from __future__ import annotations

import math
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from trainer.artifacts.fetching import fetch_files
from trainer.artifacts.foreign import Strict
from trainer.artifacts.manifest import README, AdapterFacts, Content
from trainer.artifacts.store import PublishedAdapter, has_adapter, publish_files, read_file
from trainer.artifacts.tensors import TensorEntry, check_tensors, map_file, read_header
from trainer.base_models import base_revision, weight_files
from trainer.errors import AdapterHostile, AdapterIncomplete, AdapterRejected, AdapterWrongBase, BaseModelUnsuited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: What the model is; a folder with this file is no adapter.
CONFIG = "full.json"
_CONFIG_BYTES = 64 << 10
#: safetensors pads its header, so equal tensors may make files of slightly different sizes.
_SLACK_BYTES = 1 << 20
#: Files of a model folder that hold weights.
_NOT_SHARED = (".safetensors", ".bin", ".gguf", ".pt", ".pth")


class FullConfig(Strict):
    """What `full.json` says."""

    format: Literal[1] = 1
    files: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors$")]],
        Field(min_length=1, max_length=512),
    ]
    parameters: Annotated[int, Field(ge=1)]


# ------------------------------------------------------------------------------------------------ the folder


def read_tensors(base_path: Path) -> dict[str, dict[str, TensorEntry]]:
    """By weight file, the tensors of a base model: name, precision and shape, read from the headers alone.

    Raises BaseModelUnsuited where there are others than matrices and vectors of float32, float16 or bfloat16.
    """
    try:
        return {file.name: read_header(map_file(file))[0] for file in weight_files(base_path)}
    except AdapterRejected as error:
        raise BaseModelUnsuited from error


def count_parameters(tensors: Mapping[str, Mapping[str, TensorEntry]]) -> int:
    return sum(math.prod(entry.shape) for header in tensors.values() for entry in header.values())


def write_full(checkpoint: Path, base_path: Path, folder: Path) -> None:
    """Write what a checkpoint holds as a model folder: in the files and the precision of the base model, with its
    config and tokenizer. One file's tensors are in memory at a time."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    tensors = read_tensors(base_path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _put_shared_files(base_path, folder)
    precision = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    with ExitStack() as stack:
        parts: list[Any] = [
            stack.enter_context(safe_open(str(file), framework="pt")) for file in weight_files(checkpoint)
        ]
        where = {key: part for part in parts for key in part.keys()}  # noqa: SIM118 - no mapping, has no __iter__
        for file, header in tensors.items():
            numbers = {}
            for key, entry in header.items():
                name = _name_in(key, where)
                # Copied, because a head that the base model's file has besides must not share the embedding's memory.
                numbers[key] = where[name].get_tensor(name).to(precision[entry.dtype], copy=True)
            save_file(numbers, str(folder / file), metadata={"format": "pt"})
    described = FullConfig(files=sorted(tensors), parameters=count_parameters(tensors))
    (folder / CONFIG).write_text(described.model_dump_json(indent=2), encoding="utf-8")


#: A head that is tied to the embedding is saved once, under either name.
_TIED = {"lm_head.weight": "model.embed_tokens.weight", "model.embed_tokens.weight": "lm_head.weight"}


def _name_in(key: str, saved: Mapping[str, object]) -> str:
    name = key if key in saved else _TIED.get(key, "")
    if name not in saved:
        raise BaseModelUnsuited
    return name


def _put_shared_files(base_path: Path, folder: Path) -> None:
    """Config, tokenizer and the like: what the base model and this one have in common. Nothing is replaced."""
    for file in base_path.iterdir():
        target = folder / file.name
        is_shared = not file.name.startswith(".") and file.suffix not in _NOT_SHARED
        if is_shared and file.is_file() and not target.exists():
            shutil.copyfile(file, target)


# ------------------------------------------------------------------------------------------------ the store


def publish_full(
    store_url: str, name: str, folder: Path, facts: AdapterFacts, keys: Ed25519PrivateKey, *, base_path: Path
) -> PublishedAdapter:
    """Put what `write_full` wrote into the store, without the files that are the base model's. Raises as
    `publish_adapter` does."""
    config = _check_full(folder, base_path)
    readme = (
        f"# Model of run {facts.run_id}\n\nAll weights of `{facts.base_model}` ({facts.base_revision}) trained, rung "
        f"`{facts.rung}`, style {facts.style_id}. Config and tokenizer are the base model's.\n"
    )
    contents: dict[str, Content] = {file: folder / file for file in config.files}
    contents |= {CONFIG: (folder / CONFIG).read_bytes(), README: readme.encode()}
    return publish_files(store_url, name, contents, facts, keys)


def is_full(store_url: str, name: str) -> bool:
    """Does the store hold a complete model of this name?"""
    return has_adapter(store_url, name, file=CONFIG)


def read_parameters(store_url: str, name: str) -> int:
    """How many numbers a model of the store has, before it is fetched and verified: to see whether it would fit.

    Raises AdapterUnknown, AdapterHostile.
    """
    return _parse(read_file(store_url, name, CONFIG, cap_bytes=_CONFIG_BYTES)).parameters


def fetch_full(
    store_url: str, name: str, cache_dir: Path, verify_key: Ed25519PublicKey, *, base_path: Path
) -> Path:  # fmt: skip
    """A private, verified copy in `cache_dir/<name>`, complete with the base model's config and tokenizer.

    Checked as an adapter is, and last that its tensors are the base model's in name, shape and precision, and finite.
    Raises AdapterUnknown or an AdapterRejected.
    """

    def check(folder: Path) -> None:
        _check_full(folder, base_path)
        _put_shared_files(base_path, folder)

    caps = {file.name: file.stat().st_size + _SLACK_BYTES for file in weight_files(base_path)}
    return fetch_files(
        store_url, name, cache_dir, verify_key, expected_revision=base_revision(base_path),
        size_caps={CONFIG: _CONFIG_BYTES, **caps}, check=check,
    )  # fmt: skip


def _check_full(folder: Path, base_path: Path) -> FullConfig:
    config, tensors = _parse((folder / CONFIG).read_bytes()), read_tensors(base_path)
    if config.files != sorted(tensors) or config.parameters != count_parameters(tensors):
        raise AdapterWrongBase
    for file, expected in tensors.items():
        if not (folder / file).is_file() or not (folder / file).stat().st_size:
            raise AdapterIncomplete(f"The model's folder lacks {file}; publish it again from its run.")
        buffer = map_file(folder / file)
        header, start = read_header(buffer)
        if _forms(header) != _forms(expected):
            raise AdapterWrongBase(f"The tensors in {file} are not those of the base model.")
        check_tensors(buffer, header, start, "model")
    return config


def _parse(data: bytes) -> FullConfig:
    try:
        return FullConfig.model_validate_json(data)
    except ValidationError as error:
        raise AdapterHostile(f"{CONFIG} has what we never load.") from error


def _forms(header: Mapping[str, TensorEntry]) -> dict[str, tuple[str, list[int]]]:
    return {key: (entry.dtype, entry.shape) for key, entry in header.items()}

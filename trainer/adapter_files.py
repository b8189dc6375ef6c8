"""An adapter in the artifact store: what PEFT saved, published, signed, and verified before it is loaded.

Its config may say only what PEFT writes for a plain LoRA, and its weights may be only finite LoRA matrices of that
config's rank that fit the base model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, StringConstraints, ValidationError

from trainer.artifacts.fetching import fetch_files
from trainer.artifacts.foreign import Strict, Text, read_json, shown
from trainer.artifacts.manifest import README, AdapterFacts
from trainer.artifacts.store import PublishedAdapter, publish_files
from trainer.artifacts.tensors import check_tensors, map_file, read_header
from trainer.errors import AdapterHostile, AdapterIncomplete, AdapterWrongBase

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
#: The largest that each of an adapter's own files may be.
_CAPS: dict[str, int] = {CONFIG: 64 << 10, WEIGHTS: 2 << 30}
_LORA_KEY = re.compile(
    r"base_model\.model\.(?P<module>[A-Za-z0-9_.]{1,400})\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?"
)
_Nothing = dict[str, Any]
_Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,200}$")]


class _LoraConfig(Strict):
    """The keys that PEFT 0.21 writes for a plain LoRA, each with the only values that we load.

    What is pinned to None, False or {} either runs code named by the file (auto_mapping, megatron_core), changes
    the base model while loading (pissa, olora, layer_replication), or is a method that we neither train nor serve.
    """

    peft_type: Literal["LORA"]
    task_type: Literal["CAUSAL_LM"]
    r: Annotated[int, Field(ge=1, le=512)]
    lora_alpha: Annotated[float, Field(gt=0, le=65536, allow_inf_nan=False)]
    lora_dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    target_modules: Annotated[list[_Module], Field(min_length=1, max_length=512)]
    exclude_modules: list[_Module] | None = None
    use_dora: bool = False
    use_rslora: bool = False
    init_lora_weights: bool | Literal["gaussian"] = True
    inference_mode: bool = True
    fan_in_fan_out: bool = False
    base_model_name_or_path: Text | None = None
    peft_version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+@-]{1,64}$")] | None = None
    revision: None = None
    auto_mapping: None = None
    bias: Literal["none"] = "none"
    lora_bias: Literal[False] = False
    modules_to_save: None = None
    layers_to_transform: None = None
    layers_pattern: None = None
    rank_pattern: Annotated[_Nothing, Field(max_length=0)] = Field(default_factory=dict)
    alpha_pattern: Annotated[_Nothing, Field(max_length=0)] = Field(default_factory=dict)
    loftq_config: Annotated[_Nothing, Field(max_length=0)] | None = None
    megatron_config: None = None
    megatron_core: Literal["megatron.core"] | None = None  # PEFT writes this constant; used only with the config
    trainable_token_indices: None = None
    eva_config: None = None
    corda_config: None = None
    lora_ga_config: None = None
    velora_config: None = None
    monteclora_config: None = None
    arrow_config: None = None
    kasa_config: None = None
    alora_invocation_tokens: None = None
    layer_replication: None = None
    target_parameters: None = None
    use_qalora: Literal[False] = False
    qalora_group_size: int = 16
    use_bdlora: None = None
    ensure_weight_tying: Literal[False] = False


def publish_adapter(
    store_url: str, name: str, local_folder: Path, facts: AdapterFacts, keys: Ed25519PrivateKey
) -> PublishedAdapter:
    """Put the adapter that PEFT saved in `local_folder` into the store, signed, under a name that never changes.

    The published copy passes the same checks as at loading, so that a run cannot end in an adapter that no server
    accepts. Publishing the same content again is a success, so a resumed run may repeat it. Raises
    AdapterNameInvalid, AdapterNameTaken and AdapterRejected.
    """
    contents = _published_files(local_folder, facts)
    _check_weights(memoryview(contents[WEIGHTS]), _check_config(contents[CONFIG]), None)
    return publish_files(store_url, name, contents, facts, keys)


def _published_files(local_folder: Path, facts: AdapterFacts) -> dict[str, bytes]:
    try:
        config = json.loads((local_folder / CONFIG).read_bytes())
        weights = (local_folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as exc:
        raise AdapterIncomplete(f"{local_folder.name} holds no adapter that PEFT saved; train again.") from exc
    config["base_model_name_or_path"] = facts.base_model  # a name, not a path on the trainer's disk
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()  # PEFT keeps a set: sorted, equal adapters are equal bytes
    readme = (
        f"# Adapter of run {facts.run_id}\n\nLoRA for `{facts.base_model}` ({facts.base_revision}), "
        f"rung `{facts.rung}`, style {facts.style_id}.\n"
    )
    return {
        CONFIG: json.dumps(config, indent=2, sort_keys=True).encode(),
        WEIGHTS: weights,
        README: readme.encode(),
    }


def fetch_verified(
    store_url: str,
    name: str,
    cache_dir: Path,
    verify_key: Ed25519PublicKey,
    *,
    expected_base_revision: str,
    base_shapes: Mapping[str, tuple[int, int]] | None = None,
) -> Path:
    """A private, verified copy of an adapter, in `cache_dir/<name>`.

    Checked as `fetch_files` says, and last its config and its tensors (`base_shapes`: module → (out, in) of the base
    model, where it is at hand). Raises AdapterUnknown or an AdapterRejected.
    """

    def check(folder: Path) -> None:
        _check_adapter(folder, base_shapes)

    return fetch_files(
        store_url, name, cache_dir, verify_key, expected_revision=expected_base_revision, size_caps=_CAPS,
        check=check,
    )  # fmt: skip


def _check_adapter(folder: Path, base_shapes: Mapping[str, tuple[int, int]] | None) -> None:
    config = _check_config((folder / CONFIG).read_bytes())
    if (folder / WEIGHTS).stat().st_size == 0:
        raise AdapterIncomplete("The adapter's weights are empty.")
    _check_weights(map_file(folder / WEIGHTS), config, base_shapes)


def _check_config(data: bytes) -> _LoraConfig:
    try:
        return _LoraConfig.model_validate(read_json(data))
    except ValidationError as exc:
        keys = sorted({".".join(map(str, error["loc"])) or "all of it" for error in exc.errors()})
        raise AdapterHostile(f"adapter_config.json has what we never load: {shown(', '.join(keys))}.") from exc
    except (ValueError, RecursionError) as exc:
        raise AdapterHostile("adapter_config.json is not plain JSON.") from exc


def _check_weights(
    buffer: memoryview,
    config: _LoraConfig,
    base_shapes: Mapping[str, tuple[int, int]] | None,
) -> None:
    """Only finite LoRA matrices of the config's rank, laid out without gaps, that fit the base model."""
    header, start = read_header(buffer)
    modules: dict[str, dict[str, list[int]]] = {}
    for key, entry in sorted(header.items(), key=lambda item: item[1].data_offsets):
        match = _LORA_KEY.fullmatch(key)
        if match is None:
            raise AdapterHostile(f"{shown(key)} in the adapter's weights is not a LoRA matrix.")
        modules.setdefault(match["module"], {})[match["part"]] = entry.shape
    check_tensors(buffer, header, start, "adapter")
    if not modules:
        raise AdapterHostile("The adapter holds no weights.")
    for module, parts in modules.items():
        _check_shapes(module, parts, config, base_shapes)


def _check_shapes(
    module: str,
    parts: Mapping[str, list[int]],
    config: _LoraConfig,
    base_shapes: Mapping[str, tuple[int, int]] | None,
) -> None:
    a, b, magnitude = parts.get("lora_A"), parts.get("lora_B"), parts.get("lora_magnitude_vector")
    if a is None or b is None or len(a) != 2 or len(b) != 2 or (magnitude is not None) != config.use_dora:
        raise AdapterHostile(f"The adapter's matrices for {shown(module)} are not a LoRA pair.")
    if a[0] != config.r or b[1] != config.r:
        raise AdapterHostile(f"The adapter's rank for {shown(module)} is not the {config.r} of its config.")
    if magnitude is not None and math.prod(magnitude) != b[0]:
        raise AdapterHostile(f"The adapter's magnitude for {shown(module)} does not fit its matrices.")
    if not any(module == target or module.endswith(f".{target}") for target in config.target_modules):
        raise AdapterHostile(f"{shown(module)} is not among the modules that the adapter's config names.")
    if base_shapes is not None and base_shapes.get(module) != (b[0], a[1]):
        raise AdapterWrongBase(f"The adapter's matrices for {shown(module)} do not fit the base model.")

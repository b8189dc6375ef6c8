"""Can this base model be had and held? `python -m trainer.base_check NAME` answers with one line of JSON.

Only files are read: nothing of the model's own is executed, and no weight is loaded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from config.settings import Settings, load_settings
from trainer.base_models import base_revision, count_parameters, prepare_base_model
from trainer.errors import BaseModelUnavailable
from trainer.memory import free_on

GIB = 2**30
#: What running a model takes besides its weights: activations, the cache of a batch, the libraries' own.
OVERHEAD = 1.2


def check_base_model(name: str, settings: Settings) -> dict[str, Any]:
    """`{revision, gib, needed_gib, free_gib, context_tokens}`. Raises BaseModelUnavailable with what is wrong."""
    folder = prepare_base_model(name, settings.models_dir)
    config = _read_config(folder)
    if not any(folder.glob("*.safetensors")):
        raise BaseModelUnavailable("its folder holds no safetensors; weights in other formats are not loaded.")
    if config.get("auto_map"):
        raise BaseModelUnavailable("it needs code of its own to run, and no model's code is executed here.")
    if not any(str(one).endswith("ForCausalLM") for one in config.get("architectures") or ()):
        raise BaseModelUnavailable("it is no language model that writes text (no …ForCausalLM in its config.json).")
    if not _has_chat_template(folder):
        raise BaseModelUnavailable("its tokenizer has no chat template; take the model that was tuned for chat.")
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    needed, free = memory_needed(folder), free_memory()
    if needed > free:
        raise BaseModelUnavailable(
            f"beside the present one it takes about {needed / GIB:.1f} GiB, and {free / GIB:.1f} GiB are free on this "
            "host. Free some memory, or take a smaller one."
        )
    return {
        "revision": base_revision(folder), "gib": size / GIB, "needed_gib": needed / GIB, "free_gib": free / GIB,
        "context_tokens": int(config.get("max_position_embeddings") or 0),
    }  # fmt: skip


def memory_needed(folder: Path) -> int:
    """Bytes that the model server takes for this base model, at the precision that it computes in here."""

    from trainer.precision import torch_dtype

    return round(count_parameters(folder) * torch_dtype("auto").itemsize * OVERHEAD)


def free_memory() -> int:
    """Bytes that can be had now: on the GPU where there is one."""
    import torch

    return free_on("cuda" if torch.cuda.is_available() else "cpu")


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelUnavailable("its folder holds no config.json that can be read.") from error
    return found if isinstance(found, dict) else {}


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    try:
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(tokenizer, dict) and bool(tokenizer.get("chat_template"))


def main() -> None:
    try:
        answer = check_base_model(sys.argv[1], load_settings())
    except BaseModelUnavailable as error:
        answer = {"problem": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()

"""Which precision this machine multiplies matrices in."""

from __future__ import annotations

import torch


def best_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the processor multiplies it in hardware, otherwise fp32 (bf16 in software is far slower)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    is_used = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # False, too, where ONEDNN_MAX_CPU_ISA forbids it
    return torch.bfloat16 if has_instructions and is_used else torch.float32


def torch_dtype(name: str) -> torch.dtype:
    """Of a recipe's `dtype`: "bfloat16", "float32", or "auto" for the best on the device that models are loaded to."""
    if name == "auto":
        return best_dtype(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    dtype: torch.dtype = getattr(torch, name)
    return dtype

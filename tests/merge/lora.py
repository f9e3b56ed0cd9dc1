"""LoRA adapters with random factors, as peft writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

IN, OUT = 16, 24


def adapter(folder: Path, seed: int, targets: Sequence[str] = ("q_proj", "v_proj"), **settings: Any) -> Path:
    """Write an adapter with updates of ``targets``."""
    folder.mkdir(parents=True)
    written = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": list(targets)} | settings
    (folder / "adapter_config.json").write_text(json.dumps(written), encoding="utf-8")
    rng, rank = np.random.default_rng(seed), written["r"]
    tensors = {}
    for target in targets:
        for name, shape in (("lora_A", (rank, IN)), ("lora_B", (OUT, rank))):
            factor = rng.standard_normal(shape).astype(np.float32)
            tensors[f"base_model.model.model.layers.0.self_attn.{target}.{name}.weight"] = factor
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder

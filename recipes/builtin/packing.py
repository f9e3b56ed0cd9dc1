"""Put a trained folder into the package: weights in bf16, the calibration in the last layer, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from recipes.builtin.calibration import Line
from safetensors.torch import load_file, save_file

from secondpass.models.weight_files import SPANS_FILE
from secondpass.rerank.blend import WITH_LEXICAL, Share

LIMIT_BYTES = 40_000_000
_COMPACT = ("tokenizer.json", "tokenizer_config.json")


def pack(trained: Path, line: Line, shares: Mapping[str, Share], output: Path) -> int:
    """Write ``output`` anew, with the ``shares`` of what words say, and return its size in bytes.

    The settings say float32: transformers then computes in it, though the file holds bf16.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    weights = load_file(trained / "model.safetensors")
    weights["classifier.weight"] = weights["classifier.weight"] * line.slope
    weights["classifier.bias"] = weights["classifier.bias"] * line.slope + line.shift
    halved = {name: values.to(torch.bfloat16).contiguous() for name, values in weights.items()}
    save_file(halved, output / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((trained / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config.pop("_name_or_path", None)
    config["secondpass"][WITH_LEXICAL] = {kind: asdict(share) for kind, share in shares.items()}
    (output / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for name in _COMPACT:
        content = json.loads((trained / name).read_text(encoding="utf-8"))
        (output / name).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    shutil.copyfile(trained / SPANS_FILE, output / SPANS_FILE)
    size = sum(file.stat().st_size for file in output.iterdir())
    if size > LIMIT_BYTES:
        raise ValueError(f"{output} has {size:,} bytes, more than {LIMIT_BYTES:,}; take fewer pieces.")
    return size

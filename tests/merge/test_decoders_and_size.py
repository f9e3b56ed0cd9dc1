"""Language models are merged like encoders, and no more memory is taken for a large folder than for a small one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tests.merge.families import change, moved
from tests.models.tiny_causal import make_causal
from transformers import AutoModelForCausalLM

from secondpass.merge.merging import WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import open_parent

PEAK = """
import sys
from pathlib import Path
from secondpass.merge.merging import plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import open_parent
parents = tuple(map(open_parent, sys.argv[1:3]))
write_merge(plan_merge(parents, Mix((0.5, 0.5))), Path(sys.argv[3]))
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("kind", ["qwen3", "qwen2"])
def test_decoders_are_merged_and_loaded_with_tied_tables_or_without(tmp_path: Path, kind: str):
    first = make_causal(tmp_path / "语言模型", kind)
    second = tmp_path / "second"
    shutil.copytree(first, second)
    change(second, lambda tensors: moved(tensors, 0.01, 3))
    plan = plan_merge((open_parent(str(first)), open_parent(str(second))), Mix((0.5, 0.5)), None, WriteOptions(30_000))
    merged = write_merge(plan, tmp_path / "merged")
    index = json.loads((merged / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert index["weight_map"].keys() == load_file(first / "model.safetensors").keys()
    models = [AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (first, second, merged)]
    a, b, c = (dict(model.named_parameters()) for model in models)
    assert all(torch.allclose(c[name], (a[name] + b[name]) / 2, atol=1e-6) for name in c)
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        assert torch.isfinite(models[2](ids).logits).all()


def peak_megabytes(place: Path, tensors: int) -> int:
    """Merge two folders of ``tensors`` tensors of 8 MB in a process of its own; return the most memory it took."""
    folders = [place / "a", place / "b"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "tokenizer.json").write_text('{"model": {"vocab": {"字": 0}}}', encoding="utf-8")
        save_file({f"w{n}": np.ones((2048, 1024), np.float32) for n in range(tensors)}, folder / "model.safetensors")
    command = [sys.executable, "-c", PEAK, *map(str, folders), str(place / "merged")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    shutil.rmtree(place)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_folder(tmp_path: Path):
    small, large = peak_megabytes(tmp_path / "small", 2), peak_megabytes(tmp_path / "large", 20)
    assert abs(large - small) < 12  # of 160 MB a model

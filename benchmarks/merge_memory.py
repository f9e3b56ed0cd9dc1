"""Memory and time of a merge while the folder grows, beside torch and LM_Cocktail, each in a process of its own.

    python benchmarks/merge_memory.py --gigabytes 0.5,1,2 --methods mix,slerp,ties,dare,torch [--cocktail-python PYTHON]

Two random XLM-R classifiers of each size are written, merged, and removed; the largest tensor is the same in all of
them (250 MB). ``torch``: both models loaded by safetensors, averaged, saved: what most scripts do. ``lm_cocktail``:
mix_models(model_type="reranker") in a Python that has LM_Cocktail. ``transformers``: what loading two models and saving
one takes there. Seconds and CPU seconds are those of the merge without imports, the least of --turns; files are in the
system's cache. Ours waits until its file is on the disk, and looks for numbers that are not finite; the others do not.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from secondpass.merge.tensor_writer import TensorForm, write_sharded

HIDDEN, VOCABULARY, POSITIONS = 1024, 61_035, 514
OURS = {
    "mix": "Mix((0.5, 0.5))",
    "slerp": "Slerp(0.5)",
    "ties": "Ties((0.5, 0.5))",
    "dare": "Dare((0.5, 0.5))",
}
RUN_OURS = """
from pathlib import Path
from secondpass.merge.merging import plan_merge, write_merge
from secondpass.merge.methods import Mix, Slerp
from secondpass.merge.parents import open_parent
from secondpass.merge.task_vectors import Dare, Ties
started, cpu_before = time.perf_counter(), time.process_time()
parents = tuple(map(open_parent, folders))
write_merge(plan_merge(parents, {method}, parents[0]), Path(target))
"""
RUN_TORCH = """
import torch
from pathlib import Path
from safetensors.torch import load_file, save_file
started, cpu_before = time.perf_counter(), time.process_time()
a, b = (load_file(f"{folder}/model.safetensors") for folder in folders)
mixed = {name: 0.5 * a[name] + 0.5 * b[name] for name in a}
Path(target).mkdir()
save_file(mixed, f"{target}/model.safetensors")
"""
RUN_COCKTAIL = """
from LM_Cocktail import mix_models
from transformers import AutoModelForSequenceClassification, AutoTokenizer
started, cpu_before = time.perf_counter(), time.process_time()
mix_models(folders, "reranker", [0.5, 0.5], target)
"""
RUN_TRANSFORMERS = """
from transformers import AutoModelForSequenceClassification
started, cpu_before = time.perf_counter(), time.process_time()
models = [AutoModelForSequenceClassification.from_pretrained(folder) for folder in folders]
models[0].save_pretrained(target)
"""
FRAME = """
import json, resource, sys, time
folders, target = sys.argv[1:3], sys.argv[3]
{body}
seconds = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_SELF)
cpu = usage.ru_utime + usage.ru_stime - cpu_before
# ru_maxrss would count what the process that started this one had.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({{"seconds": seconds, "cpu_seconds": cpu, "memory_mb": int(peak.split()[1]) / 1024}}))
"""


def forms(layers: int) -> list[TensorForm]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (1, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(layers):
        place = f"encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{place}{name}.weight": (HIDDEN, HIDDEN), f"{place}{name}.bias": (HIDDEN,)}
        shapes |= {
            f"{place}intermediate.dense.weight": (4 * HIDDEN, HIDDEN),
            f"{place}intermediate.dense.bias": (4 * HIDDEN,),
        }
        shapes |= {f"{place}output.dense.weight": (HIDDEN, 4 * HIDDEN), f"{place}output.dense.bias": (HIDDEN,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{place}{name}.weight": (HIDDEN,), f"{place}{name}.bias": (HIDDEN,)}
    named = {f"roberta.{name}": shape for name, shape in shapes.items()}
    named |= {"classifier.dense.weight": (HIDDEN, HIDDEN), "classifier.dense.bias": (HIDDEN,)}
    named |= {"classifier.out_proj.weight": (1, HIDDEN), "classifier.out_proj.bias": (1,)}
    return [TensorForm(name, "F32", shape) for name, shape in named.items()]


def make_folder(folder: Path, gigabytes: float, seed: int) -> Path:
    folder.mkdir(parents=True)
    layers = 0
    while sum(form.bytes for form in forms(layers + 1)) <= gigabytes * 1e9:
        layers += 1
    sizes = {form.name: form.bytes // 4 for form in forms(layers)}

    def produce(name: str) -> Iterator[np.ndarray]:
        rng = np.random.default_rng([seed, len(name)])
        for first in range(0, sizes[name], 1 << 20):
            yield rng.standard_normal(min(1 << 20, sizes[name] - first), dtype=np.float32) * np.float32(0.02)

    write_sharded(folder, "model", forms(layers), 10**12, produce)
    config = {
        "architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta",
        "hidden_size": HIDDEN, "vocab_size": VOCABULARY, "num_hidden_layers": layers, "num_attention_heads": 16,
        "intermediate_size": 4 * HIDDEN, "max_position_embeddings": POSITIONS, "type_vocab_size": 1,
        "pad_token_id": 1, "id2label": {"0": "LABEL_0"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
        "decoder": None, "truncation": None, "padding": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False},
    }))  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


def measured(python: str, body: str, folders: list[Path], target: Path, turns: int) -> dict[str, float]:
    results = []
    for _ in range(turns):
        command = [python, "-c", FRAME.format(body=body), *map(str, folders), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shutil.rmtree(target, ignore_errors=True)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        results.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return {key: min(result[key] for result in results) for key in results[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", default="0.5,1,2")
    parser.add_argument("--methods", default="mix,slerp,ties,dare,torch")
    parser.add_argument("--cocktail-python", metavar="PYTHON")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    runs = {name: (sys.executable, RUN_OURS.replace("{method}", code)) for name, code in OURS.items()}
    runs["torch"] = (sys.executable, RUN_TORCH)
    if options.cocktail_python:
        runs |= {"lm_cocktail": (options.cocktail_python, RUN_COCKTAIL)}
        runs |= {"transformers": (options.cocktail_python, RUN_TRANSFORMERS)}
    wanted = options.methods.split(",") + (["lm_cocktail", "transformers"] if options.cocktail_python else [])
    print(f"{'GB':>5} {'method':<13} {'peak MB':>8} {'seconds':>8} {'CPU s':>7}", flush=True)
    for gigabytes in map(float, options.gigabytes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.work) as place:
            folders = [make_folder(Path(place) / str(seed), gigabytes, seed) for seed in (1, 2)]
            size = (folders[0] / "model.safetensors").stat().st_size / 1e9
            for name in wanted:
                found = measured(*runs[name], folders, Path(place) / "merged", options.turns)
                figures = f"{found['memory_mb']:8.0f} {found['seconds']:8.2f} {found['cpu_seconds']:7.2f}"
                print(f"{size:5.2f} {name:<13} {figures}", flush=True)


if __name__ == "__main__":
    main()

"""The base install starts in a blink: nothing heavy is imported before it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "transformers",
    "sentence_transformers",
    "openai",
    "trafilatura",
    "qdrant_edge",
    "pypdf",
    "docx",
    "rich",
    "httpx",
)
NEURAL = ("torch", "transformers", "onnxruntime", "openvino", "huggingface_hub", "openai")


def modules_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(done.stdout.strip().splitlines()[-1])
    return set(loaded)


@pytest.mark.parametrize(
    "code",
    [
        "import secondpass",
        "import sys; sys.argv = ['secondpass', '--help']\n"
        "from secondpass.cli.main import cli\ncli.main(standalone_mode=False)",
    ],
    ids=["import", "help"],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str) -> None:
    assert modules_after(code).isdisjoint(HEAVY)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_an_engine_imports_neither_torch_nor_the_library_that_writes_graphs(engine: str) -> None:
    code = f"import secondpass.models.cross_encoder, secondpass.models.late_interaction, secondpass.models.{engine}"
    assert modules_after(code).isdisjoint({"torch", "transformers", "onnx", "google.protobuf"})


def test_the_lexical_path_needs_no_neural_library() -> None:
    code = "import secondpass\nprint(secondpass.rerank_passages('西安', ['北京', '西安'], 1, 'lexical')[0].chunk.text)"
    assert modules_after(code).isdisjoint({*NEURAL, "tokenizers", "safetensors"})


def test_the_model_of_the_package_is_opened_when_it_is_first_used_and_needs_the_base_install_alone() -> None:
    imported = (
        "from secondpass import Workbench, rerank_passages\n"
        "from secondpass.models.engine import EngineOptions\nfrom secondpass.rerank.options import RerankerOptions\n"
    )
    used = "rerank_passages('西安', ['北京', '西安'], options=RerankerOptions(EngineOptions('numpy')))"
    assert modules_after(imported).isdisjoint({*NEURAL, "tokenizers", "safetensors"})
    after = modules_after(imported + used)
    assert after.isdisjoint(NEURAL)
    assert {"tokenizers", "safetensors"} <= after

"""``secondpass doctor`` and what is true of every command."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from tests.models.model_folders import into_huggingface_cache, write_model

from secondpass.cli import doctor_models
from secondpass.cli.checks import Check
from secondpass.cli.doctor import print_checks
from secondpass.cli.main import COMMANDS, cli
from secondpass.models.engine_rates import EngineRate, machine, remember
from secondpass.models.engines import installed_engines


def test_doctor_names_every_requirement_and_the_index(run_json: Callable[..., Any], indexed: Path) -> None:
    checks = {check["what"]: check for check in run_json("doctor", cwd=indexed)}
    for name in ("numpy", "qdrant-edge-py", "trafilatura", "openai", "python", "machine"):
        assert checks[name]["status"] == "ok"
    assert "16 documents" in checks["index"]["found"]


def test_what_mends_it_is_printed_letter_for_letter(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([Check("torch", "optional", "not installed", "pip install 'secondpass[torch]'")])
    assert "pip install 'secondpass[torch]'" in capsys.readouterr().out


def test_doctor_says_how_to_make_an_index_and_never_shows_a_key(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    done = run("doctor")
    assert done.returncode == 0
    assert "secondpass index" in done.stdout
    assert "sk-secret" not in done.stdout + done.stderr


def test_doctor_reports_a_damaged_index(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / ".secondpass").mkdir()
    (tmp_path / ".secondpass" / "manifest.json").write_text("{", encoding="utf-8")
    done = run("doctor")
    assert done.returncode == 1
    assert "damaged" in done.stdout


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(run: Callable[..., Any], command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


def test_every_command_speaks_to_machines() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        grouped = isinstance(command, click.Group)
        for one in (
            [command.get_command(context, sub) for sub in command.list_commands(context)] if grouped else [command]
        ):
            assert one is not None
            assert any("--json" in param.opts for param in one.params), f"{name} {one.name}"


def test_the_version_is_shown(run: Callable[..., Any]) -> None:
    assert run("--version").stdout.startswith("secondpass ")


def test_an_unknown_command_is_a_mistake(run: Callable[..., Any]) -> None:
    done = run("serach", "q")
    assert done.returncode == 2
    assert "serach" in done.stderr


def test_doctor_names_engines_speeds_and_what_they_keep(
    run_json: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "缓存"))
    key = f"{machine()} | 2 threads | {{}} | bert/384/6 weights | classify | f32"
    remember(key.format("openvino 9"), EngineRate("openvino", "f32", 5000.4))
    remember(key.format("onnx 9"), EngineRate("onnx", "f32", 12345.0))
    remember(key.format("openvino 9,onnx 9"), EngineRate("onnx", "f32", 12345.0))
    remember(key.format("torch 9").replace(machine(), "another machine"), EngineRate("torch", "f32", 1.0))
    graph = tmp_path / "缓存" / "engines" / "0123-classify-f32-2"
    graph.mkdir(parents=True)
    (graph / "model.weights").write_bytes(bytes(2_000_000))
    checks = {check["what"]: check for check in run_json("doctor", cwd=tmp_path)}
    for name in installed_engines():
        assert checks[f"engine {name}"]["status"] == "ok"
        assert ": f32" in checks[f"engine {name}"]["found"]
    assert checks["processor for models"]["found"].startswith("bf16")
    assert checks["speed f32, 2 threads: bert/384/6 weights, classify"]["found"] == (
        "onnx 12,345 · openvino 5,000 tokens/s"
    )
    assert not any(what.startswith("speed") and "torch" in check["found"] for what, check in checks.items())
    assert "1 graphs, 2.0 MB of at most 20 GB" in checks["engine graphs"]["found"]
    os.utime(graph, (1e9, 1e9))
    again = {check["what"]: check for check in run_json("doctor", cwd=tmp_path)}
    assert again["engine graphs"]["mend"] == "secondpass models clean"


def test_doctor_looks_where_the_hubs_own_tools_keep_models(
    run_json: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "自己的"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    into_huggingface_cache(tmp_path / "自己的", "owner/reranker")
    checks = {check["what"]: check for check in run_json("doctor", cwd=tmp_path)}
    assert checks["Hugging Face cache"]["found"] == f"{tmp_path / '自己的'}: 1 models"
    assert checks["ModelScope cache"]["status"] == "optional"
    write_model(tmp_path / "ms" / "models" / "某公司" / "重排-v1___0")
    checks = {check["what"]: check for check in run_json("doctor", cwd=tmp_path)}
    assert checks["ModelScope cache"]["found"].endswith(": 1 models")


def test_doctor_says_what_an_engine_that_is_missing_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_models, "installed_engines", list)
    mends = {check.what: check.mend for check in doctor_models.model_checks()}
    assert mends["engine onnx"] == "pip install 'secondpass[onnx]'"


def test_doctor_imports_nothing_heavy() -> None:
    code = """
        import sys
        from secondpass.cli.doctor_models import model_checks
        list(model_checks())
        print({"torch", "transformers", "onnxruntime", "openvino", "onnx", "tokenizers"} & set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_processor_with_tiles_is_told_what_would_use_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_models, "fastest_maxsim", lambda: "onnxruntime")
    monkeypatch.setattr(doctor_models, "tiles_refused", lambda: "")
    found = doctor_models._maxsim()
    assert (found.status, found.found) == ("optional", "computed by onnxruntime; amx_bf16 would halve its time")
    assert found.mend == "pip install 'secondpass[amx]'"
    monkeypatch.setattr(doctor_models, "tiles_refused", lambda: "the system does not permit it")
    assert doctor_models._maxsim().found == "computed by onnxruntime"

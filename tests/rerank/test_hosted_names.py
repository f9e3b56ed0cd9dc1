"""Names of hosted rerankers, where their keys go, and what a server at an address alone speaks."""

from __future__ import annotations

import logging
import socket

import pytest

from secondpass.errors import InputError, RemoteError
from secondpass.rerank import hosted_detect
from secondpass.rerank.hosted import HostedListReranker
from secondpass.rerank.hosted_names import HostedName, open_hosted, open_scorer, parse_hosted
from secondpass.rerank.hosted_service import HostedSettings
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Chunk, Hit

QUESTION = "西安交大由哪三所学校合并？"
PASSAGES = ["今天天气很好。", "西安交大由三所学校合并。", "Xi'an has a city wall."]
QUICK = HostedSettings(max_retries=0)


@pytest.fixture(autouse=True)
def nothing_detected_yet(monkeypatch):
    monkeypatch.setattr(hosted_detect, "_known", {})


def hits_of(passages):
    return [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(passages)]


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("cohere:rerank-v3.5", None, HostedName("cohere", "rerank-v3.5", None)),
        ("cohere:rerank-v3.5", "http://h/v1/rerank", HostedName("cohere-v1", "rerank-v3.5", "http://h/v1/rerank")),
        ("siliconflow:BAAI/bge-reranker-v2-m3", None, HostedName("siliconflow", "BAAI/bge-reranker-v2-m3", None)),
        ("tei:http://h:8080", None, HostedName("tei", "", "http://h:8080")),
        ("tei", "http://h:8080", HostedName("tei", "", "http://h:8080")),
        ("vllm:Qwen/Qwen3-Reranker-0.6B", "http://h", HostedName("vllm", "Qwen/Qwen3-Reranker-0.6B", "http://h")),
        ("vllm:m@https://h:1/v1", None, HostedName("vllm", "m", "https://h:1/v1")),
        ("dashscope:qwen3-rerank", None, HostedName("dashscope", "qwen3-rerank", None)),
        (
            "dashscope:qwen3-rerank@https://dashscope.aliyuncs.com/compatible-api/v1",
            None,
            HostedName("dashscope-compatible", "qwen3-rerank", "https://dashscope.aliyuncs.com/compatible-api/v1"),
        ),
    ],
)
def test_a_name_is_service_model_and_address(name, url, expected):
    assert parse_hosted(name, url) == expected


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("cohere:", None, "cohere needs the name of a model"),
        ("bing:x", None, "no rerank service named 'bing'; known are: cohere"),
        ("tei:model", "http://h", "needs its address only"),
        ("vllm:m", None, "runs on a server of your own; give its address"),
        ("vllm:m@http://a", "http://b", "give one of them"),
        ("https://api.jina.ai/v1/rerank", None, "write jina:MODEL instead"),
        ("http://h", "http://b", "leave the other address out"),
    ],
)
def test_a_name_that_cannot_be_opened_says_why(name, url, words):
    with pytest.raises(InputError, match=words):
        open_hosted(name, url)


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("cohere:rerank-v3.5", "https://api.cohere.com/v2/rerank"),
        ("jina:jina-reranker-m0", "https://api.jina.ai/v1/rerank"),
        ("voyage:rerank-2.5", "https://api.voyageai.com/v1/rerank"),
        ("dashscope:gte-rerank-v2", "https://dashscope.aliyuncs.com/api/v1/services/rerank/text-rerank/text-rerank"),
        ("siliconflow:BAAI/bge-reranker-v2-m3", "https://api.siliconflow.cn/v1/rerank"),
        (
            "nvidia:nvidia/llama-3.2-nv-rerankqa-1b-v2",
            "https://ai.api.nvidia.com/v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking",
        ),
    ],
)
def test_a_services_own_address_is_the_documented_one(name, endpoint):
    assert open_scorer(name, api_key="k").service.client.url == endpoint


@pytest.mark.parametrize(
    ("dialect", "url", "endpoint"),
    [
        ("vllm", "http://h:8000", "http://h:8000/v1/rerank"),
        ("vllm", "http://h:8000/v1", "http://h:8000/v1/rerank"),
        ("vllm", "http://h:8000/rerank", "http://h:8000/rerank"),
        ("cohere", "http://h:8000/v1", "http://h:8000/v2/rerank"),
        ("xinference", "http://h/proxy/v1/", "http://h/proxy/v1/rerank"),
        ("nvidia", "http://h:8000/v1", "http://h:8000/v1/ranking"),
        ("dashscope", "https://h/compatible-mode/v1", "https://h/api/v1/services/rerank/text-rerank/text-rerank"),
    ],
)
def test_an_address_may_be_the_base_or_the_whole(dialect, url, endpoint):
    assert open_scorer(f"{dialect}:m", url).service.client.url == endpoint


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("cohere:m", "COHERE_API_KEY"),
        ("jina:m", "JINA_API_KEY"),
        ("voyage:m", "VOYAGE_API_KEY"),
        ("dashscope:m", "DASHSCOPE_API_KEY"),
        ("siliconflow:m", "SILICONFLOW_API_KEY"),
        ("nvidia:m", "NVIDIA_API_KEY"),
    ],
)
def test_a_provider_without_its_key_is_refused_by_name(name, variable):
    with pytest.raises(InputError, match=f"set the environment variable {variable}"):
        open_hosted(name)


def test_coheres_other_variable_is_read_too(rerank_url, rerank_module, monkeypatch):
    monkeypatch.setenv("CO_API_KEY", rerank_module.KEY)
    reranker = open_hosted("cohere:rerank-v3.5", f"{rerank_url}/cohere", settings=QUICK)
    assert reranker.rerank(QUESTION, hits_of(PASSAGES))[0].chunk.text == PASSAGES[1]


def test_a_key_goes_to_the_address_given_with_its_service_and_nowhere_else(rerank_url, arrived, monkeypatch):
    for variable in ("COHERE_API_KEY", "JINA_API_KEY", "VLLM_API_KEY"):
        monkeypatch.setenv(variable, f"the key of {variable}")
    open_hosted("vllm:bge-reranker-v2-m3", f"{rerank_url}/vllm", settings=QUICK).rerank(QUESTION, hits_of(PASSAGES))
    open_hosted(f"{rerank_url}/plain", settings=QUICK).rerank(QUESTION, hits_of(PASSAGES))
    open_hosted(f"{rerank_url}/tei", settings=QUICK).rerank(QUESTION, hits_of(PASSAGES))
    keys = {request["path"]: request["key"] for request in arrived()}
    assert keys["/vllm/v1/rerank"] == "the key of VLLM_API_KEY"
    assert keys["/plain/v1/rerank"] == keys["/tei/rerank"] == ""


def test_the_name_of_a_reranker_opens_it_again(rerank_url):
    for name in (f"tei:{rerank_url}/tei", f"vllm:bge-reranker-v2-m3@{rerank_url}/vllm"):
        assert open_hosted(name).name == name
    assert open_hosted("jina:jina-reranker-m0", api_key="k").name == "jina:jina-reranker-m0"


def test_a_listwise_model_is_no_scorer_of_pairs():
    assert isinstance(open_hosted("jina:jina-reranker-v3", api_key="k"), HostedListReranker)


@pytest.mark.parametrize(
    ("place", "dialect", "model"),
    [
        ("tei", "tei", ""),
        ("vllm", "vllm", "bge-reranker-v2-m3"),
        ("xinference", "xinference", "bge-reranker-base"),
        ("infinity", "infinity", "bge-reranker-base"),
        ("plain", "compatible", ""),
        ("plain/v1/rerank", "compatible", ""),
        ("vllm/v1/rerank", "vllm", "bge-reranker-v2-m3"),
    ],
)
def test_a_server_is_asked_what_it_speaks_and_the_answer_is_said(rerank_url, caplog, place, dialect, model):
    with caplog.at_level(logging.INFO):
        reranker = open_hosted(f"{rerank_url}/{place}", settings=QUICK)
    assert f"speaks {dialect}" in caplog.text
    assert reranker.name.startswith(f"{dialect}:")
    assert model in reranker.name
    assert reranker.rerank(QUESTION, hits_of(PASSAGES))[0].chunk.text == PASSAGES[1]


def test_a_server_is_asked_what_it_speaks_only_once(rerank_url, arrived):
    for _ in range(3):
        open_hosted(f"{rerank_url}/plain", settings=QUICK)
    assert len(arrived()) == 1


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("tei-embedding", "BAAI/bge-reranker-v2-m3, which is of the kind embedding; a reranker is needed"),
        ("vllm-two", "There are 2 models .*vllm:Qwen3-Reranker-0.6B@http://"),
    ],
)
def test_a_server_without_one_reranker_is_refused(rerank_url, place, words):
    with pytest.raises(InputError, match=words):
        open_hosted(f"{rerank_url}/{place}", settings=QUICK)


def test_a_server_that_wants_a_key_says_how_it_gets_one(rerank_url):
    with pytest.raises(RemoteError, match="write the service before it"):
        open_hosted(f"{rerank_url}/vllm-keyed", settings=QUICK)


def test_a_server_that_speaks_nothing_known_is_refused_with_what_it_said(rerank_url):
    with pytest.raises(RemoteError, match=r"cannot be told; name it, such as tei:.*status 404: Not Found"):
        open_hosted(f"{rerank_url}/nothing", settings=QUICK)


def test_an_address_where_nobody_answers_is_named():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(RemoteError, match=f"http://127.0.0.1:{port}/info cannot be reached"):
            open_hosted(f"http://127.0.0.1:{port}", settings=QUICK)


def test_known_scores_are_not_asked_for_again(rerank_url, arrived, tmp_path):
    cache = ScoreCache(tmp_path / "scores.db")
    name = f"tei:{rerank_url}/tei"
    first = open_hosted(name, settings=QUICK, cache=cache).rerank(QUESTION, hits_of(PASSAGES))
    again = open_hosted(name, settings=QUICK, cache=cache).rerank(QUESTION, hits_of(PASSAGES))
    logits = HostedSettings(max_retries=0, scale="probability")
    other = open_hosted(name, settings=logits, cache=cache).rerank(QUESTION, hits_of(PASSAGES))
    cache.close()
    assert first == again
    assert other[0].score == other[0].probability != first[0].score
    assert other[0].probability == pytest.approx(first[0].probability)
    assert len(arrived()) == 2

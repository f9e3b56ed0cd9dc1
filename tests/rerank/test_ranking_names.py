"""Names of chat models that rank."""

import pytest
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import StructuredWordJudge, hits_of

from secondpass.errors import InputError
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_names import KINDS, open_llm_ranker, open_with, split_ranker_name
from secondpass.rerank.ranking_report import Prices


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("listwise:openai/qwen-max", ("listwise", "openai:qwen-max")),
        ("setwise:ollama/qwen2:7b-instruct-q4_0", ("setwise", "ollama:qwen2:7b-instruct-q4_0")),
        ("pointwise:openai/Qwen/Qwen3-8B", ("pointwise", "openai:Qwen/Qwen3-8B")),
        ("pairwise-sliding:replay/recorded.jsonl", ("pairwise-sliding", "replay:recorded.jsonl")),
    ],
)
def test_a_name_is_a_kind_a_provider_and_a_model(name: str, parts: tuple[str, str]) -> None:
    assert split_ranker_name(name) == parts


@pytest.mark.parametrize(
    "name", ["listwise", "listwise:", "listwise:openai", "listwise:openai/", "best:openai/x", ":a/b"]
)
def test_a_name_that_says_too_little_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(InputError, match="KIND:PROVIDER/MODEL, such as listwise:openai/qwen-max"):
        split_ranker_name(name)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_opens_and_ranks(kind: str, language: str) -> None:
    reranker = open_llm_ranker(kind, StructuredWordJudge())
    assert reranker.rerank(QUESTION[language], hits_of(PASSAGES[language]))[0].chunk.id == "2"
    assert reranker.name.startswith(kind.split("-", maxsplit=1)[0])
    assert reranker.name.endswith(":judge")


def test_more_runs_shuffle() -> None:
    _, report = open_llm_ranker("listwise", StructuredWordJudge(), runs=3).rank_with_report("茶", hits_of(["一", "二"]))
    assert report.agreement is not None


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no way of ranking named 'best'; known are: listwise"):
        open_llm_ranker("best", StructuredWordJudge())


@pytest.mark.parametrize(
    ("name", "url"),
    [("listwise:openai/qwen-max", None), ("setwise:ollama/qwen2", "https://models.example.com/v1")],
)
def test_offline_asks_no_model_of_the_network(name, url):
    with pytest.raises(InputError, match="service of the network"):
        open_with(name, RerankerOptions(offline=True, url=url))


@pytest.mark.parametrize(
    ("name", "url"), [("pairwise:ollama/qwen2:7b", None), ("listwise:openai/x", "http://[::1]:1/v1")]
)
def test_offline_still_asks_a_model_of_this_machine(name, url):
    assert open_with(name, RerankerOptions(offline=True, url=url)).name


def test_runs_and_prices_reach_the_ranker(server_url):
    prices = Prices.parse("1000000, 2000000")
    options = RerankerOptions(url=server_url, calls=CallOptions(prices=prices), ranking_runs=3)
    ranker = open_with("listwise:openai/ranks", options)
    hits, report = ranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
    assert ranker.name.startswith("listwisex3")
    assert len(hits) == len(PASSAGES["zh"])
    assert report.questions == 3
    assert report.cost == pytest.approx(report.prompt_tokens + 2 * report.completion_tokens)


@pytest.mark.parametrize("text", ["0.3", "a,b", "-1,2", "1,nan", "1,2,3", ""])
def test_prices_that_are_none_are_refused(text):
    with pytest.raises(InputError, match=r"such as 0\.3,0\.6"):
        Prices.parse(text)

"""Rerankers over the wire, against a server in a process of its own that takes the services' real bodies only."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secondpass.errors import InputError, RemoteError
from secondpass.rerank.hosted import HostedListReranker, HostedScorer
from secondpass.rerank.hosted_service import HostedSettings
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import Chunk, Hit

QUESTION = "西安交大由哪三所学校合并？"
PASSAGES = ["今天天气很好。", "西安交大由三所学校合并。", "Xi'an has a city wall.", "西安的学校很多。", "合并的公司。"]
MODELS = {
    "cohere": "rerank-v3.5",
    "cohere-v1": "rerank-v3.5",
    "jina": "jina-reranker-v2-base-multilingual",
    "voyage": "rerank-2.5",
    "dashscope": "gte-rerank-v2",
    "dashscope-compatible": "qwen3-rerank",
    "siliconflow": "BAAI/bge-reranker-v2-m3",
    "nvidia": "nvidia/llama-3.2-nv-rerankqa-1b-v2",
    "tei": "",
    "infinity": "bge-reranker-base",
    "vllm": "bge-reranker-v2-m3",
    "xinference": "bge-reranker-base",
    "compatible": "",
}
LOGITS = ("nvidia", "tei", "infinity", "compatible")
QUICK = HostedSettings(max_retries=0)


def scorer_of(url, key, dialect="jina", model=None, settings=QUICK, flavour=None) -> HostedScorer:
    place = flavour or {"compatible": "plain"}.get(dialect, dialect.partition("-")[0])
    return HostedScorer(dialect, MODELS[dialect] if model is None else model, f"{url}/{place}", key, settings)


@pytest.fixture
def key(rerank_module) -> str:
    return rerank_module.KEY


@pytest.mark.parametrize("dialect", MODELS)
def test_every_dialect_gets_its_scores_by_index(rerank_url, rerank_module, key, dialect):
    scorer = scorer_of(rerank_url, key, dialect)
    expected = [rerank_module.logit(QUESTION, text) for text in PASSAGES]
    if dialect not in LOGITS:
        expected = [rerank_module.probability(value) for value in expected]
    assert [score.score for score in scorer.score(QUESTION, PASSAGES)] == pytest.approx(expected)
    assert len(set(expected)) > 3


@pytest.mark.parametrize("dialect", MODELS)
def test_every_dialect_orders_hits_and_keeps_duplicates_and_empty_passages(rerank_url, arrived, key, dialect):
    reranker = PairReranker(scorer_of(rerank_url, key, dialect))
    hits = [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(["", *PASSAGES, " ", *PASSAGES])]
    before = list(hits)
    out = reranker.rerank(QUESTION, hits)
    assert [hit.chunk.id for hit in out[:2]] == ["2", "8"]
    assert [hit.chunk.id for hit in out[-2:]] == ["0", "6"]
    assert sorted(hit.chunk.id for hit in out) == sorted(hit.chunk.id for hit in hits)
    assert hits == before
    texts = str([request["body"] for request in arrived()])
    assert all(texts.count(repr(text)) == 1 for text in PASSAGES)


@pytest.mark.parametrize(
    ("dialect", "model", "scale", "gives_probability"),
    [
        ("cohere", "rerank-v3.5", "probability", False),
        ("jina", "jina-reranker-v2-base-multilingual", "probability", False),
        ("jina", "jina-colbert-v2", "unknown", False),
        ("voyage", "rerank-2.5", "unknown", False),
        ("dashscope", "gte-rerank-v2", "probability", False),
        ("dashscope", "qwen3-rerank", "probability", True),
        ("siliconflow", "BAAI/bge-reranker-v2-m3", "probability", True),
        ("siliconflow", "somebody/else", "unknown", False),
        ("nvidia", "nvidia/llama-3.2-nv-rerankqa-1b-v2", "logit", False),
        ("tei", "", "logit", True),
        ("vllm", "Qwen/Qwen3-Reranker-0.6B", "probability", True),
        ("vllm", "cross-encoder/ms-marco-MiniLM-L6-v2", "unknown", False),
    ],
)
def test_the_scale_is_what_is_documented_or_asked_for(rerank_url, key, dialect, model, scale, gives_probability):
    scorer = scorer_of(rerank_url, key, dialect, model)
    assert (scorer.scale, scorer.gives_probability) == (scale, gives_probability)


@pytest.mark.parametrize("dialect", ["tei", "infinity", "vllm"])
def test_a_service_with_a_choice_is_asked_for_the_scale(rerank_url, rerank_module, key, dialect):
    for scale in ("logit", "probability"):
        scorer = scorer_of(rerank_url, key, dialect, settings=HostedSettings(scale=scale))
        value = rerank_module.logit(QUESTION, PASSAGES[1])
        expected = value if scale == "logit" else rerank_module.probability(value)
        assert scorer.scale == scale
        assert scorer.score(QUESTION, PASSAGES[1:2])[0].score == pytest.approx(expected)


def test_scores_that_are_no_probabilities_are_refused_where_they_were_said_to_be(rerank_url, key):
    with pytest.raises(RemoteError, match=r"outside 0 to 1.*name their scale"):
        scorer_of(rerank_url, key, "siliconflow", "logits", HostedSettings(scale="probability")).score("西安", PASSAGES)
    assert scorer_of(rerank_url, key, "siliconflow", "logits").scale == "unknown"
    with pytest.raises(InputError, match="'cosine' is neither"):
        scorer_of(rerank_url, key, "tei", settings=HostedSettings(scale="cosine"))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("one-missing", "was sent 5 passages and scored 4"),
        ("one-twice", "twice"),
        ("one-foreign", "passage 5 though 5 passages were sent"),
        ("negative-index", "passage -1"),
        ("nan", "not an index and a finite relevance_score"),
        ("words", "not an index and a finite relevance_score"),
        ("garbage", "no JSON"),
    ],
)
def test_a_wrong_answer_is_an_error_and_never_a_shift(rerank_url, key, model, words):
    with pytest.raises(RemoteError, match=words):
        scorer_of(rerank_url, key, "jina", model).score(QUESTION, PASSAGES)


@pytest.mark.parametrize("dialect", [name for name in MODELS if name not in ("tei", "compatible")])
def test_a_refusal_keeps_the_servers_words_whatever_their_form(rerank_url, key, dialect):
    with pytest.raises(RemoteError, match=r"status 400: .*The server says status-400$"):
        scorer_of(rerank_url, key, dialect, "status-400").score(QUESTION, PASSAGES)


def test_tei_says_its_words_in_its_own_form(rerank_url):
    with pytest.raises(RemoteError, match=r"status 429: Model is overloaded$"):
        scorer_of(rerank_url, None, "tei", flavour="tei-busy").score(QUESTION, PASSAGES)


@pytest.mark.parametrize("dialect", ["cohere", "jina", "voyage", "dashscope", "siliconflow", "nvidia"])
def test_a_wrong_key_is_refused_and_never_shown(rerank_url, dialect):
    with pytest.raises(RemoteError, match="status 401") as caught:
        scorer_of(rerank_url, "sk-secret-9999", dialect).score(QUESTION, PASSAGES)
    assert "9999" not in str(caught.value)
    scorer = scorer_of(rerank_url, "sk-secret-9999", dialect)
    assert "9999" not in scorer.name + scorer.fingerprint


@pytest.mark.parametrize("model", ["status-429-once", "status-429-once-ms", "status-500-once", "status-408-once"])
def test_a_busy_or_failing_server_is_asked_again(rerank_url, arrived, key, model):
    scorer = scorer_of(rerank_url, key, "cohere", model, HostedSettings(max_retries=1))
    started = time.monotonic()
    assert len(scorer.score(QUESTION, PASSAGES)) == 5
    assert time.monotonic() - started > 0.1
    assert len(arrived()) == 2


def test_a_server_that_hangs_up_is_asked_again(rerank_url, key):
    scorer = scorer_of(rerank_url, key, "cohere", "hang-up-once", HostedSettings(max_retries=1))
    assert len(scorer.score(QUESTION, PASSAGES)) == 5


@pytest.mark.parametrize(("model", "requests"), [("status-503", 3), ("status-404", 1), ("status-429-forever", 1)])
def test_a_server_is_given_up_after_its_retries_or_at_once_where_they_cannot_help(
    rerank_url, arrived, key, model, requests
):
    with pytest.raises(RemoteError, match=f"status {model.split('-')[1]}"):
        scorer_of(rerank_url, key, "cohere", model, HostedSettings(max_retries=2)).score(QUESTION, PASSAGES)
    assert len(arrived()) == requests


def test_a_wait_that_is_too_long_is_said(rerank_url, key):
    with pytest.raises(RemoteError, match="请求过多 It asks to wait 3600 s"):
        scorer_of(rerank_url, key, "cohere", "status-429-forever").score(QUESTION, PASSAGES)


def test_a_slow_server_is_given_up(rerank_url, key):
    started = time.monotonic()
    with pytest.raises(RemoteError, match=r"did not answer within 0\.2 s; give it longer with timeout_seconds"):
        scorer_of(rerank_url, key, "cohere", "slow-2", HostedSettings(timeout_seconds=0.2)).score(QUESTION, PASSAGES)
    assert time.monotonic() - started < 1.5


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(RemoteError, match=r"http://127\.0\.0\.1:9/v1/rerank cannot be reached.*is the server running"):
        HostedScorer("jina", "m", "http://127.0.0.1:9", None, QUICK).score(QUESTION, PASSAGES)


def test_an_html_page_is_an_error(rerank_url, key):
    with pytest.raises(RemoteError, match="status 502: <html>"):
        scorer_of(rerank_url, key, "cohere", "html").score(QUESTION, PASSAGES)


def test_a_proxy_is_not_asked_for_this_machine(rerank_url, key, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert len(scorer_of(rerank_url, key).score(QUESTION, PASSAGES)) == 5


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    passages=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=12, unique=True),
    batch_size=st.integers(1, 12),
)
def test_batches_change_no_score(rerank_process, rerank_module, passages, batch_size):
    passages = [text.encode("utf-8", "replace").decode() for text in passages]
    settings = HostedSettings(max_retries=0, batch_size=batch_size)
    scorer = scorer_of(rerank_process, rerank_module.KEY, settings=settings)
    expected = [rerank_module.probability(rerank_module.logit("西安 ab", text)) for text in passages]
    assert [score.score for score in scorer.score("西安 ab", passages)] == pytest.approx(expected)


def test_tei_is_sent_no_more_texts_than_it_says_it_takes(rerank_url, rerank_module, arrived):
    passages = [f"西安的第{i}所学校。" for i in range(10)]
    scores = scorer_of(rerank_url, None, "tei").score(QUESTION, passages)
    assert [len(request["body"]["texts"]) for request in arrived()] in ([4, 4, 2], [4, 2, 4], [2, 4, 4])
    assert [s.score for s in scores] == pytest.approx([rerank_module.logit(QUESTION, text) for text in passages])


def test_a_request_stays_within_the_services_tokens(rerank_url, arrived, key):
    passages = [f"第{i}段：" + "西安交通大学历史悠久。" * 60 for i in range(60)]  # 400 estimated tokens each
    scorer_of(rerank_url, key, "dashscope").score(QUESTION, passages)
    sizes = [len(request["body"]["input"]["documents"]) for request in arrived()]
    assert sum(sizes) == 60
    assert 1 < max(sizes) < 50


def test_no_more_requests_are_under_way_than_allowed(rerank_url, key, most_running):
    settings = HostedSettings(batch_size=1, max_concurrency=2)
    scorer = scorer_of(rerank_url, key, "jina", "slow-0.05", settings)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: scorer.score(QUESTION, PASSAGES), range(8)))
    assert all(result == results[0] for result in results)
    assert most_running("slow-0.05") == 2


def test_a_long_passage_is_read_in_windows_and_the_winning_one_is_named(rerank_url, rerank_module, arrived):
    filler = "今天天气很好，人们出门散步。" * 8
    answer = "西安交大由三所学校合并。"
    long = filler + answer + filler
    short = "西安的学校很多。"
    found = scorer_of(rerank_url, None, "tei").score(QUESTION, [long, short])
    assert found[0].windows > 1
    assert found[0].span is not None
    assert answer in long[found[0].span.start : found[0].span.end]
    assert found[0].score >= rerank_module.logit(QUESTION, answer)
    assert not found[0].truncated
    assert (found[1].windows, found[1].span) == (1, None)
    assert all(len(text) <= 107 for request in arrived() for text in request["body"]["texts"])


def test_what_a_server_had_to_cut_is_said_to_be_cut(rerank_url, rerank_module, arrived, caplog):
    # The estimate takes 400 Latin letters for 100 tokens; this server counts 400.
    dense = "西安" + "x" * 300
    settings = HostedSettings(max_retries=0, max_passage_tokens=90)
    found = scorer_of(rerank_url, None, "tei", settings=settings).score(QUESTION, [*PASSAGES[:3], dense])
    assert [score.truncated for score in found] == [False, False, False, True]
    assert [score.score for score in found] == pytest.approx(
        [rerank_module.logit(QUESTION, text) for text in [*PASSAGES[:3], dense]]
    )
    assert sum(request["body"]["truncate"] for request in arrived()) == 1
    assert "had to cut a passage of 302 characters" in caplog.text


def test_voyage_refuses_to_cut_unless_it_has_to(rerank_url, arrived, key):
    found = scorer_of(rerank_url, key, "voyage").score(QUESTION, ["西安", "y" * 1200])
    assert [score.truncated for score in found] == [False, True]
    assert [request["body"]["truncation"] for request in arrived()] == [False, False, False, True]


@pytest.mark.parametrize(
    ("dialect", "field"),
    [("vllm", "instruction"), ("siliconflow", "instruction"), ("dashscope-compatible", "instruct")],
)
def test_an_instruction_is_sent_where_the_service_takes_one(rerank_url, arrived, key, dialect, field):
    settings = HostedSettings(instruction="找出回答问题的段落")
    scorer = scorer_of(rerank_url, key, dialect, settings=settings)
    scorer.score(QUESTION, PASSAGES)
    assert arrived()[-1]["body"][field] == "找出回答问题的段落"
    assert scorer.fingerprint != scorer_of(rerank_url, key, dialect).fingerprint


def test_an_instruction_is_refused_where_the_service_takes_none(rerank_url, key):
    with pytest.raises(InputError, match="cohere takes no instruction"):
        scorer_of(rerank_url, key, "cohere", settings=HostedSettings(instruction="x"))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_listwise_model_gets_all_passages_in_one_request(rerank_url, arrived, key, language):
    question = {"zh": QUESTION, "en": "Which city has a wall?"}[language]
    best = {"zh": 1, "en": 2}[language]
    reranker = HostedListReranker(scorer_of(rerank_url, key, "jina", "jina-reranker-v3"))
    hits = [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate([*PASSAGES, "", PASSAGES[0]])]
    out = reranker.rerank(question, hits)
    assert out[0].chunk.text == PASSAGES[best]
    assert out[-1].chunk.text == ""
    assert out[0].scale == "rank_only"
    assert len(arrived()) == 1
    assert reranker.rerank(question, hits, 2) == out[:2]
    assert [hit.chunk.id for hit in reranker.rerank(" ", hits)] == [hit.chunk.id for hit in hits]
    assert reranker.rerank(question, []) == []


def test_a_listwise_model_is_not_asked_again_what_the_cache_knows_of_the_same_list(rerank_url, arrived, key, tmp_path):
    scorer = scorer_of(rerank_url, key, "jina", "jina-reranker-v3")
    hits = [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate([*PASSAGES, "half of a pair: \ud800"])]
    first = HostedListReranker(scorer, ScoreCache(tmp_path / "scores.sqlite")).rerank(QUESTION, hits)
    assert len(arrived()) == 1
    again = HostedListReranker(scorer, ScoreCache(tmp_path / "scores.sqlite"))
    assert again.rerank(QUESTION, hits) == first
    assert len(arrived()) == 1
    again.rerank(QUESTION, hits[::-1])
    assert len(arrived()) == 2


def test_too_many_passages_for_a_listwise_model_are_refused(rerank_url, key):
    scorer = scorer_of(rerank_url, key, "jina", "jina-reranker-v3", HostedSettings(batch_size=3))
    hits = [Hit(Chunk(str(i), text), 0.0, "bm25") for i, text in enumerate(PASSAGES)]
    with pytest.raises(InputError, match="reads all passages together, and 5 are too many"):
        HostedListReranker(scorer).rerank(QUESTION, hits)


@pytest.mark.parametrize(
    ("url", "words"),
    [("localhost:8080", "starts with http:// or https://"), ("http://me:secret@host:1", "carries a password")],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(url, words):
    with pytest.raises(InputError, match=words) as caught:
        HostedScorer("jina", "m", url)
    assert "secret" not in str(caught.value)


def test_half_a_character_does_not_stop_a_request(rerank_url, key):
    assert len(scorer_of(rerank_url, key).score("\ud800西安", ["\udfff", "西安"])) == 2

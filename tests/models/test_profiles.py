from __future__ import annotations

from pathlib import Path

import pytest

from secondpass.models.profiles import PROFILES, RerankerProfile, find_profile

TEMPLATES = {
    "cross-encoder": {"pair"},
    "causal": {"bge-gemma", "qwen3", "qwen3-blank-lines", "mxbai-v2", "query-likelihood"},
    "layerwise": {"bge-minicpm-layerwise"},
    "lightweight": {"bge-gemma2-lightweight"},
    "seq2seq": {"monot5", "mt5"},
    "seq2seq-pairs": {"duot5"},
    "late-interaction": {"colbert"},
}


def profile(name: str | Path) -> RerankerProfile:
    found = find_profile(name)
    assert found is not None, name
    return found


@pytest.mark.parametrize(
    ("name", "family", "scale", "max_tokens"),
    [
        ("BAAI/bge-reranker-base", "cross-encoder", "logit", 512),
        ("BAAI/bge-reranker-large", "cross-encoder", "logit", 512),
        ("BAAI/bge-reranker-v2-m3", "cross-encoder", "logit", 8192),
        ("maidalun1020/bce-reranker-base_v1", "cross-encoder", "probability", 512),
        ("cross-encoder/ms-marco-MiniLM-L6-v2", "cross-encoder", "logit", 512),
        ("cross-encoder/ms-marco-MiniLM-L12-v2", "cross-encoder", "logit", 512),
        ("cross-encoder/mmarco-mMiniLMv2-L12-H384-v1", "cross-encoder", "logit", 512),
        ("cross-encoder/nli-deberta-v3-base", "cross-encoder", "log_odds", 512),
        ("Alibaba-NLP/gte-multilingual-reranker-base", "cross-encoder", "logit", 8192),
        ("Alibaba-NLP/gte-reranker-modernbert-base", "cross-encoder", "logit", 8192),
        ("jinaai/jina-reranker-v2-base-multilingual", "cross-encoder", "logit", 1024),
        ("mixedbread-ai/mxbai-rerank-base-v1", "cross-encoder", "logit", 512),
        ("BAAI/bge-reranker-v2-gemma", "causal", "logit", 1024),
        ("BAAI/bge-reranker-v2-minicpm-layerwise", "layerwise", "logit", 1024),
        ("BAAI/bge-reranker-v2.5-gemma2-lightweight", "lightweight", "logit", 1024),
        ("Qwen/Qwen3-Reranker-0.6B", "causal", "log_odds", 8192),
        ("Qwen/Qwen3-Reranker-8B", "causal", "log_odds", 8192),
        ("mixedbread-ai/mxbai-rerank-large-v2", "causal", "log_odds", 8192),
        ("castorini/monot5-base-msmarco-10k", "seq2seq", "log_odds", 512),
        ("unicamp-dl/mt5-base-mmarco-v2", "seq2seq", "log_odds", 512),
        ("castorini/duot5-base-msmarco", "seq2seq-pairs", "rank_only", 512),
        ("colbert-ir/colbertv2.0", "late-interaction", "maxsim", 512),
        ("answerdotai/answerai-colbert-small-v1", "late-interaction", "maxsim", 512),
        ("lightonai/GTE-ModernColBERT-v1", "late-interaction", "maxsim", 8192),
        ("jinaai/jina-colbert-v2", "late-interaction", "maxsim", 8192),
    ],
)
def test_named_models_have_a_profile(name: str, family: str, scale: str, max_tokens: int) -> None:
    found = profile(name)
    assert (found.name, found.family, found.scale, found.max_tokens) == (name, family, scale, max_tokens)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("baai/BGE-reranker-v2-M3", "BAAI/bge-reranker-v2-m3"),
        ("ms:AI-ModelScope/bge-reranker-v2-m3", "BAAI/bge-reranker-v2-m3"),
        ("Xorbits/bge-reranker-large", "BAAI/bge-reranker-large"),
        ("cross-encoder/ms-marco-MiniLM-L-6-v2", "cross-encoder/ms-marco-MiniLM-L6-v2"),
        ("cross-encoder/ms-marco-MiniLM-L-12-v2", "cross-encoder/ms-marco-MiniLM-L12-v2"),
        ("/数据/模型/bge-reranker-base/", "BAAI/bge-reranker-base"),
        ("C:\\模型\\bge-reranker-base", "BAAI/bge-reranker-base"),
        ("/c/hub/models--Qwen--Qwen3-Reranker-0.6B/snapshots/" + "a" * 40, "Qwen/Qwen3-Reranker-0.6B"),
        ("/c/models/Qwen/Qwen3-Reranker-0___6B", "Qwen/Qwen3-Reranker-0.6B"),
        (Path("下载") / "bce-reranker-base_v1", "maidalun1020/bce-reranker-base_v1"),
    ],
)
def test_other_names_and_folders_lead_to_the_same_profile(name: str | Path, known: str) -> None:
    assert profile(name).name == known


@pytest.mark.parametrize("name", ["", "BAAI/bge-m3", "某公司/自己的模型", "/models/reranker", "bert-base-chinese"])
def test_what_is_not_known_has_no_profile(name: str) -> None:
    assert find_profile(name) is None


def test_every_profile_is_consistent() -> None:
    names = [name.lower() for one in PROFILES for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    for one in PROFILES:
        assert one.template in TEMPLATES[one.family], one.name
        assert (
            one.gives_probability == (one.family not in {"late-interaction", "seq2seq-pairs"}) or one.scale == "logit"
        )
        assert not one.query_max_tokens or one.query_max_tokens < one.max_tokens
        assert find_profile(one.name) is one


def test_the_windows_of_bce_are_its_own() -> None:
    assert [one.name for one in PROFILES if one.windows == "bce"] == ["maidalun1020/bce-reranker-base_v1"]


def test_golden_pairs_are_the_published_ones_and_fit_their_scale() -> None:
    pandas = [pair.score for pair in profile("BAAI/bge-reranker-v2-m3").golden]
    assert pandas == [-5.65234375, -8.1875, 5.26171875]
    assert profile("Alibaba-NLP/gte-multilingual-reranker-base").golden[0].query == "中国的首都在哪儿"
    assert max(pair.score for pair in profile("Qwen/Qwen3-Reranker-0.6B").golden) == 7.120389938354492
    for one in PROFILES:
        for pair in one.golden:
            assert pair.scale in {one.scale, "probability"}
            assert 0 < pair.tolerance <= 0.05
            assert pair.source

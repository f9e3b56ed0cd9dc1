"""The named rerankers. Each line was read in the model's card, its reference code, or its published configuration."""

from __future__ import annotations

from secondpass.models import profile_golden as golden
from secondpass.models.builtin_model import BUILTIN
from secondpass.models.profile_records import GoldenPair, RerankerProfile

_APACHE, _MIT, _NON_COMMERCIAL = "apache-2.0", "mit", "cc-by-nc-4.0"


def _bge(
    name: str, max_tokens: int, license_name: str, pairs: tuple[GoldenPair, ...], *aliases: str
) -> RerankerProfile:
    return RerankerProfile(
        name, "cross-encoder", "logit", max_tokens, "pair", golden=pairs, license=license_name, aliases=aliases
    )


def _ms_marco(size: str, old_size: str = "", pairs: tuple[GoldenPair, ...] = ()) -> RerankerProfile:
    """Make a profile of a family whose authors publish plain logits: no probability is theirs."""
    return RerankerProfile(
        f"cross-encoder/ms-marco-{size}-v2", "cross-encoder", "logit", 512, "pair", truncation="longest_first",
        gives_probability=False, golden=pairs, license=_APACHE,
        aliases=(f"cross-encoder/ms-marco-{old_size}-v2",) if old_size else (),
    )  # fmt: skip


def _nli(name: str) -> RerankerProfile:
    """Make a profile of three logits: the score is the log-odds of entailment against the other two together."""
    return RerankerProfile(
        f"cross-encoder/{name}", "cross-encoder", "log_odds", 512, "pair", truncation="longest_first", license=_APACHE
    )


def _qwen3(size: str, pairs: tuple[GoldenPair, ...] = ()) -> RerankerProfile:
    return RerankerProfile(
        f"Qwen/Qwen3-Reranker-{size}", "causal", "log_odds", 8192, "qwen3", golden=pairs, license=_APACHE
    )


def _mxbai_v1(size: str, pairs: tuple[GoldenPair, ...] = ()) -> RerankerProfile:
    return RerankerProfile(
        f"mixedbread-ai/mxbai-rerank-{size}-v1", "cross-encoder", "logit", 512, "pair", truncation="longest_first",
        golden=pairs, license=_APACHE,
    )  # fmt: skip


def _mxbai_v2(size: str) -> RerankerProfile:
    return RerankerProfile(
        f"mixedbread-ai/mxbai-rerank-{size}-v2", "causal", "log_odds", 8192, "mxbai-v2", license=_APACHE
    )


def _mono_t5(name: str, template: str = "monot5", license_name: str = "") -> RerankerProfile:
    return RerankerProfile(name, "seq2seq", "log_odds", 512, template, license=license_name)


def _duo_t5(name: str) -> RerankerProfile:
    """Make a profile of a model that compares two passages: its sums of wins are an order, not a relevance."""
    return RerankerProfile(name, "seq2seq-pairs", "rank_only", 512, "duot5", gives_probability=False)


def _colbert(name: str, max_tokens: int, license_name: str, *aliases: str) -> RerankerProfile:
    """Make a profile; markers, lengths, masks and projection stand in the checkpoint, ``max_tokens`` in its encoder."""
    return RerankerProfile(
        name, "late-interaction", "maxsim", max_tokens, "colbert", query_max_tokens=32, gives_probability=False,
        license=license_name, aliases=aliases,
    )  # fmt: skip


CROSS_ENCODERS = (
    RerankerProfile(
        BUILTIN, "cross-encoder", "logit", 512, "pair", truncation="longest_first", license=_APACHE, respells=True
    ),
    _bge("BAAI/bge-reranker-base", 512, _MIT, golden.BGE_BASE, "Xorbits/bge-reranker-base"),
    _bge("BAAI/bge-reranker-large", 512, _MIT, golden.BGE_LARGE, "Xorbits/bge-reranker-large"),
    _bge("BAAI/bge-reranker-v2-m3", 8192, _APACHE, golden.BGE_V2_M3, "AI-ModelScope/bge-reranker-v2-m3"),
    RerankerProfile(
        "maidalun1020/bce-reranker-base_v1", "cross-encoder", "probability", 512, "pair", windows="bce",
        license=_APACHE, aliases=("netease-youdao/bce-reranker-base_v1", "maidalun/bce-reranker-base_v1"),
    ),
    _ms_marco("MiniLM-L6", "MiniLM-L-6", golden.MS_MARCO_L6),
    _ms_marco("MiniLM-L12", "MiniLM-L-12"),
    _ms_marco("MiniLM-L4", "MiniLM-L-4"),
    _ms_marco("MiniLM-L2", "MiniLM-L-2"),
    _ms_marco("TinyBERT-L2", "TinyBERT-L-2", golden.MS_MARCO_TINYBERT),
    RerankerProfile(
        "cross-encoder/mmarco-mMiniLMv2-L12-H384-v1", "cross-encoder", "logit", 512, "pair",
        truncation="longest_first", gives_probability=False, license=_APACHE,
        aliases=("nreimers/mmarco-mMiniLMv2-L12-H384-v1",),
    ),
    _nli("nli-deberta-v3-base"),
    _nli("nli-deberta-v3-large"),
    _nli("nli-deberta-v3-small"),
    _nli("nli-MiniLM2-L6-H768"),
    RerankerProfile(
        "Alibaba-NLP/gte-multilingual-reranker-base", "cross-encoder", "logit", 8192, "pair",
        truncation="longest_first", golden=golden.GTE_MULTILINGUAL, license=_APACHE,
        aliases=("iic/gte_passage-ranking_multilingual-base",),
    ),
    RerankerProfile(
        "Alibaba-NLP/gte-reranker-modernbert-base", "cross-encoder", "logit", 8192, "pair",
        truncation="longest_first", license=_APACHE, aliases=("iic/gte-reranker-modernbert-base",),
    ),
    RerankerProfile(
        "jinaai/jina-reranker-v2-base-multilingual", "cross-encoder", "logit", 1024, "pair",
        query_max_tokens=512, license=_NON_COMMERCIAL,
    ),
    _mxbai_v1("xsmall", golden.MXBAI_XSMALL_V1),
    _mxbai_v1("base"),
    _mxbai_v1("large"),
)  # fmt: skip

CAUSAL = (
    RerankerProfile(
        "BAAI/bge-reranker-v2-gemma", "causal", "logit", 1024, "bge-gemma", license=_APACHE,
        aliases=("AI-ModelScope/bge-reranker-v2-gemma",),
    ),
    RerankerProfile(
        "BAAI/bge-reranker-v2-minicpm-layerwise", "layerwise", "logit", 1024, "bge-minicpm-layerwise", license=_APACHE,
        aliases=("AI-ModelScope/bge-reranker-v2-minicpm-layerwise",),
    ),
    RerankerProfile(
        "BAAI/bge-reranker-v2.5-gemma2-lightweight", "lightweight", "logit", 1024, "bge-gemma2-lightweight",
        aliases=("AI-ModelScope/bge-reranker-v2.5-gemma2-lightweight",),
    ),
    _qwen3("0.6B", golden.QWEN3_0_6B),
    _qwen3("4B"),
    _qwen3("8B"),
    _mxbai_v2("base"),
    _mxbai_v2("large"),
)  # fmt: skip

SEQ2SEQ = (
    _mono_t5("castorini/monot5-base-msmarco"),
    _mono_t5("castorini/monot5-base-msmarco-10k"),
    _mono_t5("castorini/monot5-large-msmarco"),
    _mono_t5("castorini/monot5-large-msmarco-10k"),
    _mono_t5("castorini/monot5-3b-msmarco"),
    _mono_t5("castorini/monot5-3b-msmarco-10k"),
    _mono_t5("castorini/monot5-base-med-msmarco"),
    _mono_t5("castorini/monot5-3b-med-msmarco"),
    _mono_t5("unicamp-dl/InRanker-small"),
    _mono_t5("unicamp-dl/InRanker-base"),
    _mono_t5("unicamp-dl/InRanker-3B"),
    _mono_t5("unicamp-dl/mt5-base-mmarco-v2", "mt5", _MIT),
    _mono_t5("unicamp-dl/mt5-base-mmarco-v1", "mt5", _MIT),
    _mono_t5("unicamp-dl/mt5-base-en-msmarco", "mt5", _MIT),
    _mono_t5("unicamp-dl/mt5-base-en-pt-msmarco-v1", "mt5", _MIT),
    _mono_t5("unicamp-dl/mt5-base-en-pt-msmarco-v2", "mt5", _MIT),
    _duo_t5("castorini/duot5-base-msmarco"),
    _duo_t5("castorini/duot5-base-msmarco-10k"),
    _duo_t5("castorini/duot5-3b-msmarco"),
)

LATE_INTERACTION = (
    _colbert("colbert-ir/colbertv2.0", 512, _MIT),
    _colbert("answerdotai/answerai-colbert-small-v1", 512, _APACHE),
    _colbert("lightonai/GTE-ModernColBERT-v1", 8192, _APACHE),
    _colbert("lightonai/colbertv2.0", 512, ""),
    _colbert("jinaai/jina-colbert-v2", 8192, _NON_COMMERCIAL),
    _colbert("jinaai/jina-colbert-v1-en", 8192, _APACHE),
    _colbert("antoinelouis/colbert-xm", 512, _MIT),
)

PROFILES: tuple[RerankerProfile, ...] = (*CROSS_ENCODERS, *CAUSAL, *SEQ2SEQ, *LATE_INTERACTION)

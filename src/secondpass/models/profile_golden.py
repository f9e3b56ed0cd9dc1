"""Scores that the authors of a reranker, or of its reference library, published for a pair.

Sources: "FlagEmbedding": examples/inference/reranker/README.md and issue 108 there; "sentence-transformers":
tests/cross_encoder/test_pretrained.py, test_model.py, and the docstring of CrossEncoder; "model card": the README of
the model at Hugging Face. What was computed in half precision is given room for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from secondpass.models.profile_records import GoldenPair
from secondpass.types import Scale

_HALF_PRECISION, _FULL_PRECISION = 0.03, 2e-3
_PANDA = "what is panda?"
_PANDA_PASSAGES = (
    "hi",
    "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species "
    "endemic to China.",
)
_TOPROL = "is toprol xl the same as metoprolol?"
_TOPROL_PASSAGES = (
    "Metoprolol succinate is also known by the brand name Toprol XL. It is the extended-release form of metoprolol. "
    "Metoprolol succinate is approved to treat high blood pressure, chronic chest pain, and congestive heart failure.",
    "Pill with imprint 1 is White, Round and has been identified as Metoprolol Tartrate 25 mg.",
    "Interactions between your drugs No interactions were found between Allergy Relief and metoprolol. This does not "
    "necessarily mean no interactions exist. Always consult your healthcare provider.",
)
_BERLIN = "How many people live in Berlin?"
_BERLIN_PASSAGES = ("Berlin had a population of 3,520,031 in 2019.", "Berlin is well known for its museums.")


def _pairs(
    query: str, passages: Iterable[str], scores: Iterable[float], scale: Scale, tolerance: float, source: str
) -> tuple[GoldenPair, ...]:
    return tuple(
        GoldenPair(query, passage, score, scale, tolerance, source)
        for passage, score in zip(passages, scores, strict=True)
    )


def _flag(
    logits: tuple[float, float, float],
    probabilities: tuple[float, float, float] | None = None,
    tolerance: float = _HALF_PRECISION,
) -> tuple[GoldenPair, ...]:
    """Return the pairs of FlagEmbedding's README, with its plain and its normalized scores."""
    texts = (("query", "passage"), *((_PANDA, passage) for passage in _PANDA_PASSAGES))
    return tuple(
        GoldenPair(query, passage, logit, "logit", tolerance, "FlagEmbedding", probability)
        for (query, passage), logit, probability in zip(texts, logits, probabilities or (None,) * 3, strict=True)
    )


def _toprol(scores: tuple[float, float, float], scale: Scale) -> tuple[GoldenPair, ...]:
    return _pairs(_TOPROL, _TOPROL_PASSAGES, scores, scale, _FULL_PRECISION, "sentence-transformers")


BGE_BASE = _flag((0.4474879801, -8.15439224, 6.18211174), tolerance=_FULL_PRECISION)
BGE_LARGE = _flag(
    (-1.5263671875, -5.60546875, 5.76171875), (0.1785258315203034, 0.0036642203307843528, 0.9968641641227171)
)
BGE_V2_M3 = _flag(
    (-5.65234375, -8.1875, 5.26171875), (0.003497010252573502, 0.00027803096387751553, 0.9948403768236574)
)

MS_MARCO_L6 = (
    *_toprol((8.12545108795166, -3.045016050338745, -3.1524128913879395), "logit"),
    *_pairs(
        _BERLIN, _BERLIN_PASSAGES, (8.403070449829102, -4.320077419281006), "logit", _FULL_PRECISION,
        "sentence-transformers",
    ),
)  # fmt: skip
MS_MARCO_TINYBERT = _toprol((8.142767906188965, 1.2057735919952393, -2.7283530235290527), "logit")
MXBAI_XSMALL_V1 = _toprol((0.9224735498428345, 0.04793589934706688, 0.03315146267414093), "probability")

GTE_MULTILINGUAL = (
    GoldenPair("中国的首都在哪儿", "北京", 1.2315, "logit", _HALF_PRECISION, "model card"),
    GoldenPair("what is the capital of China?", "北京", 0.5923, "logit", _HALF_PRECISION, "model card"),
    GoldenPair(
        "how to implement quick sort in python?",
        "Introduction of quick sort",
        0.3041,
        "logit",
        _HALF_PRECISION,
        "model card",
    ),
)

QWEN3_0_6B = _pairs(
    "Which planet is known as the Red Planet?",
    (
        "Venus is often called Earth's twin because of its similar size and proximity.",
        "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
        "Jupiter, the largest planet in our solar system, has a prominent red spot.",
        "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
    ),
    (-3.109297752380371, 7.120389938354492, -0.3787546157836914, 3.541637420654297),
    "log_odds",
    _FULL_PRECISION,
    "sentence-transformers",
)

"""Scores of BGE's language-model rerankers equal FlagEmbedding's on the same tiny models."""

import json
from typing import Any

import pytest
from tests.models.tiny_causal import GOLDEN, make_causal

from secondpass.models.causal import LogitScorer, open_causal
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.layerwise import open_layerwise
from secondpass.models.lightweight import Compression, open_lightweight
from secondpass.models.profile_records import RerankerProfile

CONTENT = json.loads((GOLDEN / "causal_golden.json").read_text(encoding="utf-8"))
PAIRS = [tuple(pair) for pair in CONTENT["pairs"]]
CASES = {case["name"]: case for case in CONTENT["cases"]}
TEMPLATES = {"gemma": "bge-gemma", "minicpm": "bge-minicpm-layerwise", "gemma2": "bge-gemma2-lightweight"}
FAMILIES = {"gemma": "causal", "minicpm": "layerwise", "gemma2": "lightweight"}


def scorer_of(case: dict[str, Any], folder, **profile: Any) -> LogitScorer:
    kind = case["kind"]
    make_causal(folder, kind, pad=case.get("pad", "<pad>"), **case.get("model", {}))
    template = causal_template(TEMPLATES[kind])
    prompt = case.get("prompt", template.instruction)
    after = len(LanguageModelTokenizer(folder).template_ids(f"\n{prompt}"))
    # FlagEmbedding's max_length leaves the prompt out, and lets the text exceed it by as much again.
    fields = {"max_tokens": case["max_length"] + 2 * after} | profile
    known = RerankerProfile("tiny", FAMILIES[kind], "logit", template=template.name, **fields)
    if kind == "gemma":
        return open_causal(folder, known, instruction=case.get("prompt"))
    if kind == "minicpm":
        return open_layerwise(folder, known, cutoff_layer=case["cutoff"])
    compression = Compression(case["cutoff"], case["ratio"], tuple(case["layers"]))
    return open_lightweight(folder, known, compression=compression)


@pytest.mark.parametrize("name", [name for name in CASES if "cut" not in name])
def test_scores_equal_those_of_flagembedding(name, tmp_path):
    case = CASES[name]
    scorer = scorer_of(case, tmp_path)
    for (query, passage), expected in zip(PAIRS, case["scores"], strict=True):
        (score,) = scorer.score(query, [passage])
        assert score.score == pytest.approx(expected, abs=1e-4)
        assert not score.truncated
        assert score.windows == 1


@pytest.mark.parametrize("name", [name for name in CASES if "cut" not in name])
def test_scores_are_the_same_beside_any_neighbours(name, tmp_path):
    case = CASES[name]
    scorer = scorer_of(case, tmp_path)
    passages = [passage for _, passage in PAIRS]
    together = scorer.score(PAIRS[0][0], passages)
    assert together[0].score == pytest.approx(case["scores"][0], abs=1e-4)
    backwards = scorer.score(PAIRS[0][0], passages[::-1])[::-1]
    for one, other, passage in zip(together, backwards, passages, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.score == pytest.approx(scorer.score(PAIRS[0][0], [passage])[0].score, abs=1e-5)


@pytest.mark.parametrize("name", ["gemma, cut", "lightweight, cut"])
def test_where_only_the_beginning_is_read_it_is_cut_where_flagembedding_cuts(name, tmp_path):
    case = CASES[name]
    limits = {"windows": "first", "query_max_tokens": case["max_length"] * 3 // 4}
    scorer = scorer_of(case, tmp_path, **limits)
    index = 6  # A long question: the passage is what gives way.
    (score,) = scorer.score(*[PAIRS[index][0], [PAIRS[index][1]]])
    assert score.score == pytest.approx(case["scores"][index], abs=1e-4)
    assert score.truncated

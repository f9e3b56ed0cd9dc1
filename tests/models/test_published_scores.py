"""The scores that authors published for their rerankers; run where the real weights are on this machine."""

import pytest

from secondpass.errors import InputError
from secondpass.models.profiles import PROFILES, GoldenPair
from secondpass.models.source import resolve
from secondpass.rerank.model_names import open_model
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Chunk, Hit, PassageScore

PUBLISHED = [profile for profile in PROFILES if profile.golden]


def test_there_are_published_scores_of_the_models_that_people_use():
    names = {profile.name for profile in PUBLISHED}
    assert {"BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-base", "Qwen/Qwen3-Reranker-0.6B"} <= names


class Published:
    """A scorer that gives the published score of each pair."""

    name, scale, fingerprint, gives_probability = "published", "logit", "0" * 16, True

    def __init__(self, pairs):
        self._scores = {(pair.query, pair.passage): pair.score for pair in pairs}

    def score(self, query, passages):
        return [PassageScore(self._scores[query, passage]) for passage in passages]


NORMALIZED = [profile for profile in PUBLISHED if any(pair.probability is not None for pair in profile.golden)]


@pytest.mark.parametrize("profile", NORMALIZED, ids=lambda profile: profile.name)
def test_published_logits_become_the_published_probabilities_to_the_printed_digits(profile):
    reranker = PairReranker(Published(profile.golden))
    for pair in profile.golden:
        (hit,) = reranker.rerank(pair.query, [Hit(Chunk("1", pair.passage), 0.0, "unknown")])
        assert hit.probability == pytest.approx(pair.probability, rel=1e-15)


def test_the_probabilities_that_flagembedding_prints_are_known():
    assert {profile.name for profile in NORMALIZED} == {"BAAI/bge-reranker-large", "BAAI/bge-reranker-v2-m3"}


@pytest.mark.slow
@pytest.mark.parametrize("profile", PUBLISHED, ids=lambda profile: profile.name)
def test_scores_equal_the_published_ones(profile):
    try:
        resolve(profile.name, offline=True)
    except InputError:
        pytest.skip(f"the weights of {profile.name} are not on this machine")
    reranker = open_model(profile.name, RerankerOptions(offline=True))
    for pair in profile.golden:
        hit = reranker.rerank(pair.query, [Hit(Chunk("1", pair.passage), 0.0, "unknown")])[0]
        assert _on_scale(hit, pair) == pytest.approx(pair.score, abs=pair.tolerance)
        if pair.probability is not None:  # the logistic function changes by a quarter of what the logit does, at most
            assert hit.probability == pytest.approx(pair.probability, abs=pair.tolerance / 4)


def _on_scale(hit: Hit, pair: GoldenPair) -> float:
    if pair.scale == "probability" and hit.probability is not None:
        return hit.probability
    assert hit.scale == pair.scale
    return hit.score

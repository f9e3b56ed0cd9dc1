"""The scores that authors published for their rerankers; run where the real weights are on this machine."""

import pytest

from secondpass.errors import InputError
from secondpass.models.profiles import PROFILES, GoldenPair
from secondpass.models.source import resolve
from secondpass.rerank.model_names import open_model
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Chunk, Hit

PUBLISHED = [profile for profile in PROFILES if profile.golden]


def test_there_are_published_scores_of_the_models_that_people_use():
    names = {profile.name for profile in PUBLISHED}
    assert {"BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-base", "Qwen/Qwen3-Reranker-0.6B"} <= names


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


def _on_scale(hit: Hit, pair: GoldenPair) -> float:
    if pair.scale == "probability" and hit.probability is not None:
        return hit.probability
    assert hit.scale == pair.scale
    return hit.score

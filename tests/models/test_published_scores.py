"""The scores that authors published for language-model rerankers; run where the real weights are on this machine."""

import pytest

from secondpass.errors import InputError
from secondpass.models.causal import open_causal
from secondpass.models.profiles import PROFILES
from secondpass.models.source import resolve

PUBLISHED = [profile for profile in PROFILES if profile.family == "causal" and profile.golden]


def test_there_are_published_scores_to_compare_with():
    assert "Qwen/Qwen3-Reranker-0.6B" in {profile.name for profile in PUBLISHED}


@pytest.mark.slow
@pytest.mark.parametrize("profile", PUBLISHED, ids=lambda profile: profile.name)
def test_scores_equal_the_published_ones(profile):
    try:
        folder = resolve(profile.name, offline=True).folder
    except InputError as error:
        pytest.skip(f"the weights of {profile.name} are not on this machine: {error}")
    scorer = open_causal(folder, profile)
    for query in dict.fromkeys(pair.query for pair in profile.golden):
        pairs = [pair for pair in profile.golden if pair.query == query]
        scores = scorer.score(query, [pair.passage for pair in pairs])
        for pair, score in zip(pairs, scores, strict=True):
            assert score.score == pytest.approx(pair.score, abs=pair.tolerance)

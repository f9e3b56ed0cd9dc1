"""Query likelihood against plain transformers: the log-probabilities of the question's tokens after a prompt."""

import numpy as np
import pytest
import torch
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from secondpass.errors import InputError
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.query_likelihood import likelihood_profile, open_query_likelihood

PROMPTS = {
    "长江有多长？": "段落：{}\n请根据这段文字写一个问题。\n",
    "How long is the river?": "Passage: {}\nPlease write a question based on this passage.\n",
}
PASSAGES = [*SENTENCES[:4], *SENTENCES[12:16], "贝", "a", "{braces} 和 <|im_end|>"]


def recipe(folder, query: str, passages: list[str]) -> list[float]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    means = []
    for passage in passages:
        before = tokenizer(PROMPTS[query].replace("{}", passage), add_special_tokens=False, split_special_tokens=True)
        asked = tokenizer(query, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([before["input_ids"] + asked])
        with torch.no_grad():
            chances = torch.log_softmax(model(ids).logits[0], dim=-1)
        places = range(len(ids[0]) - len(asked) - 1, len(ids[0]) - 1)
        means.append(float(np.mean([chances[place, ids[0, place + 1]] for place in places])))
    return means


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "gemma"])
@pytest.mark.parametrize("query", PROMPTS)
def test_scores_equal_the_mean_log_probability_of_the_questions_tokens(tmp_path, kind, query):
    scorer = open_query_likelihood(make_causal(tmp_path, kind))
    scores = scorer.score(query, PASSAGES)
    assert [score.score for score in scores] == pytest.approx(recipe(tmp_path, query, PASSAGES), abs=1e-4)
    assert all(score.score < 0 for score in scores)
    assert scorer.scale == "log_likelihood"
    assert not scorer.gives_probability


@pytest.mark.parametrize("text", [SENTENCES[1] * 40, SENTENCES[13] * 40], ids=["zh", "en"])
def test_a_long_passage_is_read_in_windows(tmp_path, text):
    folder = make_causal(tmp_path, "qwen3", pad="")
    narrow = open_query_likelihood(folder, likelihood_profile("tiny", 256))
    (score,) = narrow.score("长江有多长？", [text])
    assert score.windows > 1
    assert not score.truncated
    window = text[score.span.start : score.span.end]
    assert score.score == pytest.approx(recipe(folder, "长江有多长？", [window])[0], abs=1e-4)


def test_no_passages_give_no_scores_and_profiles_of_other_forms_are_refused(tmp_path):
    folder = make_causal(tmp_path, "qwen3")
    assert open_query_likelihood(folder).score("谁", []) == []
    with pytest.raises(InputError, match="not for query likelihood"):
        open_query_likelihood(folder, RerankerProfile("x", "causal", "log_odds", 512, "qwen3"))

"""monoT5, mT5 and duoT5 against their recipe, run with transformers on the same tiny models."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tests.models.tiny_models import SENTENCES
from tests.models.tiny_seq2seq import make_seq2seq
from transformers import AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.seq2seq import DuoComparator, open_seq2seq

MONO = RerankerProfile("tiny-mono", "seq2seq", "log_odds", 512, "monot5")
MULTI = replace(MONO, name="tiny-mt5", template="mt5")
DUO = RerankerProfile("tiny-duo", "seq2seq-pairs", "rank_only", 512, "duot5", gives_probability=False)
QUERIES = ["长江有多长？", "Who was awarded the first patent?"]
PASSAGES = [*SENTENCES[:5], *SENTENCES[11:15], "贝", "a", " ".join(SENTENCES[:4])]


@pytest.fixture(scope="module")
def t5_folder(tmp_path_factory):
    return make_seq2seq(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def mt5_folder(tmp_path_factory):
    return make_seq2seq(tmp_path_factory.mktemp("mt5"), "mt5")


def recipe(folder, texts: list[str], positive: str, negative: str) -> list[float]:
    """pygaggle's and rerankers' way, written anew: one decoder step, softmax over the two words."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    start = torch.zeros((len(texts), 1), dtype=torch.long)
    with torch.no_grad():
        logits = model(**inputs, decoder_input_ids=start).logits[:, 0]
    two = logits[:, tokenizer.convert_tokens_to_ids([negative, positive])]
    return torch.softmax(two, dim=1)[:, 1].tolist()


def sigmoid(values: list[float]) -> list[float]:
    return (1 / (1 + np.exp(-np.array(values)))).tolist()


@pytest.mark.parametrize("query", QUERIES)
def test_monot5_scores_are_the_log_odds_of_the_recipes_softmax(t5_folder, query):
    scores = [score.score for score in open_seq2seq(t5_folder, MONO).score(query, PASSAGES)]
    texts = [f"Query: {query} Document: {passage} Relevant:" for passage in PASSAGES]
    assert sigmoid(scores) == pytest.approx(recipe(t5_folder, texts, "▁true", "▁false"), abs=1e-5)
    assert np.std(scores) > 0.1


@pytest.mark.parametrize(("template", "words"), [("mt5", ("▁yes", "▁no")), ("ptt5", ("▁sim", "▁não"))])
def test_mt5_and_ptt5_choose_between_their_own_words(mt5_folder, template, words):
    scores = [s.score for s in open_seq2seq(mt5_folder, replace(MULTI, template=template)).score(QUERIES[0], PASSAGES)]
    texts = [f"Query: {QUERIES[0]} Document: {passage} Relevant:" for passage in PASSAGES]
    assert sigmoid(scores) == pytest.approx(recipe(mt5_folder, texts, *words), abs=1e-5)


def test_mt5_reads_the_head_of_its_checkpoint_and_not_its_embeddings(mt5_folder, tmp_path):
    scorer = open_seq2seq(mt5_folder, MULTI)
    head = scorer._engine._model.get_output_embeddings().weight
    embeddings = scorer._engine._model.get_input_embeddings().weight
    assert head.shape == (2, 32)
    assert not any(torch.equal(row, other) for row in head for other in embeddings)


def test_a_score_depends_on_the_passage_alone(t5_folder):
    scorer = open_seq2seq(t5_folder, MONO)
    together = scorer.score(QUERIES[0], PASSAGES)
    for score, passage in zip(together, PASSAGES, strict=True):
        assert score.score == pytest.approx(scorer.score(QUERIES[0], [passage])[0].score, abs=1e-5)


@pytest.mark.parametrize("text", [SENTENCES[1] * 30, SENTENCES[12] * 30], ids=["zh", "en"])
def test_a_long_passage_is_read_in_windows_and_relevant_is_never_cut(t5_folder, text):
    scorer = open_seq2seq(t5_folder, replace(MONO, max_tokens=128))
    (score,) = scorer.score(QUERIES[0], [text])
    assert score.windows > 1
    assert not score.truncated
    texts = [f"Query: {QUERIES[0]} Document: {text[score.span.start : score.span.end]} Relevant:"]
    assert sigmoid([score.score]) == pytest.approx(recipe(t5_folder, texts, "▁true", "▁false"), abs=1e-4)
    first = open_seq2seq(t5_folder, replace(MONO, max_tokens=128, windows="first")).score(QUERIES[0], [text])[0]
    assert first.truncated
    assert first.windows == 1


def test_duot5_gives_the_recipes_probability_of_each_pair(t5_folder):
    pairs = [(one, other) for one in PASSAGES[:4] for other in PASSAGES[5:8]]
    said = DuoComparator(t5_folder, DUO).compare(QUERIES[0], pairs)
    texts = [f"Query: {QUERIES[0]} Document0: {one} Document1: {other} Relevant:" for one, other in pairs]
    assert said.probabilities.tolist() == pytest.approx(recipe(t5_folder, texts, "▁true", "▁false"), abs=1e-5)
    assert not said.cut.any()


@pytest.mark.parametrize(("first", "second"), [(SENTENCES[1] * 20, SENTENCES[5] * 20), ("北京", SENTENCES[12] * 40)])
def test_two_passages_that_do_not_fit_are_cut_to_shares_and_that_is_said(t5_folder, first, second):
    comparator = DuoComparator(t5_folder, replace(DUO, max_tokens=160))
    said = comparator.compare(QUERIES[0], [(first, second), (second, first), ("北京", "长江")])
    assert said.cut.tolist() == [[len(first) > 10, True], [True, len(first) > 10], [False, False]]
    alone = comparator.compare(QUERIES[0], [("北京", "长江")])
    assert said.probabilities[2] == pytest.approx(alone.probabilities[0], abs=1e-5)
    assert (said.probabilities > 0).all()
    assert (said.probabilities < 1).all()


def test_no_pairs_are_no_comparisons(t5_folder):
    assert len(DuoComparator(t5_folder, DUO).compare("谁", []).probabilities) == 0


def test_a_checkpoint_without_the_words_or_without_a_profile_is_refused(t5_folder):
    with pytest.raises(InputError, match="no token '▁Sim'"):
        open_seq2seq(t5_folder, replace(MONO, template="monoptt5"))
    with pytest.raises(InputError, match="has no profile"):
        open_seq2seq(t5_folder, None)
    with pytest.raises(InputError, match="family 'seq2seq'; without"):
        DuoComparator(t5_folder, MONO)
    with pytest.raises(InputError, match="runs with the engine torch"):
        open_seq2seq(t5_folder, MONO, EngineOptions(name="openvino"))


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="sentencepiece is installed here")
def test_a_folder_with_only_a_sentencepiece_model_says_what_to_install(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"sentencepiece model without a tokenizer\.json"):
        open_seq2seq(tmp_path, MONO)


def test_a_batch_that_does_not_fit_into_memory_is_halved(t5_folder, monkeypatch):
    scorer = open_seq2seq(t5_folder, MONO)
    expected = [score.score for score in scorer.score(QUERIES[0], PASSAGES)]
    forward = scorer._engine._model.forward

    def small(input_ids=None, **options):
        if len(input_ids) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(scorer._engine._model, "forward", small)
    assert [score.score for score in scorer.score(QUERIES[0], PASSAGES)] == pytest.approx(expected, abs=1e-5)

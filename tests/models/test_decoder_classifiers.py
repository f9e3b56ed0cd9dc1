"""Classifiers on a language model's body (Qwen3, Llama, Gemma) against sentence-transformers, plain and in a form."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import CrossEncoder
from tests.models.tiny_causal import make_causal, make_decoder_classifier
from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES
from tokenizers import Tokenizer, processors
from transformers import AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.models.causal import open_causal
from secondpass.models.causal_templates import causal_template
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile
from secondpass.rerank.model_names import open_model
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Chunk, Hit

KINDS = ("qwen3", "llama", "gemma")
QUERIES = ("长江有多长？", "Who was awarded the first patent?", "How long is 长江, and why?")
PASSAGES = [
    *SENTENCES[:4],
    *SENTENCES[11:14],
    "贝",
    "a",
    "",
    EMOJI_AND_WIDE,
    "这里写着<pad>",  # the text of the pad is not what is classified, here as there
    " ".join(SENTENCES) * 2,
]
QWEN3 = RerankerProfile("tiny", "causal", "log_odds", 2048, "qwen3")
EXACT = 1e-4
CUT = ReadingOptions(long="truncate")


def opened(folder, **options):
    return open_cross_encoder(folder, options=EngineOptions("torch"), reading=ReadingOptions(**options))


def numbers(scorer, query, passages):
    return np.array([one.score for one in scorer.score(query, passages)])


@cache
def peer(folder, max_tokens):
    return CrossEncoder(str(folder), device="cpu", max_length=max_tokens)


def reference(folder, pairs, max_tokens=2048):
    model = peer(folder, max_tokens)
    return model.predict(pairs, batch_size=5, activation_fn=torch.nn.Identity(), show_progress_bar=False)


def pairs_of(query, passages):
    return [(query, passage) for passage in passages]


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("decoders")
    return {kind: make_decoder_classifier(base / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def qwen3(folders):
    return opened(folders["qwen3"], long="truncate")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_sentence_transformers(folders, kind, query):
    scorer = opened(folders[kind], long="truncate")
    assert (scorer.scale, scorer.gives_probability) == ("logit", True)
    got = numbers(scorer, query, PASSAGES)
    assert np.abs(got - reference(folders[kind], pairs_of(query, PASSAGES))).max() < EXACT
    assert got.std() > 0.1


@pytest.mark.parametrize("max_tokens", [40, 101])
@pytest.mark.parametrize("query", QUERIES)
def test_truncation_is_that_of_sentence_transformers(folders, query, max_tokens):
    scorer = opened(folders["qwen3"], max_tokens=max_tokens, long="truncate")
    expected = reference(folders["qwen3"], pairs_of(query, PASSAGES), max_tokens)
    assert np.abs(numbers(scorer, query, PASSAGES) - expected).max() < EXACT


@pytest.mark.parametrize(
    ("pair", "special"),
    [
        ("<bos> $A <bos> $B:1", [("<bos>", 2)]),  # Llama's and Gemma's tokenizers
        ("$A $B:1 <eos>:1", [("<eos>", 1)]),
        ("$A <pad> $B:1 <pad>:1", [("<pad>", 0)]),  # Qwen3-Embedding's: what is classified stands before the last token
    ],
)
def test_the_marks_are_those_of_the_models_own_tokenizer(tmp_path, pair, special):
    folder = make_decoder_classifier(tmp_path / "模型", "llama")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    single = pair.split(" $B")[0].removesuffix(" <bos>")
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    tokenizer.save(str(folder / "tokenizer.json"))
    got = numbers(opened(folder, long="truncate"), QUERIES[0], PASSAGES)
    assert np.abs(got - reference(folder, pairs_of(QUERIES[0], PASSAGES))).max() < EXACT


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(PASSAGES))), size=st.integers(1, 9))
def test_a_score_depends_on_neither_batch_nor_order_nor_neighbours(qwen3, order, size):
    chosen = [PASSAGES[index] for index in order[:size]]
    alone = [numbers(qwen3, QUERIES[0], [passage])[0] for passage in chosen]
    assert numbers(qwen3, QUERIES[0], chosen) == pytest.approx(alone, abs=EXACT)


def test_without_a_pad_token_the_scores_stay(folders, qwen3, tmp_path):
    bare = make_decoder_classifier(tmp_path / "无填充", "qwen3", pad="", pad_token_id=None)
    assert AutoModelForSequenceClassification.from_pretrained(bare).config.pad_token_id is None
    passages = [passage for passage in PASSAGES if "<pad>" not in passage]
    got = numbers(opened(bare, long="truncate"), QUERIES[0], passages)
    assert got == pytest.approx(numbers(qwen3, QUERIES[0], passages), abs=EXACT)
    assert np.isfinite(numbers(opened(bare), "", [""])).all()


@pytest.mark.parametrize("unit", ["江", "a "])
@pytest.mark.parametrize("length", [1, 2, 511, 1025])
def test_every_length_gives_the_reference_score(folders, unit, length):
    got = opened(folders["gemma"]).score("谁", [unit * length])[0]
    assert got.windows == 1
    assert abs(got.score - reference(folders["gemma"], [("谁", unit * length)], 4096)[0]) < EXACT


def test_a_long_passage_is_read_in_windows(folders):
    text = SENTENCES[1] * 30
    got = opened(folders["qwen3"], max_tokens=128).score(QUERIES[0], [text])[0]
    assert got.windows > 3
    assert not got.truncated
    assert 0 < got.span.end - got.span.start < len(text)
    beginning = opened(folders["qwen3"], max_tokens=128, long="truncate").score(QUERIES[0], [text])[0]
    assert got.score >= beginning.score - EXACT


def test_two_outputs_are_the_log_odds_of_the_second(tmp_path):
    folder = make_decoder_classifier(tmp_path / "two", "llama", labels=2)
    scorer = opened(folder)
    expected = reference(folder, pairs_of(QUERIES[1], PASSAGES[:8]))
    assert scorer.scale == "log_odds"
    assert numbers(scorer, QUERIES[1], PASSAGES[:8]) == pytest.approx(expected[:, 1] - expected[:, 0], abs=EXACT)


@pytest.mark.parametrize("query", QUERIES)
def test_in_the_form_of_a_named_profile_scores_are_those_of_the_formatted_text(folders, query):
    """The card of tomaarsen/Qwen3-Reranker-0.6B-seq-cls formats both texts and gives them as a pair."""
    form = causal_template("qwen3")
    before, _, after = form.passage.partition("{passage}")
    before = form.before[0] + before.format(instruction=form.instruction, query=query)
    head, document = before.rsplit("<Document>: ", 1)
    texts = [(head, f"<Document>: {document}{text}{after}{form.after[0]}") for text in PASSAGES if "<pad>" not in text]
    scorer = open_causal(folders["qwen3"], QWEN3)
    got = numbers(scorer, query, [text for text in PASSAGES if "<pad>" not in text])
    assert np.abs(got - reference(folders["qwen3"], texts)).max() < EXACT


def test_a_conversion_scores_as_the_reranker_it_was_made_of(tmp_path):
    """The head of a conversion is the row of "yes" minus the row of "no"."""
    original, folder = make_causal(tmp_path / "original", "qwen3"), tmp_path / "converted"
    make_decoder_classifier(folder, "qwen3")
    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    yes, no = (tokenizer.encode(word, add_special_tokens=False).ids[0] for word in ("yes", "no"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        words = model.get_input_embeddings().weight
        model.score.weight[0] = words[yes] - words[no]
    model.save_pretrained(folder)
    for query in QUERIES:
        scores = [numbers(open_causal(place, QWEN3), query, PASSAGES) for place in (original, folder)]
        assert scores[1] == pytest.approx(scores[0], abs=EXACT)


def test_plain_pairs_unless_a_profile_is_named_or_the_folder_is(folders, tmp_path):
    hits = [Hit(Chunk(str(number), text), 0.0, "unknown") for number, text in enumerate(PASSAGES[:5])]

    def scores(name, **options):
        reranked = open_model(str(name), RerankerOptions(**options)).rerank(QUERIES[0], hits)
        return {hit.chunk.id: hit.score for hit in reranked}

    plain, formed = scores(folders["qwen3"]), scores(folders["qwen3"], profile="Qwen/Qwen3-Reranker-0.6B")
    pairs = reference(folders["qwen3"], pairs_of(QUERIES[0], PASSAGES[:5]))
    assert list(plain.values()) != list(formed.values())
    assert [plain[str(number)] for number in range(5)] == pytest.approx(pairs.tolist(), abs=EXACT)
    exact = numbers(open_causal(folders["qwen3"], QWEN3), QUERIES[0], PASSAGES[:5])
    assert [formed[str(number)] for number in range(5)] == pytest.approx(exact.tolist(), abs=EXACT)
    named = make_decoder_classifier(tmp_path / "Qwen3-Reranker-0.6B", "qwen3")
    assert scores(named) == pytest.approx(formed, abs=EXACT)


def test_a_form_for_one_output_is_not_read_into_several(tmp_path):
    folder = make_decoder_classifier(tmp_path / "三类", "qwen3", labels=2)
    with pytest.raises(InputError, match=r"has 2 outputs, and a classifier made of Qwen/Qwen3-Reranker-0\.6B has one"):
        open_model(str(folder), RerankerOptions(profile="Qwen/Qwen3-Reranker-0.6B"))


@pytest.mark.parametrize("engine", ["openvino", "onnx", "numpy"])
def test_light_engines_refuse_with_one_sentence_that_says_what_to_do(folders, engine):
    with pytest.raises(InputError, match=r"its architecture is 'qwen3'.*use the engine\s+torch") as caught:
        open_cross_encoder(folders["qwen3"], options=EngineOptions(engine))
    assert "\n" not in str(caught.value)


def test_weights_without_the_head_are_not_filled_with_random_numbers(folders, tmp_path):
    folder: Path = make_causal(tmp_path / "headless", "qwen3")
    config = json.loads((folders["qwen3"] / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for open_it in (lambda: opened(folder), lambda: open_causal(folder, QWEN3)):
        with pytest.raises(InputError, match=r"hold no 'score\.weight'"):
            open_it()

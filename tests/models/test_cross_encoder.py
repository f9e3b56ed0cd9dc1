"""Cross-encoders: the scores of sentence-transformers, FlagEmbedding and BCEmbedding, whatever the batch."""

import json
import logging
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from sentence_transformers import CrossEncoder
from tests.models.golden_pairs import BCE_CASES, CHINESE, ENGLISH, FLAG_CASES, PASSAGES, QUERIES, golden_shape
from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES, Shape, make_model

from secondpass.errors import InputError
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.engines import installed_engines
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.profiles import find_profile
from secondpass.models.torch_encoder import TorchEncoderEngine
from secondpass.types import PairScorer

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "cross_encoder_golden.json").read_text())
LONGEST_FIRST = RerankerProfile("tiny", "cross-encoder", "logit", 512, truncation="longest_first")
ONLY_SECOND = RerankerProfile("tiny", "cross-encoder", "logit", 512, truncation="only_second")
M3 = find_profile("BAAI/bge-reranker-v2-m3")
EXACT = 1e-4

CUT = ReadingOptions(long="truncate")


def opened(folder, profile=None, **options):
    return open_cross_encoder(
        folder, profile, reading=ReadingOptions(**options), engine=TorchEncoderEngine(folder, "classify")
    )


def numbers(scorer, query, passages):
    return [one.score for one in scorer.score(query, passages)]


def reference(folder, query, passages, max_tokens=512, outputs=1):
    model = CrossEncoder(str(folder), device="cpu", max_length=max_tokens)
    pairs = [(query, passage) for passage in passages]
    scores = model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    return scores.reshape(len(pairs), -1)[:, 0] if outputs == 1 else scores


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("cross")
    made = {kind: make_model(base / kind, golden_shape(kind)) for kind in ("bert", "xlm-roberta", "roberta")}
    return made | {"long": make_model(base / "long", Shape("xlm-roberta", layers=2, max_tokens=8192))}


@pytest.fixture(scope="module")
def scorers(folders):
    return {kind: opened(folder, long="truncate") for kind, folder in folders.items()}


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "roberta"])
@pytest.mark.parametrize("query", [*QUERIES, "empty"])
def test_scores_are_those_of_sentence_transformers(folders, scorers, kind, query):
    text = QUERIES.get(query, "")
    got = numbers(scorers[kind], text, PASSAGES)
    assert np.abs(got - reference(folders[kind], text, PASSAGES)).max() < EXACT


@pytest.mark.parametrize("max_tokens", [32, 41, 100])
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_truncation_is_that_of_sentence_transformers(folders, kind, max_tokens):
    scorer = opened(folders[kind], LONGEST_FIRST, max_tokens=max_tokens, long="truncate")
    for query in (*QUERIES.values(), "电话"):
        got = scorer.score(query, PASSAGES)
        expected = reference(folders[kind], query, PASSAGES, max_tokens)
        assert np.abs(np.array([one.score for one in got]) - expected).max() < EXACT
        assert any(one.truncated for one in got)
        assert all(one.span is None for one in got)


@pytest.mark.parametrize("case", GOLDEN["flag"], ids=lambda case: f"{case['kind']} {case['query']}")
def test_scores_and_truncation_are_those_of_flagembedding(folders, case):
    scorer = opened(folders[case["kind"]], ONLY_SECOND, max_tokens=case["max_tokens"], long="truncate")
    assert np.abs(np.array(numbers(scorer, QUERIES[case["query"]], PASSAGES)) - case["scores"]).max() < EXACT
    assert (case["kind"], case["query"], case["max_tokens"]) in FLAG_CASES


@pytest.mark.parametrize("case", GOLDEN["bce"], ids=lambda case: case["query"])
def test_bces_windows_and_probabilities_are_those_of_bcembedding(folders, case):
    scorer = opened(folders["xlm-roberta"], find_profile("maidalun1020/bce-reranker-base_v1"))
    passages = [passage for passage in PASSAGES if passage]
    scores = scorer.score(QUERIES[case["query"]], passages)
    assert (scorer.scale, scorer.gives_probability) == ("probability", True)
    assert np.abs(np.array([one.score for one in scores]) - case["scores"]).max() < 1e-5
    assert max(one.windows for one in scores) > 2
    assert not any(one.truncated for one in scores)
    assert case["query"] in BCE_CASES


def test_bce_says_that_a_question_is_too_long_and_reads_128000_characters(folders):
    scorer = opened(folders["xlm-roberta"], find_profile("bce-reranker-base_v1"))
    with pytest.raises(InputError, match=r"question has \d+ tokens; this model \(BCE\) accepts at most 407"):
        scorer.score(QUERIES["very long"], ["好"])
    whole, cut = scorer.score("电话", [" " * 127_999 + "字", " " * 127_999 + "字尾"])
    assert cut.score == pytest.approx(whole.score, abs=1e-6)
    assert (whole.truncated, cut.truncated) == (False, True)


@pytest.mark.parametrize("length", [1, 2, 3, 15, 16, 17, 255, 505, 509, 510, 511, 512])
@pytest.mark.parametrize("unit", ["字", "a "])
def test_every_length_gives_the_reference_score(folders, scorers, length, unit):
    got = numbers(scorers["bert"], "谁", [unit * length])
    assert np.abs(got - reference(folders["bert"], "谁", [unit * length])).max() < EXACT


@pytest.mark.parametrize("length", [1, 700, 4000, 8180, 9000])
def test_lengths_up_to_8192_give_the_reference_score(folders, scorers, length):
    text = "江" * length
    got = scorers["long"].score("最长的河流？", [text])[0]
    assert abs(got.score - reference(folders["long"], "最长的河流？", [text], 8192)[0]) < EXACT
    assert got.truncated == (length == 9000)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(PASSAGES) - 4)), size=st.integers(1, 8))
def test_scores_do_not_depend_on_order_or_neighbours(scorers, order, size):
    passages = PASSAGES[:-4]
    alone = numbers(scorers["bert"], QUERIES["zh"], passages)
    chosen = order[:size]
    assert np.abs(
        np.array(numbers(scorers["bert"], QUERIES["zh"], [passages[i] for i in chosen])) - [alone[i] for i in chosen]
    ).max() < EXACT  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(query=st.text(max_size=30), passage=st.text(max_size=80))
def test_any_text_gets_the_reference_score(folders, scorers, query, passage):
    model = _reference_model(str(folders["xlm-roberta"]))
    expected = float(model.predict([(query, passage)], activation_fn=torch.nn.Identity(), show_progress_bar=False)[0])
    assert abs(numbers(scorers["xlm-roberta"], query, [passage])[0] - expected) < EXACT


_models: dict[str, CrossEncoder] = {}


def _reference_model(folder: str) -> CrossEncoder:
    return _models.setdefault(folder, CrossEncoder(folder, device="cpu"))


def test_64_threads_share_one_scorer(scorers):
    scorer = scorers["xlm-roberta"]
    passages = [*SENTENCES, EMOJI_AND_WIDE]
    expected = numbers(scorer, QUERIES["zh"], passages)
    with ThreadPoolExecutor(64) as pool:
        runs = list(pool.map(lambda _: numbers(scorer, QUERIES["zh"], passages), range(64)))
    assert all(np.abs(np.array(run) - expected).max() < EXACT for run in runs)


def test_a_passage_that_fits_is_scored_as_without_windows(folders, scorers):
    windowed = opened(folders["bert"])
    fitting = PASSAGES[:24]
    assert numbers(windowed, QUERIES["zh"], fitting) == pytest.approx(
        numbers(scorers["bert"], QUERIES["zh"], fitting), abs=1e-6
    )
    assert all((one.windows, one.span, one.truncated) == (1, None, False) for one in windowed.score("问", fitting))


@pytest.mark.parametrize("unit", ["tokens", "sentences"])
@pytest.mark.parametrize("text", [CHINESE * 6, ENGLISH * 6, (ENGLISH + CHINESE) * 4], ids=["zh", "en", "both"])
def test_a_long_passage_is_read_whole_and_the_span_is_the_piece_that_won(folders, text, unit):
    scorer = opened(folders["bert"], ONLY_SECOND, max_tokens=128, unit=unit)
    got = scorer.score(QUERIES["zh"], [text])[0]
    assert got.windows > 3
    assert got.tokens > 128
    assert not got.truncated
    piece = text[got.span.start : got.span.end]
    assert 0 < len(piece) < len(text)
    assert abs(got.score - reference(folders["bert"], QUERIES["zh"], [piece])[0]) < EXACT


def test_the_windows_of_a_long_passage_beside_a_long_question_still_read_the_passage(folders):
    for profile in (ONLY_SECOND, LONGEST_FIRST):
        scorer = opened(folders["bert"], profile, max_tokens=128)
        got = scorer.score(QUERIES["very long"], [CHINESE, "好"])
        assert got[0].windows > 1
        assert got[0].span is not None
        assert [one.truncated for one in got] == [True, True]
        assert scorer.queries_cut == 1


def test_a_question_that_is_cut_is_told(folders, caplog):
    with caplog.at_level(logging.WARNING):
        opened(folders["bert"], ONLY_SECOND, max_tokens=100).score(CHINESE, ["好"])
    assert "reads 75 of the question's" in caplog.text


@pytest.mark.parametrize(("rule", "pick"), [("max", max), ("mean", np.mean), ("first", lambda scores: scores[0])])
def test_windows_are_merged_by_the_profiles_rule(folders, rule, pick):
    profile = RerankerProfile("tiny", "cross-encoder", "logit", 512, windows=rule)
    scorer = opened(folders["bert"], profile, max_tokens=64)
    text = "西安交通大学由三所学校合并组建。" * 9
    room = 64 - 3 - 7
    pieces = [text[0:54], text[41:95], text[82:136], text[144 - room :]]
    expected = reference(folders["bert"], QUERIES["zh"], pieces)
    got = scorer.score(QUERIES["zh"], [text])[0]
    assert abs(got.score - pick(expected)) < EXACT
    assert got.truncated == (rule == "first")
    winner = 0 if rule == "first" else int(np.argmax(expected))
    assert text[got.span.start : got.span.end] == pieces[winner]


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["LABEL_0", "LABEL_1"], 1),
        (["entailment", "not_entailment"], 0),
        (["contradiction", "entailment", "neutral"], 1),
        (["相关", "不相关"], 0),
    ],
)
def test_several_logits_are_the_log_odds_of_the_one_that_speaks_for_the_passage(tmp_path, labels, positive):
    names = {str(index): name for index, name in enumerate(labels)}
    config = {"id2label": names, "label2id": {name: int(index) for index, name in names.items()}}
    folder = make_model(tmp_path / "nli", Shape("bert", labels=len(labels), config=config))
    scorer = opened(folder)
    logits = reference(folder, QUERIES["en"], PASSAGES[:20], outputs=len(labels)).astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.log(chances[:, positive] / (1 - chances[:, positive]))
    assert scorer.scale == "log_odds"
    assert scorer.gives_probability
    assert np.abs(np.array(numbers(scorer, QUERIES["en"], PASSAGES[:20])) - expected).max() < EXACT


def test_a_model_whose_authors_publish_logits_gives_no_probability(folders, tmp_path):
    assert opened(folders["bert"]).gives_probability
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folders["bert"] / name).read_bytes())
    settings_file = {"activation_fn": "torch.nn.modules.linear.Identity"}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings_file))
    assert not opened(tmp_path).gives_probability
    assert not opened(folders["bert"], find_profile("cross-encoder/ms-marco-MiniLM-L6-v2")).gives_probability


def test_the_fingerprint_changes_with_all_that_a_score_depends_on(folders):
    bf16 = TorchEncoderEngine(folders["bert"], "classify", EngineOptions(precision="bf16"))
    prints = [
        opened(folders["bert"]).fingerprint,
        opened(folders["xlm-roberta"]).fingerprint,
        opened(folders["bert"], max_tokens=100).fingerprint,
        opened(folders["bert"], long="truncate").fingerprint,
        opened(folders["bert"], unit="sentences").fingerprint,
        opened(folders["bert"], ONLY_SECOND).fingerprint,
        open_cross_encoder(folders["bert"], engine=bf16).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert prints[0] == opened(folders["bert"]).fingerprint


def test_bfloat16_orders_nearly_as_float32(folders, scorers):
    bf16 = TorchEncoderEngine(folders["xlm-roberta"], "classify", EngineOptions(precision="bf16"))
    rough = np.array(numbers(open_cross_encoder(folders["xlm-roberta"], engine=bf16), QUERIES["zh"], PASSAGES[:20]))
    exact = np.array(numbers(scorers["xlm-roberta"], QUERIES["zh"], PASSAGES[:20]))
    assert np.corrcoef(rough, exact)[0, 1] > 0.99


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_damaged_checkpoint_is_named_instead_of_ranked(folders, tmp_path, value):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folders["bert"] / name).read_bytes())
    weights = load_file(folders["bert"] / "model.safetensors")
    weights["classifier.bias"][:] = value
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=rf"{tmp_path.name} gives (nan|inf) as a score.*damaged"):
        opened(tmp_path).score("电话", ["贝尔"])


def test_memory_that_does_not_suffice_is_retried_smaller_and_counted(folders, scorers):
    class Cramped(TorchEncoderEngine):
        def start(self, batch):
            if len(batch.ids) > 2:
                raise MemoryError
            return super().start(batch)

    scorer = open_cross_encoder(
        folders["bert"], engine=Cramped(folders["bert"], "classify"), reading=ReadingOptions(long="truncate")
    )
    got = numbers(scorer, QUERIES["zh"], PASSAGES[:12])
    assert np.abs(np.array(got) - numbers(scorers["bert"], QUERIES["zh"], PASSAGES[:12])).max() < EXACT
    assert scorer.memory_retries > 0


@pytest.mark.parametrize("name", installed_engines())
def test_every_engine_gives_the_scores_of_sentence_transformers(folders, name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    scorer = open_cross_encoder(
        folders["bert"], options=EngineOptions(name=name), reading=ReadingOptions(long="truncate")
    )
    assert scorer.engine.name == name
    expected = reference(folders["bert"], QUERIES["zh"], PASSAGES)
    assert np.abs(numbers(scorer, QUERIES["zh"], PASSAGES) - expected).max() < EXACT


def test_opening_needs_no_torch_where_another_engine_is_named(folders):
    code = (
        "import sys; from pathlib import Path; from secondpass.models.cross_encoder import read_cross_encoder; "
        f"read_cross_encoder(Path({str(folders['bert'])!r})); "
        "print(sorted({'torch', 'transformers', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("wanted", [8, 513])
def test_a_length_that_the_model_cannot_read_is_refused(folders, wanted):
    with pytest.raises(InputError, match=rf"max_tokens is {wanted}; the model at .* reads 32 to 512 tokens"):
        opened(folders["bert"], max_tokens=wanted)


def test_the_length_is_the_profiles_but_never_more_than_the_models_positions(folders):
    long_text = "江" * 3000
    assert opened(folders["long"], M3).score("字", [long_text])[0].windows == 1
    assert opened(folders["xlm-roberta"], M3).score("字", [long_text])[0].windows > 5


def test_it_is_a_pair_scorer_and_takes_nothing(scorers):
    scorer: PairScorer = scorers["bert"]
    assert scorer.score("谁", []) == []
    assert (scorer.name, scorer.scale) == ("bert", "logit")

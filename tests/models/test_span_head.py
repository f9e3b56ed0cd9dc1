"""A classifier with an evidence head: the same score as without, and where the passage answers, from one pass."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import CrossEncoder
from tests.models.encoder_folders import batch_of, make_encoder, reference
from tests.models.pointing_folders import HIDDEN, make_pointing, told_by_transformers, write_spans
from tests.models.rotary_folders import make_rotary
from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES
from transformers import AutoModel, AutoModelForSequenceClassification

from secondpass.errors import InputError
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.engine_comparison import compare_engines, reranking_encoder, shipped_jobs
from secondpass.models.engines import open_engine
from secondpass.models.exporting import export_model
from secondpass.models.span_head import classifier_head
from secondpass.models.torch_encoder import TorchEncoderEngine
from secondpass.models.transformers_encoder import TransformersEncoderEngine

ENGINES = ("onnx", "openvino", "numpy", "torch")
QUESTIONS = ("长江有多长？", "Who invented the telephone?", "在 Python 里怎样 start 事件循环")
PASSAGES = (*SENTENCES, EMOJI_AND_WIDE, "北京plug在Python 3.11中（per-second）", "字", "a")
LENGTHS = (9, 31, 4, 57)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_pointing(tmp_path_factory.mktemp("pointing") / "model")


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """The same classifier without the head."""
    copy = tmp_path_factory.mktemp("plain") / "model"
    shutil.copytree(folder, copy)
    (copy / "spans.safetensors").unlink()
    return copy


def engine(folder, name="onnx", precision="f32"):
    return open_engine(folder, classifier_head(folder), EngineOptions(name, precision, threads=1))


def opened(folder, name="onnx", **reading):
    return open_cross_encoder(folder, options=EngineOptions(name, threads=1), reading=ReadingOptions(**reading))


def firsts(lengths):
    return np.cumsum([0, *lengths[:-1]])


def below_last_layer(folder, batch):
    """The states that go into the last layer, float32 [T, H]: what transformers computes of each sequence alone."""
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    states = []
    for ids, start in zip(batch.ids, batch.second_starts, strict=True):
        inputs = {"input_ids": torch.from_numpy(ids)[None]}
        if getattr(model.config, "type_vocab_size", 1) > 1:
            inputs["token_type_ids"] = (torch.arange(len(ids)) >= start)[None].long()
        with torch.no_grad():
            states.append(model(**inputs, output_hidden_states=True).hidden_states[-2][0].numpy())
    return np.concatenate(states)


def head_of(folder, states):
    tensors = load_file(folder / "spans.safetensors")
    return states @ tensors["weight"].T + tensors["bias"]


@pytest.mark.parametrize("name", ENGINES)
def test_the_logit_is_the_same_with_and_without_the_head_and_in_transformers(folder, plain, name):
    batch = batch_of(LENGTHS, width=64)
    with_head, without = engine(folder, name).run(batch), engine(plain, name).run(batch)
    assert with_head.shape == (sum(LENGTHS), 3)
    assert np.abs(with_head[firsts(LENGTHS), :1] - without).max() < 1e-5
    assert np.abs(without - reference(folder, batch)).max() < 1e-5
    assert np.array_equal(with_head[:, 0], np.repeat(with_head[firsts(LENGTHS), 0], LENGTHS))


@pytest.mark.parametrize("name", ENGINES)
def test_token_logits_are_the_head_applied_to_what_goes_into_the_last_layer(folder, name):
    batch = batch_of(LENGTHS, seed=3)
    wanted = head_of(folder, below_last_layer(folder, batch))
    assert np.abs(engine(folder, name).run(batch)[:, 1:] - wanted).max() < 1e-4


@pytest.mark.parametrize("kind", ["xlm-roberta", "electra", "distilbert"])
def test_other_architectures_point_too(tmp_path, kind):
    folder = make_encoder(tmp_path / kind, kind, labels=1)
    write_spans(folder, hidden=48)
    batch = batch_of((7, 20))
    found = [engine(folder, name).run(batch) for name in ENGINES]
    wanted = head_of(folder, below_last_layer(folder, batch))
    for one in found:
        assert np.abs(one[:, 1:] - wanted).max() < 5e-4
        assert np.abs(one[:, 0] - found[0][:, 0]).max() < 1e-4


def test_encoders_whose_positions_turn_point_too(tmp_path):
    folder = make_rotary(tmp_path / "modernbert", "modernbert")
    write_spans(folder, hidden=int(AutoModel.from_pretrained(folder).config.hidden_size))
    batch = batch_of((7, 20))
    ours, theirs = engine(folder).run(batch), TransformersEncoderEngine(folder, "classify_spans").run(batch)
    assert np.abs(ours[:, -2:] - head_of(folder, below_last_layer(folder, batch))).max() < 1e-3
    assert np.abs(ours - theirs).max() < 1e-3


@pytest.mark.parametrize(("name", "precision"), [("onnx", "int8"), ("openvino", "int8"), ("torch", "bf16")])
def test_rounded_precisions_give_numbers_near_the_exact_ones(folder, name, precision):
    batch = batch_of((40, 25), seed=1)
    exact, rounded = engine(folder).run(batch), engine(folder, name, precision).run(batch)
    differences = np.sqrt(np.square(rounded - exact).mean(axis=0))
    assert (differences[1:] < 0.15 * exact[:, 1:].std(axis=0)).all()
    assert (differences > 0).all()


@pytest.fixture(scope="module")
def told(folder):
    return {question: told_by_transformers(folder, question, PASSAGES) for question in QUESTIONS}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_score_evidence_and_confidence_are_those_of_plain_loops_over_transformers(folder, told, name, question):
    read = opened(folder, name).score(question, PASSAGES)
    for passage, found, (score, span, confidence) in zip(PASSAGES, read, told[question], strict=True):
        assert found.score == pytest.approx(score, abs=1e-4)
        assert (found.span.start, found.span.end) == span
        assert found.evidence_confidence == pytest.approx(confidence, rel=1e-3)
        assert not passage[found.span.start].isspace()


def test_without_the_head_a_short_passage_has_no_evidence(plain):
    found = opened(plain).score(QUESTIONS[0], SENTENCES[:3])
    assert [(one.span, one.evidence_confidence) for one in found] == [(None, None)] * 3


@pytest.mark.parametrize("text", [SENTENCES[5], SENTENCES[16]])
def test_of_a_long_passage_the_evidence_lies_in_the_window_that_won(folder, plain, text):
    passage = " ".join([*SENTENCES[:20], text, *SENTENCES[:20]]) * 2
    [found] = opened(folder, max_tokens=64).score(QUESTIONS[0], [passage])
    [window] = opened(plain, max_tokens=64).score(QUESTIONS[0], [passage])
    assert found.windows == window.windows > 10
    assert found.score == pytest.approx(window.score, abs=1e-4)
    assert window.span.start <= found.span.start < found.span.end <= window.span.end
    assert found.span != window.span


def test_scores_and_evidence_do_not_depend_on_neighbours(folder):
    scorer = opened(folder)
    together = scorer.score(QUESTIONS[1], PASSAGES)
    for passage, one in zip(PASSAGES, together, strict=True):
        [alone] = scorer.score(QUESTIONS[1], [passage])
        assert alone.span == one.span
        assert alone.score == pytest.approx(one.score, abs=1e-4)


def test_a_batch_that_is_halved_for_want_of_memory_points_at_the_same(folder):
    class Cramped(TorchEncoderEngine):
        def start(self, batch):
            if len(batch.ids) > 1:
                raise MemoryError
            return super().start(batch)

    cramped = open_cross_encoder(folder, engine=Cramped(folder, "classify_spans"))
    wanted = opened(folder, "torch").score(QUESTIONS[0], PASSAGES)
    found = cramped.score(QUESTIONS[0], PASSAGES)
    assert cramped.memory_retries
    assert [one.span for one in found] == [one.span for one in wanted]


def test_a_passage_of_nothing_that_has_a_token_has_no_evidence(folder):
    [found] = opened(folder).score("问", ["\u200b\u0007"])
    assert found.span is None
    assert found.evidence_confidence is None


def test_another_head_is_another_scorer_to_a_cache(folder, plain, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    write_spans(other, seed=8)
    marks = {opened(place).fingerprint for place in (folder, plain, other)}
    assert len(marks) == 3


def test_the_folder_is_an_ordinary_checkpoint_to_other_libraries(folder):
    ours = [one.score for one in opened(folder).score(QUESTIONS[1], PASSAGES)]
    theirs = CrossEncoder(str(folder), device="cpu").predict(
        [(QUESTIONS[1], passage) for passage in PASSAGES], activation_fn=torch.nn.Identity(), show_progress_bar=False
    )
    assert np.abs(np.array(ours) - theirs).max() < 1e-3
    model, report = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.dtype == torch.float32  # as its config.json says, not as the weights are kept


def test_engines_are_compared_with_their_evidence_heads(folder):
    jobs = shipped_jobs()[:2]
    results = list(compare_engines(reranking_encoder(folder, None), jobs, EngineOptions(threads=1), ["f32"]))
    assert {one.engine for one in results} == set(ENGINES)
    assert all(one.parity.max_difference < 1e-3 for one in results)


def test_an_exported_file_gives_the_score_alone(folder, tmp_path):
    exported = export_model(reranking_encoder(folder, None), tmp_path / "out")
    assert [value.split()[0] for value in exported.outputs] == ["logits"]
    wanted = [one.score for one in opened(folder).score(QUESTIONS[0], PASSAGES[:4])]
    found = [one.score for one in opened(tmp_path / "out").score(QUESTIONS[0], PASSAGES[:4])]
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (
            {"weight": np.zeros((2, 5), np.float32), "bias": np.zeros(2, np.float32)},
            r"weight \[2, 5\].*weight \[2, 32\]",
        ),
        ({"weight": np.zeros((2, HIDDEN), np.float32)}, r"bias \[2\]"),
        ({"weight": np.full((2, HIDDEN), np.nan, np.float32), "bias": np.zeros(2, np.float32)}, "not finite"),
    ],
)
@pytest.mark.parametrize("name", ENGINES)
def test_a_head_that_does_not_fit_is_named(folder, tmp_path, tensors, said, name):
    broken = tmp_path / "模型"
    shutil.copytree(folder, broken)
    save_file(tensors, broken / "spans.safetensors")
    with pytest.raises(InputError, match=rf"spans\.safetensors.*{said}"):
        engine(broken, name)


def test_a_head_beside_an_onnx_file_alone_is_refused(folder, tmp_path):
    export_model(reranking_encoder(folder, None), tmp_path / "out")
    write_spans(tmp_path / "out")
    with pytest.raises(InputError, match=r"Add model\.safetensors"):
        engine(tmp_path / "out")

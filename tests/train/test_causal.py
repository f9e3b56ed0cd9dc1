"""Language models in training: what they compute, what is trained, and that the folder serves the same scores."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tests.models.tiny_causal import make_causal
from tests.train.runs import assert_same_model, metrics, records, run, settings
from transformers import AutoModelForCausalLM

from secondpass.errors import InputError
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile, recorded_profile
from secondpass.rerank.model_names import open_model as open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.train.groups import Group
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions, make_options

QWEN, GEMMA = "Qwen/Qwen3-Reranker-0.6B", "BAAI/bge-reranker-v2-gemma"
GROUPS = [
    Group("长江有多长？", ("长江全长六千三百公里，是亚洲最长的河流。", "今天下雨。"), (1.0, 0.0)),
    Group("Who invented the telephone?", ("Alexander Graham Bell", "It rained all day.", "长"), (1.0, 0.0, 0.0)),
]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal") / "语言模型", "qwen3", num_hidden_layers=2)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal") / "gemma", "gemma", num_hidden_layers=2)


def options(profile: str, **more: Any) -> TrainOptions:
    return make_options({"profile": profile, **more}, "test")


def plain_scores(folder: Path, profile_name: str) -> tuple[Any, torch.Tensor]:
    """Score by the whole model, one sequence at a time, nothing padded, all logits computed."""
    profile = find_profile(profile_name)
    assert profile is not None
    template = causal_template(profile.template)
    tokenizer = LanguageModelTokenizer(folder)
    words = [tokenizer.first_id(word) for word in (template.positive, template.negative) if word]
    builder = CausalPairBuilder(tokenizer, template, profile)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    scores = []
    for group in GROUPS:
        for ids in builder.inputs(group.query, group.passages).sequences:
            logits = model(input_ids=torch.from_numpy(ids)[None]).logits[0, -1, words]
            scores.append(logits[0] - logits[1] if len(words) == 2 else logits[0])
    return model, torch.stack(scores)


@pytest.mark.parametrize("name", [QWEN, GEMMA])
def test_scores_and_gradients_are_those_of_the_whole_model(name: str, qwen: Path, gemma: Path) -> None:
    folder = qwen if name == QWEN else gemma
    model = open_model(folder, options(name))
    inputs, order, _ = model.batches(GROUPS, CPU)
    scores = model.module.eval()(inputs, order)
    reference, expected = plain_scores(folder, name)
    torch.testing.assert_close(scores, expected, atol=2e-5, rtol=1e-4)
    weights = torch.linspace(-1, 1, len(scores))
    (scores * weights).sum().backward()
    (expected * weights).sum().backward()
    wanted = dict(reference.named_parameters())
    found = {name.removeprefix("model."): value for name, value in model.module.named_parameters()}
    assert wanted.keys() == found.keys()
    for parameter, value in found.items():
        torch.testing.assert_close(value.grad, wanted[parameter].grad, atol=1e-4, rtol=1e-3, msg=parameter)


def test_a_passage_too_long_is_cut_before_the_end_of_the_form_and_counted(qwen: Path) -> None:
    model = open_model(qwen, options(QWEN, max_tokens=400))
    long = Group("长江有多长？", ("长江全长六千三百公里。" * 60, "短"), (1.0, 0.0))
    inputs, _, _ = model.batches([long], CPU)
    assert (model.cutting.pairs, model.cutting.cut) == (2, 1)
    lengths = sorted(int(last) + 1 for batch in inputs for last in batch["last"])
    assert lengths[-1] == 400
    ends = {tuple(batch["input_ids"][row, last - 8 : last + 1].tolist())
            for batch in inputs for row, last in enumerate(batch["last"].tolist())}  # fmt: skip
    assert len(ends) == 1  # the form's own end
    assert not model.reader.fits(long.query, long.passages[0])
    assert model.reader.fits(long.query, long.passages[1])


def served(folder: Path, probes: list[dict[str, Any]]) -> list[float]:
    """Score as ``secondpass rerank`` does, the folder alone saying what it is."""
    reranker = open_reranker(str(folder), RerankerOptions(EngineOptions("torch", threads=1)))
    assert isinstance(reranker, PairReranker)
    return [reranker.score_texts(probe["query"], [probe["passage"]])[0].score for probe in probes]


@pytest.fixture(scope="module")
def tuned(qwen: Path, lessons: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after some steps of LoRA."""
    output = tmp_path_factory.mktemp("lora") / "微调"
    given = settings(qwen, lessons, output, profile=QWEN, lora_rank=4, learning_rate=1e-2, batch_size=4, group_size=3,
                     max_steps=10, evaluate_every=10)  # fmt: skip
    run(given)
    return output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft's own loader
def test_lora_learns_and_the_merged_folder_serves_the_scores_of_training(tuned: Path, qwen: Path) -> None:
    steps = [record["loss"] for record in records(tuned) if record["event"] == "step"]
    assert sum(steps[-3:]) < 0.9 * sum(steps[:3])
    probes = json.loads((tuned / "probes.json").read_text(encoding="utf-8"))
    assert len(probes) == 8
    assert served(tuned, probes) == pytest.approx([probe["score"] for probe in probes], abs=1e-4)
    assert not list(tuned.rglob("*.bin"))
    merged = AutoModelForCausalLM.from_pretrained(tuned, dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, str(tuned / "adapter"))
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=1e-4, rtol=1e-4)
    before, after = load_file(qwen / "model.safetensors"), load_file(tuned / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.split(".")[-2] for name in moved} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip


def test_a_trained_folder_says_what_it_was_taught_and_is_trained_on_from_there(tuned: Path) -> None:
    profile = recorded_profile(tuned)
    assert profile is not None
    assert (profile.template, profile.name, profile.max_tokens) == ("qwen3", "微调", 512)
    model = open_model(tuned, TrainOptions(model=str(tuned)))
    assert all(parameter.requires_grad for parameter in model.module.parameters())


def test_a_trained_folder_that_was_damaged_is_refused(tuned: Path, tmp_path: Path) -> None:
    weights = load_file(tuned / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    weights[name] = weights[name] + 0.5
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "probes.json"):
        (tmp_path / file).write_bytes((tuned / file).read_bytes())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="does not give the scores it had when it was saved"):
        served(tmp_path, [])


@pytest.mark.slow
def test_all_weights_learn_and_an_interrupted_run_resumed_is_the_undisturbed_one(
    gemma: Path, lessons: Path, tmp_path: Path
) -> None:
    shape: dict[str, Any] = {"profile": GEMMA, "max_steps": 5, "evaluate_every": 2, "batch_size": 4, "group_size": 3,
                             "dropout": 0.1, "learning_rate": 1e-3}  # fmt: skip
    run(settings(gemma, lessons, tmp_path / "undisturbed", **shape))

    def interrupt(record: dict[str, Any]) -> None:
        if record["event"] == "step" and record["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    again = settings(gemma, lessons, tmp_path / "again", **shape)
    with pytest.raises(KeyboardInterrupt):
        run(again, listener=interrupt)
    assert metrics(tmp_path / "again")[-1]["step"] == 4  # the signal came within the step after which it was seen
    run(again, resume=True)
    assert_same_model(tmp_path / "again", tmp_path / "undisturbed")
    assert records(tmp_path / "again") == records(tmp_path / "undisturbed")
    assert not (tmp_path / "again" / "adapter").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"The language model at .*语言模型 has no known form: .* such as profile = Qwen/Qwen3-Reranker-0.6B"),
        ({"profile": "BAAI/bge-reranker-v2-m3"}, "which is of the family cross-encoder"),
        ({"profile": "我的模型"}, "profile is '我的模型', which names no known model"),
        ({"profile": QWEN, "lora_rank": 2, "lora_targets": "query"}, r"no such layers; its layers are .*q_proj"),
        ({"profile": QWEN, "head": "mean"}, "head is for the family cross-encoder"),
        ({"profile": QWEN, "family": "late-interaction"}, "family is late-interaction, and the model .* is a causal"),
        ({"profile": QWEN, "max_tokens": 9000}, "max_tokens is 9000; the model at .* reads 16 to 4096 tokens"),
        ({"profile": QWEN, "max_tokens": 100}, r"the input form 'qwen3' takes \d+ of it"),
    ],
)
def test_what_cannot_be_trained_is_said(given: dict[str, Any], said: str, qwen: Path) -> None:
    with pytest.raises(InputError, match=said):
        open_model(qwen, make_options({"model": str(qwen), **given}, "test"))


def test_lora_is_not_for_encoders(reranker: Path) -> None:
    with pytest.raises(InputError, match=r"lora_rank is for the family causal, and the model at .* a cross-encoder"):
        open_model(reranker, TrainOptions(lora_rank=4))

"""Steps that other processes read ahead are those that one process reads, one by one."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from tests.models.colbert_checkpoints import write_stanford
from tests.models.tiny_causal import make_causal
from tests.train.runs import assert_same_model, run, settings
from torch import Tensor

from secondpass.data.training import TrainExample
from secondpass.train import loop
from secondpass.train.ahead import Steps, reader_count, steps_ahead
from secondpass.train.material import read_material
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions, make_options

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on one core


@pytest.mark.parametrize("family", ["cross-encoder", "late-interaction", "causal"])
def test_steps_read_ahead_are_those_read_one_by_one(family, reranker, lessons, tmp_path, monkeypatch):
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))
    place, given = {
        "cross-encoder": lambda: (reranker, {}),
        "late-interaction": lambda: (write_stanford(tmp_path / "模型"), {}),
        "causal": lambda: (make_causal(tmp_path / "模型", "qwen3"), {"profile": "Qwen/Qwen3-Reranker-0.6B"}),
    }[family]()
    options = make_options(settings(place, lessons, tmp_path / "out", accumulation=2, **given), "test")
    steps = Steps(open_model(place, options).reader, read_material(options).examples, options, Accelerator(cpu=True))
    state = torch.random.get_rng_state()
    ahead, alone = (list(steps_ahead(steps, 3, 8, readers)) for readers in (2, 0))
    assert torch.equal(state, torch.random.get_rng_state())
    assert [work.groups for work in ahead] == [work.groups for work in alone]
    for here, there in zip(alone, ahead, strict=True):
        assert len(here.parts) == len(there.parts) == 2
        for (groups, read), (same, other) in zip(here.parts, there.parts, strict=True):
            assert (groups, read.pairs, read.cut) == (same, other.pairs, other.cut)
            assert type(read.plan) is type(other.plan)
            assert_same(read.inputs, other.inputs)
            assert_same(read.plan, other.plan)


def assert_same(here: object, there: object) -> None:
    if isinstance(here, Tensor):
        assert isinstance(there, Tensor)
        assert here.dtype == there.dtype
        assert torch.equal(here, there)
        return
    pairs = [(here[key], there[key]) for key in here] if isinstance(here, dict) else zip(here, there, strict=True)
    for one, other in pairs:
        assert_same(one, other)


def test_a_run_that_reads_ahead_ends_with_the_same_weights(reranker, lessons, tmp_path, monkeypatch):
    run(settings(reranker, lessons, tmp_path / "alone", accumulation=2))
    monkeypatch.setattr(loop, "reader_count", lambda *_: 2)
    run(settings(reranker, lessons, tmp_path / "ahead", accumulation=2))
    assert_same_model(tmp_path / "alone", tmp_path / "ahead")


def test_what_a_reader_cannot_read_ends_the_run_with_its_words(reranker, lessons, tmp_path):
    options = make_options(settings(reranker, lessons, tmp_path / "out"), "test")
    examples = [TrainExample("问题", (5,), ("段落",))]
    steps = Steps(open_model(reranker, options).reader, examples, options, Accelerator(cpu=True))
    with pytest.raises(Exception, match=r"TextInputSequence|TextEncodeInput|int"):
        list(steps_ahead(steps, 0, 1, 1))


def test_nothing_is_read_ahead_beside_a_cpu_nor_where_the_model_chooses():
    assert reader_count(TrainOptions(), Accelerator(cpu=True)) == 0

    class Cuda:
        device, num_processes = torch.device("cuda"), 1

    assert reader_count(TrainOptions(threads=4), Cuda()) == 3
    assert reader_count(TrainOptions(threads=64), Cuda()) == 4
    assert reader_count(TrainOptions(threads=4, hardest_of=8), Cuda()) == 0

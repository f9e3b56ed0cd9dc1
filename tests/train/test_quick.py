"""What is quick on a CPU drops and attends as torch does: the same share, scale and attention, from the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.models.tiny_models import SENTENCES
from torch import Tensor
from torch.nn import Dropout, functional
from torch.overrides import TorchFunctionMode

from secondpass.train.encoder import ClassifierScores, PairEncoder, batches_of, open_classifier, recompute_layers
from secondpass.train.quick import kept, quick_on_cpu

CPU = torch.device("cpu")


@pytest.mark.parametrize("chance", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_that_is_dropped_and_the_scale_of_the_rest(chance: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    drawn = kept(torch.empty(301, 331, dtype=dtype), chance)
    assert (drawn.shape, drawn.dtype) == ((301, 331), dtype)
    zeros = float((drawn == 0).float().mean())
    assert abs(zeros - chance) < 5 * (chance * (1 - chance) / drawn.numel()) ** 0.5
    assert float(drawn.max()) == float(drawn[drawn > 0].min())
    assert float(drawn.max()) == pytest.approx(1 / (1 - chance), rel=1e-4 if dtype == torch.float32 else 0.01)
    by_row = (drawn == 0).float().mean(dim=1)
    assert (
        0.3 < float(by_row.std()) / (chance * (1 - chance) / 331) ** 0.5 < 3
    )  # rows differ as chance has it, and no more


def test_a_seed_decides_what_is_dropped() -> None:
    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return kept(torch.empty(64), 0.5)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_it_takes_the_place_of_modules_and_functions_alike() -> None:
    states = torch.ones(40, 50, requires_grad=True)
    with quick_on_cpu(CPU):
        torch.manual_seed(1)
        by_module = Dropout(0.2)(states)
        torch.manual_seed(1)
        by_function = functional.dropout(states, 0.2)
        assert torch.equal(Dropout(0.2).eval()(states), states)
        assert torch.equal(functional.dropout(states, 0.0), states)
        assert not functional.dropout(states, 1.0).any()
    torch.manual_seed(1)
    assert torch.equal(by_module, kept(states, 0.2))
    assert torch.equal(by_function, by_module)
    by_module.sum().backward()
    assert states.grad is not None
    assert torch.equal(states.grad, by_module.detach())


def attend(vectors: list[Tensor], mask: Tensor | None, dropout: float = 0.0, scale: float | None = None) -> Tensor:
    query, key, value = vectors
    return functional.scaled_dot_product_attention(query, key, value, mask, dropout, scale=scale)


def attention_inputs(mask: str) -> tuple[list[Tensor], Tensor | None]:
    torch.manual_seed(2)
    vectors = [torch.randn(3, 4, 9, 8, requires_grad=True) for _ in range(3)]
    there = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    if mask == "none":
        return vectors, None
    chosen = there[:, None, None].expand(3, 1, 9, 9)
    return vectors, chosen if mask == "bool" else torch.zeros(chosen.shape).masked_fill(~chosen, -1e9)


@pytest.mark.parametrize("mask", ["none", "bool", "added"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_of_which_nothing_is_dropped_is_attention(mask: str, scale: float | None) -> None:
    vectors, allowed = attention_inputs(mask)
    expected = attend(vectors, allowed, 0.0, scale)
    gradients = torch.autograd.grad(expected.square().sum(), vectors)
    with quick_on_cpu(CPU):  # a chance that rounds to none
        found = attend(vectors, allowed, 1e-9, scale)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(found.square().sum(), vectors), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mask", ["none", "bool", "added"])
def test_attention_in_bf16_is_as_near_to_exact_attention_as_torchs_own(mask: str) -> None:
    exact, allowed = attention_inputs(mask)
    expected = attend(exact, allowed)
    gradients = torch.autograd.grad(expected.square().sum(), exact)
    rounded = [part.detach().bfloat16().requires_grad_() for part in exact]
    added = allowed if allowed is None or allowed.dtype == torch.bool else allowed.bfloat16()
    torchs = attend(rounded, added)
    with (seen := _Seen()), quick_on_cpu(CPU):
        found = attend(rounded, added)
    assert "scaled_dot_product_attention" not in seen.names
    wanted = [expected, *gradients]
    off = []
    for output in (found, torchs):
        parts = [output, *torch.autograd.grad(output.float().square().sum(), rounded)]
        off.append(
            [float((part.float() - exactly).detach().abs().mean()) for part, exactly in zip(parts, wanted, strict=True)]
        )
    assert max(off[0]) < 0.02
    assert all(ours < 2 * theirs for ours, theirs in zip(*off, strict=True))


def test_attention_drops_on_average_nothing() -> None:
    vectors, allowed = attention_inputs("bool")
    with torch.no_grad():
        expected = attend(vectors, allowed)
        with quick_on_cpu(CPU):
            passes = (attend(vectors, allowed, 0.3) for _ in range(3000))
            draws = torch.stack(list(passes))
    error = draws.std(dim=0) / 3000**0.5
    assert float(((draws.mean(dim=0) - expected) / error.clamp_min(1e-6)).abs().max()) < 5


class _Seen(TorchFunctionMode):
    """Notes which functions reach torch itself."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def test_layers_computed_twice_drop_the_same(reranker: Path) -> None:
    """And a whole classifier's dropout goes the quick way: none of torch's own is called."""
    pairs = PairEncoder(reranker, 2, 64).encode(SENTENCES[0][:7], SENTENCES[1:9]).pairs
    batches, order = batches_of(list(pairs), 0, True, CPU)
    gradients, seen = [], _Seen()
    for twice in (False, True):
        model = open_classifier(reranker, "own", 0.3, 0)
        if twice:
            recompute_layers(model)
        model.train()
        torch.manual_seed(11)
        with seen, quick_on_cpu(CPU):
            ClassifierScores(model)(batches, order).sum().backward()
        gradients.append([part.grad for part in model.parameters() if part.grad is not None])
    assert len(gradients[0]) > 10
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again, atol=1e-6, rtol=1e-5)
    assert "mul" in seen.names
    assert not {"dropout", "scaled_dot_product_attention"} & set(seen.names)

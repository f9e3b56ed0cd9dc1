"""Attention within each of several sequences that lie one after another in one matrix, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from secondpass.models.torch_device import sent
from secondpass.models.torch_linear import product

_flash_attention: Any = torch.ops.aten._flash_attention_forward
# Tokens looked at x numbers per head. Measured on one core of a Zen 5, GFLOP/s of torch's attention / head by head:
# 170 x 32: 58 / 54, 300 x 32: 69 / 85, 500 x 32: 79 / 111, 60 x 64: 54 / 26, 170 x 64: 72 / 86, 500 x 64: 89 / 143.
_LEAST_FOR_PRODUCTS = 8192
_LARGEST_SUM = 1e30
_SMALLEST_SUM = 1e-30


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where sequences begin among the rows that ask and among those that are looked at, int32 [B + 1], on a GPU.

    ``rows``: int64, those looked at; None: all. ``longest``: the most rows of a sequence that ask, and that are seen.
    """

    asking: Tensor
    seen: Tensor
    rows: Tensor | None
    longest: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where sequences lie: rows ``[starts[i], starts[i + 1])``, of which the first ``attended[i]`` are looked at.

    ``bounds`` says the same to a GPU, brought there once for all layers.
    """

    starts: tuple[int, ...]
    attended: tuple[int, ...]
    bounds: Bounds | None = None

    def __len__(self) -> int:
        return len(self.attended)

    def stretches(self) -> list[tuple[int, int, int]]:
        """Return (first row, row after the last, row after the last one looked at) of each sequence."""
        return [
            (start, end, start + seen)
            for start, end, seen in zip(self.starts[:-1], self.starts[1:], self.attended, strict=True)
        ]


def turned(qkv: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn queries and keys by their positions (RoFormer, arXiv:2104.09864; halves are pairs), [T, 3, heads, D].

    ``cosines`` and ``sines`` are those of each token's position, float32 [T, D].
    """
    pairs = qkv[:, :2].float()  # (T, 2, heads, D)
    first, second = pairs.chunk(2, dim=-1)
    other = torch.cat([-second, first], dim=-1)
    pairs = pairs * cosines[:, None, None] + other * sines[:, None, None]
    return torch.cat([pairs.to(qkv.dtype), qkv[:, 2:]], dim=1)


def attend(qkv: Tensor, layout: Layout, onednn: bool = False) -> Tensor:
    """Return softmax(q k^T) v of every sequence and head, [T, heads * D]; ``qkv`` [T, 3, heads, D] has a scaled q.

    On a GPU all sequences are one call. On a CPU each is computed by itself, in the way that was measured to be the
    fastest for its length; ``onednn`` says that `torch_linear.product` may be used.
    """
    if layout.bounds is not None and qkv.dtype != torch.float32:
        return _attend_packed(qkv, layout.bounds)
    tokens, _, heads, size = qkv.shape
    context = qkv.new_empty(tokens, heads, size)
    for start, end, seen in layout.stretches():
        query = qkv[start:end, 0].transpose(0, 1)  # (heads, L, D)
        key, value = qkv[start:seen, 1:].permute(1, 2, 0, 3)
        if qkv.dtype == torch.bfloat16 and not qkv.is_cuda:
            one = _attend_sums(query, key, value)
        elif onednn and (seen - start) * size >= _LEAST_FOR_PRODUCTS:
            one = _attend_heads(query, key, value)
        else:
            one = _attend_fused(query, key, value)
        context[start:end] = one.transpose(0, 1)
    return context.view(tokens, heads * size)


def _attend_fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(query[None], key[None], value[None], scale=1.0)[0]


def _attend_heads(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute float32 attention head by head through oneDNN, which beats torch's own from some hundred tokens on."""
    query, key, value = query.contiguous(), key.contiguous(), value.transpose(1, 2).contiguous()
    heads = [
        product(torch.softmax(product(one, key[index]), -1), value[index]) for index, one in enumerate(query.unbind())
    ]
    return torch.stack(heads)


def _attend_sums(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute attention in bfloat16 without a softmax: exp, one product with a column of ones, one division.

    The ones make the product give the sum of the weights next to the weighted sum. Without subtracting each row's
    maximum, exp may leave the range of the numbers; the sums show it, and then the slow way is taken.
    """
    heads, seen, size = value.shape
    weights = torch.bmm(query, key.transpose(1, 2)).exp_()
    extended = value.new_ones(heads, seen, size + 1)
    extended[..., :size] = value
    product = torch.bmm(weights, extended)
    smallest, largest = product[..., size].float().aminmax()
    if not (smallest > _SMALLEST_SUM and largest < _LARGEST_SUM):
        scores = torch.bmm(query, key.transpose(1, 2))
        return torch.bmm(torch.softmax(scores, -1), value.contiguous())
    return product[..., :size] / product[..., size:]


def bounds(starts: Sequence[int], attended: Sequence[int], device: torch.device) -> Bounds | None:
    """Return the bounds of sequences for attention in one call; None where ``device`` cannot compute it so."""
    if device.type != "cuda" or not _has_flash_attention(device):
        return None
    lengths = np.diff(starts)
    rows = None
    if list(attended) != lengths.tolist():
        seen = [np.arange(start, start + count) for start, count in zip(starts, attended, strict=False)]
        rows = sent(np.concatenate(seen), device)
    asking, looked_at = (
        sent(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), device) for counts in (lengths, attended)
    )
    return Bounds(asking, looked_at, rows, (int(lengths.max()), max(attended)))


@lru_cache
def _has_flash_attention(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _attend_packed(qkv: Tensor, where: Bounds) -> Tensor:
    """Compute attention of all sequences in one call (Dao, arXiv:2307.08691).

    The operator is the one under torch's ``varlen_attn``, which not every torch that runs here has with a scale.
    """
    tokens, _, heads, size = qkv.shape
    query, key, value = qkv.unbind(1)
    if where.rows is not None:
        key, value = key[where.rows], value[where.rows]
    return flash(query, key, value, where).reshape(tokens, heads * size)


def flash(query: Tensor, key: Tensor, value: Tensor, where: Bounds, causal: bool = False, scale: float = 1.0) -> Tensor:
    """Return the attention of sequences that lie one after another, [T, heads, D], in one call.

    ``query`` [T, heads, D]; ``key`` and ``value`` [T', key heads, D], of the rows that are looked at alone.
    """
    limits = where.asking, where.seen, *where.longest
    context: Tensor = _flash_attention(query, key, value, *limits, 0.0, causal, False, scale=scale)[0]
    return context


@dataclass(frozen=True, slots=True)
class FirstTokenAttention:
    """The last layer's attention where only each sequence's first token is read afterwards.

    Keys and values of the other tokens are never made. With q_h the scaled query of head h, q_h . (W_k x + b_k) is
    (W_k^T q_h) . x plus a constant that softmax ignores, and sum_j p_j (W_v x_j + b_v) is W_v (sum_j p_j x_j) + b_v:
    two products with x per head take the place of two with H x H weights for every token.
    """

    query: Tensor  # (H, H), scaled
    query_bias: Tensor  # (H,)
    key: Tensor  # (heads, D, H)
    value: Tensor  # (heads, H, D)
    value_bias: Tensor  # (H,)

    def __call__(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the attention's output for the first token of each sequence, [B, H]; ``x`` is [T, H]."""
        heads, size, hidden = self.key.shape
        firsts = first_rows(x, layout)
        query = functional.linear(firsts, self.query, self.query_bias)  # (B, H)
        if layout.bounds is not None and x.dtype != torch.float32:
            return self._packed(query, x, layout.bounds)
        folded = torch.bmm(query.view(-1, heads, size).transpose(0, 1), self.key).transpose(0, 1)  # (B, heads, H)
        tokens = pad_sequence([x[start:seen] for start, _, seen in layout.stretches()], batch_first=True)  # (B, W, H)
        lengths = torch.tensor(layout.attended, device=x.device)
        padding = torch.arange(tokens.shape[1], device=x.device) >= lengths[:, None]
        scores = torch.bmm(folded, tokens.transpose(1, 2)).float().masked_fill(padding[:, None], float("-inf"))
        mixed = torch.bmm(torch.softmax(scores, -1).to(x.dtype), tokens)  # (B, heads, H)
        context = torch.bmm(mixed.transpose(0, 1), self.value)  # (heads, B, D)
        return context.transpose(0, 1).reshape(-1, hidden) + self.value_bias

    def _packed(self, query: Tensor, x: Tensor, where: Bounds) -> Tensor:
        """Compute keys and values after all: on a GPU two products cost less than padding what lies packed."""
        heads, size, hidden = self.key.shape
        seen = x if where.rows is None else x[where.rows]
        both = torch.cat([self.key, self.value.transpose(1, 2)]).view(2 * heads * size, hidden)
        key, value = functional.linear(seen, both).view(-1, 2, heads, size).unbind(1)
        asking = torch.arange(len(query) + 1, dtype=torch.int32, device=x.device)
        alone = Bounds(asking, where.seen, None, (1, where.longest[1]))
        context = flash(query.view(-1, heads, size), key, value, alone)
        return context.reshape(-1, heads * size) + self.value_bias


def first_rows(x: Tensor, layout: Layout) -> Tensor:
    """Return each sequence's first token, [B, H], of ``x`` [T, H]; ``x`` itself where it holds no others."""
    if len(x) == len(layout):
        return x
    return x[torch.tensor(layout.starts[:-1], device=x.device) if layout.bounds is None else layout.bounds.asking[:-1]]

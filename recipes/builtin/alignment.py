"""Give every Chinese piece a first vector without training: English ones that mean the same, mixed by least squares.

A dictionary's entries and texts in both languages say which Chinese pieces and which English ones mean the same
together. The vectors Z of the Chinese pieces are those with which the weighted mean of a Chinese text is nearest to
the mean of its English side,

    min over Z of  sum_i w_i |c_i Z - e_i E|^2 + r |Z - Z0|^2,

where c_i and e_i are the pieces' shares, rare pieces weighing more (a / (a + p), Arora et al., ICLR 2017), E the start
model's vectors and Z0 the mean of what the dictionary says of a piece. Solved by conjugate gradients.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from recipes.builtin.sources import Pair, read_dictionary, read_pairs
from recipes.builtin.vocabulary import MAP, SPECIAL, TOKENIZER
from scipy import sparse
from tokenizers import Tokenizer
from transformers import AutoModel

Floats = npt.NDArray[np.float32]
_RARITY = 1e-3
_RIDGE = 0.03
_ROUNDS = 60
_LONGEST = {"en": 1800, "zh": 600}
_NO_MEANING = re.compile(r"surname|variant of|^CL:|abbr\.|see also|^see |used in|old name|pr\.")


@dataclass(frozen=True, slots=True)
class Texts:
    """The ids of texts in both languages, and the weight of each pair."""

    chinese: list[npt.NDArray[np.int64]]
    english: list[npt.NDArray[np.int64]]
    weights: Floats


def make_base(data: Path, start: Path, folder: Path) -> None:
    """Write the start model with the vocabulary of ``folder`` there: English vectors kept, Chinese ones aligned."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    origin = json.loads((folder / MAP).read_text(encoding="utf-8"))
    known = json.loads((start / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    model: Any = AutoModel.from_pretrained(start)
    own = model.embeddings.word_embeddings.weight.detach().numpy()[[known[piece] for piece in origin]]
    pairs = [*read_pairs(data)]
    chinese = aligned(tokenizer, own, pairs, dictionary(data))
    model.resize_token_embeddings(len(own) + len(chinese))
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.copy_(torch.from_numpy(np.concatenate([own, chinese])))
    model.config.vocab_size, model.config.pad_token_id = len(own) + len(chinese), 0
    model.save_pretrained(folder)


def dictionary(data: Path) -> list[tuple[str, list[str]]]:
    """Return Chinese words with their meanings, without what says how a word is used."""
    found = []
    for word, meanings in read_dictionary(data):
        kept = [meaning for meaning in map(_meaning, meanings) if meaning]
        if kept:
            found.append((word, kept[:4]))
    return found


def _meaning(text: str) -> str:
    if _NO_MEANING.search(text):
        return ""
    return re.sub(r"^(to|a|an|the) ", "", re.sub(r"\([^)]*\)|\[[^\]]*\]", "", text).strip())


def aligned(
    tokenizer: Tokenizer, english: Floats, pairs: Sequence[Pair], entries: Sequence[tuple[str, list[str]]]
) -> Floats:
    """Return the vectors of all pieces behind the English ones, float32 [C, D]."""
    first, size = len(english), tokenizer.get_vocab_size()
    texts = _texts(tokenizer, pairs, entries)
    rarity = _rarity(texts, size)
    middle = english[len(SPECIAL) :].mean(axis=0)
    targets = _shares(texts.english, rarity, len(SPECIAL), first) @ (english[len(SPECIAL) :] - middle)
    shares = _shares(texts.chinese, rarity, first, size)
    there = (np.abs(targets).sum(axis=1) > 0) & (np.asarray(shares.sum(axis=1)).ravel() > 0)
    weights = np.sqrt(texts.weights * there).astype(np.float32)
    prior = _prior(tokenizer, entries, targets[len(pairs) :], first)
    matrix = sparse.diags(weights) @ shares
    wanted = matrix.T @ (weights[:, None] * targets - matrix @ prior)
    return (middle + prior + _solved((matrix.T @ matrix).tocsr(), wanted)).astype(np.float32)


def _texts(tokenizer: Tokenizer, pairs: Sequence[Pair], entries: Sequence[tuple[str, list[str]]]) -> Texts:
    chinese = [pair.chinese[: _LONGEST["zh"]] for pair in pairs] + [word for word, _ in entries]
    english = [pair.english[: _LONGEST["en"]] for pair in pairs] + [" ".join(meanings) for _, meanings in entries]
    ids = [
        [np.array(one.ids, dtype=np.int64) for one in tokenizer.encode_batch(side, add_special_tokens=False)]
        for side in (chinese, english)
    ]
    lengths = np.array([max(len(one), 1) for one in ids[0]])
    weights = np.minimum(1.0, 60 / lengths) * np.where(np.arange(len(lengths)) < len(pairs), 1.0, 0.5)
    return Texts(ids[0], ids[1], weights.astype(np.float32))


def _rarity(texts: Texts, size: int) -> Floats:
    """Return a / (a + p) for every piece, p its share of all texts, float32 [V]."""
    counts: Counter[int] = Counter()
    for ids in (*texts.chinese, *texts.english):
        counts.update(ids.tolist())
    share = np.array([counts[piece] for piece in range(size)]) / max(1, sum(counts.values())) * 2
    rarity = _RARITY / (_RARITY + share)
    rarity[: len(SPECIAL)] = 0
    return rarity.astype(np.float32)


def _shares(lists: Sequence[npt.NDArray[np.int64]], rarity: Floats, first: int, end: int) -> Any:
    """Return what share each piece of ``[first, end)`` has of each text, sparse float32 [N, end - first]."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, ids in enumerate(lists):
        mine = ids[(ids >= first) & (ids < end)]
        weights = rarity[mine]
        if weights.sum() > 0:
            rows += [row] * len(mine)
            columns += (mine - first).tolist()
            values += (weights / weights.sum()).tolist()
    return sparse.csr_matrix((values, (rows, columns)), (len(lists), end - first), dtype=np.float32)


def _prior(tokenizer: Tokenizer, entries: Sequence[tuple[str, list[str]]], meanings: Floats, first: int) -> Floats:
    """Return the mean of what the dictionary says of each piece, of a character also what words with it mean."""
    vectors = np.zeros((tokenizer.get_vocab_size() - first, meanings.shape[1]), dtype=np.float32)
    weights = np.zeros(len(vectors), dtype=np.float32)
    fold = tokenizer.normalizer
    for (word, _), meaning in zip(entries, meanings, strict=True):
        folded = fold.normalize_str(word)
        for piece, weight in ((folded, 4.0), *((one, 0.1) for one in folded if len(folded) > 1)):
            place = tokenizer.token_to_id(piece)
            if place is not None and place >= first and np.abs(meaning).sum() > 0:
                vectors[place - first] += weight * meaning
                weights[place - first] += weight
    return vectors / np.maximum(weights, 1e-9)[:, None]


def _solved(matrix: Any, wanted: Floats) -> Floats:
    """Return X with ``(matrix + r I) X = wanted``, all columns at once."""
    found, rest = np.zeros_like(wanted), wanted.copy()
    step, size = rest.copy(), (rest * rest).sum(axis=0)
    for _ in range(_ROUNDS):
        moved = matrix @ step + _RIDGE * step
        length = size / np.maximum((step * moved).sum(axis=0), 1e-12)
        found += length * step
        rest -= length * moved
        before, size = size, (rest * rest).sum(axis=0)
        step = rest + size / np.maximum(before, 1e-12) * step
    return found

"""Record what llm-rankers does, for tests/rerank/test_ranking_golden.py.

    python -m venv reference && reference/bin/pip install llm-rankers==0.0.2 torch tiktoken openai
    PYTHONPATH=. reference/bin/python tests/golden/make_llm_rankers.py

The classes are the package's own; a preference (`tests.rerank.preferences`) stands in for the model behind them. A row
is one run: preference and seed, passages, settings (children and depth of sets, depth of pairs, window and step of
lists), the first ``depth`` passages that came out (lists: all; those behind must stand in the given order), how many
comparisons were made, and how many different questions were among them. Its windows are RankGPT's (arXiv:2304.09542).
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from llmrankers.listwise import OpenAiListwiseLlmRanker
from llmrankers.pairwise import PairwiseLlmRanker
from llmrankers.rankers import SearchResult
from llmrankers.setwise import SetwiseLlmRanker
from tests.rerank.preferences import Preference
from transformers import BatchEncoding

TARGET = Path(__file__).with_name("llm_rankers.json")
LABELS = SetwiseLlmRanker.CHARACTERS
Asked = set[tuple[int, ...]]


def numbers(documents: Sequence[Any]) -> list[int]:
    return [int(getattr(document, "text", document)) for document in documents]


class Setwise(SetwiseLlmRanker):  # type: ignore[misc]
    def __init__(self, method: str, preference: Preference, num_child: int, depth: int) -> None:
        self.method, self.num_child, self.k = method, num_child, depth
        self.preference, self.asked = preference, Asked()

    def compare(self, query: str, docs: list[Any]) -> str:
        self.total_compare += 1
        shown = numbers(docs)
        if len(shown) > 1:  # the bubble asks about one passage, and none, at the end of the list
            self.asked.add(tuple(shown))
        return str(LABELS[self.preference.choose(shown)]) if shown else "A"


class Pairwise(PairwiseLlmRanker):  # type: ignore[misc]
    prompt = "{doc1} {doc2}"
    batch_size = 2
    decoder_input_ids = torch.zeros(2, 1)
    padding_side = "right"

    def __init__(self, method: str, preference: Preference, depth: int) -> None:
        self.method, self.k = method, depth
        self.preference, self.asked = preference, Asked()
        self.tokenizer, self.llm = self, SimpleNamespace(generate=self.generate, device="cpu")

    def answer(self, shown: Sequence[int]) -> int:
        self.asked.add(tuple(shown))
        return self.preference.choose(shown)

    def compare(self, query: str, docs: list[str]) -> list[str]:
        self.total_compare += 1
        shown = numbers(docs)
        return [f"Passage {LABELS[self.answer(pair)]}" for pair in (shown, shown[::-1])]

    # For the method allpair, which hands its prompts to a tokenizer and a model: the tokens are the two passages.

    def __call__(self, prompts: list[str]) -> dict[str, list[list[int]]]:
        pairs = [[int(word) for word in prompt.split()] for prompt in prompts]
        return {"input_ids": pairs, "attention_mask": [[1, 1] for _ in pairs]}

    def pad(self, features: list[dict[str, list[int]]], **_: object) -> BatchEncoding:
        return BatchEncoding({"input_ids": torch.tensor([one["input_ids"] for one in features])})

    def generate(self, pairs: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.tensor([[self.answer(pair)] for pair in pairs.tolist()])

    def batch_decode(self, outputs: list[Any], **_: object) -> list[str]:
        return [f"Passage {LABELS[int(output[0])]}" for output in outputs]


class Listwise(OpenAiListwiseLlmRanker):  # type: ignore[misc]
    def __init__(self, preference: Preference, window: int, step: int) -> None:
        self.window_size, self.step_size, self.num_repeat = window, step, 1
        self.preference, self.asked = preference, Asked()

    def compare(self, query: str, docs: list[Any]) -> str:
        self.total_compare += 1
        shown = numbers(docs)
        self.asked.add(tuple(shown))
        return " > ".join(f"[{place + 1}]" for place in self.preference.order(shown))


def record(ranker: Any, count: int, depth: int) -> tuple[list[int], int, int]:
    """Rank ``count`` passages; returns the first ``depth``, the comparisons and the different questions."""
    given = [SearchResult(docid=str(number), score=0.0, text=str(number)) for number in range(count)]
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
        order = [int(result.docid) for result in ranker.rerank("q", given)]
    assert sorted(order) == list(range(count))
    assert order[depth:] == sorted(order[depth:])
    return order[:depth], ranker.total_compare, len(ranker.asked)


def rows(make: Callable[..., Any], kinds: Sequence[str], settings: list[tuple[int, ...]], whole: bool) -> list[Any]:
    """Run every preference with all ``settings``: (passages, ..., depth), or the ``whole`` list where there is none."""
    found = []
    for kind, seed, (count, *rest) in product(kinds, (1, 2), settings):
        ranker = make(Preference(kind, seed), *rest)
        found.append([kind, seed, count, *rest, *record(ranker, count, count if whole else min(rest[-1], count))])
    return found


ALL = ("table", "circles", "places", "grades")
SIZES, CHILDREN, DEPTHS = (2, 7, 20, 50), (2, 3, 6), (1, 4, 10)
SETS, PAIRS = list(product(SIZES, CHILDREN, DEPTHS)), list(product(SIZES, DEPTHS))
WINDOWS = [(count, *window) for count, window in product((4, 10, 20, 34, 40, 45), ((4, 2), (10, 3), (10, 5), (20, 10)))]
METHODS: dict[str, tuple[Callable[..., Any], Sequence[str], list[tuple[int, ...]], bool]] = {
    "setwise heapsort": (partial(Setwise, "heapsort"), ("table", "circles", "grades"), SETS, False),
    "setwise bubblesort": (partial(Setwise, "bubblesort"), ALL, SETS, False),
    "pairwise heapsort": (partial(Pairwise, "heapsort"), ("table", "circles", "grades"), PAIRS, False),
    "pairwise bubblesort": (partial(Pairwise, "bubblesort"), ALL, PAIRS, False),
    "pairwise allpair": (partial(Pairwise, "allpair"), ALL, [(2, 2), (7, 7), (12, 12)], False),
    "listwise": (Listwise, ALL, WINDOWS, True),
}

if __name__ == "__main__":
    golden = {"versions": [f"llm-rankers {version('llm-rankers')}"]}
    golden |= {name: rows(*settings) for name, settings in METHODS.items()}
    sections = [
        f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, found)) + "\n]" for name, found in golden.items()
    ]
    TARGET.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")

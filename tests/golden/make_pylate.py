"""Record what PyLate computes, for tests/models/test_late_interaction_golden.py.

    python -m venv pylate && pylate/bin/pip install pylate==1.4.0
    PYTHONPATH=. pylate/bin/python tests/golden/make_pylate.py

Scores are taken passage by passage: PyLate's own ``rank.rerank`` pads with zeros that can win a maximum. The skip list
holds the symbols that the tokenizer knows: for others PyLate leaves out every unknown word.
"""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pylate import models, scores
from tests.models.colbert_checkpoints import KNOWN_PUNCTUATION, PASSAGES, QUERIES, write_pylate, write_stanford

TARGET = Path(__file__).with_name("pylate.json")
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "stanford": ("stanford", {}),
    "stanford, masks attended to": ("stanford", {"attend_to_mask_tokens": True, "query_maxlen": 24}),
    "pylate": ("pylate", {"skiplist_words": KNOWN_PUNCTUATION}),
    "pylate, masks attended to": ("pylate", {"skiplist_words": KNOWN_PUNCTUATION, "attend_to_expansion_tokens": True}),
    "pylate, short queries": ("pylate", {"skiplist_words": KNOWN_PUNCTUATION, "query_length": 10}),
    "pylate, no expansion": ("pylate", {"skiplist_words": KNOWN_PUNCTUATION, "do_query_expansion": False}),
}


def score(kind: str, settings: dict[str, Any]) -> list[list[float]]:
    """Score every query with every passage."""
    with tempfile.TemporaryDirectory() as place:
        folder = (write_stanford if kind == "stanford" else write_pylate)(Path(place) / "model", **settings)
        model = models.ColBERT(str(folder), device="cpu", skiplist_words=KNOWN_PUNCTUATION)
        queries = [model.encode([query], is_query=True)[0] for query in QUERIES]
        passages = [model.encode([passage], is_query=False)[0] for passage in PASSAGES]
    return [[float(scores.colbert_scores_pairwise([query], [passage])[0]) for passage in passages] for query in queries]


if __name__ == "__main__":
    golden = {
        "versions": {name: version(name) for name in ("pylate", "sentence-transformers", "transformers", "torch")},
        "variants": {
            name: {"kind": kind, "settings": settings, "scores": score(kind, settings)}
            for name, (kind, settings) in VARIANTS.items()
        },
    }
    TARGET.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")

"""Record what FlagEmbedding and BCEmbedding say of the tiny models, for tests that cannot depend on either.

    pip install FlagEmbedding==1.4.2 BCEmbedding==0.1.5 transformers==4.48.2 tokenizers==0.21.4
    python -m tests.golden.make_cross_encoder_golden

writes tests/golden/cross_encoder_golden.json. The models are rebuilt from their seeds by `tests.models.tiny_models`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from BCEmbedding.models.reranker import RerankerModel
from FlagEmbedding import FlagReranker
from tests.models.golden_pairs import BCE_CASES, FLAG_CASES, PASSAGES, QUERIES, golden_shape
from tests.models.tiny_models import make_model

TARGET = Path(__file__).with_name("cross_encoder_golden.json")
# Their tokenizers of transformers 4 build pairs in Python, by class.
_CLASSES = {"bert": "BertTokenizer", "xlm-roberta": "XLMRobertaTokenizer"}


def _model(base: Path, kind: str) -> str:
    folder = make_model(base / kind, golden_shape(kind))
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": _CLASSES[kind]}
    path.write_text(json.dumps(settings), encoding="utf-8")
    return str(folder)


def _flag(base: Path) -> list[dict[str, Any]]:
    cases = []
    for kind, query, max_tokens in FLAG_CASES:
        model = FlagReranker(_model(base, kind), use_fp16=False, devices="cpu", max_length=max_tokens)
        pairs = [(QUERIES[query], passage) for passage in PASSAGES]
        cases.append({"kind": kind, "query": query, "max_tokens": max_tokens, "scores": model.compute_score(pairs)})
    return cases


def _bce(base: Path) -> list[dict[str, Any]]:
    cases = []
    model = RerankerModel(_model(base, "xlm-roberta"), device="cpu")
    passages = [passage for passage in PASSAGES if passage]
    for query in BCE_CASES:
        result = model.rerank(QUERIES[query], passages)
        scores = dict(zip(result["rerank_ids"], result["rerank_scores"], strict=True))
        cases.append({"query": query, "scores": [scores[index] for index in range(len(passages))]})
    return cases


def main() -> None:
    """Write the golden numbers."""
    with tempfile.TemporaryDirectory() as place:
        golden = {"flag": _flag(Path(place)), "bce": _bce(Path(place))}
    TARGET.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write flag_reranker.json: what FlagEmbedding's FlagReranker scores with folders as our training writes them.

Run in an environment with FlagEmbedding (1.4.2 was used) and the extra train, from the root of the repository:

    PYTHONPATH=src:. python tests/golden/make_flag_reranker.py
"""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from FlagEmbedding import FlagReranker
from tests.train.mean_folder import PAIRS, make_mean_folder


def main() -> None:
    found: dict[str, object] = {"FlagEmbedding": version("FlagEmbedding"), "transformers": version("transformers")}
    for kind in ("bert", "xlm-roberta"):
        with tempfile.TemporaryDirectory() as place:
            folder = make_mean_folder(Path(place) / "model", kind)
            reranker = FlagReranker(str(folder), use_fp16=False, devices="cpu")
            found[kind] = [float(score) for score in reranker.compute_score([list(pair) for pair in PAIRS])]
    target = Path(__file__).with_name("flag_reranker.json")
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

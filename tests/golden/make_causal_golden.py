"""Score with FlagEmbedding 1.4.2 (transformers 4.46.3, for which its Gemma2 code is written), in its own environment.

    pip install FlagEmbedding==1.4.2 transformers==4.46.3 tokenizers==0.20.3
    python -m tests.golden.make_causal_golden

It wrote ``causal_golden.json``: for each case the model (see ``tests/models/tiny_causal.py``), the settings, and one
score per pair of ``PAIRS``.
"""

import json
import tempfile
from pathlib import Path

from FlagEmbedding.inference.reranker.decoder_only.base import BaseLLMReranker
from FlagEmbedding.inference.reranker.decoder_only.layerwise import LayerWiseLLMReranker
from FlagEmbedding.inference.reranker.decoder_only.lightweight import LightweightLLMReranker
from tests.models.tiny_causal import GOLDEN, make_causal

LONG_EN = "The Yangtze is the longest river in Asia. Tickets for the museum cost ten euros on Mondays. " * 6
LONG_ZH = "长江全长六千三百公里，是亚洲最长的河流。机器学习需要大量的数据和计算资源。" * 6
PAIRS = [
    ("长江有多长？", "长江全长六千三百公里，是亚洲最长的河流。"),
    ("Who invented the telephone?", "Alexander Graham Bell was awarded the first patent for the telephone in 1876."),
    ("query", "passage"),
    ("谁", "贝"),
    ("How long is 长江?", "今天下雨，路上的行人都打着伞。\n\nIt rained all day 😀 and {the} streets %s were empty."),
    ("机器学习需要什么？", LONG_ZH),
    ("Where is the museum? " * 9, LONG_EN),
    ("这家餐馆的麻婆豆腐怎么样？" * 5, LONG_ZH + LONG_EN),
]
PROMPT_ZH = "判断段落B是否回答了问题A。"
CASES: list[dict] = [
    {"name": "gemma", "kind": "gemma", "max_length": 3000},
    {"name": "gemma, Chinese prompt", "kind": "gemma", "max_length": 3000, "prompt": PROMPT_ZH},
    {"name": "gemma, begin token is the pad", "kind": "gemma", "max_length": 3000, "pad": "<bos>"},
    {"name": "gemma, cut", "kind": "gemma", "max_length": 150},
    {"name": "layerwise 2", "kind": "minicpm", "max_length": 3000, "cutoff": 2},
    {"name": "layerwise 3", "kind": "minicpm", "max_length": 3000, "cutoff": 3},
    {"name": "layerwise 4, the last", "kind": "minicpm", "max_length": 3000, "cutoff": 4},
    {"name": "layerwise, one head", "kind": "minicpm", "max_length": 3000, "cutoff": 3, "model": {"head_multi": False}},
    {"name": "lightweight, plain", "kind": "gemma2", "max_length": 3000, "cutoff": 4, "ratio": 1, "layers": [2]},
    {"name": "lightweight, halves", "kind": "gemma2", "max_length": 3000, "cutoff": 5, "ratio": 2, "layers": [3, 5]},
    {"name": "lightweight, twice", "kind": "gemma2", "max_length": 3000, "cutoff": 6, "ratio": 2, "layers": [0, 2, 4]},
    {"name": "lightweight, quarters", "kind": "gemma2", "max_length": 3000, "cutoff": 3, "ratio": 4, "layers": [1]},
    {"name": "lightweight, eighths", "kind": "gemma2", "max_length": 3000, "cutoff": 4, "ratio": 8, "layers": [2]},
    {"name": "lightweight, cut", "kind": "gemma2", "max_length": 150, "cutoff": 4, "ratio": 2, "layers": [2]},
]  # fmt: skip


def _reranker(folder: Path, case: dict):
    options = {"devices": "cpu", "max_length": case["max_length"], "prompt": case.get("prompt"), "batch_size": 3}
    if case["kind"] == "gemma":
        return BaseLLMReranker(str(folder), **options)
    if case["kind"] == "minicpm":
        return LayerWiseLLMReranker(str(folder), cutoff_layers=[case["cutoff"]], **options)
    return LightweightLLMReranker(
        str(folder),
        cutoff_layers=[case["cutoff"]],
        compress_ratio=case["ratio"],
        compress_layers=case["layers"],
        **options,
    )


def main() -> None:
    golden = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = make_causal(Path(name), case["kind"], pad=case.get("pad", "<pad>"), **case.get("model", {}))
            reranker = _reranker(folder, case)
            scores = reranker.compute_score([list(pair) for pair in PAIRS])
        golden.append({**case, "scores": scores})
        print(case["name"], scores)
    (GOLDEN / "causal_golden.json").write_text(
        json.dumps({"pairs": PAIRS, "cases": golden}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

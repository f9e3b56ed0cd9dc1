"""The folder of a trained model: one that every library loads, with what is needed to trust it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from secondpass.errors import StoreError
from secondpass.train.development import DevList, ScorePassages

_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentencepiece.bpe.model",
    "spiece.model", "merges.txt", "vocab.json", "added_tokens.json",
)  # fmt: skip
PROBES = "probes.json"
"""Pairs with the scores they have, so that a head that another library lost, or weights that changed, are noticed."""
_PROBE_PAIRS = (
    ("西安交大在哪个城市？", "西安交通大学位于陕西省西安市。"),
    ("西安交大在哪个城市？", "北京大学在北京。"),
    ("What is reranking?", "Reranking reads question and passage together and puts the best passages first."),
    ("What is reranking?", "The bakery opens at seven in the morning."),
)


def save_model(
    module: Any, source: Path, output: Path, max_tokens: int, score: ScorePassages, dev: Sequence[DevList], card: str
) -> None:
    """Write the trained model to ``output``: all or nothing, what stood there before stays until then.

    ``source`` is the folder that training started from, whose tokenizer is taken over file by file.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        _set_config(module, max_tokens)
        module.save_pretrained(place)
        for name in _TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copy2(source / name, place / name)
        _set_limit(place / "tokenizer_config.json", max_tokens)
        (place / PROBES).write_text(json.dumps(_probes(score, dev), ensure_ascii=False, indent=1), encoding="utf-8")
        (place / "README.md").write_text(card, encoding="utf-8")
        place.chmod(0o755)
        if output.exists():
            shutil.rmtree(output)
        place.rename(output)
    except OSError as error:
        raise StoreError(f"The model cannot be written to {output}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _set_config(module: nn.Module, max_tokens: int) -> None:
    config: Any = module.config
    # sentence-transformers would put scores through the logistic function; a score is the number that was trained.
    config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity", "version": ">=4"}
    config.secondpass = {"max_tokens": max_tokens, "version": version("secondpass")}


def _set_limit(path: Path, max_tokens: int) -> None:
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    settings["model_max_length"] = max_tokens
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=1), encoding="utf-8")


def _probes(score: ScorePassages, dev: Sequence[DevList]) -> list[dict[str, Any]]:
    pairs = [*_PROBE_PAIRS, *((one.query, one.passages[0][:400]) for one in dev[:4])]
    return [
        {"query": query, "passage": passage, "score": float(score(query, [passage])[0])} for query, passage in pairs
    ]

"""The folder of a trained model: one that every library loads, with what is needed to trust it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from secondpass.errors import InputError, StoreError
from secondpass.models.probes import PROBES, Probe, write_probes
from secondpass.train.development import DevList
from secondpass.train.encoder import quiet
from secondpass.types import FloatArray

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "sentencepiece.bpe.model",
    "spiece.model", "tokenizer.model", "merges.txt", "vocab.json", "added_tokens.json",
)  # fmt: skip
_PROBE_PAIRS = (
    ("西安交大在哪个城市？", "西安交通大学位于陕西省西安市。"),
    ("西安交大在哪个城市？", "北京大学在北京。"),
    ("What is reranking?", "Reranking reads question and passage together and puts the best passages first."),
    ("What is reranking?", "The bakery opens at seven in the morning."),
)
_PROBE_CHARACTERS = 400
ScoreLists = Callable[[Sequence[DevList]], list[FloatArray]]


def check_output(output: Path) -> None:
    """Refuse a place where something else stands than a model that was trained here.

    Raises:
        InputError: the folder is not empty, and no trained model.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"output = {output} is a file; give the folder for the trained model.")
    if output.is_dir() and any(output.iterdir()) and not (output / PROBES).is_file():
        raise InputError(
            f"The folder {output} is not empty and holds no model that was trained here; it would be replaced. Give "
            "another output."
        )


def probe_pairs(dev: Sequence[DevList]) -> list[DevList]:
    """Return pairs whose scores are kept with the model: fixed ones, and of the dev set."""
    own = [(one.query, one.passages[0][:_PROBE_CHARACTERS]) for one in dev[:4]]
    return [DevList(str(i), query, (passage,), (1,)) for i, (query, passage) in enumerate((*_PROBE_PAIRS, *own))]


def save_model(write: Callable[[Path], None], output: Path, probes: Sequence[tuple[DevList, float]], card: str) -> None:
    """Write the trained model to ``output``: all or nothing, what stood there before stays until then.

    ``write`` puts weights, settings and tokenizer into a folder. ``probes`` are pairs with their scores, in f32.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        write(place)
        write_probes(place, [Probe(one.query, one.passages[0], score) for one, score in probes])
        (place / "README.md").write_text(card, encoding="utf-8")
        place.chmod(0o755)
        for file in place.rglob("*"):  # safetensors makes files that nobody else may read
            file.chmod(0o755 if file.is_dir() else 0o644)
        if output.exists():
            shutil.rmtree(output)
        place.rename(output)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"The model cannot be written to {output} ({error}); the checkpoints are whole. Make room and go on with "
            "--resume."
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_classifier(module: Any, tokenizer_folder: Path, max_tokens: int, place: Path) -> None:
    """Write a sequence classifier of transformers; the tokenizer is taken over file by file."""
    config = module.config
    # sentence-transformers would put scores through the logistic function; a score is the number that was trained.
    config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity", "version": ">=4"}
    config.secondpass = {"max_tokens": max_tokens, "version": version("secondpass")}
    with quiet():
        module.save_pretrained(place)
    copy_files(tokenizer_folder, place, TOKENIZER_FILES)
    _set_limit(place / "tokenizer_config.json", max_tokens)


def copy_files(folder: Path, place: Path, names: Sequence[str]) -> None:
    """Copy those files of ``folder`` that are there."""
    for name in names:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, place / name)


def _set_limit(path: Path, max_tokens: int) -> None:
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    settings["model_max_length"] = max_tokens
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=1), encoding="utf-8")

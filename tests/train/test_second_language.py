"""An embedder learns to read a second language, by sentences that mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.models.tiny_models import SENTENCES

from secondpass.train import second_language
from secondpass.train.second_language import LanguageOptions, SentenceEncoder, learn_language

PAIRS = list(zip(SENTENCES[:10], SENTENCES[11:21], strict=True))
EMBEDDINGS = "embeddings.word_embeddings.weight"


def options(**more: float) -> LanguageOptions:
    settings = {"first_piece": 300, "epochs": 30, "learning_rate": 0.05, "batch_size": 5, "max_tokens": 32}
    return LanguageOptions(**settings | more)  # type: ignore[arg-type]


def cosines(student: Path, teacher: Path) -> torch.Tensor:
    new, known = (SentenceEncoder(folder, 32).vectors(texts) for folder, texts in
                  ((student, [pair[0] for pair in PAIRS]), (teacher, [pair[1] for pair in PAIRS])))  # fmt: skip
    return (new * known).sum(dim=1)


def test_a_sentence_comes_near_to_its_translation_and_only_new_pieces_change(embedder: Path, tmp_path: Path) -> None:
    learn_language(embedder, embedder, PAIRS, tmp_path / "双语", options())
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "双语" / file).write_bytes((embedder / file).read_bytes())
    assert cosines(tmp_path / "双语", embedder).mean() > cosines(embedder, embedder).mean() + 0.05
    before, after = load_file(embedder / "model.safetensors"), load_file(tmp_path / "双语/model.safetensors")
    assert not torch.equal(before[EMBEDDINGS][300:], after[EMBEDDINGS][300:])
    assert torch.equal(before.pop(EMBEDDINGS)[:300], after.pop(EMBEDDINGS)[:300])
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_an_interrupted_run_goes_on_to_the_same_end(
    embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_language(embedder, embedder, PAIRS, tmp_path / "whole", options(epochs=4))
    keep = second_language._keep

    def interrupted(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(second_language, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    monkeypatch.setattr(second_language, "_keep", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            learn_language(embedder, embedder, PAIRS, tmp_path / "parts", options(epochs=4))
    monkeypatch.setattr(second_language, "_keep", keep)
    learn_language(embedder, embedder, PAIRS, tmp_path / "parts", options(epochs=4))
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert torch.equal(whole[EMBEDDINGS], parts[EMBEDDINGS])


def test_every_sentence_comes_once_an_epoch_beside_others_of_its_length() -> None:
    lengths = [3, 9, 4, 8, 5, 7, 6, 6]
    steps = [second_language._batch(lengths, step, options(batch_size=2)) for step in range(4)]
    assert sorted(place for step in steps for place in step) == list(range(8))
    assert all(abs(lengths[one] - lengths[other]) <= 1 for one, other in steps)

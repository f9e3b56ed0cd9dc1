"""A smaller model learns what a teacher makes of every token, in the same run as what labels say."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.pointing_folders import make_pointing
from tests.models.tiny_models import Shape, make_model
from tests.train.runs import metrics, run, settings, stopped

from secondpass.errors import InputError
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.train.imitation import Seen, imitation_losses, same_depths

TEXTS = ("长江流入东海。", "the river ends in the harbour.", "没有", "nothing 12")


def seen_of(seed: int, tokens: int = 7) -> Seen:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((3,), (3, tokens, 5), (3, tokens, 2))
    logits, states, spans = (torch.randn(shape, generator=generator) for shape in shapes)
    return Seen(logits, (states,), spans)


def batch_of(tokens: int = 7) -> dict[str, torch.Tensor]:
    mask = torch.ones(3, tokens, dtype=torch.long)
    mask[1, 5:] = 0
    passage = mask.bool().clone()
    passage[:, :2] = False
    return {"attention_mask": mask, "passage": passage}


def test_what_the_teacher_gets_wrong_is_not_imitated_but_for_its_scores() -> None:
    own, taught, batch = seen_of(1), seen_of(2), batch_of()
    whole = imitation_losses(own, taught, batch)
    gaps = (own.logits - taught.logits).abs()
    scores = torch.where(gaps < 4, gaps**2 / 8, gaps - 2)
    answers = torch.zeros(3, 7, dtype=torch.bool)
    answers[0, 3] = answers[1, 4] = True  # of the third nobody knows where the answer stands
    assert taught.spans is not None
    sure = []
    for row, (token, passage) in enumerate(((3, slice(2, 7)), (4, slice(2, 5)))):
        shares = taught.spans[row, passage].softmax(dim=0)[token - 2]
        sure.append(float((shares[0] * shares[1]).sqrt()))
    found = imitation_losses(own, taught, batch | {"firsts": answers, "lasts": answers})
    torch.testing.assert_close(found - scores, (whole - scores) * torch.tensor([*sure, 1.0]))


def test_nothing_is_lost_by_the_teacher_itself() -> None:
    seen = seen_of(1)
    torch.testing.assert_close(imitation_losses(seen, seen, batch_of()), torch.zeros(3))


def test_states_scores_and_places_count_as_the_formulas_say() -> None:
    own, taught, batch = seen_of(1), seen_of(2), batch_of()
    target = taught.states[0]
    assert own.spans is not None
    assert taught.spans is not None
    for row, (length, passage) in enumerate(((7, slice(2, 7)), (5, slice(2, 5)), (7, slice(2, 7)))):
        apart = [
            float((own.states[0][row, token] - target[row, token]).norm() / target[row, token].norm()) ** 2
            for token in range(length)
        ]
        gap = abs(float(own.logits[row] - taught.logits[row]))
        wanted, found = (one.spans[row, passage].softmax(dim=0) for one in (taught, own))
        divergence = float((wanted * (wanted / found).log()).sum())
        expected = 4 * sum(apart) / length + (gap**2 / 8 if gap < 4 else gap - 2) + 0.5 * divergence
        assert float(imitation_losses(own, taught, batch)[row]) == pytest.approx(expected, rel=1e-4)


def test_what_is_padding_and_what_is_no_passage_does_not_count() -> None:
    own, taught, batch = seen_of(1), seen_of(2), batch_of()
    before = imitation_losses(own, taught, batch)
    own.states[0][1, 5:] += 100
    assert own.spans is not None
    own.spans[:, :2] += 100
    torch.testing.assert_close(imitation_losses(own, taught, batch), before)


def test_layers_are_compared_with_those_at_the_same_depth_and_all_of_them_count() -> None:
    own, taught, batch = seen_of(1), seen_of(2), batch_of()
    deep = replace(taught, states=(own.states[0], taught.states[0]))
    torch.testing.assert_close(imitation_losses(own, deep, batch), imitation_losses(own, taught, batch))
    both = replace(own, states=(taught.states[0], own.states[0]))
    apart = imitation_losses(both, deep, batch) - imitation_losses(own, deep, batch)
    assert bool((apart > 0.1).all())
    assert same_depths(3, 6) == [1, 3, 5]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random classifier of three layers that points."""
    return make_pointing(tmp_path_factory.mktemp("imitation") / "老师", layers=3)


@pytest.fixture(scope="module")
def learner(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without its middle layer."""
    folder = tmp_path_factory.mktemp("imitation") / "学生"
    folder.mkdir()
    for file in teacher.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if ".layer.1." not in name}
    renamed = {name.replace(".layer.2.", ".layer.1."): value for name, value in kept.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"num_hidden_layers": 2}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "probes.json").unlink(missing_ok=True)
    return folder


def scores_of(folder: Path) -> torch.Tensor:
    scorer = open_cross_encoder(folder, options=EngineOptions("torch", "f32", threads=1))
    return torch.tensor([one.score for one in scorer.score("长江 harbour?", TEXTS)])


@pytest.mark.parametrize("evidence", [0.0, 1.0])
def test_a_smaller_model_comes_nearer_and_the_teacher_stays(
    teacher: Path, learner: Path, lessons: Path, tmp_path: Path, evidence: float
) -> None:
    taught = scores_of(teacher)
    options = settings(learner, lessons, tmp_path / "out", teacher=str(teacher), imitate=20.0, evidence=evidence)
    run(options | {"max_steps": 40, "evaluate_every": 40, "learning_rate": 1e-3, "loss": "pointwise"})
    steps = [record["imitation"] for record in metrics(tmp_path / "out") if record["event"] == "step"]
    assert sum(steps[-5:]) < 0.7 * sum(steps[:5])
    torch.testing.assert_close(scores_of(teacher), taught)
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert weights.keys() == load_file(learner / "model.safetensors").keys()


def test_scores_that_are_all_alike_end_no_run_while_states_are_learned(
    teacher: Path, learner: Path, lessons: Path, tmp_path: Path
) -> None:
    still = {"max_steps": 70, "evaluate_every": 70, "learning_rate": 0.0, "loss": "group_softmax", "batch_size": 2}
    taught = run(settings(learner, lessons, tmp_path / "taught", teacher=str(teacher), **still))
    assert (taught.run.step, taught.collapse) == (70, None)
    alone = run(settings(learner, lessons, tmp_path / "alone", **still))
    assert alone.collapse is not None


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    teacher: Path, learner: Path, lessons: Path, tmp_path: Path
) -> None:
    whole = settings(learner, lessons, tmp_path / "whole", teacher=str(teacher))
    run(whole)
    part = settings(learner, lessons, tmp_path / "part", teacher=str(teacher))
    assert stopped(part, signal.SIGKILL, 6) < 0
    run(part, resume=True)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "part"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_teachers_that_cannot_be_imitated_are_refused(
    teacher: Path, learner: Path, embedder: Path, lessons: Path, tmp_path: Path
) -> None:
    options = settings(learner, lessons, tmp_path / "out")
    with pytest.raises(InputError, match="states are imitated of a cross-encoder with one score"):
        run(options | {"teacher": str(embedder)})
    wide = make_model(tmp_path / "wide", Shape("bert", layers=2, hidden=64))
    with pytest.raises(InputError, match="has states of 64 numbers and the model 32"):
        run(options | {"teacher": str(wide)})

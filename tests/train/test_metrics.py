"""What was heard of a run is kept, and what came after a checkpoint is dropped when the run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.train.runs import records, run, settings

from secondpass.errors import MissingExtraError
from secondpass.train.metrics import Curves, MetricsFile


def test_records_after_the_checkpoint_and_half_a_line_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    heard = MetricsFile(path, 0)
    for step in range(1, 6):
        heard({"event": "step", "step": step, "说": "好"})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "step", "st')
    MetricsFile(path, 3)({"event": "step", "step": 4})
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert lines[2]["说"] == "好"
    assert "说" not in lines[3]
    MetricsFile(path, 0)
    assert path.read_text(encoding="utf-8") == ""


def test_tensorboard_shows_the_curves_of_the_metrics(reranker: Path, lessons: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    run(settings(reranker, lessons, output, tensorboard=True, max_steps=4, evaluate_every=2))
    curves = EventAccumulator(str(Path(f"{output}.run") / "tensorboard"))
    curves.Reload()
    for event, name in (("step", "loss"), ("dev", "nDCG@10")):
        drawn = [(point.step, point.value) for point in curves.Scalars(f"{event}/{name}")]
        kept = [(one["step"], one[name]) for one in records(output) if one["event"] == event]
        assert drawn == [(step, pytest.approx(value, rel=1e-6)) for step, value in kept]


def test_tensorboard_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("secondpass.train.metrics.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="tensorboard = true needs a part that is not installed"):
        Curves(tmp_path, 0)

"""A line of mixes: measured one at a time, chosen within the bound, drawn, and nothing left behind."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.merge.families import change, make_family, read_tensors
from tests.models.tiny_models import SENTENCES

from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.candidates import TaskLists
from secondpass.merge.merging import WriteOptions, plan_merge, write_merge
from secondpass.merge.methods import Mix
from secondpass.merge.parents import open_parent
from secondpass.merge.sweep import Sweep, SweepOptions, SweepPoint, TaskValue, chosen_plan, sweep
from secondpass.merge.sweep_picture import svg_plot, text_plot
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Chunk

QUESTIONS = {"q1": "谁发明了电话？", "q2": "首都在哪里？", "q3": "How long is the river?", "q4": "哪家餐馆有麻婆豆腐？"}
PASSAGES = {f"p{index}": Chunk(f"p{index}", text) for index, text in enumerate(SENTENCES[:10])}
WEIGHTS = (0.0, 0.5, 1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ranked(folder: Path, query: str) -> list[str]:
    scorer = open_cross_encoder(folder, options=EngineOptions("onnx", threads=1))
    scores = [one.score for one in scorer.score(query, [passage.text for passage in PASSAGES.values()])]
    return [list(PASSAGES)[index] for index in np.argsort(scores)[::-1]]


def task_of(folder: Path, name: str) -> TaskLists:
    """A task on which this model is perfect: what it ranks first is what is relevant."""
    qrels = {query_id: {ranked(folder, query)[0]: 1} for query_id, query in QUESTIONS.items()}
    candidates = {query_id: tuple(Candidate(doc_id) for doc_id in PASSAGES) for query_id in QUESTIONS}
    return TaskLists(RankingTask(name, QUESTIONS, PASSAGES, qrels, candidates))


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """A base, and a model that ranks otherwise."""
    base, tuned = make_family(tmp_path / "模型", children=1, spread=0.2)
    return base, tuned


def options(**changes: Any) -> SweepOptions:
    engine = RerankerOptions(EngineOptions("onnx", threads=1))
    return SweepOptions(**{"weights": WEIGHTS, "reranker": engine, "general_loss": 1.0, **changes})


def test_a_line_is_measured_at_its_weights_and_its_ends_are_the_models_themselves(
    tmp_path: Path, models: tuple[Path, Path], cache: Path
):
    base, tuned = (open_parent(str(folder)) for folder in models)
    tasks = [task_of(models[1], "法律"), task_of(models[0], "新闻")]
    (tmp_path / "work").mkdir()
    heard: list[tuple[str, int, int]] = []
    found = sweep(base, tuned, tasks, options(work=tmp_path / "work"), lambda *said: heard.append(said))
    assert [point.weight for point in found.points] == [0.0, 0.5, 1.0]
    assert found.points[2].target.mean == pytest.approx(1.0)
    assert found.points[0].general is not None
    assert found.points[0].general.mean == pytest.approx(1.0)
    assert found.points[2].target.gain == pytest.approx(1.0 - found.points[0].target.mean)
    assert (found.chosen, found.questions) == (1.0, {"法律": 4, "新闻": 4})
    assert heard[-1][1:] == (24, 24)
    assert not list((tmp_path / "work").iterdir())
    assert len(list((cache / "engines").iterdir())) == 2  # the ends' graphs: those of the mix are gone with it


def test_the_middle_is_measured_as_the_merged_folder_itself_would_be(tmp_path: Path, models: tuple[Path, Path]):
    base, tuned = (open_parent(str(folder)) for folder in models)
    middle = write_merge(plan_merge((base, tuned), Mix((0.5, 0.5))), tmp_path / "middle")
    found = sweep(base, tuned, [task_of(middle, "中间")], options())
    assert found.points[1].target.mean == pytest.approx(1.0)
    assert (found.chosen, found.general) == (0.5, None)
    merged = write_merge(chosen_plan(base, tuned, found, WriteOptions()), tmp_path / "chosen")
    expected = read_tensors(middle)
    assert all(np.array_equal(tensor, expected[name]) for name, tensor in read_tensors(merged).items())
    record = json.loads((merged / "merge.json").read_text(encoding="utf-8"))["found"]["sweep"]
    assert record["at"] == {"中间": pytest.approx(1.0)}


def test_what_loses_too_much_elsewhere_is_not_chosen(models: tuple[Path, Path]):
    base, tuned = (open_parent(str(folder)) for folder in models)
    tasks = [task_of(models[1], "target"), task_of(models[0], "general")]
    found = sweep(base, tuned, tasks, options(general_loss=0.0))
    lost = [point for point in found.points if point.general is not None and point.general.gain < 0]
    assert lost
    assert not any(point.allowed for point in lost)
    assert found.best.allowed


def test_of_equal_weights_the_one_nearest_to_the_base_is_chosen(tmp_path: Path):
    base, same = make_family(tmp_path, children=1, spread=0.0)
    found = sweep(open_parent(str(base)), open_parent(str(same)), [task_of(base, "t")], options())
    assert found.chosen == 0.0
    assert [point.target.p_value for point in found.points] == [1.0, 1.0, 1.0]


def test_models_that_cannot_be_merged_and_weights_beyond_the_ends_are_refused_before_anything_is_measured(
    models: tuple[Path, Path],
):
    base, tuned = (open_parent(str(folder)) for folder in models)
    task = TaskLists(RankingTask("t", QUESTIONS, PASSAGES, {"q1": {"p1": 1}}, {}))
    with pytest.raises(InputError, match="accepted are weights in between"):
        sweep(base, tuned, [task], options(weights=(0.5, 1.5)))
    change(models[1], lambda tensors: tensors | {"classifier.out_proj.bias": np.zeros(2, np.float32)})
    with pytest.raises(InputError, match=r"classifier.out_proj.bias: \[1\] in"):
        sweep(base, open_parent(str(models[1])), [task], options())


def value(mean: float) -> TaskValue:
    return TaskValue(mean, mean - 0.02, mean + 0.02, mean - 0.5, 0.2)


def drawn() -> Sweep:
    points = tuple(
        SweepPoint(weight, value(0.5 + 0.2 * weight), value(0.5 - 0.1 * weight), weight < 0.6) for weight in WEIGHTS
    )
    return Sweep("基", "<tuned>", "nDCG@10", "法律&", "general", {"法律&": 4, "general": 4}, 0.06, points, 0.5, ())


def test_a_sweep_is_drawn_in_characters():
    lines = text_plot(drawn()).splitlines()
    assert lines[0].startswith("  70.0 ┤")
    assert lines[0].rstrip().endswith("●")
    assert lines[10].rstrip().endswith("○")
    assert sum(line.count("●") + line.count("○") + 2 * line.count("◉") for line in lines[:11]) == 6
    marks = next(line for line in lines if "▲" in line)
    assert lines[-3][marks.index("▲") - 1 : marks.index("▲") + 2] == "0.5"
    assert lines[-1] == "● 法律&   ○ general"


def test_a_sweep_is_drawn_as_a_picture_in_which_names_stay_text():
    root = Xml.fromstring(svg_plot(drawn()))
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "法律& nDCG@10" in texts
    assert "基 (0) – <tuned> (1)" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 6
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2


def test_the_command_shows_table_and_plot_and_writes_the_best(run_sweep: Callable[..., str], tmp_path: Path):
    said = run_sweep("--svg", "线.svg", "--out", "合并")
    assert "nDCG@10 of mixes of base (0) and child1 (1)" in said
    assert "● task" in said
    assert (tmp_path / "线.svg").read_text(encoding="utf-8").startswith("<svg")
    lineage = json.loads((tmp_path / "合并" / "merge.json").read_text(encoding="utf-8"))
    assert lineage["found"]["sweep"]["weights"] == [0.0, 0.5, 1.0]
    told = json.loads(run_sweep("--json"))
    assert [point["weight"] for point in told["points"]] == [0.0, 0.5, 1.0]


@pytest.fixture
def run_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run ``secondpass merge sweep`` in this process on a task in files; return what it prints."""
    from secondpass.cli.main import main  # noqa: PLC0415

    make_family(tmp_path, children=1, spread=0.2)
    folder = tmp_path / "task"
    (folder / "qrels").mkdir(parents=True)
    rows = {
        "corpus.jsonl": [{"_id": key, "title": "", "text": passage.text} for key, passage in PASSAGES.items()],
        "queries.jsonl": [{"_id": key, "text": text} for key, text in QUESTIONS.items()],
    }
    for name, lines in rows.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / name).write_text(text, encoding="utf-8")
    judged = "".join(f"{query_id}\tp{2 * index}\t1\n" for index, query_id in enumerate(QUESTIONS))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")

    def call(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        command = [
            "sweep",
            "base",
            "child1",
            "--target",
            "task",
            "--weights",
            "0.5",
            "--engine",
            "onnx",
            "--threads",
            "1",
        ]
        monkeypatch.setattr("sys.argv", ["secondpass", "merge", *command, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == 0, printed.err
        return printed.out

    return call

"""TREC runs."""

from __future__ import annotations

import io
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR

from secondpass.data.trec import format_run, ranked, read_run, run_hits
from secondpass.errors import InputError
from secondpass.types import Chunk


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_score_decides_the_order(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "run", "q1 Q0 甲 1 0.5 t\nq1\tQ0\t乙\t2\t1e1\tt\n"))
    assert run == {"q1": {"甲": 0.5, "乙": 10.0}}
    assert ranked(run["q1"]) == ["乙", "甲"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q1 Q0 d 1 0.5", "5 fields"),
        ("q1 Q0 d 1 high t", "'high'"),
        ("q1 Q0 d 1 nan t", "finite"),
        ("q1 Q0 a 3 0.1 t", "stands twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "run", f"q1 Q0 a 1 0.5 t\n{line}\n")
    with pytest.raises(InputError, match=f"run:2.*{said}"):
        read_run(path)


@given(st.lists(st.floats(-100, 100, width=32).map(lambda x: round(x, 1)), min_size=1, max_size=12))
def test_a_written_run_is_read_back_in_the_same_order(scores: list[float]) -> None:
    scores = sorted(scores, reverse=True)
    names = [f"d{number:02}" for number in range(len(scores))]
    lines = format_run("q", names, scores, "t")
    for number, name in enumerate(names):
        measured = ir_measures.calc_aggregate(
            [RR], [ir_measures.Qrel("q", name, 1)], ir_measures.read_trec_run(io.StringIO(lines))
        )
        assert measured[RR] == pytest.approx(1 / (number + 1))


def test_a_run_becomes_hits_in_its_order() -> None:
    corpus = {"a": Chunk("a", "甲"), "b": Chunk("b", "乙")}
    hits = run_hits({"a": 2.0, "b": 3.0}, corpus)
    assert [(hit.chunk.text, hit.score, hit.stages[0].rank) for hit in hits] == [("乙", 3.0, 1), ("甲", 2.0, 2)]

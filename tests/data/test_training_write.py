"""Writing training data, and what comes back when it is read again."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_convert import convert
from secondpass.data.training_forms import FormName
from secondpass.data.training_groups import grouped
from secondpass.data.training_read import ReadOptions, good_examples, open_examples
from secondpass.data.training_write import first_negatives, write_examples
from secondpass.errors import InputError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
SCORE = st.floats(-100, 100).map(lambda score: round(score, 3))


@st.composite
def examples(draw: st.DrawFn) -> list[TrainExample]:
    queries = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    made = []
    for query in queries:
        texts = draw(st.lists(TEXT, min_size=1, max_size=6, unique=True))
        cut = draw(st.integers(1, len(texts)))
        scored = draw(st.booleans())
        made.append(
            TrainExample(
                query,
                tuple(texts[:cut]),
                tuple(texts[cut:]),
                tuple(draw(SCORE) for _ in texts[:cut]) if scored else None,
                tuple(draw(SCORE) for _ in texts[cut:]) if scored else None,
                draw(st.none() | TEXT),
            )
        )
    return made


def bare(example: TrainExample, *lost: str) -> TrainExample:
    kept = replace(example, place="", provenance={})
    if "prompt" in lost:
        kept = replace(kept, prompt=None)
    return replace(kept, positive_scores=None, negative_scores=None) if "scores" in lost else kept


def round_trip(given: list[TrainExample], form: FormName) -> list[TrainExample]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        write_examples(path, form, given)
        back = good_examples(open_examples(path))
        return list(grouped(back, Counter()) if form in ("pairs", "triplets") else back)


@given(examples())
@settings(max_examples=30, deadline=None)
def test_the_flag_form_holds_everything(given: list[TrainExample]) -> None:
    noted = [replace(one, provenance={"id": str(n), "negatives": []}) for n, one in enumerate(given)]
    assert [replace(one, place="") for one in round_trip(noted, "flag")] == noted


@pytest.mark.parametrize(
    ("form", "lost"),
    [("triplets", ("prompt",)), ("pairs", ("prompt",)), ("lists", ("prompt",)), ("messages", ("scores",))],
)
@given(given=examples())
@settings(max_examples=20, deadline=None)
def test_what_a_form_of_lines_holds_comes_back(
    form: FormName, lost: tuple[str, ...], given: list[TrainExample]
) -> None:
    assert [bare(one) for one in round_trip(given, form)] == [bare(one, *lost) for one in given]


@pytest.mark.parametrize("form", ["beir", "trec"])
@given(given=examples())
@settings(max_examples=12, deadline=None)
def test_a_collection_holds_texts_and_judgements(form: FormName, given: list[TrainExample]) -> None:
    stripped = [one for one in given if all(t == t.strip() for t in (one.query, *one.positives, *one.negatives))]
    assume(stripped)
    back = round_trip(stripped, form)
    assert [(one.query, set(one.positives), set(one.negatives)) for one in back] == [
        (one.query, set(one.positives), set(one.negatives)) for one in stripped
    ]


def test_grades_survive_lists_pairs_and_collections(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    record = {"query": "西安", "docs": ["城墙", "长城", "钟楼"], "labels": [2, 0, 1]}
    source.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    for form in ("lists", "pairs", "flag", "beir"):
        target = tmp_path / form
        convert(open_examples(source), target, form, [])
        back, problems = tmp_path / f"{form}.back", list[BadLine]()
        convert(open_examples(target), back, "lists", problems)
        assert not problems
        found = json.loads(back.read_text(encoding="utf-8"))
        assert dict(zip(found["docs"], found["labels"], strict=True)) == {"城墙": 2, "长城": 0, "钟楼": 1}, form


def test_pairs_become_one_example_for_each_question(tmp_path: Path) -> None:
    source = tmp_path / "pairs.csv"
    source.write_text(
        "query,passage,label\n西安,城墙,1\n北京,城墙,0\n西安,长城,0\n西安,钟楼,1\n西安,长城,0\n", encoding="utf-8"
    )
    report = convert(open_examples(source), tmp_path / "out.jsonl", "flag", [])
    (line,) = [json.loads(one) for one in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert line == {"query": "西安", "pos": ["城墙", "钟楼"], "neg": ["长城"]}
    assert report.notes == {
        "rows joined with the first row of their question": 3,
        "passages that stood twice for their question": 1,
        "examples without a positive, left out": 1,
    }


def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    example = TrainExample(
        "西安", ("城墙", "钟楼"), ("长城",), (1.0, 2.0), (0.5,), "找", "", {"id": "1", "by": "people"}
    )
    notes = write_examples(tmp_path / "out", "messages", [example]).notes
    assert notes == {f"examples that lost their {what}": 1 for what in ("scores", "ids", "provenance")}
    notes = write_examples(tmp_path / "out", "triplets", [example, first_negatives(example, 0)]).notes
    assert notes["further positives, each a row of its own"] == 2
    assert notes["rows have between 0 and 1 negatives; sentence-transformers wants equal numbers"] == 4
    assert "examples that lost their scores" not in notes


def test_rows_may_be_given_an_exact_number_of_negatives(tmp_path: Path) -> None:
    long = TrainExample(
        "西安", ("城墙",), ("甲", "乙", "丙"), (1.0,), (0.1, 0.2, 0.3), None, "", {"negative_ids": ["a", "b", "c"]}
    )
    report = write_examples(tmp_path / "out", "flag", [long, first_negatives(long, 1)], negatives=2)
    (line,) = [json.loads(one) for one in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    assert (line["neg"], line["neg_scores"], line["neg_id"]) == (["甲", "乙"], [0.1, 0.2], ["a", "b"])
    assert report.notes == {
        "negatives beyond the number asked for, cut off": 1,
        "examples with fewer than 2 negatives, left out": 1,
    }


def test_chinese_is_written_as_it_is_and_a_failure_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_examples(path, "flag", [TrainExample("西安", ("城墙",))])
    assert path.read_text(encoding="utf-8") == '{"query": "西安", "pos": ["城墙"], "neg": []}\n'

    def broken() -> list[TrainExample]:
        raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        write_examples(path, "flag", (example for example in broken()))
    assert "西安" in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="JSON lines"):
        write_examples(tmp_path / "out.csv", "flag", [])
    with pytest.raises(InputError, match="not empty"):
        write_examples(tmp_path, "beir", [TrainExample("西安", ("城墙",))])
    with pytest.raises(InputError, match="stands for an earlier question"):
        write_examples(tmp_path / "new", "beir", [TrainExample("西安", ("城墙",), provenance={"id": "a"})] * 2)
    assert not (tmp_path / "new").exists()


def collection(folder: Path) -> Path:
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        "".join(
            json.dumps({"_id": f"d{n}", "title": "题", "text": f"第{n}段"}, ensure_ascii=False) + "\n" for n in range(5)
        ),
        encoding="utf-8",
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "a", "text": "甲？", "split": "train"}\n{"_id": "b", "text": "乙？", "split": "dev"}\n',
        encoding="utf-8",
    )
    (folder / "qrels.tsv").write_text("a 0 d1 2\na 0 d2 1\na 0 d4 0\nb 0 d3 1\nb 0 gone 1\n", encoding="utf-8")
    (folder / "candidates.jsonl").write_text('{"qid": "a", "kind": "x", "pids": ["d0", "d1"]}\n', encoding="utf-8")
    return folder


def test_a_collection_gives_examples_with_where_negatives_came_from(tmp_path: Path) -> None:
    folder = collection(tmp_path / "beir")
    (example,) = open_examples(folder, ReadOptions(files=replace(ReadOptions().files, split="train")))
    assert isinstance(example, TrainExample)
    assert example.positives == ("题 第1段", "题 第2段")
    assert example.positive_scores == (2.0, 1.0)
    assert example.negatives == ("题 第4段", "题 第0段")
    assert [negative["source"] for negative in example.provenance["negatives"]] == ["qrels", "candidates"]  # type: ignore[index,call-overload,union-attr]
    assert example.place == f"{folder / 'queries.jsonl'}:1"
    missing, second = open_examples(folder, ReadOptions(files=replace(ReadOptions().files, split="dev")))
    assert isinstance(missing, BadLine)
    assert "1 passages of 'b' are not in" in missing.reason
    assert isinstance(second, TrainExample)


def test_a_run_gives_negatives_with_rank_and_score(tmp_path: Path) -> None:
    folder = collection(tmp_path / "trec")
    (folder / "candidates.jsonl").unlink()
    (folder / "run.trec").write_text("a Q0 d3 1 7.5 bm25\na Q0 d1 2 6 bm25\na Q0 d0 3 5 bm25\n", encoding="utf-8")
    examples = open_examples(folder)
    assert examples.form == "trec"
    first = next(iter(examples))
    assert isinstance(first, TrainExample)
    assert first.provenance["negatives"][1:] == [  # type: ignore[index]
        {"source": "run", "rank": 1, "score": 7.5, "id": "d3"},
        {"source": "run", "rank": 3, "score": 5.0, "id": "d0"},
    ]


def test_ids_that_stand_twice_and_splits_that_are_not_there_are_named(tmp_path: Path) -> None:
    folder = collection(tmp_path / "twice")
    corpus = folder / "corpus.jsonl"
    corpus.write_text(corpus.read_text(encoding="utf-8") + '{"_id": "d1", "text": "又"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"corpus\.jsonl:6: the id 'd1' stands on line 2 too"):
        list(open_examples(folder))
    (folder / "qrels.tsv").unlink()
    (folder / "qrels").mkdir()
    for split in ("dev", "test"):
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n", encoding="utf-8")
    with pytest.raises(InputError, match="the splits dev, test; choose one"):
        open_examples(folder)
    with pytest.raises(InputError, match=r"has no corpus\.jsonl"):
        open_examples(tmp_path)


def test_written_files_load_as_data_sets_with_their_columns_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    negatives = [
        {"source": "bm25", "rank": 3, "score": 7.5, "id": "d3"},
        {"source": "given", "rank": None, "score": None, "id": None},
    ]
    mined = TrainExample("西安", ("城墙",), ("长城", "钟楼"), (2.0,), (0.5, 0.1), "找", "", {"negatives": negatives})
    plain = TrainExample("A wall?", ("A wall.",), ("A tower.", "A gate."))
    columns = {}
    for form in ("flag", "triplets", "pairs", "lists"):
        path = tmp_path / f"{form}.jsonl"
        write_examples(path, form, [mined, plain, mined])  # type: ignore[arg-type]
        loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        columns[form] = loaded.column_names[:4]
        assert loaded[0]["query"] == "西安"
    assert columns["triplets"] == ["query", "positive", "negative_1", "negative_2"]
    assert columns["flag"][:3] == ["query", "pos", "neg"]
    assert columns["pairs"][:3] == ["query", "passage", "label"]
    assert columns["lists"][:3] == ["query", "docs", "labels"]

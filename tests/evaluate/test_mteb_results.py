"""Result files of MTEB in both forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secondpass.errors import InputError
from secondpass.evaluate.mteb_results import MTEBResults, MTEBScores, read_results, write_results

OLD = {
    "dataset_revision": "76631901a18387f85eaa53e5450019b87ad58ef9",
    "dev": {"evaluation_time": 1015.3, "map": 0.6728, "mrr": 0.7781},
    "mteb_dataset_name": "T2Reranking",
    "mteb_version": "1.1.1",
}
NEW = {
    "dataset_revision": "a34f",
    "task_name": "T2Reranking",
    "mteb_version": "2.26.24",
    "scores": {
        "dev": [
            {
                "map_at_1000": 0.6728,
                "ndcg_at_10": 0.7,
                "mrr_at_10": 0.7781,
                "hit_rate_at_3": 0.9,
                "nauc_map_at_10_max": 0.2,
                "main_score": 0.6728,
                "hf_subset": "default",
                "languages": ["cmn-Hans"],
            }
        ]
    },
    "evaluation_time": 3.5,
}


def write(path: Path, record: Any) -> Path:
    path.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    return path


def test_old_and_new_files_give_the_same_measures(tmp_path: Path) -> None:
    old = read_results(write(tmp_path / "old.json", OLD))
    new = read_results(write(tmp_path / "new.json", NEW))
    assert (old.task, old.mteb_version, old.seconds) == ("T2Reranking", "1.1.1", None)
    assert (new.task, new.revision, new.seconds) == ("T2Reranking", "a34f", 3.5)
    assert [(entry.split, entry.subset) for entry in (*old.scores, *new.scores)] == [("dev", "default")] * 2
    assert old.scores[0].measures == {"MAP": 0.6728, "MRR@10": 0.7781}
    assert new.scores[0].measures == {"MAP": 0.6728, "MRR@10": 0.7781, "nDCG@10": 0.7, "hit@3": 0.9}
    assert (old.scores[0].main_score, new.scores[0].main_score) == (None, 0.6728)
    assert new.scores[0].languages == ("cmn-Hans",)
    assert new.scores[0].raw["nauc_map_at_10_max"] == 0.2


def test_the_form_between_the_two_is_read(tmp_path: Path) -> None:
    between = {**NEW, "scores": {"dev": [{"map": 0.5, "mrr": 0.6, "main_score": 0.5, "hf_subset": "zh"}]}}
    scores = read_results(write(tmp_path / "r.json", between)).scores[0]
    assert (scores.subset, scores.measures) == ("zh", {"MAP": 0.5, "MRR@10": 0.6})


def test_old_files_of_several_languages_and_of_miracl_keep_their_own_names(tmp_path: Path) -> None:
    old = {
        "mteb_dataset_name": "MIRACLReranking",
        "dev": {"zh": {"NDCG@10(MIRACL)": 0.4}, "en": {"NDCG@10(MIRACL)": 0.5}},
    }
    scores = read_results(write(tmp_path / "r.json", old)).scores
    assert {entry.subset: dict(entry.measures) for entry in scores} == {
        "zh": {"nDCG@10(MIRACL)": 0.4},
        "en": {"nDCG@10(MIRACL)": 0.5},
    }


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([1], "a JSON list"),
        ({}, "no result file of MTEB.*no keys"),
        ({"任务": 1}, "Found are: 任务"),
        ({"mteb_dataset_name": "T2Reranking", "dev": {}}, "no result file"),
        ({"task_name": "T2Reranking", "scores": []}, '"scores" is a list'),
        ({"task_name": "T2Reranking", "scores": {"dev": {}}}, "'dev' is a dict; it must be a list"),
        ({"task_name": "T2Reranking", "scores": {"dev": [1]}}, "'dev' is a int; it must be an object"),
        ({"scores": {"dev": [{"map": 0.5}]}}, "no result file"),
    ],
)
def test_another_file_is_refused_with_what_is_accepted(tmp_path: Path, record: Any, said: str) -> None:
    with pytest.raises(InputError, match=rf"r\.json: .*{said}"):
        read_results(write(tmp_path / "r.json", record))


def test_broken_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"task_name":\n "T2', encoding="utf-8")
    with pytest.raises(InputError, match=r"r\.json:2: this is no JSON"):
        read_results(tmp_path / "r.json")
    (tmp_path / "r.json").write_bytes('{"task_name": "任务"}'.encode("gb18030"))
    with pytest.raises(InputError, match=r"r\.json: this is no JSON in UTF-8"):
        read_results(tmp_path / "r.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_results(tmp_path / "none.json")


MEASURED = {"MAP": 0.5, "nDCG@10": 0.6, "Judged@10": 1.0}
OURS = MTEBResults("T2Reranking", "1", "", (MTEBScores("dev", "default", MEASURED, 0.5, ("cmn-Hans",)),), 2.0)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_results(OURS, tmp_path / "r.json")
    found = read_results(tmp_path / "r.json")
    assert (found.task, found.mteb_version, found.seconds) == ("T2Reranking", "", 2.0)
    assert found.scores[0].measures == {"MAP": 0.5, "nDCG@10": 0.6}
    assert found.scores[0].main_score == 0.5


def test_a_main_score_that_was_not_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the main score 'MRR@10' was not measured; there are: MAP, nDCG@10"):
        write_results(OURS, tmp_path / "r.json", "MRR@10")
    assert not (tmp_path / "r.json").exists()


def test_mteb_reads_what_is_written(tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="pip install 'secondpass[mteb]' to test evaluation through mteb")
    from mteb.results import TaskResult  # noqa: PLC0415 - slow to import, and an extra

    write_results(OURS, tmp_path / "r.json")
    result = TaskResult.from_disk(tmp_path / "r.json")
    assert result.get_score() == 0.5
    assert result.scores["dev"][0]["ndcg_at_10"] == 0.6

"""The user's questions, and which passages answer them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secondpass import Workbench
from secondpass.data.questions import (
    AnswerFinder,
    Question,
    read_question_file,
    task_from_questions,
    unknown_files,
)
from secondpass.data.tasks import Candidate
from secondpass.errors import InputError
from secondpass.types import Chunk, Hit, StageScore

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_every_usual_key_is_understood(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        '{"_id": "d1", "text": "几个学校？", "answers": ["三所", "三个"], "docs": ["a/甲.md"]}',
        '{"question": "How many?", "answer": "three"}',
        '{"id": 7, "query": "哪里？", "files": "乙.md"}',
        '{"id": "g", "text": "newsletter?", "answers": ["D"], "evidence": [{"doc": "m.md", "quotes": ["called D"]}]}',
    )
    assert read_question_file(path) == [
        Question("d1", "几个学校？", ("三所", "三个"), (), ("a/甲.md",)),
        Question("2", "How many?", ("three",)),
        Question("7", "哪里？", files=("乙.md",)),
        Question("g", "newsletter?", ("D",), ("called D",), ("m.md",)),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ('{"text": "谁？"}', "'谁？' has neither answers nor files"),
        ('{"text": "谁？", "answers": ["  "], "files": []}', "neither answers nor files"),
        ('{"frage": "wer?", "answers": ["x"]}', "there is no question.*Found are: frage, answers"),
        ('{"text": " ", "answers": ["x"]}', "there is no question"),
        ('{"text": "谁？", "answers": {"a": 1}}', '"answers" must be a text or a list of texts'),
        ('{"text": "谁？", "answers": ["x"], "id": 1.5}', '"id" is a float'),
        ('{"text": "谁？", "evidence": ["x"]}', '"evidence" must be a list of'),
    ],
)
def test_a_question_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "q.jsonl", '{"id": "甲", "text": "几个？", "answers": ["三"]}', line)
    with pytest.raises(InputError, match=rf"q\.jsonl:2: .*{said}"):
        read_question_file(path)


def test_an_id_that_stands_twice_is_told_apart_by_its_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "q.jsonl", *['{"id": "甲", "text": "几个？", "answers": ["三"]}'] * 2)
    assert [question.id for question in read_question_file(path)] == ["甲", "甲:2"]
    assert "q.jsonl:2: the id 甲 stood there before; this one is called 甲:2" in caplog.text


def test_empty_files_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"q\.jsonl: there is no question"):
        read_question_file(write(tmp_path / "q.jsonl"))
    (tmp_path / "q.jsonl").write_bytes('{"text": "谁？", "answers": ["甲"]}'.encode("gb18030"))
    with pytest.raises(InputError, match=r"q\.jsonl:1: the file is not UTF-8"):
        read_question_file(tmp_path / "q.jsonl")


@pytest.mark.parametrize(
    ("answer", "text", "grade"),
    [
        ("156个学生社团", "学校有 １５６ 個學生\n社團。", 1),
        ("西安交通大学", "西安交通大學", 1),
        ("70", "共有70个议席", 1),
        ("70", "共有170个议席", 0),
        ("70", "1.70 metres", 0),
        ("70", "in 70, and", 1),
        ("3.5", "version 3.5.1", 0),
        ("CORS", "browsers cache cors responses", 1),
        ("art", "party", 0),
        ("art", "ART-deco", 1),
        ("loc_", "channels such as loc_berlin", 1),
        ("Let's Encrypt", "Let’s  Encrypt", 1),
        ("café", "Cafe", 1),
        ("a+b", "aab", 0),
    ],
)
def test_an_answer_is_found_however_it_is_written_but_not_within_a_word(answer: str, text: str, grade: int) -> None:
    assert AnswerFinder(Question("1", "?", (answer,))).grade(Chunk("c", text)) == grade


def test_an_answer_counts_only_in_the_files_that_are_named() -> None:
    finder = AnswerFinder(Question("1", "？", ("三所",), files=("docs/甲.md",)))
    assert finder.grade(Chunk("1", "三所", "work/docs/甲.md")) == 1
    assert finder.grade(Chunk("2", "三所", "docs/乙.md")) == 0
    assert finder.grade(Chunk("3", "三所", "my-docs/甲.md")) == 0
    assert finder.grade(Chunk("4", "三所", "甲.md", source="C:\\work\\docs\\甲.md")) == 1
    assert finder.grade(Chunk("5", "两所", "docs/甲.md")) == 0


def test_without_answers_all_of_a_named_file_is_relevant() -> None:
    finder = AnswerFinder(Question("1", "？", files=("甲.md",)))
    assert [finder.grade(Chunk("", "随便", doc_id)) for doc_id in ("a/甲.md", "乙.md")] == [1, 0]


def hit(doc_id: str, text: str, score: float) -> Hit:
    return Hit(Chunk(f"{doc_id}:0", text, doc_id), score, "bm25", (StageScore("bm25", 1, score, "bm25"),))


def test_questions_and_what_was_found_are_a_task() -> None:
    questions = [Question("一", "几所？", ("三所",), files=("甲.md", "丙.md")), Question("2", "where?", ("Xi'an",))]
    hits = {"一": [hit("乙.md", "三所", 2.0), hit("甲.md", "由三所合并", 1.5)]}
    task = task_from_questions(questions, hits, "mine", documents=["甲.md", "乙.md"])
    assert (task.name, task.first_stage, task.scale) == ("mine", "bm25", "bm25")
    assert task.queries == {"一": "几所？", "2": "where?"}
    assert task.candidates == {
        "一": tuple(Candidate(hit.chunk.id, hit.score, hit.stages) for hit in hits["一"]),
        "2": (),
    }
    assert task.qrels == {"一": {"乙.md:0": 0, "甲.md:0": 1}, "2": {}}
    assert task.answers == {"一": ("三所",), "2": ("Xi'an",)}
    assert task.skipped == {
        "questions for which nothing was found": 1,
        "files named by questions that are not there": 1,
    }
    assert unknown_files(questions, ["甲.md"]) == ["丙.md"]


def test_the_examples_are_answered_by_their_own_documents(tmp_path: Path) -> None:
    questions = read_question_file(EXAMPLES / "questions.jsonl")
    with Workbench(tmp_path / "index") as workbench:
        workbench.index(EXAMPLES / "documents")
        hits = {question.id: workbench.search(question.text, "bm25@20", []).hits for question in questions}
    task = task_from_questions(questions, hits)
    assert [name for name, grades in task.qrels.items() if not any(grades.values())] == ["d4"]  # asked in English
    assert sum(sum(grades.values()) for grades in task.qrels.values()) < sum(map(len, task.qrels.values())) / 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not beside the checkout")
def test_questions_with_evidence_are_read() -> None:
    questions = read_question_file(SHARED / "gitlab_handbook_rag" / "questions.jsonl")
    assert len(questions) == 200
    assert all(question.quotes and question.files for question in questions)

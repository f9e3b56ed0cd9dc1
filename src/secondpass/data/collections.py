"""A path to a ranking task: a BEIR folder, with or without lists to rerank, or a file of labelled lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from secondpass.data.corpora import Query, read_corpus, read_queries
from secondpass.data.labelled_lists import read_labelled_lists
from secondpass.data.lines import parse_object, read_lines
from secondpass.data.qrels import read_qrels
from secondpass.data.task_assembly import (
    ReadOptions,
    TaskParts,
    assemble,
    check_unique,
    choose_questions,
    wanted_passages,
)
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.data.trec import ranked
from secondpass.errors import InputError
from secondpass.types import Chunk, Qrels, Run

__all__ = ["ReadOptions", "read_task", "task_from_trec"]

_LISTS = "candidates.jsonl"
_FIRST_STAGES = {"first_stage": "bm25", "official": "", "constructed": ""}
"""The kinds of lists (`candidates.jsonl`), and what ordered them."""
_FORM = (
    "a folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv or qrels.tsv (BEIR's form; each may be .gz), "
    f"perhaps with {_LISTS}"
)


def read_task(path: str | Path, split: str | None = None, options: ReadOptions | None = None) -> RankingTask:
    """Read a ranking task from a BEIR folder or from a JSONL file of labelled lists.

    ``split`` (None: ``test`` of a folder ``qrels/``, ``dev`` of questions that name their split, or the only one).
    Lists of a folder's ``candidates.jsonl`` whose kind is ``first_stage`` are in BM25's order; the order of others
    says nothing. A folder without lists gives a task without candidates.

    Raises:
        InputError: nothing of this form is there, a line cannot be used, or there is no such split.
    """
    place, options = Path(path), options or ReadOptions()
    if place.is_dir():
        return _read_folder(place, split, options)
    if not place.is_file():
        raise InputError(f"{path} is not there; accepted are {_FORM}, and a JSONL file of labelled lists.")
    if split is not None:
        raise InputError(f"{path} is a file of labelled lists, which has no splits; the split {split!r} was asked for.")
    return read_labelled_lists(str(place), options)


def _read_folder(folder: Path, split: str | None, options: ReadOptions) -> RankingTask:
    corpus, queries = _file(folder, "corpus.jsonl"), _file(folder, "queries.jsonl")
    known = list(read_queries(str(queries)))
    if (folder / "qrels").is_dir():
        qrels, asked = read_qrels(_qrels_of(folder, split)), known
    else:
        qrels = read_qrels(_file(folder, "qrels.tsv"))
        asked = _of_split(known, split, folder)
    lists, first_stage = _read_lists(folder)
    parts = choose_questions(
        TaskParts(folder.resolve().name, asked, {query.id for query in known}, qrels, lists, first_stage), options
    )
    return assemble(parts, read_corpus(str(corpus), wanted_passages(parts, options), options.titles))


def _file(folder: Path, name: str) -> Path:
    for found in (folder / name, folder / f"{name}.gz"):
        if found.is_file():
            return found
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
    raise InputError(f"{folder} has no {name}; accepted is {_FORM}. There are: {there or 'no files'}.")


def _qrels_of(folder: Path, split: str | None) -> Path:
    """Return the judgements of ``split``, else of ``test`` or of the only split."""
    found = {path.name.partition(".")[0]: path for path in sorted((folder / "qrels").iterdir()) if ".tsv" in path.name}
    chosen = split or ("test" if "test" in found else next(iter(found), "") if len(found) == 1 else "")
    if chosen not in found:
        asked = (
            f"no split {split!r}" if split else "no split 'test', and more than one other" if found else "no .tsv file"
        )
        raise InputError(f"{folder / 'qrels'} has {asked}; there are: {', '.join(found) or 'none'}.")
    return found[chosen]


def _of_split(queries: list[Query], split: str | None, folder: Path) -> list[Query]:
    """Return the questions of ``split``; all of them where they have no splits and none was asked for."""
    splits = list(dict.fromkeys(query.split for query in queries if query.split))
    if not splits and split is None:
        return queries
    chosen = split or ("dev" if "dev" in splits else splits[0] if len(splits) == 1 else "")
    if chosen not in splits:
        asked = f"no split {split!r}" if split else "no split 'dev'"
        raise InputError(f"{folder} has {asked}; there are: {', '.join(splits) or 'none (leave the split out)'}.")
    return [query for query in queries if query.split == chosen]


def _read_lists(folder: Path) -> tuple[dict[str, list[Candidate]] | None, str]:
    """Return the lists of ``candidates.jsonl``, if there are any, and what ordered them."""
    if not any((folder / name).is_file() for name in (_LISTS, f"{_LISTS}.gz")):
        return None, ""
    path = str(_file(folder, _LISTS))
    lists: dict[str, list[Candidate]] = {}
    first_stages: dict[str, int] = {}
    for number, line in read_lines(path):
        query_id, kind, doc_ids = _list_of(parse_object(line, f"{path}:{number}"), f"{path}:{number}")
        if query_id in lists:
            raise InputError(f"{path}:{number}: question {query_id!r} has a list further up already.")
        first_stages.setdefault(_FIRST_STAGES[kind], number)
        if len(first_stages) > 1:
            raise InputError(
                f"{path}:{number}: a list of kind {kind!r} beside others whose order means "
                f"{'nothing' if _FIRST_STAGES[kind] else 'something'}; lists of one folder must be of one sort."
            )
        lists[query_id] = [Candidate(doc_id) for doc_id in doc_ids]
    return lists, next(iter(first_stages), "")


def _list_of(record: Mapping[str, object], place: str) -> tuple[str, str, list[str]]:
    query_id, kind, doc_ids = (record.get(key) for key in ("qid", "kind", "pids"))
    if not isinstance(query_id, str | int) or not isinstance(doc_ids, list):
        raise InputError(f'{place}: accepted is {{"qid", "kind", "pids": [...]}}; found are: {", ".join(record)}.')
    if kind not in _FIRST_STAGES:
        raise InputError(f'{place}: "kind" is {kind!r}; accepted are: {", ".join(_FIRST_STAGES)}.')
    if not all(isinstance(doc_id, str | int) for doc_id in doc_ids):
        raise InputError(f'{place}: "pids" must be a list of passage ids.')
    names = [str(doc_id) for doc_id in doc_ids]
    check_unique(names, place)
    return str(query_id), str(kind), names


def task_from_trec(
    run: Run,
    qrels: Qrels,
    corpus: Mapping[str, Chunk],
    queries: Mapping[str, str],
    options: ReadOptions | None = None,
) -> RankingTask:
    """Make a task of a TREC run (the lists, in its order), qrels, passages and questions.

    ``options.titles`` and ``options.passages`` are for whoever reads the corpus.
    """
    options = options or ReadOptions()
    parts = TaskParts(
        name="run",
        queries=[Query(query_id, text) for query_id, text in queries.items()],
        known=queries.keys(),
        qrels=qrels,
        lists={
            query_id: [Candidate(doc_id, passages[doc_id]) for doc_id in ranked(passages)]
            for query_id, passages in run.items()
        },
        first_stage="run",
    )
    return assemble(choose_questions(parts, options), corpus)

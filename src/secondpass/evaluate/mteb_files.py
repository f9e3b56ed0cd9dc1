"""The data of an MTEB task on this disk, in the layouts that its repositories at the hub have.

New: parts named ``corpus``, ``queries``, ``qrels`` (or ``default``) and ``top_ranked``, each a file
(``corpus.jsonl``) or a folder of a file for each split (``corpus/dev-00000-of-00001.parquet``); those of a subset are
called ``zh-corpus`` and so on. Old: one file for each split, each row ``{"query", "positive", "negative"}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secondpass.data.corpora import Query, identity, keep, passage_of, texts_of
from secondpass.data.labelled_lists import TWICE
from secondpass.data.lines import parse_object, read_lines
from secondpass.data.qrels import add_judgement, read_qrels
from secondpass.data.task_assembly import (
    ReadOptions,
    TaskParts,
    assemble,
    choose_questions,
    hash_order,
    wanted_passages,
)
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError, MissingExtraError
from secondpass.types import Chunk, Qrels

Row = tuple[str, Mapping[str, Any]]
"""Where a record stands, and the record."""
DEFAULT_SUBSET = "default"
WITHOUT_BOTH_SORTS = "questions without positive or without negative passages"
_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".tsv", ".tsv.gz")
_QRELS = ("qrels", "default")
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, eq=False)
class MTEBData:
    """One split and subset of a task, as MTEB keeps it; ``lists``: ``{query_id: passages to rank}``."""

    queries: Iterable[Row]
    corpus: Iterable[Row]
    qrels: Qrels
    lists: Mapping[str, Sequence[str]]
    skipped: Counter[str] = field(default_factory=Counter)


def as_task(name: str, data: MTEBData, options: ReadOptions) -> RankingTask:
    """Return the ranking task of MTEB's data.

    The order of MTEB's lists says nothing, and often has the relevant passages first; they are put in hash order, so
    that ties favour nobody.
    """
    skipped = Counter(data.skipped)
    queries = [_query(record, place) for place, record in data.queries]
    lists: dict[str, list[Candidate]] = {}
    for query_id, doc_ids in data.lists.items():
        different = dict.fromkeys(map(str, doc_ids))
        skipped[TWICE] += len(doc_ids) - len(different)
        lists[query_id] = [Candidate(doc_id) for doc_id in sorted(different, key=hash_order)]
    known = {query.id for query in queries}
    parts = choose_questions(TaskParts(name, queries, known, data.qrels, lists, skipped=skipped), options)
    wanted = wanted_passages(parts, options)
    passages: dict[str, Chunk] = {}
    for place, record in data.corpus:
        doc_id = identity(record, place)
        if wanted is None or doc_id in wanted:
            keep(passages, passage_of(doc_id, record, place, options.titles), place)
    return assemble(parts, passages)


def _query(record: Mapping[str, Any], place: str) -> Query:
    text = record.get("text")
    if not isinstance(text, str):
        raise InputError(f'{place}: the "text" of the question is a {type(text).__name__}; it must be a text.')
    return Query(identity(record, place), query_text(record))


def query_text(record: Mapping[str, Any]) -> str:
    """Return a question of MTEB's as a model reads it: its text, and its instruction after it."""
    instruction = record.get("instruction")
    return f"{record['text']} {instruction}" if instruction else str(record["text"])


def read_mteb_data(place: Path, split: str, subset: str = DEFAULT_SUBSET) -> MTEBData:
    """Read a split from a folder, or from a file of the old form.

    Raises:
        InputError: nothing of either layout is there, or a line cannot be used.
    """
    if place.is_file():
        return _from_old([place], split)
    corpus = _files(place, _names("corpus", subset), split)
    if not corpus:
        old = _files(place, ("data", ""), split)
        if not old:
            raise InputError(f"{place} holds no {split!r} data of MTEB; {layout(split, subset)}")
        return _from_old(old, split)
    queries, qrels, lists = (
        _needed(place, part, subset, split) for part in (("queries",), (*_QRELS, "data"), ("top_ranked",))
    )
    return MTEBData(_rows(queries), _rows(corpus), _qrels(qrels), _lists(_rows(lists)))


def layout(split: str, subset: str) -> str:
    """Say how a folder of MTEB's data is laid out."""
    parts = ", ".join(_names(part, subset)[0] for part in ("corpus", "queries", "qrels", "top_ranked"))
    return (
        f"wanted is a folder with {parts}, each a file ({_names('corpus', subset)[0]}.jsonl or .parquet) or a folder "
        f'({split}.jsonl or {split}-00000-of-00001.parquet in it), with the keys "_id", "title", "text"; "_id", '
        '"text"; "query-id", "corpus-id", "score"; "query-id", "corpus-ids"; or one with '
        f'{split}.jsonl of {{"query", "positive": [...], "negative": [...]}}.'
    )


def _names(part: str, subset: str) -> tuple[str, ...]:
    return (part,) if subset == DEFAULT_SUBSET else (f"{subset}-{part}", f"{part}-{subset}")


def _needed(folder: Path, parts: Sequence[str], subset: str, split: str) -> list[Path]:
    for part in parts:
        if found := _files(folder, _names(part, subset), split):
            return found
    raise InputError(
        f"{folder} has a corpus, but no {_names(parts[0], subset)[0]} of {split!r}; {layout(split, subset)}"
    )


def _files(folder: Path, names: Sequence[str], split: str) -> list[Path]:
    """Return the files of a part: one of its name, or those of ``split`` (or of the only split) in a folder of it."""
    for name in names:
        for ending in _ENDINGS if name else ():
            if (single := folder / f"{name}{ending}").is_file():
                return [single]
        if not (folder / name).is_dir():
            continue
        inside = (folder / name).rglob("*") if name else folder.glob("*")
        by_split: dict[str, list[Path]] = {}
        for path in sorted(path for path in inside if path.is_file() and path.name.endswith(_ENDINGS)):
            by_split.setdefault(_split_of(path.relative_to(folder / name)), []).append(path)
        if split in by_split or (name and len(by_split) == 1):
            return by_split.get(split) or next(iter(by_split.values()))
    return []


def _split_of(path: Path) -> str:
    return path.parts[0].partition(".")[0].partition("-00")[0]


def _rows(paths: Sequence[Path]) -> Iterator[Row]:
    for path in paths:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        else:
            for number, line in read_lines(str(path)):
                yield f"{path}:{number}", parse_object(line, f"{path}:{number}")


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - only parquet files need it
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"Reading {path.name}", "mteb") from error
    number = 0
    try:
        with ParquetFile(path) as table:
            for batch in table.iter_batches(_ROWS_AT_ONCE):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", record
    except (ArrowException, OSError) as error:
        raise InputError(f"{path}: the parquet file cannot be read ({error}).") from error


def _qrels(paths: Sequence[Path]) -> Qrels:
    qrels: Qrels = {}
    for path in paths:
        if path.suffix == ".parquet":
            for place, record in _parquet_rows(path):
                add_judgement(qrels, record, place)
        else:
            for query_id, grades in read_qrels(path).items():
                qrels.setdefault(query_id, {}).update(grades)
    return qrels


def _lists(rows: Iterable[Row]) -> dict[str, Sequence[str]]:
    lists: dict[str, Sequence[str]] = {}
    for place, record in rows:
        query_id, doc_ids = record.get("query-id"), record.get("corpus-ids")
        if not isinstance(query_id, str | int) or not isinstance(doc_ids, list):
            raise InputError(
                f'{place}: accepted is {{"query-id", "corpus-ids": [...]}}; found are: {", ".join(record)}.'
            )
        if str(query_id) in lists:
            raise InputError(f"{place}: question {query_id!r} has a list further up already.")
        lists[str(query_id)] = doc_ids
    return lists


def _from_old(paths: Sequence[Path], split: str) -> MTEBData:
    """Read rows of ``query``, ``positive`` and ``negative`` under the ids that mteb gives them.

    As there, a row without both sorts is left out, and a text that stands twice is two passages.
    """
    queries: list[Row] = []
    corpus: list[Row] = []
    qrels: Qrels = {}
    lists: dict[str, Sequence[str]] = {}
    skipped: Counter[str] = Counter()
    for place, record in _rows(paths):
        query = record.get("query")
        if not isinstance(query, str) or "positive" not in record or "negative" not in record:
            raise InputError(
                f'{place}: accepted is {{"query", "positive": [...], "negative": [...]}}; '
                f"found are: {', '.join(record)}."
            )
        sides = {"apositive": texts_of(record, "positive", place), "negative": texts_of(record, "negative", place)}
        if not all(sides.values()):
            skipped[WITHOUT_BOTH_SORTS] += 1
            continue
        query_id = f"{split}_query{len(queries)}"
        grades = qrels.setdefault(query_id, {})
        for side, texts in sides.items():
            for position, text in enumerate(texts):
                doc_id = f"{side}_{query_id}_{position:05}"
                grades[doc_id] = int(side == "apositive")
                corpus.append((place, {"_id": doc_id, "text": text}))
        queries.append((place, {"_id": query_id, "text": query}))
        lists[query_id] = list(grades)
    return MTEBData(queries, corpus, qrels, lists, skipped)

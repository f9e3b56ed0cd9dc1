"""Training examples from a test collection: a BEIR folder, or qrels, run, corpus and questions in TREC's form.

Ids are held in memory, texts are not: those that are wanted go to a file that is gone afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from secondpass.data.lines import parse_object, read_lines
from secondpass.data.passages import BadLine
from secondpass.data.qrels import read_qrels
from secondpass.data.text_store import TextStore
from secondpass.data.training import TrainExample
from secondpass.data.training_forms import FormName
from secondpass.data.training_parse import SCORES_ARE_LABELS
from secondpass.data.trec import ranked, read_run
from secondpass.errors import InputError
from secondpass.types import Json, Qrels

_USUAL_SPLIT = "train"
_NAMED = 3


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Where the parts of a collection are; what is None is looked for in the folder.

    ``run`` and ``candidates`` hold passages from which negatives are taken. ``split``: which of the folder's qrels, and
    which questions where those name their split. ``form`` and ``note`` are set when they were found:
    which of several splits was taken where none was asked for.
    """

    qrels: str | None = None
    corpus: str | None = None
    queries: str | None = None
    run: str | None = None
    candidates: str | None = None
    split: str | None = None
    form: FormName = "beir"
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Negative:
    doc_id: str
    source: str
    rank: int | None = None
    score: float | None = None

    @property
    def provenance(self) -> Json:
        return {"source": self.source, "rank": self.rank, "score": self.score, "id": self.doc_id}


def find_files(folder: Path, given: FolderFiles) -> FolderFiles:
    """Return all files of the collection in ``folder``, those that were given before those that lie there.

    Where there are several splits and none is asked for, it is ``train`` that is taken.

    Raises:
        InputError: one that is needed is not there, or there are several splits and none was chosen.
    """
    corpus = given.corpus or _first(folder, "corpus.jsonl", "corpus.jsonl.gz")
    queries = given.queries or _first(folder, "queries.jsonl", "queries.jsonl.gz", "queries.tsv")
    by_split = {} if given.qrels else _qrels_by_split(folder)
    splits, split, place = list(by_split), given.split, str(folder / "qrels")
    qrels = given.qrels or _first(folder, "qrels.tsv", "qrels.txt", "qrels.tsv.gz", "qrels.trec")
    if by_split:
        qrels = by_split[_chosen(splits, split, place)]
    for what, found in (("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels/train.tsv or qrels.tsv", qrels)):
        if found is None:
            raise InputError(
                f"{folder} has no {what}; a collection to learn from is a folder with corpus.jsonl, queries.jsonl and "
                "qrels, or --qrels, --corpus and --queries."
            )
    if not given.qrels and not by_split and (splits := _named_splits(str(queries))):
        place = str(queries)
        split = _chosen(splits, split, place)
    run = given.run or _first(folder, "run.trec", "run.txt")
    candidates = given.candidates or _first(folder, "candidates.jsonl", "candidates.jsonl.gz")
    form: FormName = "trec" if run and not candidates else "beir"
    return FolderFiles(qrels, corpus, queries, run, candidates, split, form, _note(splits, given.split, place))


def _first(folder: Path, *names: str) -> str | None:
    return next((str(folder / name) for name in names if (folder / name).is_file()), None)


def _qrels_by_split(folder: Path) -> dict[str, str]:
    return {path.stem.removesuffix(".tsv"): str(path) for path in sorted((folder / "qrels").glob("*.tsv*"))}


def _named_splits(path: str) -> list[str]:
    """Return the splits that questions name, in the order in which they first do."""
    records = (parse_object(line, f"{path}:{number}") for number, line in read_lines(path) if line.lstrip()[:1] == "{")
    return list(dict.fromkeys(str(record["split"]) for record in records if record.get("split")))


def _chosen(splits: Sequence[str], asked: str | None, place: str) -> str:
    chosen = asked or (_USUAL_SPLIT if _USUAL_SPLIT in splits else splits[0] if len(splits) == 1 else None)
    if chosen is None or chosen not in splits:
        which = f"there is none named {chosen!r}" if chosen else "choose one"
        raise InputError(f"{place} has the splits {', '.join(splits)}; {which}: --split NAME (--dev-split NAME).")
    return chosen


def _note(splits: Sequence[str], asked: str | None, place: str) -> str:
    if asked or len(splits) < 2:
        return ""
    return f"of the splits of {place} ({', '.join(splits)}), {_USUAL_SPLIT} is taken; --split NAME takes another"


def read_folder(files: FolderFiles) -> Iterator[TrainExample | BadLine]:
    """Yield an example for every question with a relevant passage, in the order of the questions' file."""
    assert files.qrels is not None
    assert files.queries is not None
    assert files.corpus is not None
    qrels = read_qrels(files.qrels)
    offered = _offered(files, qrels)
    wanted = {doc_id for judged in qrels.values() for doc_id in judged}
    wanted.update(negative.doc_id for negatives in offered.values() for negative in negatives)
    asked: set[str] = set()
    with TextStore() as texts:
        store_corpus(files.corpus, wanted, texts)
        for number, query_id, text in read_split_questions(files.queries, files.split):
            if query_id not in qrels:
                continue
            asked.add(query_id)
            place = f"{files.queries}:{number}"
            example, missing = _example(query_id, text, qrels[query_id], offered.get(query_id, []), texts, place)
            if missing:
                named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
                yield BadLine(
                    number, f"{place}: {len(missing)} passages of {query_id!r} are not in {files.corpus}: {named}."
                )
            if example.positives:
                yield example
    gone = [] if files.split else [query_id for query_id in qrels if query_id not in asked]
    for query_id in gone:
        yield BadLine(0, f"{files.qrels}: query {query_id!r} is not in {files.queries}.")


def read_split_questions(path: str, split: str | None) -> Iterator[tuple[int, str, str]]:
    """Yield ``(line number, query_id, text)``; with ``split``, those that name it or name none.

    Raises:
        InputError: a line is no question, or an id stands twice.
    """
    lines: dict[str, int] = {}
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        if line.lstrip().startswith("{"):
            record = parse_object(line, place)
            query_id, text = str(record.get("_id", record.get("id", ""))), record.get("text")
        else:
            record = {}
            query_id, _, text = line.rstrip("\r\n").partition("\t")
        if not query_id or not isinstance(text, str):
            raise InputError(f'{place}: this is no question; accepted is {{"_id", "text"}}, or id<TAB>text.')
        if query_id in lines:
            raise InputError(f"{place}: the id {query_id!r} stands on line {lines[query_id]} too.")
        lines[query_id] = number
        if split is None or record.get("split", split) == split:
            yield number, query_id, text


def store_corpus(path: str, wanted: set[str] | None, texts: TextStore) -> None:
    """Put the passages named in ``wanted`` (None: all) into ``texts``, the title before the text, as BEIR does.

    Raises:
        InputError: a line is no passage, or an id stands twice.
    """
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        record = parse_object(line, place)
        doc_id = str(record.get("_id", record.get("id", "")))
        if not doc_id or not isinstance(record.get("text"), str):
            raise InputError(f'{place}: this is no passage; accepted is {{"_id", "text", "title"?}}.')
        if wanted is None or doc_id in wanted:
            first = texts.put(doc_id, f"{record.get('title') or ''} {record['text']}".strip(), number)
            if first is not None:
                raise InputError(f"{place}: the id {doc_id!r} stands on line {first} too.")


def _offered(files: FolderFiles, qrels: Qrels) -> Mapping[str, list[_Negative]]:
    """Return what may be a negative of each question: what was judged so, then lists, then the run."""
    offered: dict[str, list[_Negative]] = {
        query_id: [_Negative(doc_id, "qrels") for doc_id, grade in judged.items() if grade <= 0]
        for query_id, judged in qrels.items()
    }
    for query_id, doc_ids in _candidates(files.candidates) if files.candidates else ():
        offered.setdefault(query_id, []).extend(_Negative(doc_id, "candidates") for doc_id in doc_ids)
    for query_id, passages in (read_run(files.run) if files.run else {}).items():
        offered.setdefault(query_id, []).extend(
            _Negative(doc_id, "run", rank, passages[doc_id]) for rank, doc_id in enumerate(ranked(passages), 1)
        )
    return {
        query_id: list({one.doc_id: one for one in negatives if qrels[query_id].get(one.doc_id, 0) <= 0}.values())
        for query_id, negatives in offered.items()
        if query_id in qrels
    }


def _candidates(path: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in read_lines(path):
        record = parse_object(line, f"{path}:{number}")
        doc_ids = record.get("pids")
        if "qid" not in record or not isinstance(doc_ids, list):
            raise InputError(f'{path}:{number}: this is no list of candidates; accepted is {{"qid", "pids": [...]}}.')
        yield str(record["qid"]), [str(doc_id) for doc_id in doc_ids]


def _example(
    query_id: str,
    text: str,
    judged: Mapping[str, int],
    negatives: list[_Negative],
    texts: TextStore,
    place: str,
) -> tuple[TrainExample, list[str]]:
    """Return the example of one question, and the ids of passages that are not there."""
    relevant = [doc_id for doc_id, grade in judged.items() if grade > 0]
    known = texts.get([*relevant, *(negative.doc_id for negative in negatives)])
    positives = [doc_id for doc_id in relevant if doc_id in known]
    kept = [negative for negative in negatives if negative.doc_id in known]
    missing = [doc_id for doc_id in [*relevant, *(one.doc_id for one in negatives)] if doc_id not in known]
    graded = any(judged[doc_id] > 1 for doc_id in positives)
    provenance: dict[str, Json] = {
        "id": query_id,
        "positive_ids": positives,
        "negative_ids": [negative.doc_id for negative in kept],
        "negatives": [negative.provenance for negative in kept],
    }
    example = TrainExample(
        query=text,
        positives=tuple(known[doc_id] for doc_id in positives),
        negatives=tuple(known[negative.doc_id] for negative in kept),
        positive_scores=tuple(float(judged[doc_id]) for doc_id in positives) if graded else None,
        negative_scores=tuple(0.0 for _ in kept) if graded else None,
        place=place,
        provenance={**provenance, **(SCORES_ARE_LABELS if graded else {})},
    )
    return example, missing

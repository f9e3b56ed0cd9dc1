"""Write training data as a test collection: passages and questions once each, judgements, and the lists or a run."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import IO

from secondpass.data.training import TrainExample
from secondpass.data.training_forms import FormName
from secondpass.data.training_losses import can_hold, note_lost
from secondpass.data.trec import format_run
from secondpass.errors import InputError
from secondpass.types import Json

_FILES: dict[FormName, tuple[str, ...]] = {
    "beir": ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "candidates.jsonl"),
    "trec": ("corpus.jsonl", "queries.jsonl", "qrels.tsv", "run.trec"),
}
_TAG = "negatives"


def write_folder(folder: Path, form: FormName, examples: Iterable[TrainExample], notes: Counter[str]) -> int:
    """Write ``examples`` as a collection and return how many questions it has; the folder is there only when whole.

    Raises:
        InputError: the folder is there and not empty, cannot be written, or an id stands for two texts.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there and not empty; a collection is written to a folder of its own.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary,
            ExitStack() as stack,
        ):
            made = Path(temporary) / "made"
            (made / "qrels").mkdir(parents=True)
            files = [stack.enter_context((made / name).open("w", encoding="utf-8")) for name in _FILES[form]]
            writer = _CollectionWriter(form, files)
            for example in examples:
                note_lost(example, form, notes)
                if can_hold(example, form):
                    writer.add(example)
            stack.pop_all().close()
            if form == "trec":
                (made / "qrels").rmdir()
            if folder.is_dir():
                folder.rmdir()
            shutil.move(made, folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return writer.questions


class _CollectionWriter:
    """Writes one example after the other; remembers ids and hashes, never texts."""

    def __init__(self, form: FormName, files: Sequence[IO[str]]) -> None:
        self._form = form
        self._corpus, self._queries, self._qrels, self._lists = files
        self._texts: dict[str, bytes] = {}
        self._questions: set[str] = set()
        self.questions = 0
        if form == "beir":
            self._qrels.write("query-id\tcorpus-id\tscore\n")

    def add(self, example: TrainExample) -> None:
        """Write one example."""
        self.questions += 1
        query_id = self._query_id(example)
        _write(self._queries, {"_id": query_id, "text": example.query})
        positives = self._ids(example.positives, example.provenance.get("positive_ids"), example.place)
        negatives = self._ids(example.negatives, example.provenance.get("negative_ids"), example.place)
        graded = "scores_are" in example.provenance and example.positive_scores is not None
        for place, doc_id in enumerate(positives):
            grade = max(1, round(example.positive_scores[place])) if graded and example.positive_scores else 1
            line = f"{query_id}\t{doc_id}\t{grade}\n" if self._form == "beir" else f"{query_id} 0 {doc_id} {grade}\n"
            self._qrels.write(line)
        if self._form == "beir":
            in_hash_order = sorted({*positives, *negatives}, key=lambda doc_id: _digest(f"{query_id} {doc_id}"))
            _write(self._lists, {"qid": query_id, "kind": "constructed", "pids": in_hash_order})
        elif negatives:
            self._write_run(query_id, list(dict.fromkeys(negatives)), example)

    def _write_run(self, query_id: str, negatives: list[str], example: TrainExample) -> None:
        given = example.negative_scores
        if given is not None and "scores_are" not in example.provenance and len(given) == len(negatives):
            by_score = sorted(zip(negatives, given, strict=True), key=lambda pair: -pair[1])
            doc_ids, scores = [pair[0] for pair in by_score], [pair[1] for pair in by_score]
        else:
            doc_ids, scores = negatives, [float(len(negatives) - place) for place in range(len(negatives))]
        self._lists.write(format_run(query_id, doc_ids, scores, _TAG))

    def _query_id(self, example: TrainExample) -> str:
        given = example.provenance.get("id")
        query_id = _name(str(given)) if isinstance(given, str | int) else f"q{self.questions}"
        if query_id in self._questions:
            raise InputError(f"{example.place}: the id {query_id!r} stands for an earlier question too.")
        self._questions.add(query_id)
        return query_id

    def _ids(self, texts: Sequence[str], given: Json, place: str) -> list[str]:
        known = isinstance(given, list) and len(given) == len(texts)
        ids = (
            [_name(str(one)) for one in given]
            if known and isinstance(given, list)
            else [_made_id(text) for text in texts]
        )
        for doc_id, text in zip(ids, texts, strict=True):
            digest = _digest(text)
            if self._texts.setdefault(doc_id, digest) != digest:
                raise InputError(f"{place}: the passage id {doc_id!r} stands for another text too.")
            if self._texts[doc_id] is digest:
                _write(self._corpus, {"_id": doc_id, "title": "", "text": text})
        return ids


def _made_id(text: str) -> str:
    return "p" + blake2b(text.encode(), digest_size=8).hexdigest()


def _name(given: str) -> str:
    """Return an id without white space, which separates the fields of qrels and runs."""
    return "_".join(given.split()) or "_"


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=12).digest()


def _write(file: IO[str], record: dict[str, object]) -> None:
    file.write(json.dumps(record, ensure_ascii=False) + "\n")

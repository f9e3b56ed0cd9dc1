"""What training data share with the development set: questions, and passages that are right in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from secondpass.data.near_texts import NearTexts
from secondpass.data.training import TrainExample
from secondpass.data.training_findings import Finding, SeenExample, Tally
from secondpass.data.training_texts import passage_shingles, query_shingles, text_key


class LeakCheck:
    """A `Collector` of questions and passages that the development set has too, exactly or nearly.

    The development set's are kept: as hashes, and ``most`` questions and positives of it also by their runs.
    """

    def __init__(self, dev: Iterable[TrainExample], threshold: float, most: int) -> None:
        self._tally = Tally()
        self._queries: dict[int, str] = {}
        self._passages: dict[int, str] = {}
        self._near_queries = NearTexts(threshold, most)
        self._near_passages = NearTexts(threshold, most)
        self._rows = self._positives = self.dev_rows = 0
        self.leaking: set[int] = set()
        for example in dev:
            self._keep(example)

    def _keep(self, example: TrainExample) -> None:
        self.dev_rows += 1
        place, query = example.place, text_key(example.query)
        if query not in self._queries and example.query.strip():
            self._queries[query] = place
            self._near_queries.add(query_shingles(example.query), place)
        for text in example.positives:
            key = text_key(text)
            if key not in self._passages and text.strip():
                self._passages[key] = place
                self._near_passages.add(passage_shingles(text), place)

    def see(self, row: SeenExample) -> None:
        """Compare an example with the development set; ``leaking`` are the lines whose question leaks."""
        self._rows += 1
        self._positives += len(row.positives)
        place = row.example.place
        if row.query in self._queries:
            self._tally.add("query_leaks", f"{place} = {self._queries[row.query]}")
            self.leaking.add(row.line)
        elif near := self._near_queries.find(query_shingles(row.example.query)):
            self._tally.add("query_nearly_leaks", f"{place} ~ {near.place}")
            self.leaking.add(row.line)
        for key, text in zip(row.positives, row.example.positives, strict=True):
            if key in self._passages:
                self._tally.add("passage_leaks", f"{place} = {self._passages[key]}")
            elif near := self._near_passages.find(passage_shingles(text)):
                self._tally.add("passage_nearly_leaks", f"{place} ~ {near.place}")

    @property
    def bounds(self) -> list[str]:
        """What was not looked at."""
        return [
            f"near-equal {what}: {index.left_out:,} of the development set were not compared"
            for what, index in (("questions", self._near_queries), ("passages", self._near_passages))
            if index.left_out
        ]

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        tally, rows, positives = self._tally, self._rows, self._positives
        drop = "figures on such a development set say nothing: leave these rows out (--fix does), or data split anew"
        yield from tally.finding("query_leaks", "spoils", rows, "questions that the development set has too", drop)
        yield from tally.finding(
            "query_nearly_leaks", "spoils", rows, "questions nearly as in the development set", drop
        )
        split = "data split --by document parts by passages too; harmless where one collection serves both"
        yield from tally.finding(
            "passage_leaks", "warning", positives, "positives that are positives in the development set too", split
        )
        yield from tally.finding(
            "passage_nearly_leaks", "warning", positives, "positives nearly as in the development set", split
        )

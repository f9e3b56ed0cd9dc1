"""Texts that teach nothing: empty, without words, broken by an encoding; and what languages there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from secondpass.data.training_findings import Finding, SeenExample, Tally
from secondpass.data.training_texts import has_letters, is_mojibake
from secondpass.text.language import language

_SWAPPED = 3.0  # passages are longer than questions; where they are so much shorter, columns are likely swapped
_LEAST_ROWS = 20


class TextCheck:
    """A `Collector` of single texts."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._rows = 0
        self._lengths: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()

    def see(self, row: SeenExample) -> None:
        """Look at every text of an example."""
        example, self._rows = row.example, self._rows + 1
        self.languages[language(example.query)] += 1
        sides = (("query", (example.query,)), ("positive", example.positives), ("negative", example.negatives))
        for side, texts in sides:
            for text in texts:
                self._lengths[side] += len(text)
                self._lengths[f"{side} texts"] += 1
                if not text.strip():
                    self._tally.add(f"empty_{side}", example.place)
                elif not has_letters(text):
                    self._tally.add("no_letters", example.place)
                if is_mojibake(text):
                    self._tally.add("mojibake", example.place)
        if example.positives and language(example.positives[0]) != language(example.query):
            self.languages["question and positive in two languages"] += 1

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return sum(count for side, count in self._lengths.items() if side.endswith("texts"))

    def mean_characters(self) -> dict[str, int]:
        """Return the mean length of a text of each side, in characters."""
        sides = ("query", "positive", "negative")
        return {side: round(self._lengths[side] / max(self._lengths[f"{side} texts"], 1)) for side in sides}

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        tally, rows, texts = self._tally, self._rows, self.texts
        drop = "leave them out; --fix does"
        yield from tally.finding("empty_query", "spoils", rows, "questions without text", drop)
        yield from tally.finding("empty_positive", "spoils", texts, "positives without text", drop)
        yield from tally.finding("empty_negative", "warning", texts, "negatives without text", drop)
        yield from tally.finding("no_letters", "warning", texts, "texts without a letter", f"look at them, or {drop}")
        yield from tally.finding(
            "mojibake",
            "warning",
            texts,
            "texts that look as if read in a wrong encoding",
            "make the file anew, as UTF-8",
        )
        mean = self.mean_characters()
        if rows >= _LEAST_ROWS and mean["query"] > _SWAPPED * max(mean["positive"], 1):
            yield Finding(
                "columns_swapped",
                "spoils",
                rows,
                rows,
                f"questions of {mean['query']} characters and positives of {mean['positive']} in the mean: it looks as "
                "if the columns were swapped",
                "name the columns: --column query=... --column positive=...",
            )

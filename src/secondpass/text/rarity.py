"""How rare a term is in the language at large: a background IDF for when there is no collection to count in.

Made by ``recipes/rarity.py`` from laws, manuals, textbooks, encyclopaedias and news, evenly by source. A few passages
are too few to tell that 公司 says little and 交大 much; this table knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from secondpass.text.normalize import is_han


@dataclass(frozen=True, slots=True)
class RarityTable:
    """The IDF of every term that was counted, and of those that were not."""

    idf: Mapping[str, float]
    unknown_chinese: float
    unknown_other: float


@cache
def rarity_table() -> RarityTable:
    """Read the table that ships with the package; the first call takes some milliseconds."""
    lines = files("secondpass.text").joinpath("rarity.txt").read_text(encoding="utf-8").splitlines()
    _, chinese, other = lines[0].split("\t")
    idf: dict[str, float] = {}
    for line in lines[1:]:
        value, _, terms = line.partition("\t")
        idf |= dict.fromkeys(terms.split(" "), float(value))
    return RarityTable(idf, float(chinese), float(other))


def rarity(term: str) -> float:
    """Return the background IDF of a term as `secondpass.text.terms.terms` makes it, about 0 (everywhere) to 11.

    A term that was not counted is taken for a little rarer than the rarest that were.

    >>> rarity("的") < rarity("公司") < rarity("交大"), rarity("the") < rarity("univers") < rarity("zyzzyva")
    (True, True)
    """
    table = rarity_table()
    value = table.idf.get(term)
    if value is None:
        return table.unknown_chinese if term and is_han(term[0]) else table.unknown_other
    return value

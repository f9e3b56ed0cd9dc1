"""Count in how many sections each term stands, and write the background IDF that ships with the package.

    python recipes/rarity.py --data ../shared/data

Every source gives at most the same number of sections, so that the laws, which read alike and make up half of the
Chinese text, do not decide what is rare. Chinese terms are counted in the Chinese sections, all others in the English.
"""

import argparse
import gzip
import hashlib
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

from secondpass.text.normalize import is_han
from secondpass.text.terms import terms

OUTPUT = Path(__file__).parents[1] / "src/secondpass/text/rarity.txt"
SECTIONS_PER_SOURCE = 2500
TERMS_PER_LANGUAGE = {"zh": 45_000, "en": 22_000}
STEP = 0.1  # of the IDF: finer says nothing that the next ten documents would not change
NOT_SECTIONS = {"parallel", "cedict"}


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def read_sections(folder: Path) -> dict[str, list[str]]:
    """Return the drawn sections per language: the first of every source in hash order."""
    drawn: dict[str, list[str]] = {"zh": [], "en": []}
    for path in sorted(folder.glob("*.jsonl.gz")):
        if path.name.removesuffix(".jsonl.gz") in NOT_SECTIONS:
            continue
        by_language: dict[str, list[dict[str, str]]] = defaultdict(list)
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                section = json.loads(line)
                by_language[section["lang"]].append(section)
        for lang, sections in by_language.items():
            sections.sort(key=lambda section: _hash(section["_id"]))
            chosen = sections[:SECTIONS_PER_SOURCE]
            drawn[lang] += [f"{section['title']}\n{section['text']}" for section in chosen]
            print(f"{path.name}: {len(chosen)} of {len(sections)} sections in {lang}")
    return drawn


def count(sections: list[str], lang: str) -> Counter[str]:
    """Return the number of sections each term of the language stands in."""
    frequencies: Counter[str] = Counter()
    for text in sections:
        frequencies.update(term for term in set(terms(text)) if is_han(term[0]) == (lang == "zh"))
    return frequencies


def background_idf(frequency: float, sections: int) -> float:
    """Return the IDF of BM25, ``ln(1 + (N - n + 0.5) / (n + 0.5))``."""
    return math.log(1 + (sections - frequency + 0.5) / (frequency + 0.5))


def main() -> None:
    """Read, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    buckets: dict[float, list[str]] = defaultdict(list)
    header = {}
    for lang, sections in read_sections(arguments.data / "text").items():
        frequencies = count(sections, lang)
        kept = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))[: TERMS_PER_LANGUAGE[lang]]
        threshold = kept[-1][1]
        # What was not kept stands in `threshold` sections at most, and mostly in far fewer.
        header[lang] = round(background_idf(max(0.5, threshold / 2), len(sections)), 1)
        print(f"{lang}: {len(sections)} sections, {len(frequencies)} terms, kept {len(kept)} down to {threshold}")
        for term, frequency in kept:
            buckets[round(round(background_idf(frequency, len(sections)) / STEP) * STEP, 1)].append(term)
    lines = [f"unknown\t{header['zh']}\t{header['en']}"]
    lines += [f"{idf}\t{' '.join(sorted(buckets[idf]))}" for idf in sorted(buckets)]
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()

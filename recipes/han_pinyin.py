"""Make src/secondpass/text/han_pinyin.txt: how Chinese characters are read, in pinyin without tones.

Run with pypinyin installed (``pip install pypinyin``, MIT): ``python recipes/han_pinyin.py``. One line a syllable, and
the characters that are read so; of a character's readings the three most usual (pypinyin's own order). The package
itself is no dependency: it takes a quarter of a second and 58 MB to load, for words that are not needed here.
"""

import unicodedata
from collections import defaultdict
from pathlib import Path

from pypinyin.constants import PINYIN_DICT

TARGET = Path(__file__).parent.parent / "src/secondpass/text/han_pinyin.txt"
FIRST, LAST, READINGS = 0x4E00, 0x9FFF, 3


def plain(syllable: str) -> str:
    """Return a syllable without its tone, ``ü`` as ``u``: what people type who have no such key."""
    return "".join(one for one in unicodedata.normalize("NFD", syllable) if not unicodedata.combining(one))


def main() -> None:
    """Write the table."""
    read_so: dict[str, str] = defaultdict(str)
    for code in range(FIRST, LAST + 1):
        for syllable in dict.fromkeys(plain(one) for one in PINYIN_DICT.get(code, "").split(",")[:READINGS] if one):
            read_so[syllable] += chr(code)
    read_so["shaan"] = "陕陝"  # the province, which is spelled so to be told from its neighbour
    lines = [f"{syllable} {characters}" for syllable, characters in sorted(read_so.items())]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} syllables, {sum(map(len, read_so.values()))} readings -> {TARGET}")


if __name__ == "__main__":
    main()

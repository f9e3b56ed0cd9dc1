"""Make src/secondpass/text/han_fold.txt: traditional characters and what they are written as in simplified text.

Run with OpenCC installed (``pip install opencc``, Apache-2.0): ``python recipes/han_fold.py``. One character for one
character, so that folding never moves an offset; where OpenCC knows several, the most frequent one is taken (its own
order). Words are not looked at: an index needs the same character to fold the same way wherever it stands.
"""

from pathlib import Path

import opencc

TARGET = Path(__file__).parent.parent / "src/secondpass/text/han_fold.txt"
HAN_BLOCKS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))


def main() -> None:
    steps = [opencc.OpenCC(name) for name in ("tw2t", "hk2t", "t2s")]
    fold = {}
    for first, last in HAN_BLOCKS:
        for code in range(first, last + 1):
            before = after = chr(code)
            for step in steps:
                after = step.convert(after)
            if after != before and len(after) == 1:
                fold[before] = after
    # 麼 -> 么 and 么 -> 幺 must end in one character, or 什麼 and 什么 would not meet.
    for before, after in fold.items():
        while after in fold:
            after = fold[after]
        fold[before] = after
    lines = ["".join(fold), "".join(fold.values())]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(fold)} characters -> {TARGET}")


if __name__ == "__main__":
    main()

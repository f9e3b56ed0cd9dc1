"""Questions in one language over documents in both: what BM25 finds in the other language, and what word vectors add.

    python benchmarks/crossing.py --data ../shared/data

The FastAPI pages of docs_demo stand in both languages. Every section's first sentence is asked in one of them; found is
what stands in the same page in the other language. Printed are how often that is among all candidates, how often it is
among the 3 that `builtin` keeps of them, and what indexing with word vectors costs in time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from recipes.builtin.crossing_lists import first_sentence, sections

from secondpass import Workbench

SIDES = {"bm25@10": (None, "bm25@10"), "bm25@20": (None, "bm25@20"), "bm25 10 + word vectors 10": ("builtin", None)}


def questions(folder: Path, code: str) -> list[tuple[str, str]]:
    """Return the first sentence of every section that both languages have, with the name of its page."""
    asked, read = sections(folder / f"fastapi_{code}"), sections(folder / f"fastapi_{'zh' if code == 'en' else 'en'}")
    drawn = ((first_sentence(asked[name]), asked[name].page) for name in sorted(asked.keys() & read.keys()))
    return [(question, page) for question, page in drawn if question]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=100, help="of each language")
    options = parser.parse_args()
    folder = options.data / "docs_demo"
    with tempfile.TemporaryDirectory() as scratch:
        for embedder in (None, "builtin"):
            with Workbench(f"{scratch}/{embedder}", embedder) as workbench:
                started = time.process_time()
                workbench.index(folder)
                _, chunks = workbench.counts()
                print(f"{chunks} chunks, embedder {embedder}: indexed in {time.process_time() - started:.2f} CPU s")
        for code, other in (("zh", "en"), ("en", "zh")):
            drawn = questions(folder, code)
            drawn = drawn[:: max(1, len(drawn) // options.questions)][: options.questions]
            for side, (embedder, retrieve) in SIDES.items():
                found, kept = 0, 0
                with Workbench(f"{scratch}/{embedder}") as workbench:
                    for question, page in drawn:
                        wanted = f"fastapi_{other}/{page}.md"
                        result = workbench.search(question, retrieve, ["builtin@3"])
                        found += any(hit.chunk.doc_id.endswith(wanted) for hit in result.candidates)
                        kept += any(hit.chunk.doc_id.endswith(wanted) for hit in result.hits)
                print(
                    f"{code} -> {other} ({len(drawn)} questions) {side:<26} "
                    f"among all {found / len(drawn):.2f}, of the 3 kept {kept / len(drawn):.2f}"
                )


if __name__ == "__main__":
    main()

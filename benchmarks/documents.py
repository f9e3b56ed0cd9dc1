"""Questions over document folders: does the evidence stand in the top 3, with and without reranking?

    python benchmarks/documents.py --data ../shared/data [--embedder builtin]

docs_demo: the answer string stands in one of the first 3 passages (of 10). gitlab_handbook_rag: for the questions that
stand alone (all but "Contextual Anaphora"), evidence recall@3 (the share of a question's quotes that stand in the
first 3 passages; a quote counts where 80% of its words stand there in order: some quotes are not verbatim, and a chunk
may cut one) and page hit@3.
Also asks each question of docs_demo without a language model, once with each reranker: whether the sentences hold the
answer, and whether the span that is pointed at in them does (`builtin` alone points). With ``--embedder builtin`` the
index finds passages in the other language, too: one of the questions is asked in English of a Chinese page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

from secondpass import Workbench
from secondpass.text.terms import words
from secondpass.types import Citation, Hit

SIDES = {"no reranker": [], "lexical": ["lexical@3"], "builtin": ["builtin@3"]}


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def top(workbench: Workbench, query: str, retrieve: str | None, rerank: Sequence[str]) -> list[Hit]:
    return list(workbench.search(query, retrieve, rerank).hits[:3])


def holds(hits: Sequence[Hit], answers: Sequence[str]) -> bool:
    return any(answer in hit.chunk.text for hit in hits for answer in answers)


def docs_demo(folder: Path, index: str, retrieve: str | None, embedder: str | None) -> None:
    questions = read_lines(folder / "questions.jsonl")
    with Workbench(index, embedder) as workbench:
        workbench.index(folder)
        for side, rerank in SIDES.items():
            found = [holds(top(workbench, q["text"], retrieve, rerank), q["answers"]) for q in questions]
            missed = [q["_id"] for q, good in zip(questions, found, strict=True) if not good]
            print(f"docs_demo {side:<16} answer in top 3: {sum(found)}/{len(found)}  missed: {' '.join(missed) or '-'}")
        for side in ("lexical", "builtin"):
            extracted(workbench, questions, retrieve, side)


def extracted(workbench: Workbench, questions: Sequence[dict], retrieve: str | None, side: str) -> None:
    """Ask without a language model; say of each question what was answered, and at the end how often it was right."""
    said, pointed = 0, 0
    for question in questions:
        answer = workbench.ask(question["text"], retrieve, [f"{side}@3"])
        right = answer.found and any(text in answer.text for text in question["answers"])
        spans = [highlighted(one) for one in answer.citations if one.highlight]
        inside = any(text in span for text in question["answers"] for span in spans)
        said, pointed = said + right, pointed + inside
        print(f"  {question['_id']:<4} {'right' if right else 'WRONG'}  {question['text']}")
        print(f"       {answer.text[:160]}")
        print(f"       span {'right' if inside else 'WRONG'}: {' | '.join(spans)}" if spans else "       no span")
    print(
        f"docs_demo {side}: the sentences hold the answer {said}/{len(questions)}, the span {pointed}/{len(questions)}"
    )


def highlighted(citation: Citation) -> str:
    """Return what is pointed at within a quote."""
    begin = citation.highlight.start - citation.start
    return citation.quote[begin : begin + citation.highlight.end - citation.highlight.start]


def stands_in(quote: str, text: str) -> bool:
    wanted, given = words(quote), words(text)
    matched = sum(block.size for block in SequenceMatcher(None, wanted, given, autojunk=False).get_matching_blocks())
    return bool(wanted) and matched / len(wanted) >= 0.8


def gitlab(folder: Path, index: str, retrieve: str | None, embedder: str | None) -> None:
    questions = [q for q in read_lines(folder / "questions.jsonl") if q["type"] != "Contextual Anaphora"]
    with Workbench(index, embedder) as workbench:
        workbench.index(folder / "docs")
        for side, rerank in SIDES.items():
            recalls, pages = [], []
            for question in questions:
                hits = top(workbench, question["text"], retrieve, rerank)
                quotes = [quote for evidence in question["evidence"] for quote in evidence["quotes"]]
                documents = {Path(evidence["doc"]).name for evidence in question["evidence"]}
                found = [any(stands_in(quote, hit.chunk.text) for hit in hits) for quote in quotes]
                recalls.append(sum(found) / len(found))
                pages.append(any(Path(hit.chunk.doc_id).name in documents for hit in hits))
            share = sum(recalls) / len(recalls)
            page_hit = sum(pages) / len(pages)
            print(f"gitlab ({len(recalls)} q) {side:<16} evidence recall@3 {share:.3f}  page hit@3 {page_hit:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--retrieve", help="default: bm25@10, or with --embedder the index's own")
    parser.add_argument("--embedder", help="an embedder of `secondpass index`")
    options = parser.parse_args()
    retrieve = options.retrieve or (None if options.embedder else "bm25@10")
    with tempfile.TemporaryDirectory() as scratch:
        docs_demo(options.data / "docs_demo", f"{scratch}/demo", retrieve, options.embedder)
        gitlab(options.data / "gitlab_handbook_rag", f"{scratch}/gitlab", retrieve, options.embedder)

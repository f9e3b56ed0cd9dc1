"""Make a task of questions in one language over passages in the other, to measure on: nothing is learned from it.

The FastAPI pages stand in both languages, and their headings carry the same anchors. The question is the first sentence
of a section, the passage that answers it the same section in the other language, and the wrong ones are other sections,
those of the same page first.

    python -m recipes.builtin.crossing_lists DATA/docs_demo OUTPUT
"""

from __future__ import annotations

import json
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from secondpass.text.sentences import sentences

LISTED, SEED = 30, 13
_HEADING = re.compile(r"^#+ .*\{ *#(?P<anchor>[\w-]+) *\}\s*$", re.MULTILINE)
_NO_PROSE = re.compile(r"```.*?```|^///.*$|<[^>]*>|!?\[(?P<words>[^\]]*)\]\([^)]*\)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page; ``name`` is the same in both languages."""

    name: str
    page: str
    text: str


def sections(folder: Path) -> dict[str, Section]:
    """Return the sections of all pages in ``folder``, by name."""
    found = {}
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        heads = list(_HEADING.finditer(text))
        for head, end in zip(heads, [*(one.start() for one in heads[1:]), len(text)], strict=True):
            prose = _NO_PROSE.sub(lambda match: match.group("words") or " ", text[head.end() : end])
            prose = re.sub(r"[*`_]|\n\s*\n", " ", prose).strip()
            name = f"{page.stem}#{head.group('anchor')}"
            if len(prose) > 60:
                found[name] = Section(name, page.stem, prose[:900])
    return found


def first_sentence(section: Section) -> str | None:
    """Return a section's first sentence of more than twelve characters, or None where it has none."""
    found = (section.text[span.start : span.end] for span in sentences(section.text))
    return next((sentence for sentence in found if len(sentence) > 12), None)


def make_task(asked: dict[str, Section], read: dict[str, Section], output: Path) -> int:
    """Write the task of questions from ``asked`` over passages of ``read``; return how many questions it has."""
    draw = random.Random(SEED)
    output.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[str]] = {"queries.jsonl": [], "qrels.tsv": [], "candidates.jsonl": []}
    for name in sorted(asked.keys() & read.keys()):
        question = first_sentence(asked[name])
        if question is None:
            continue
        others = [other for other in read if other != name]
        beside = [other for other in others if read[other].page == read[name].page][: LISTED // 2]
        rest = draw.sample([other for other in others if other not in beside], LISTED - 1 - len(beside))
        listed = [name, *beside, *rest]
        draw.shuffle(listed)
        rows["queries.jsonl"].append(json.dumps({"_id": name, "text": question, "split": "dev"}, ensure_ascii=False))
        rows["qrels.tsv"].append(f"{name}\t0\t{name}\t1")
        rows["candidates.jsonl"].append(json.dumps({"qid": name, "kind": "constructed", "pids": listed}))
    corpus = [json.dumps({"_id": one.name, "title": "", "text": one.text}, ensure_ascii=False) for one in read.values()]
    for file, lines in (rows | {"corpus.jsonl": corpus}).items():
        (output / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(rows["qrels.tsv"])


if __name__ == "__main__":
    demo, place = Path(sys.argv[1]), Path(sys.argv[2])
    english, chinese = sections(demo / "fastapi_en"), sections(demo / "fastapi_zh")
    print("zh -> en", make_task(chinese, english, place / "fastapi_zh_en"))
    print("en -> zh", make_task(english, chinese, place / "fastapi_en_zh"))

"""Every text of the page is there in both languages, says the same things, and is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secondpass.report import page_sentences, page_texts, plot_texts
from secondpass.report.markup import Text

HAN = re.compile("[一-鿿]")
TEXTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}{f'[{key}]' if key else ''}": text
    for module in (page_texts, plot_texts)
    for name, value in vars(module).items()
    for key, text in (value.items() if isinstance(value, dict) else [("", value)])
    if isinstance(text, Text)
}
SENTENCES = {
    f"page_sentences.{name}[{place}]": text
    for name, value in vars(page_sentences).items()
    if isinstance(value, tuple)
    for place, text in enumerate(value)
}


def places(template: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", template)))


def test_there_are_texts() -> None:
    assert len(TEXTS) > 80


@pytest.mark.parametrize("name", TEXTS | SENTENCES)
def test_a_text_is_in_both_languages(name: str) -> None:
    text = (TEXTS | SENTENCES)[name]
    assert text.en.strip()
    assert not HAN.search(text.en)
    # Names of measures are the same in both.
    assert HAN.search(text.zh) or text.zh == text.en == "F1" or re.sub(r"\{\w+\}|\W", "", text.zh) == ""


@pytest.mark.parametrize("name", TEXTS | SENTENCES)
def test_both_languages_have_places_for_the_same_values(name: str) -> None:
    # A value that one language leaves out would be a fact that half of the readers do not get.
    text = (TEXTS | SENTENCES)[name]
    assert places(text.en) == places(text.zh)


def test_every_text_is_used() -> None:
    folder = Path(page_texts.__file__).parent
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(folder.glob("p*.py")) if not path.name.endswith("texts.py")
    )
    names = {name.partition(".")[2].partition("[")[0] for name in TEXTS}
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()

"""Segments of Chinese texts with foreign words, as the official script of CMRC 2018 (version 5) compares them.

Chinese characters stand alone, everything else is cut into words. The script calls NLTK's ``word_tokenize`` for those;
what that does to lower-case answers is done here by a few rules: brackets, quotes, dashes and signs stand alone, commas
and points within numbers do not, the point that ends a sentence does, English contractions are split. The English
stretches of all reference answers of CMRC 2018 and DRCD (1,302 different ones) are cut as NLTK's tokenizer of words
cuts them.
"""

from __future__ import annotations

import re

# As in the script: single characters, so that of its "……" nothing is ever met, and ‘ is missing where ’ is not.
_MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHINESE = re.compile("[\u4e00-\u9fa5]")
_SIGNS = re.compile(r"[;@#$%&?!()\[\]{}<>\"‘–—]|\.{2,}|,(?!\d)")
_QUOTES = re.compile(r"(?<![^\s(])'(?!(?:s|m|d|t|ll|re|ve|n)\b)(?=\w)")
_CONTRACTIONS = re.compile(r"(?<=\w)(?:n't|'(?:s|m|d|ll|re|ve))(?![^\s'])|(?<=[^\s'])'(?=\s|$)|(?<=\bcan)not\b")
_LAST_POINT = re.compile(r"(?<=[^\s.])\.(?=\s*$)")
_INNER_POINT = re.compile(r"(\S*[^\s.])\.(?=\s)")
_ABBREVIATION = re.compile(
    r"\W*(?:[^\W_]|.*\..*|dr|mr|mrs|ms|st|mt|jr|sr|prof|gen|col|gov|sen|rep|rev|ca|bros|vs|etc|inc|ltd|co|corp)"
)


def mixed_segments(text: str) -> list[str]:
    """Return the segments of ``text``, lower-cased, without marks.

    A mark between two words joins them, as in the script.

    >>> mixed_segments("《Hello World》于2008年-发行，售价3.5元")
    ['hello', 'world', '于', '2008', '年', '发', '行', '售', '价', '3.5', '元']
    """
    segments: list[str] = []
    foreign = ""
    for character in text.lower().strip():
        if character in _MARKS:
            continue
        if _CHINESE.match(character):
            segments += [*_words(foreign), character]
            foreign = ""
        else:
            foreign += character
    return segments + _words(foreign)


def without_marks(text: str) -> str:
    """Return ``text`` lower-cased, without marks and the white space around it.

    >>> without_marks(" 《红楼梦》、Dream of the Red-Chamber ")
    '红楼梦dream of the redchamber'
    """
    return "".join(character for character in text.lower().strip() if character not in _MARKS)


def _words(text: str) -> list[str]:
    """Cut a stretch without Chinese characters into words.

    >>> _words("it's (1,000 u.s. dollars), 100% don't.")
    ['it', "'s", '(', '1,000', 'u.s.', 'dollars', ')', ',', '100', '%', 'do', "n't", '.']
    """
    if text.isalnum():
        return [text]
    spaced = _LAST_POINT.sub(" .", _QUOTES.sub("' ", _SIGNS.sub(r" \g<0> ", text)))
    spaced = _INNER_POINT.sub(_cut_last_point, spaced)
    return _CONTRACTIONS.sub(r" \g<0>", spaced).split()


def _cut_last_point(match: re.Match[str]) -> str:
    return match[0] if _ABBREVIATION.fullmatch(match[1]) else f"{match[1]} ."

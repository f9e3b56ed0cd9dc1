"""Passages that repeat the question: what they say besides.

Repeating a question answers nothing, yet to a count of words such a passage is the best there is. It may still be the
right one, a question of a list of questions with its answer: a model that reads both can tell, words cannot.
"""

from __future__ import annotations

import re
from functools import lru_cache

from secondpass.rerank.lexical_question import read_question
from secondpass.text.normalize import is_han

LEAST_LENGTH = 3.0
"""Shorter questions (a word counts one, a Chinese character a half) come up in honest passages by chance."""
_WORD = re.compile(r"\w+")
_BETWEEN, _AFTER = r"\W{0,3}", r"[^\w\n]{0,3}"


def without_echo(query: str, passage: str) -> str:
    r"""Return ``passage`` without the places where it repeats ``query`` whole, whatever the case, marks and spaces.

    It stays as it is where the query asks nothing (a topic is named by passages about it), where it is short, and where
    nothing else is said: a question asked again may be what is looked for.

    >>> without_echo("谁发明了电话？", "谁发明了电话？贝尔发明了电话。"), without_echo("谁发明了电话？", "谁发明了电话")
    ('贝尔发明了电话。', '谁发明了电话')
    >>> without_echo("Who invented it?", "Q: who invented  it -\nA: Bell.")
    'Q: \nA: Bell.'
    """
    repeated = _repeated(query)
    rest = repeated.sub("", passage) if repeated else passage
    return rest.strip() if rest != passage and _WORD.search(rest) else passage


@lru_cache(maxsize=256)
def _repeated(query: str) -> re.Pattern[str] | None:
    """Return what finds ``query`` in a passage, None where it may well stand in an honest one."""
    words = _WORD.findall(query)
    if sum(map(_length, words)) < LEAST_LENGTH or not read_question(query).asks:
        return None
    ends = "" if is_han(words[-1][-1]) else r"(?!\w)"
    return re.compile(_BETWEEN.join(map(re.escape, words)) + ends + _AFTER, re.IGNORECASE)


def _length(word: str) -> float:
    han = sum(map(is_han, word))
    return han / 2 if han else 1.0

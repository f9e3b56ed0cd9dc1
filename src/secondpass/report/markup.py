"""HTML and SVG as strings that the type checker tells from text: what is not escaped cannot become a child.

It knows elements, escaping and the two languages of a page, not what the page says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType, TypeAlias

Markup = NewType("Markup", str)
"""HTML that is safe to put on a page."""
Attributes: TypeAlias = Mapping[str, str | int | float]

EMPTY = Markup("")
NOTHING: Attributes = {}

# What steers instead of saying: controls (but tab, line feed), what turns the direction of writing, halves of surrogate
# pairs, and code points that no text may hold.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_PLACE = re.compile(r"\{(\w+)\}")
_WITHOUT_END = frozenset({"meta", "input", "br", "path", "line", "rect", "circle", "polygon", "polyline", "use"})


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the page in both languages; ``{name}`` is a place for a value."""

    en: str
    zh: str


def visible(text: str) -> str:
    r"""Return ``text`` with everything that could steer a page written out, so that it is seen and does nothing.

    >>> visible("a\u202eb\x07")
    'a[U+202E]b[U+0007]'
    """
    return _STEERING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def escape(text: str) -> Markup:
    """Return ``text`` as it is read on a page, in an element or in a quoted attribute."""
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(shown.replace('"', "&quot;").replace("'", "&#39;"))


def join(parts: Iterable[Markup], between: str = "") -> Markup:
    """Return ``parts`` one after another, with the text ``between``."""
    return Markup(escape(between).join(parts))


def number(value: float) -> str:
    """Return a coordinate with one digit after the point, where it has one.

    >>> number(3.0), number(2.345), number(-0.01)
    ('3', '2.3', '0')
    """
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def element(name: str, attributes: Attributes = NOTHING, *children: Markup) -> Markup:
    """Return an element; numbers among the attributes are coordinates."""
    written = "".join(
        f' {key}="{escape(value) if isinstance(value, str) else number(value)}"' for key, value in attributes.items()
    )
    if name in _WITHOUT_END and not children:
        return Markup(f"<{name}{written}>" if name in {"meta", "input", "br"} else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{''.join(children)}</{name}>")


def fill(template: str, values: Mapping[str, Markup]) -> Markup:
    """Return ``template``, which is text, with its places filled with markup."""
    pieces = _PLACE.split(template)
    return Markup("".join(values[piece] if turn % 2 else escape(piece) for turn, piece in enumerate(pieces)))


def both(text: Text, values: Mapping[str, Markup] | None = None) -> Markup:
    """Return ``text`` in both languages; the page shows one of them."""
    return tagged("span", {}, text, values)


def sentences(pieces: Sequence[tuple[Text, Mapping[str, Markup]]]) -> Markup:
    """Return sentences one after another in both languages: with a space between in English, with none in Chinese."""
    english = join((fill(text.en, values) for text, values in pieces), " ")
    chinese = join(fill(text.zh, values) for text, values in pieces)
    return join(
        [element("span", {"class": "en"}, english), element("span", {"class": "zh", "lang": "zh-Hans"}, chinese)]
    )


def tagged(name: str, attributes: Attributes, text: Text, values: Mapping[str, Markup] | None = None) -> Markup:
    """Return an element a language, for places where one element around both will not do."""
    known = values or {}
    classes = f"{attributes.get('class', '')} ".lstrip()
    # English has no lang of its own: where it is shown, it is the language of the page.
    english = {**attributes, "class": f"{classes}en"}
    chinese = {**attributes, "class": f"{classes}zh", "lang": "zh-Hans"}
    return join([element(name, english, fill(text.en, known)), element(name, chinese, fill(text.zh, known))])


def data(text: str, language: str = "") -> Markup:
    """Return text that came from outside, fenced so that its direction of writing stays its own."""
    return element("bdi", {"lang": language} if language else {}, escape(text))

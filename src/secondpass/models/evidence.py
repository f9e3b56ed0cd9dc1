"""What a pointing classifier points at: of the likeliest spans of a passage the one that answers, in whole words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secondpass.models.span_decoding import TokenSpan
from secondpass.models.tokenizer import EncodedText
from secondpass.text.answer_spans import LikelySpan, choose_span
from secondpass.text.enumerations import with_things_counted
from secondpass.text.whole_words import whole_words

LIKELY_SPANS = 5
"""So many spans of a passage are looked at; of thirty the same ones are chosen (docs/log.md)."""


def evidence(
    question: str, as_read: str, encoded: EncodedText, found: Sequence[TokenSpan], window_start: int
) -> LikelySpan:
    """Return what ``found``, the likeliest spans of the window that begins at token ``window_start``, point at.

    ``as_read``: the question as the model read it, with names as the passage writes them.
    """
    likely = [
        LikelySpan(encoded.span(window_start + one.first, window_start + one.end), one.confidence) for one in found
    ]
    chosen = choose_span(question, encoded.text, likely, as_read)
    span = whole_words(encoded.text, chosen.span)
    return replace(chosen, span=with_things_counted(question, encoded.text, span))

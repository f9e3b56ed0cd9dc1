"""What the names of HTML elements mean for a reader, those of trafilatura's trees among them."""

from __future__ import annotations

HEADINGS = {f"h{level}": level for level in range(1, 7)}

SKIPPED_TAGS = frozenset(
    "script style noscript template svg math iframe object embed canvas audio video input select option textarea "
    "meta link base title".split()
)

BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hr html item legend li list main menu nav ol p pre quote row search "
    "section summary table tbody tfoot thead tr ul".split()
)

FURNITURE_TAGS = frozenset("nav footer aside form button header menu dialog".split())
"""What surrounds a page's text; left out when the whole page is read."""

_INLINE_TAGS = frozenset(
    "a abbr acronym b bdi bdo big button cite code data del dfn em font i img ins kbd label map mark meter nobr "
    "output picture progress q rp rt ruby s samp slot small source span strike strong sub sup td th time track tt u "
    "var wbr".split()
)
HTML_TAGS = BLOCK_TAGS | SKIPPED_TAGS | _INLINE_TAGS
"""Every tag that is HTML; anything else between angle brackets is text."""

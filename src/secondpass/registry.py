"""Names of parts, each with the place of its class: nothing is imported until it is asked for.

Other packages add parts through entry points of the groups ``secondpass.rerankers``, ``secondpass.embedders``,
``secondpass.scorers`` and ``secondpass.llms``; the value has the same form, ``module:Class``.
"""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import Any

from secondpass.errors import InputError

RERANKERS: dict[str, str] = {
    "dedupe": "secondpass.rerank.duplicates:NearDuplicateReranker",
    "edges": "secondpass.rerank.reading_order:ReadingOrderReranker",
    "lexical": "secondpass.rerank.lexical:LexicalReranker",
    "merge": "secondpass.rerank.neighbours:NeighbourReranker",
    "mmr": "secondpass.rerank.diversity:MMRReranker",
}
EMBEDDERS: dict[str, str] = {
    "builtin": "secondpass.embed.word_vectors:WordVectorEmbedder",
    "openai": "secondpass.embed.openai:OpenAIEmbedder",
    "sentence-transformers": "secondpass.embed.sentence_transformers:SentenceTransformersEmbedder",
}
LLMS: dict[str, str] = {
    "openai": "secondpass.llm.openai:OpenAIChat",
    "replay": "secondpass.llm.replay:ReplayLLM",
}
SCORERS: dict[str, str] = {
    "causal": "secondpass.models.causal:open_causal",
    "cross-encoder": "secondpass.models.cross_encoder:open_cross_encoder",
    "late-interaction": "secondpass.models.late_interaction_scorer:open_late_interaction",
    "layerwise": "secondpass.models.layerwise:open_layerwise",
    "lightweight": "secondpass.models.lightweight:open_lightweight",
    "query-likelihood": "secondpass.models.query_likelihood:open_query_likelihood",
    "seq2seq": "secondpass.models.seq2seq:open_seq2seq",
    "seq2seq-pairs": "secondpass.models.seq2seq:DuoComparator",
}
"""What opens a model of a family (`secondpass.models.profiles.Family`) as a scorer; of pairs of passages for duoT5."""
_TABLES = {"rerankers": RERANKERS, "scorers": SCORERS, "embedders": EMBEDDERS, "llms": LLMS}


def known(kind: str) -> dict[str, str]:
    """Return all names of a kind (``rerankers``, ``embedders``, ``llms``) with their places, plug-ins included."""
    plugins = {point.name: point.value for point in entry_points(group=f"secondpass.{kind}")}
    return plugins | _TABLES[kind]


def find(kind: str, name: str) -> Any:
    """Import and return the class registered under ``name``.

    Raises:
        InputError: the name is not known; the message lists the known ones and the nearest.
    """
    places = known(kind)
    if name not in places:
        near = difflib.get_close_matches(name, places, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"There is no {kind[:-1]} named {name!r}; known are: {', '.join(sorted(places))}.{hint}")
    module, _, attribute = places[name].partition(":")
    return getattr(importlib.import_module(module), attribute)

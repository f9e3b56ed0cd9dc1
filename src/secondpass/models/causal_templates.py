"""The exact forms in which causal language models read a query and a passage: pieces of text, nothing else.

Every piece is tokenized by itself, as the authors' code does it: joined first, two pieces may become other tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from secondpass.errors import InputError
from secondpass.types import Language

BeginToken = Literal["never", "unless_pad", "always", "as_tokenizer"]
"""Whether the tokenizer's begin-of-text token comes first.

``unless_pad``: if there is one, and it is not the pad. ``as_tokenizer``: what the tokenizer itself puts before a text.
"""


@dataclass(frozen=True, slots=True)
class CausalTemplate:
    """An input in pieces, and the words whose logits after it are the score.

    ``before`` are the pieces up to the passage's, ``passage`` is the piece with ``{passage}``, ``after`` what follows;
    ``{query}`` and ``{instruction}`` stand in any of them. Only passages and queries are ever cut. The score is the
    logit of the first token of ``positive``, minus that of ``negative`` where there is one. With an instruction,
    ``instructed_before`` takes the place of ``before`` where the authors' form changes by it. ``end_token``: the
    tokenizer's end-of-text token comes last.
    """

    name: str
    before: tuple[str, ...]
    passage: str
    after: tuple[str, ...]
    positive: str
    negative: str | None = None
    begin_token: BeginToken = "never"
    instruction: str = ""
    instructed_before: tuple[str, ...] = ()
    takes_instruction: bool = False
    end_token: bool = False

    def pieces_before(self, instruction: str) -> tuple[str, ...]:
        """Return the pieces up to the passage's, the query still open."""
        return self.instructed_before if instruction and self.instructed_before else self.before


# FlagEmbedding 1.4.2, inference/reranker/decoder_only/base.py (the tokens) and abc/inference/AbsReranker.py ("A: ").
_BGE_BEFORE = ("A: {query}", "\n")
_BGE_PASSAGE = "B: {passage}"
_BGE_PROMPT = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
# FlagEmbedding 1.4.2, inference/reranker/decoder_only/lightweight.py.
_BGE_LIGHTWEIGHT_PROMPT = "Predict whether passage B contains an answer to query A."

# QwenLM/Qwen3-Embedding, README.md, "Qwen3 Reranker ... Transformers".
_QWEN3_PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
_QWEN3_SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
_QWEN3_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"

# mixedbread-ai/mxbai-rerank at 03324ea, mxbai_rerank/mxbai_rerank_v2.py.
_MXBAI_PREFIX = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n"
)
_MXBAI_TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:"
)
_MXBAI_SUFFIX = "<|im_end|>\n<|im_start|>assistant\n"


def _bge(name: str, prompt: str, begin_token: BeginToken) -> CausalTemplate:
    """Return a form of BGE's; its instruction is the prompt at the end; the lightweight model knows several."""
    return CausalTemplate(
        name,
        before=_BGE_BEFORE,
        passage=_BGE_PASSAGE,
        after=("\n", "{instruction}"),
        positive="Yes",
        begin_token=begin_token,
        instruction=prompt,
        takes_instruction=True,
    )


def _qwen3(name: str, line_break: str) -> CausalTemplate:
    fields = ("<Instruct>: {instruction}", "<Query>: {query}", "<Document>: {passage}")
    return CausalTemplate(
        name,
        before=(_QWEN3_PREFIX,),
        passage=line_break.join(fields),
        after=(_QWEN3_SUFFIX,),
        positive="yes",
        negative="no",
        instruction=_QWEN3_INSTRUCTION,
        takes_instruction=True,
    )


CAUSAL_TEMPLATES: dict[str, CausalTemplate] = {
    template.name: template
    for template in (
        _bge("bge-gemma", _BGE_PROMPT, "unless_pad"),
        # The two below put the begin token first without looking at the pad (layerwise.py, lightweight.py).
        _bge("bge-minicpm-layerwise", _BGE_PROMPT, "always"),
        _bge("bge-gemma2-lightweight", _BGE_LIGHTWEIGHT_PROMPT, "always"),
        # The README's form, and that of evaluation/qwen3_reranker_model.py (the one served by vLLM), with blank lines.
        _qwen3("qwen3", "\n"),
        _qwen3("qwen3-blank-lines", "\n\n"),
        CausalTemplate(
            "mxbai-v2",
            before=(_MXBAI_PREFIX, "query: {query}", "\n"),
            passage="document: {passage}",
            after=("\n", _MXBAI_TASK, _MXBAI_SUFFIX),
            positive="1",
            negative="0",
            instructed_before=(_MXBAI_PREFIX, "instruction: {instruction}\nquery: {query}", "\n"),
            takes_instruction=True,
        ),
    )
}


_MONO = "Query: {query} Document: {passage} Relevant:"


def _sequence(name: str, text: str, positive: str, negative: str) -> CausalTemplate:
    """Return what an encoder-decoder reads; its words are tokens of the vocabulary, chosen between in one step."""
    return CausalTemplate(name, (), text, (), positive, negative, end_token=True)


SEQUENCE_TEMPLATES: dict[str, CausalTemplate] = {
    # castorini/pygaggle, model/tokenize.py, rerank/transformer.py (monoT5, arXiv:2003.06713; duoT5, arXiv:2101.05667);
    # the tokens of each checkpoint: AnswerDotAI/rerankers, models/t5ranker.py.
    template.name: template
    for template in (
        _sequence("monot5", _MONO, "▁true", "▁false"),
        _sequence("mt5", _MONO, "▁yes", "▁no"),
        _sequence("ptt5", _MONO, "▁sim", "▁não"),
        _sequence("monoptt5", _MONO, "▁Sim", "▁Não"),
        # ``{passage}`` holds both passages; see DUO_PASSAGES.
        _sequence("duot5", "Query: {query} {passage} Relevant:", "▁true", "▁false"),
    )
}
DUO_PASSAGES = "Document0: {first} Document1: {second}"

_LIKELIHOOD_PROMPTS: dict[Language, str] = {
    # ielab/llm-rankers, pointwise.py ("qlm"; UPR, arXiv:2204.07496); the Chinese one says the same.
    "en": "Passage: {passage}\nPlease write a question based on this passage.\n",
    "zh": "段落：{passage}\n请根据这段文字写一个问题。\n",
}
LIKELIHOOD_TEMPLATES: dict[Language, CausalTemplate] = {
    language: CausalTemplate("query-likelihood", (), prompt, ("{query}",), "", begin_token="as_tokenizer")
    for language, prompt in _LIKELIHOOD_PROMPTS.items()
}


def causal_template(name: str) -> CausalTemplate:
    """Return the form of that name, or say which there are."""
    if name not in CAUSAL_TEMPLATES:
        raise InputError(_unknown("causal language model", name, CAUSAL_TEMPLATES))
    return CAUSAL_TEMPLATES[name]


def sequence_template(name: str) -> CausalTemplate:
    """Return the form of that name, or say which there are."""
    if name not in SEQUENCE_TEMPLATES:
        raise InputError(_unknown("encoder-decoder", name, SEQUENCE_TEMPLATES))
    return SEQUENCE_TEMPLATES[name]


def _unknown(kind: str, name: str, names: Iterable[str]) -> str:
    return (
        f"There is no input form {name!r} for a {kind}; known are {', '.join(names)}. Without the form it was trained "
        "on such a model gives numbers that mean nothing: give the profile of a model that was trained alike."
    )

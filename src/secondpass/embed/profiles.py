"""What embedding models want done to a text before they read it, by name.

Sources: the model cards of each family; for the GTE model, the RAG tutorial of modelscope-classroom, which replaces
line breaks by blanks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Words put before a question and before a passage, and how the text is cut and cleaned.

    ``max_tokens`` None leaves the model its own limit.
    """

    query_prefix: str = ""
    document_prefix: str = ""
    newlines_to_blanks: bool = False
    max_tokens: int | None = None

    def query(self, text: str) -> str:
        """Return a question as the model wants it."""
        return self.query_prefix + self._clean(text)

    def document(self, text: str) -> str:
        """Return a passage as the model wants it."""
        return self.document_prefix + self._clean(text)

    def _clean(self, text: str) -> str:
        return text.replace("\r\n", " ").replace("\n", " ") if self.newlines_to_blanks else text


_BGE_ZH = Profile(query_prefix="为这个句子生成表示以用于检索相关文章：")
_BGE_EN = Profile(query_prefix="Represent this sentence for searching relevant passages: ")
_E5 = Profile(query_prefix="query: ", document_prefix="passage: ")
_QWEN3 = Profile(
    query_prefix="Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)
_SHORT = Profile(max_tokens=256)

PLAIN = Profile()
PROFILES: dict[str, Profile] = {
    "nlp_gte_sentence-embedding_chinese-base": Profile(newlines_to_blanks=True),
    "nlp_gte_sentence-embedding_chinese-large": Profile(newlines_to_blanks=True),
    "nlp_gte_sentence-embedding_chinese-small": Profile(newlines_to_blanks=True),
    "bce-embedding-base_v1": PLAIN,
    "bge-m3": PLAIN,
    "bge-small-zh-v1.5": _BGE_ZH,
    "bge-base-zh-v1.5": _BGE_ZH,
    "bge-large-zh-v1.5": _BGE_ZH,
    "bge-small-en-v1.5": _BGE_EN,
    "bge-base-en-v1.5": _BGE_EN,
    "bge-large-en-v1.5": _BGE_EN,
    "e5-small-v2": _E5,
    "e5-base-v2": _E5,
    "e5-large-v2": _E5,
    "multilingual-e5-small": _E5,
    "multilingual-e5-base": _E5,
    "multilingual-e5-large": _E5,
    "qwen3-embedding-0.6b": _QWEN3,
    "qwen3-embedding-4b": _QWEN3,
    "qwen3-embedding-8b": _QWEN3,
    "paraphrase-minilm-l6-v2": _SHORT,
    "multi-qa-minilm-l6-cos-v1": _SHORT,
}


def profile_of(name: str) -> Profile:
    r"""Return the profile of a model by the last part of its name, or the plain one.

    >>> profile_of("BAAI/bge-base-zh-v1.5").query("西安交大")
    '为这个句子生成表示以用于检索相关文章：西安交大'
    >>> profile_of("/models/iic/nlp_gte_sentence-embedding_chinese-base").document("一\n二")
    '一 二'
    """
    return PROFILES.get(name.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1].lower(), PLAIN)

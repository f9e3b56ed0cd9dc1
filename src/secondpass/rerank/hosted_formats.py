"""How each rerank service wants to be asked and how it answers: one table, one row per wire dialect.

From the providers' documentation and clients as of November 2026. Every request asks for all scores: cutting is done
here, so that no passage is lost at the server. What a score means is written down only where it is documented or the
request asks for it; everything else is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from secondpass.errors import InputError
from secondpass.types import Json, Scale

Shape = Literal["flat", "dashscope", "nvidia"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format. ``compatible`` is what most servers understand: model, query, documents, top_n.

    ``base_url`` None: a server of one's own, whose address must be given. ``path`` follows the base. ``key_variables``
    are the environment variables that may hold the key. ``logits_field`` asks for logits with ``logits_value`` and for
    probabilities with its opposite. ``cut`` is a field, with its values for refusing and for cutting a passage that is
    too long (a refusing value of None is not sent). ``results_at`` leads to the list of results. ``max_texts`` and
    ``max_request_tokens`` (``question tokens x passages + tokens of all passages``) bound one request.
    """

    name: str
    base_url: str | None
    path: str
    key_variables: tuple[str, ...] = ()
    key_needed: bool = False
    shape: Shape = "flat"
    texts_field: str = "documents"
    top_field: str | None = "top_n"
    needs_model: bool = True
    constants: tuple[tuple[str, Json], ...] = ()
    cut: tuple[str, Json, Json] | None = None
    logits_field: str | None = None
    logits_value: bool = True
    default_scale: Scale | None = None
    instruction_field: str | None = None
    results_at: tuple[str, ...] = ("results",)
    score_field: str = "relevance_score"
    max_texts: int = 1000
    max_request_tokens: int | None = None


_NO_TEXTS: tuple[tuple[str, Json], ...] = (("return_documents", False),)
_DASHSCOPE_PATH = "api/v1/services/rerank/text-rerank/text-rerank"

DIALECTS: dict[str, Dialect] = {
    row.name: row
    for row in (
        Dialect(
            "cohere",
            "https://api.cohere.com",
            "v2/rerank",
            ("COHERE_API_KEY", "CO_API_KEY"),
            key_needed=True,
            default_scale="probability",
        ),
        Dialect(
            "cohere-v1",
            "https://api.cohere.com",
            "v1/rerank",
            ("COHERE_API_KEY", "CO_API_KEY"),
            key_needed=True,
            constants=_NO_TEXTS,
            default_scale="probability",
        ),
        Dialect("jina", "https://api.jina.ai", "v1/rerank", ("JINA_API_KEY",), key_needed=True, constants=_NO_TEXTS),
        Dialect(
            "voyage",
            "https://api.voyageai.com",
            "v1/rerank",
            ("VOYAGE_API_KEY",),
            key_needed=True,
            top_field="top_k",
            constants=_NO_TEXTS,
            cut=("truncation", False, True),
            results_at=("data",),
            max_request_tokens=600_000,
        ),
        Dialect(
            "dashscope",
            "https://dashscope.aliyuncs.com",
            _DASHSCOPE_PATH,
            ("DASHSCOPE_API_KEY",),
            key_needed=True,
            shape="dashscope",
            default_scale="probability",
            instruction_field="instruct",
            results_at=("output", "results"),
            max_texts=500,
            max_request_tokens=30_000,
        ),
        Dialect(
            "dashscope-compatible",
            "https://dashscope.aliyuncs.com",
            "compatible-api/v1/reranks",
            ("DASHSCOPE_API_KEY",),
            key_needed=True,
            default_scale="probability",
            instruction_field="instruct",
            max_texts=500,
            max_request_tokens=30_000,
        ),
        Dialect(
            "siliconflow",
            "https://api.siliconflow.cn",
            "v1/rerank",
            ("SILICONFLOW_API_KEY",),
            key_needed=True,
            constants=_NO_TEXTS,
            instruction_field="instruction",
        ),
        Dialect(
            "nvidia",
            "https://ai.api.nvidia.com",
            "v1/ranking",
            ("NVIDIA_API_KEY",),
            key_needed=True,
            shape="nvidia",
            top_field=None,
            cut=("truncate", "NONE", "END"),
            default_scale="logit",
            results_at=("rankings",),
            score_field="logit",
            max_texts=512,
        ),
        Dialect(
            "tei",
            None,
            "rerank",
            ("TEI_API_KEY",),
            texts_field="texts",
            top_field=None,
            needs_model=False,
            constants=(("return_text", False),),
            cut=("truncate", False, True),
            logits_field="raw_scores",
            results_at=(),
            score_field="score",
            max_texts=32,
        ),
        Dialect(
            "infinity",
            None,
            "rerank",
            ("INFINITY_API_KEY",),
            constants=_NO_TEXTS,
            logits_field="raw_scores",
            max_texts=32,
        ),
        Dialect(
            "vllm",
            None,
            "v1/rerank",
            ("VLLM_API_KEY",),
            cut=("truncate_prompt_tokens", None, -1),
            logits_field="use_activation",
            logits_value=False,
            instruction_field="instruction",
        ),
        Dialect("compatible", None, "v1/rerank", needs_model=False),
        Dialect("xinference", None, "v1/rerank", ("XINFERENCE_API_KEY",), constants=_NO_TEXTS),
    )
}

# Models whose authors publish the logistic function of the score as its probability; services that run them apply it.
_LOGISTIC = ("bge-reranker", "bce-reranker", "qwen3-rerank", "gte-multilingual-reranker")
_JINA_LOGISTIC = ("jina-reranker-v1", "jina-reranker-v2", "jina-reranker-m0")
_LISTWISE = ("jina-reranker-v3",)
_ENDINGS = ("/rerank", "/reranks", "/reranking", "/ranking", "/text-rerank")
_BASES = ("/compatible-mode/v1", "/compatible-api/v1", "/api/v1", "/v1", "/v2")

# The longest passage in the model's own tokens; beyond it a service cuts or refuses (from its documentation).
_MAX_TOKENS: tuple[tuple[str, str, int], ...] = (
    ("cohere", "", 4096),
    ("jina", "jina-reranker-v1", 8192),
    ("jina", "jina-reranker-v2", 1024),
    ("jina", "jina-reranker-m0", 10_240),
    ("voyage", "rerank-2.5", 32_000),
    ("voyage", "rerank-2-lite", 8000),
    ("voyage", "rerank-2", 16_000),
    ("dashscope", "", 4000),
)


def find_dialect(name: str) -> Dialect:
    """Return the row of ``name``.

    Raises:
        InputError: there is none.
    """
    if name not in DIALECTS:
        raise InputError(f"There is no rerank service named {name!r}; known are: {', '.join(DIALECTS)}.")
    return DIALECTS[name]


def endpoint(dialect: Dialect, model: str, url: str | None) -> str:
    """Return the address to post to, from a base (``http://host:8080``, ``http://host/v1``) or the whole address.

    >>> endpoint(DIALECTS["jina"], "m", "http://localhost:8000/v1/")
    'http://localhost:8000/v1/rerank'
    """
    if url is None and dialect.name == "nvidia":
        return f"{dialect.base_url}/v1/retrieval/{model.replace('.', '_')}/reranking"
    base = (url or dialect.base_url or "").rstrip("/")
    if base.endswith(_ENDINGS):
        return base
    return f"{server_root(base)}/{dialect.path}"


def server_root(url: str) -> str:
    """Return where a server starts: ``url`` without the version, or the path to rerank, that it ends with.

    >>> server_root("http://host:8080/models/v1/rerank")
    'http://host:8080/models'
    """
    parts = urlsplit(url.rstrip("/"))
    path = parts.path
    if path.endswith(_ENDINGS):
        path = path[: path.rfind("/")]
    for ending in _BASES:
        if path.endswith(ending):
            path = path[: -len(ending)]
            break
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a model beside the texts.

    ``scale`` is asked for where the dialect can; ``cut_long``: cut what is too long instead of refusing it.
    """

    model: str
    scale: Scale
    instruction: str | None = None
    cut_long: bool = False


def request_body(dialect: Dialect, wish: Wish, query: str, texts: Sequence[str]) -> dict[str, Json]:
    """Return the body of one request for the scores of all ``texts``."""
    model, settings = wish.model, _settings(dialect, wish)
    if dialect.top_field:
        settings[dialect.top_field] = len(texts)
    if dialect.shape == "dashscope":
        documents: Json = {"query": query, "documents": list(texts)}
        return {"model": model, "input": documents, "parameters": {"return_documents": False, **settings}}
    if dialect.shape == "nvidia":
        passages: list[Json] = [{"text": text} for text in texts]
        return {"model": model, "query": {"text": query}, "passages": passages, **settings}
    named: dict[str, Json] = {"model": model} if model else {}
    return {**named, "query": query, dialect.texts_field: list(texts), **settings}


def _settings(dialect: Dialect, wish: Wish) -> dict[str, Json]:
    settings: dict[str, Json] = dict(dialect.constants)
    if dialect.cut:
        field, refusing, cutting = dialect.cut
        if (value := cutting if wish.cut_long else refusing) is not None:
            settings[field] = value
    if dialect.logits_field and wish.scale in ("logit", "probability"):
        settings[dialect.logits_field] = dialect.logits_value == (wish.scale == "logit")
    if wish.instruction is not None and dialect.instruction_field:
        settings[dialect.instruction_field] = wish.instruction
    return settings


def scale_of(dialect: Dialect, model: str) -> Scale:
    """Return what the scores of ``model`` mean where nobody asked for a scale."""
    if dialect.default_scale:
        return dialect.default_scale
    if is_listwise(model):
        return "rank_only"
    if dialect.name in ("tei", "infinity"):
        return "logit"  # asked for: near 1, probabilities of many passages round to the same number
    known = _LOGISTIC + (_JINA_LOGISTIC if dialect.name == "jina" else ())
    return "probability" if any(part in model.lower() for part in known) else "unknown"


def gives_probability(model: str, scale: Scale) -> bool:
    """Tell whether the model's authors publish the (logistic function of the) score as a probability."""
    return scale in ("logit", "probability") and any(part in model.lower() for part in _LOGISTIC)


def is_listwise(model: str) -> bool:
    """Tell whether a model reads all passages together, so that a score depends on the others of its request."""
    return model.lower().startswith(_LISTWISE)


def max_tokens_of(dialect: Dialect, model: str) -> int | None:
    """Return the longest passage in tokens that the service is documented to read; None: not known, or unbounded."""
    for service, prefix, tokens in _MAX_TOKENS:
        if dialect.name.startswith(service) and model.startswith(prefix):
            return tokens
    return None

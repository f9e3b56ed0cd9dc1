"""Options that several commands share, and how their values become parts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from secondpass.cli.reranking import option as reranker_option
from secondpass.cli.reranking import reranking_from, reranking_options
from secondpass.config import DEFAULT_RERANKER, DEFAULT_TOP_N, RerankSpec, RetrieveSpec, parse_weights
from secondpass.llm.names import open_llm
from secondpass.rerank.options import RerankerOptions
from secondpass.types import LLM

Command = TypeVar("Command", bound=Callable[..., Any])


def index_option(command: Command) -> Command:
    """Add ``--index``."""
    return click.option(
        "--index",
        "index_path",
        default=".secondpass",
        envvar="SECONDPASS_INDEX",
        show_default=True,
        metavar="FOLDER",
        help="Where the index lies. [env: SECONDPASS_INDEX]",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")(command)


def embedder_option(command: Command) -> Command:
    """Add ``--embedder``."""
    return click.option(
        "--embedder",
        metavar="NAME",
        help="Adds vectors: builtin (of words, from the model in the package: English questions find Chinese passages "
        "and the reverse), openai:MODEL, a folder or a Hugging Face name (needs secondpass[torch]).",
    )(command)


def token_encoder_option(command: Command) -> Command:
    """Add ``--token-encoder``."""
    return click.option(
        "--token-encoder",
        metavar="NAME",
        help="Adds a vector for every token, for --retrieve colbert: the folder of a late-interaction model (ColBERT, "
        "PyLate), or its name at a hub; 'NAME[skiplist=chinese]' leaves out Chinese punctuation. Takes about 45 kB a "
        "chunk.",
    )(command)


def retrieve_options(command: Command) -> Command:
    """Add ``--retrieve`` and ``--weights``."""
    command = click.option(
        "--weights", metavar="BM25,DENSE", default="1,1", show_default=True, help="Weights of the two parts of hybrid."
    )(command)
    return click.option(
        "--retrieve",
        metavar="NAME@K",
        help="First stage, bm25, dense, hybrid or colbert, and how many passages. [default: hybrid@10 where the index "
        "has vectors (hybrid@20: 10 in each language, where those are builtin's), else bm25@10]",
    )(command)


def rerank_option(depth: str = str(DEFAULT_TOP_N)) -> Callable[[Command], Command]:
    """Add ``--rerank`` and what says how rerankers are opened; the default one keeps ``depth`` passages."""
    option = reranker_option(
        "--rerank",
        "rerank_specs",
        multiple=True,
        default=[f"{DEFAULT_RERANKER}@{depth}"],
        show_default=True,
        metavar="NAME@N",
        help="Second stage and how many passages it keeps (@all: every one); repeat for a cascade. `secondpass models` "
        "lists the names; 'NAME[profile=MODEL]@N' sets something for one of several models alone.",
    )

    def add(command: Command) -> Command:
        return option(reranking_options(command))

    return add


def no_rerank_option(command: Command) -> Command:
    """Add ``--no-rerank``."""
    return click.option("--no-rerank", is_flag=True, help="Keep the order of the first stage.")(command)


def show_passages_option(command: Command) -> Command:
    """Add ``--show-passages``."""
    return click.option("--show-passages", is_flag=True, help="Also print the passages whole.")(command)


def llm_options(command: Command) -> Command:
    """Add ``--llm`` and ``--llm-url``."""
    command = click.option("--llm-url", metavar="URL", help="Address of the OpenAI-compatible server.")(command)
    return click.option(
        "--llm",
        metavar="NAME",
        help="Chat model for the answer, such as openai:qwen-max; without one, sentences are cut from the passages.",
    )(command)


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """What a command that takes a question was told; options that a command does not have keep their defaults."""

    query: str
    index_path: str
    retrieve: RetrieveSpec | None
    rerank: list[RerankSpec]
    rerankers: RerankerOptions
    llm: LLM | None
    show_passages: bool
    as_json: bool


def takes_question(run: Callable[[QuestionOptions], int]) -> Callable[..., int]:
    """Hand a command the values of its options as one `QuestionOptions`."""

    @functools.wraps(run)
    def callback(**values: Any) -> int:
        llm = values.get("llm")
        return run(
            QuestionOptions(
                query=values["query"],
                index_path=values["index_path"],
                retrieve=_retrieve_spec(values["retrieve"], values["weights"]),
                rerank=[] if values.get("no_rerank") else rerank_list(values["rerank_specs"]),
                rerankers=reranking_from(values),
                llm=open_llm(llm, values.get("llm_url")) if llm else None,
                show_passages=values.get("show_passages", False),
                as_json=values["as_json"],
            )
        )

    return callback


def _retrieve_spec(retrieve: str | None, weights: str) -> RetrieveSpec | None:
    """Return what ``--retrieve`` and ``--weights`` say; None leaves the choice to the index."""
    parsed = parse_weights(weights)
    return RetrieveSpec.parse(retrieve, parsed) if retrieve else None


def rerank_list(rerank_specs: tuple[str, ...]) -> list[RerankSpec]:
    """Return what ``--rerank`` says."""
    return [RerankSpec.parse(text) for text in rerank_specs]

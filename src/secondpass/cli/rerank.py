"""``secondpass rerank``: passages from anywhere in, the same passages in a better order out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from secondpass.cli.options import rerank_list, rerank_option
from secondpass.cli.pace import counted
from secondpass.cli.plain import plain
from secondpass.cli.reranking import RerankingCommand, reranking_from
from secondpass.config import make_reranker
from secondpass.data.corpora import read_corpus, read_questions
from secondpass.data.lines import STREAM, count_lines, write_whole
from secondpass.data.passages import BadLine, read_jobs, read_passages, rerank_job
from secondpass.data.trec import format_run, read_run, run_hits
from secondpass.errors import InputError
from secondpass.types import Reranker


@click.command(cls=RerankingCommand)
@click.argument("query", required=False)
@click.option("--input", "input_path", default=STREAM, show_default=True, metavar="FILE", help="JSON lines; - = stdin.")
@click.option("--output", "output_path", default=STREAM, show_default=True, metavar="FILE", help="- = stdout.")
@click.option("--strict", is_flag=True, help="Stop at the first line that cannot be used.")
@click.option("--run", "run_path", metavar="FILE", help="A TREC run to rerank, instead of JSON lines.")
@click.option(
    "--corpus", "corpus_path", metavar="FILE", help='Its passages: lines of {"_id", "text", "title"?}; .gz too.'
)
@click.option(
    "--queries", "queries_path", metavar="FILE", help='Its questions: lines of {"_id", "text"}, or id<TAB>text.'
)
@click.option("--json", is_flag=True, expose_value=False, help="Accepted: the output is JSON anyway.")
@rerank_option(depth="all")
def rerank(
    query: str | None,
    input_path: str,
    output_path: str,
    strict: bool,
    run_path: str | None,
    corpus_path: str | None,
    queries_path: str | None,
    rerank_specs: tuple[str, ...],
    **reranking: Any,
) -> int:
    """Rerank passages: a QUERY with lines of {"id", "text"}, or lines of whole jobs.

    \b
    Jobs, one a line:  {"id": ..., "query": "...", "passages": [{"id": ..., "text": "...", "title"?: "..."}]}
    The same objects come back in the same order, their passages reordered, each with rank, score and scale;
    with probability, where the model's authors publish one; with truncated, where a part was not read; with
    evidence [start, end), the part of the text that decided, where a reranker names one, and evidence_confidence,
    where the reranker knows how sure it is of it.
    A line that cannot be used is named by its number and left out (exit code 1); --strict stops at the first.
    With --run, --corpus and --queries a TREC run is read, and a TREC run is written.
    """
    reranker = make_reranker(rerank_list(rerank_specs), reranking_from(reranking))
    assert reranker is not None
    problems: list[str] = []
    if run_path:
        lines = _trec(run_path, corpus_path, queries_path, reranker, problems)
    else:
        lines = _jobs(query, input_path, reranker, problems)
    with write_whole(output_path) as output:
        for line in lines:
            _report(problems, strict)
            output.write(line)
        skipped = _report(problems, strict)
    return 1 if skipped else 0


def _report(problems: list[str], strict: bool) -> int:
    """Say each new problem once; stop at the first where that was asked for. Problems already said stay counted."""
    for position, problem in enumerate(problems):
        if problem:
            if strict:
                raise InputError(problem)
            click.echo(plain(f"secondpass: {problem} (left out)"), err=True)
            problems[position] = ""
    return len(problems)


def _jobs(query: str | None, path: str, reranker: Reranker, problems: list[str]) -> Iterator[str]:
    if query is not None:
        for passage in rerank_job(read_passages(path, query), reranker)["passages"]:
            yield json.dumps(passage, ensure_ascii=False) + "\n"
        return
    for job in counted(read_jobs(path), "jobs", count_lines(path)):
        if isinstance(job, BadLine):
            problems.append(job.reason)
            continue
        yield json.dumps(rerank_job(job, reranker), ensure_ascii=False) + "\n"


def _trec(
    run_path: str, corpus_path: str | None, queries_path: str | None, reranker: Reranker, problems: list[str]
) -> Iterator[str]:
    if not corpus_path or not queries_path:
        raise click.UsageError("--run needs --corpus and --queries, which hold the texts.")
    run = read_run(run_path)
    questions = read_questions(queries_path)
    corpus = read_corpus(corpus_path, {doc_id for passages in run.values() for doc_id in passages})
    for query_id, passages in counted(run.items(), "queries", len(run)):
        if query_id not in questions:
            problems.append(f"{Path(run_path).name}: query {query_id!r} is not in {queries_path}")
            continue
        known = {doc_id: score for doc_id, score in passages.items() if doc_id in corpus}
        missing = [doc_id for doc_id in passages if doc_id not in corpus]
        if missing:
            named = ", ".join(missing[:3])
            problems.append(f"query {query_id!r}: {len(missing)} passages are not in {corpus_path} ({named} …)")
        hits = reranker.rerank(questions[query_id], run_hits(known, corpus))
        yield format_run(query_id, [hit.chunk.id for hit in hits], [hit.score for hit in hits], "secondpass")

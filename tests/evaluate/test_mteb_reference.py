"""The table of published figures."""

from __future__ import annotations

from secondpass.evaluate.mteb_reference import published_figures

TASKS = ("T2Reranking", "MMarcoReranking", "CMedQAv1-reranking", "CMedQAv2-reranking", "AskUbuntuDupQuestions")


def test_every_figure_is_a_share_with_its_source_and_stands_once() -> None:
    for task in TASKS:
        found = published_figures(task)
        assert len({figure.model for figure in found}) == len(found) >= 7
        assert all(0 < figure.map < 1 and figure.source for figure in found)
        assert [figure.map for figure in found] == sorted((figure.map for figure in found), reverse=True)


def test_it_shows_where_rerankers_lose_to_embedders() -> None:
    best = {task: published_figures(task)[0] for task in TASKS}
    by_name = {figure.model: figure.map for figure in published_figures("AskUbuntuDupQuestions")}
    assert by_name["all-MiniLM-L6-v2"] > by_name["bge-reranker-large"]
    assert best["T2Reranking"].map < 0.71  # random order already has about 0.54

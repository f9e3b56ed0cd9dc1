"""What every reranker promises, whichever it is: orders and cuts, never adds, touches nothing of the caller's."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_models import Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq

from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.seq2seq import DuoComparator
from secondpass.registry import find
from secondpass.rerank.budget import BudgetReranker
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.diversity import MMRReranker
from secondpass.rerank.duo import DuoReranker
from secondpass.rerank.duplicates import NearDuplicateReranker
from secondpass.rerank.fusion import FusionReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.names import open_reranker
from secondpass.rerank.neighbours import NeighbourReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.reading_order import ReadingOrderReranker
from secondpass.rerank.threshold import MinScore, ThresholdReranker
from secondpass.types import Chunk, Hit, PassageScore, Reranker, Scale, StageScore

RERANKERS: dict[str, Reranker] = {
    "lexical": LexicalReranker(),
    "cascade of two": CascadeReranker([Stage(LexicalReranker()), Stage(LexicalReranker())]),
    "cascade of one": CascadeReranker([Stage(LexicalReranker())]),
}
QUESTIONS = {
    "zh": "西安交大是由哪三所学校合并而成的？",
    "en": "Which three schools were merged into Xi'an Jiaotong University?",
}
PASSAGES = {
    "zh": [
        "2000年国务院决定将西安交通大学、西安医科大学、陕西财经学院三校合并，组建新的西安交通大学。",
        "上海交通大学位于上海市，创建于1896年。",
        "西安的城墙建于明代，是游客喜欢的地方。",
        "",
        "今天天气很好。",
    ],
    "en": [
        "In 2000 Xi'an Medical University and Shaanxi Institute of Finance were merged into Xi'an Jiaotong University.",
        "Shanghai Jiao Tong University was founded in 1896.",
        "The city wall of Xi'an was built under the Ming dynasty.",
        "",
        "The weather is nice today.",
    ],
}

texts = st.lists(st.text(max_size=60) | st.sampled_from(PASSAGES["zh"] + PASSAGES["en"]), max_size=12)
queries = st.text(max_size=30) | st.sampled_from(list(QUESTIONS.values()))


def hits_of(passages: list[str]) -> list[Hit]:
    """Return hits of a first stage that gives equal passages equal scores."""
    scores = [len(text.strip()) / 10 for text in passages]
    return [
        Hit(Chunk(str(i), text), score, "bm25", (StageScore("bm25", i + 1, score, "bm25"),))
        for i, (text, score) in enumerate(zip(passages, scores, strict=True))
    ]


@pytest.fixture(params=RERANKERS.values(), ids=RERANKERS)
def reranker(request) -> Reranker:
    return request.param


def test_the_registry_knows_the_default_reranker():
    assert isinstance(find("rerankers", "lexical")(), LexicalReranker)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_passage_that_answers_comes_first_wherever_it_stood(reranker, language):
    for shift in range(5):
        passages = PASSAGES[language][shift:] + PASSAGES[language][:shift]
        best = reranker.rerank(QUESTIONS[language], hits_of(passages))[0]
        assert best.chunk.text == PASSAGES[language][0]


@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("name", RERANKERS)
@given(query=queries, passages=texts)
def test_the_result_is_a_permutation_in_falling_order_with_finite_scores(name, query, passages):
    hits = hits_of(passages)
    out = RERANKERS[name].rerank(query, hits)
    assert sorted(hit.chunk.id for hit in out) == sorted(hit.chunk.id for hit in hits)
    scores = [hit.score for hit in out]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)


@settings(deadline=None, max_examples=40)
@given(query=queries, passages=texts, top_n=st.integers(1, 15))
def test_top_n_keeps_the_head_of_the_whole_order(query, passages, top_n):
    for reranker in RERANKERS.values():
        whole = reranker.rerank(query, hits_of(passages))
        assert [h.chunk.id for h in reranker.rerank(query, hits_of(passages), top_n)] == [
            h.chunk.id for h in whole[:top_n]
        ]


@pytest.mark.parametrize(
    "query", ["", "   ", "？！", "😀😀", "的", "茶", "the", "to be or not to be", *QUESTIONS.values()]
)
def test_ties_keep_the_retrieved_order(reranker, query):
    hits = hits_of(["西安很大。 Xi'an is large."] * 7)
    assert [hit.chunk.id for hit in reranker.rerank(query, hits)] == [hit.chunk.id for hit in hits]


@pytest.mark.parametrize("query", ["", "？", "😀", "\x1e", "\ud800"])
def test_a_question_without_words_keeps_the_retrieved_order(reranker, query):
    hits = hits_of(PASSAGES["zh"] + PASSAGES["en"])
    assert [hit.chunk.id for hit in reranker.rerank(query, hits)] == [hit.chunk.id for hit in hits]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_hits_give_no_hits(reranker, language):
    assert reranker.rerank(QUESTIONS[language], []) == []
    assert reranker.rerank(QUESTIONS[language], [], 3) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_passages_without_text_are_kept_and_come_last(reranker, language):
    out = reranker.rerank(QUESTIONS[language], hits_of(["", " \n ", PASSAGES[language][0]]))
    assert [hit.chunk.id for hit in out] == ["2", "0", "1"]


@pytest.mark.parametrize("top_n", [0, -1])
def test_a_top_n_below_one_is_refused(top_n):
    with pytest.raises(InputError, match="top_n"):
        LexicalReranker().rerank("茶", hits_of(["茶"]), top_n)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_callers_hits_are_not_touched(reranker, language):
    hits = hits_of(PASSAGES[language])
    before = list(hits)
    reranker.rerank(QUESTIONS[language], hits, 2)
    assert hits == before
    assert hits == hits_of(PASSAGES[language])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_duplicates_get_equal_scores(reranker, language):
    hits = hits_of([*PASSAGES[language], *PASSAGES[language]])
    scores = {hit.chunk.id: hit.score for hit in reranker.rerank(QUESTIONS[language], hits)}
    count = len(PASSAGES[language])
    assert all(scores[str(i)] == scores[str(i + count)] for i in range(count))


@settings(deadline=None, max_examples=60)
@given(query=queries, passages=texts.filter(bool), data=st.data())
def test_a_score_does_not_depend_on_the_neighbours(query, passages, data):
    chosen = data.draw(st.sampled_from(range(len(passages))))
    for reranker in RERANKERS.values():
        together = {hit.chunk.id: hit.score for hit in reranker.rerank(query, hits_of(passages))}
        alone = reranker.rerank(query, [hits_of(passages)[chosen]])[0].score
        assert alone == together[str(chosen)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_stage_and_its_scale_are_recorded(reranker, language):
    stages = 2 if ">" in reranker.name else 1
    for rank, hit in enumerate(reranker.rerank(QUESTIONS[language], hits_of(PASSAGES[language])), start=1):
        assert hit.stages[0].stage == "bm25"
        assert [stage.stage for stage in hit.stages[1:]] == ["lexical"] * stages
        assert hit.stages[-1] == StageScore("lexical", rank, hit.score, "log_odds")
        assert hit.scale == "log_odds"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_eight_threads_get_what_one_gets(reranker, language):
    hits = hits_of(PASSAGES[language] * 5)
    alone = reranker.rerank(QUESTIONS[language], hits)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: reranker.rerank(QUESTIONS[language], hits), range(40)))
    assert all(result == alone for result in results)


class WordScorer:
    """Scores as ``lexical`` does, one passage after the other."""

    name, fingerprint, gives_probability = "words", "words-1", False
    scale: Scale = "log_odds"

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Return the log-odds of each passage."""
        scores = LexicalReranker().score(query, [Chunk("", passage) for passage in passages])
        return [PassageScore(float(score)) for score in scores]


# Made of others: a passage's place depends on the other passages, or some are left out or joined.
ORDERING: dict[str, Reranker] = {
    "fusion of ranks": FusionReranker([LexicalReranker(), RERANKERS["cascade of one"]]),
    "fusion of scores": FusionReranker([LexicalReranker(), LexicalReranker()], "zscore", [2, 1]),
    "borda": FusionReranker([LexicalReranker(), LexicalReranker()], "borda"),
    "mmr": MMRReranker(LexicalReranker()),
    "threshold": ThresholdReranker(LexicalReranker(), MinScore(-1000, "log_odds")),
    "budget": BudgetReranker(LexicalReranker(), PairReranker(WordScorer()), 60.0),
}
CUTTING: dict[str, Reranker] = {
    "dedupe": NearDuplicateReranker(LexicalReranker()),
    "merge": NeighbourReranker(LexicalReranker()),
}
STEPS = ORDERING | CUTTING


@pytest.fixture(params=STEPS.values(), ids=STEPS)
def step(request) -> Reranker:
    return request.param


@pytest.mark.parametrize("name", ["dedupe", "edges", "merge", "mmr"])
def test_a_step_without_arguments_takes_the_scores_that_are_there(name):
    hits = hits_of(["西安交大", "Xi'an", "今天天气很好"])
    out = find("rerankers", name)().rerank("西安", hits)
    assert sorted(hit.chunk.id for hit in out) == ["0", "1", "2"]
    assert out[0].stages[-1].stage == name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_step_keeps_the_passage_that_answers_first(step, language):
    for shift in range(5):
        passages = PASSAGES[language][shift:] + PASSAGES[language][:shift]
        assert step.rerank(QUESTIONS[language], hits_of(passages))[0].chunk.text == PASSAGES[language][0]


@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("name", STEPS)
@given(query=queries, passages=texts, top_n=st.none() | st.integers(1, 15))
def test_a_step_orders_and_cuts_and_never_adds(name, query, passages, top_n):
    hits = hits_of(passages)
    whole = STEPS[name].rerank(query, hits)
    ids = [hit.chunk.id for hit in whole]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {hit.chunk.id for hit in hits} if name in ORDERING else set(ids) <= {h.chunk.id for h in hits}
    scores = [hit.score for hit in whole]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    assert STEPS[name].rerank(query, hits, top_n) == whole[:top_n]
    assert hits == hits_of(passages)


@pytest.mark.parametrize("query", ["", " ", "？", "\ud800", "茶", "the", *QUESTIONS.values()])
def test_a_step_keeps_the_retrieved_order_of_ties(step, query):
    hits = hits_of(["西安很大。 Xi'an is large."] * 7)
    out = [hit.chunk.id for hit in step.rerank(query, hits)]
    assert out == [hit.chunk.id for hit in hits][: len(out)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_step_puts_passages_without_text_last(step, language):
    out = step.rerank(QUESTIONS[language], hits_of(["", " \n ", PASSAGES[language][0]]))
    assert [hit.chunk.id for hit in out] == ["2", "0", "1"]


@pytest.mark.parametrize("top_n", [0, -1])
def test_a_step_refuses_to_keep_fewer_than_one(step, top_n):
    with pytest.raises(InputError, match="top_n"):
        step.rerank("茶", hits_of(["茶"]), top_n)


def test_a_step_of_no_hits_gives_no_hits(step):
    assert step.rerank("茶", []) == ReadingOrderReranker(step).rerank("茶", [], 3) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_step_records_every_stage_before_it(step, language):
    for rank, hit in enumerate(step.rerank(QUESTIONS[language], hits_of(PASSAGES[language])), start=1):
        assert [stage.stage for stage in hit.stages][:2] == ["bm25", "lexical"]
        assert hit.stages[-1].rank == rank
        assert (hit.stages[-1].score, hit.stages[-1].scale) == (hit.score, hit.scale)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_step_gives_eight_threads_what_one_gets(step, language):
    hits = hits_of(PASSAGES[language] * 5)
    alone = step.rerank(QUESTIONS[language], hits)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: step.rerank(QUESTIONS[language], hits), range(16)))
    assert all(result == alone for result in results)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_lowest_score_keeps_the_head_of_the_whole_order(language):
    hits = hits_of(PASSAGES[language])
    whole = LexicalReranker().rerank(QUESTIONS[language], hits)
    reranker = ThresholdReranker(LexicalReranker(), MinScore(whole[1].score, "log_odds"))
    assert reranker.rerank(QUESTIONS[language], hits) == whole[:2]
    assert [hit.chunk.id for hit in reranker.rerank(" ", hits)] == [hit.chunk.id for hit in hits]


# Models with random weights: they promise the same but for which passage is best, and scores to 1e-4.
SCORING = ["cross-encoder", "late interaction", "cascade of both"]
COMPARING = ["duoT5"]
DUO = RerankerProfile("tiny-duo", "seq2seq-pairs", "rank_only", 512, "duot5", gives_probability=False)


@pytest.fixture(scope="module", params=SCORING + COMPARING)
def model(request, tmp_path_factory) -> Reranker:
    folder = tmp_path_factory.mktemp("models")
    options = RerankerOptions(EngineOptions("onnx", threads=1))
    if request.param == "duoT5":
        return DuoReranker(DuoComparator(make_seq2seq(folder / "t5"), DUO))
    if request.param == "cross-encoder":
        return open_reranker(str(make_model(folder / "tiny", Shape("bert"))), options)
    late = open_reranker(str(write_pylate(folder / "colbert")), options)
    if request.param == "late interaction":
        return late
    return CascadeReranker([Stage(late), Stage(open_reranker(str(make_model(folder / "tiny", Shape())), options))])


@settings(deadline=None, max_examples=25)
@given(query=queries, passages=texts, top_n=st.none() | st.integers(1, 15))
def test_a_model_orders_and_cuts_and_never_adds(model, query, passages, top_n):
    hits = hits_of(passages)
    whole = model.rerank(query, hits)
    assert sorted(hit.chunk.id for hit in whole) == sorted(hit.chunk.id for hit in hits)
    scores = [hit.score for hit in whole]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    assert model.rerank(query, hits, top_n) == whole[:top_n]
    assert hits == hits_of(passages)


@settings(deadline=None, max_examples=25)
@pytest.mark.parametrize("model", SCORING, indirect=True)
@given(query=queries, passages=texts.filter(bool), data=st.data())
def test_a_models_score_does_not_depend_on_the_neighbours(model, query, passages, data):
    chosen = data.draw(st.sampled_from(range(len(passages))))
    together = {hit.chunk.id: hit.score for hit in model.rerank(query, hits_of(passages))}
    alone = model.rerank(query, [hits_of(passages)[chosen]])[0].score
    assert alone == pytest.approx(together[str(chosen)], abs=1e-4)


@pytest.mark.parametrize("query", ["", " ", "？", "😀", "\x1e", "\ud800", "茶", *QUESTIONS.values()])
def test_a_model_keeps_the_retrieved_order_of_ties_and_puts_passages_without_text_last(model, query):
    hits = hits_of(["", *["西安很大。 Xi'an is large."] * 5, "\n"])
    expected = "0123456" if not query.strip() else "1234506"
    assert "".join(hit.chunk.id for hit in model.rerank(query, hits)) == expected
    assert model.rerank(query, []) == []


def test_a_model_reads_halves_of_surrogate_pairs_and_takes_them_for_equals(model):
    hits = hits_of(["a \ud800 b", "西安\udfff的历史", "a \udc00 b", "Xi'an"])
    out = model.rerank("\ud800 西安", hits)
    assert sorted(hit.chunk.id for hit in out) == ["0", "1", "2", "3"]
    assert {hit.chunk.text for hit in out} == {hit.chunk.text for hit in hits}
    scores = {hit.chunk.id: hit.score for hit in out}
    assert scores["0"] == scores["2"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_model_records_its_stage_and_gives_duplicates_equal_scores(model, language):
    hits = hits_of([*PASSAGES[language], *PASSAGES[language]])
    out = model.rerank(QUESTIONS[language], hits)
    for rank, hit in enumerate(out, start=1):
        assert hit.stages[0].stage == "bm25"
        assert (hit.stages[-1].rank, hit.stages[-1].score, hit.stages[-1].scale) == (rank, hit.score, hit.scale)
    scores = {hit.chunk.id: hit.score for hit in out}
    count = len(PASSAGES[language])
    assert all(scores[str(i)] == scores[str(i + count)] for i in range(count))
    with pytest.raises(InputError, match="top_n"):
        model.rerank(QUESTIONS[language], hits, 0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_model_gives_eight_threads_what_one_gets(model, language):
    hits = hits_of(PASSAGES[language] * 5)
    alone = model.rerank(QUESTIONS[language], hits)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: model.rerank(QUESTIONS[language], hits), range(16)))
    assert all(result == alone for result in results)

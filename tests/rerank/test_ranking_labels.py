"""Labels as JSON, where the model can be given a schema, whether two passages are compared or a small set."""

import pytest
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import StructuredWordJudge, WordJudge, hits_of

from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.setwise import SetwiseRanking


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("judge", [WordJudge, StructuredWordJudge])
@pytest.mark.parametrize("reply_as", ["auto", "json", "text"])
@pytest.mark.parametrize("ranking", [PairwiseRanking, SetwiseRanking])
def test_json_is_asked_for_where_the_model_can_be_given_a_schema(language: str, judge, reply_as, ranking) -> None:
    asked = judge()
    out, report = LLMReranker(ranking(reply_as=reply_as), asked).rank_with_report(
        QUESTION[language], hits_of(PASSAGES[language])
    )
    assert out[0].chunk.id == "2"
    structured = judge is StructuredWordJudge
    assert ("JSON" in asked.asked[-1][-1].content) == (reply_as == "json" or (reply_as == "auto" and structured))
    assert report.unstructured == (report.questions if reply_as == "json" and not structured else 0)
    assert report.clean == report.questions

"""Names of measures are understood as the field writes them."""

import pytest

from secondpass.errors import InputError
from secondpass.evaluate.measure_names import Measure, parse_measure


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("nDCG@10", "nDCG@10"),
        ("ndcg@10", "nDCG@10"),
        ("NDCG_cut_10", "nDCG@10"),
        ("ndcg_at_10", "nDCG@10"),
        ("nDCG", "nDCG"),
        ("ndcg_burges@5", "nDCG_burges@5"),
        ("map", "MAP"),
        ("AP", "MAP"),
        ("map_at_1000", "MAP@1000"),
        ("map_cut_5", "MAP@5"),
        ("recip_rank", "MRR"),
        ("RR@10", "MRR@10"),
        ("mean reciprocal rank", "MRR"),
        ("recall_100", "Recall@100"),
        ("R@3", "Recall@3"),
        ("precision@5", "P@5"),
        ("P_5", "P@5"),
        ("hit-rate@3", "hit@3"),
        ("success_3", "hit@3"),
        ("judged@10", "Judged@10"),
        (" ｎＤＣＧ＠１０ ", "nDCG@10"),
    ],
)
def test_spellings_of_the_field_mean_one_measure_that_prints_as_it_is_written(written: str, name: str) -> None:
    assert str(parse_measure(written)) == name
    assert parse_measure(name) == parse_measure(written)


def test_a_measure_is_a_value() -> None:
    assert {parse_measure("ndcg@10"), Measure("nDCG", 10)} == {Measure("nDCG", 10)}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ndgc@10", "'ndgc@10' is not a measure; the nearest is nDCG@10. Known are nDCG,"),
        ("recal@5", "the nearest is Recall@5"),
        ("准确率@5", "'准确率@5' is not a measure. Known are"),
        ("", "'' is not a measure. Known are"),
        ("nDCG@", "is not a measure"),
        ("hit", "'hit' needs a cutoff of 1 or more, such as hit@10"),
        ("MAP@0", "needs a cutoff of 1 or more"),
        ("P", "such as P@10"),
    ],
)
def test_what_is_no_measure_is_refused_with_the_nearest(written: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_measure(written)
    assert said in str(refused.value)

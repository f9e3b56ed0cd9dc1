"""Groups follow from seed and step alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secondpass.data.training import TrainExample
from secondpass.train.groups import Group, Schedule, make_group, share_of, step_groups

EXAMPLE = TrainExample(
    "问题", ("好", "更好"), ("坏一", "坏二", "坏三"), positive_scores=(3.0, 4.0), negative_scores=(0.0, -1.0, -2.0)
)


@given(st.integers(1, 40), st.integers(1, 17), st.integers(0, 99))
def test_every_question_comes_once_an_epoch(examples: int, batch: int, seed: int) -> None:
    schedule = Schedule(examples, batch, seed)
    places = [place for step in range(3 * examples) for place in schedule.places(step)]
    for epoch in range(2):
        assert sorted(index for number, index in places if number == epoch) == list(range(examples))


@given(st.integers(0, 50), st.integers(0, 9))
def test_a_group_is_a_positive_and_different_negatives_with_their_own_scores(index: int, epoch: int) -> None:
    group = make_group(EXAMPLE, 3, 13, epoch, index)
    assert group == make_group(EXAMPLE, 3, 13, epoch, index)
    assert group.passages[0] in EXAMPLE.positives
    assert len(set(group.passages)) == 3
    assert group.grades == (1.0, 0.0, 0.0)
    known = dict(zip(EXAMPLE.positives + EXAMPLE.negatives, (3.0, 4.0, 0.0, -1.0, -2.0), strict=True))
    assert group.teacher == tuple(known[passage] for passage in group.passages)


def test_too_few_negatives_make_a_smaller_group_and_repeat_nothing() -> None:
    assert len(make_group(EXAMPLE, 16, 13, 0, 0).passages) == 4


def test_draws_differ_between_epochs_and_questions() -> None:
    drawn = {make_group(EXAMPLE, 2, 13, epoch, index).passages for epoch in range(6) for index in range(6)}
    assert len(drawn) == 6


@given(st.lists(st.integers(1, 40), min_size=1, max_size=24), st.integers(1, 5))
def test_shares_of_processes_are_the_step_in_numbers_that_differ_by_one_at_most(
    lengths: list[int], processes: int
) -> None:
    examples = [TrainExample(f"问{number}", ("段" * length,), ("错",)) for number, length in enumerate(lengths)]
    whole = step_groups(examples, Schedule(len(lengths), len(lengths), 1), 0, 2)
    shares = [share_of(whole, process, processes) for process in range(processes)]
    assert sorted((group for share in shares for group in share), key=str) == sorted(whole, key=str)
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1


def test_shares_of_processes_have_about_as_much_text() -> None:
    groups = [Group(str(length), ("字" * length,), (1.0,)) for length in (5, 40, 6, 38, 7, 41, 8, 39)]
    shares = [sum(len(group.passages[0]) for group in share_of(groups, process, 2)) for process in range(2)]
    assert shares == [92, 92]

"""What a model gets wrong is chosen to learn from, the same on one process and on several, and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tests.models.tiny_models import SENTENCES
from tests.train.runs import assert_same_model, metrics, records, run, settings

from secondpass.train.groups import Group, share_of
from secondpass.train.hardest import hardest, narrowed
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel
from secondpass.train.scoring import score_lists

SIZE, READ, QUESTIONS = 3, 8, 20


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


@pytest.fixture(scope="module")
def model(reranker: Path) -> TrainedModel:
    return open_model(reranker, TrainOptions())


def groups_of(count: int = QUESTIONS) -> list[Group]:
    """Questions in Chinese and English with the passage that is right and seven others, each with a teacher's score."""
    groups = []
    for number in range(count):
        right, *others = [SENTENCES[(number * 3 + step * 5) % len(SENTENCES)] for step in range(READ)]
        passages = (f"{right} {number}", *(f"{text} {place}" for place, text in enumerate(others)))
        teacher = tuple(float(10 * number + place) for place in range(READ))
        groups.append(Group(right[:9], passages, (1.0, *[0.0] * (READ - 1)), teacher, (right[:2],)))
    return groups


def test_of_the_wrong_passages_the_highest_scoring_are_learned_from_highest_first(
    model: TrainedModel, accelerator: Accelerator
) -> None:
    groups, options = groups_of(), TrainOptions(group_size=SIZE, hardest_of=READ)
    chosen = hardest(model, groups, options, accelerator)
    assert model.module.training
    model.module.eval()
    scores = score_lists(model, groups, options, accelerator.device)
    for group, found, values in zip(groups, chosen, scores, strict=True):
        best = sorted(range(1, READ), key=lambda place: -values[place])[: SIZE - 1]
        assert found.passages == (group.passages[0], *(group.passages[place] for place in best))


def test_grades_answers_and_each_passages_own_teacher_score_are_kept(
    model: TrainedModel, accelerator: Accelerator
) -> None:
    groups = groups_of()
    for group, found in zip(
        groups, hardest(model, groups, TrainOptions(group_size=SIZE, hardest_of=READ), accelerator), strict=True
    ):
        assert group.teacher is not None
        known = dict(zip(group.passages, group.teacher, strict=True))
        assert found.teacher == tuple(known[passage] for passage in found.passages)
        assert (found.query, found.answers) == (group.query, group.answers)
        assert found.grades == (1.0, 0.0, 0.0)
    assert narrowed(Group("问", ("对", "错"), (1.0, 0.0)), [0], 9).teacher is None


def test_processes_choose_what_one_chooses_alone(model: TrainedModel, accelerator: Accelerator) -> None:
    groups, options = groups_of(), TrainOptions(group_size=SIZE, hardest_of=READ)
    alone = {found.query + found.passages[0]: found for found in hardest(model, groups, options, accelerator)}
    for process in range(2):
        for found in hardest(model, share_of(groups, process, 2), options, accelerator):
            assert found == alone[found.query + found.passages[0]]


def test_what_is_chosen_does_not_move_what_is_drawn_at_random_later(
    model: TrainedModel, accelerator: Accelerator
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    hardest(model, groups_of(4), TrainOptions(group_size=SIZE, hardest_of=READ), accelerator)
    assert torch.equal(torch.rand(4), expected)


def test_without_the_option_groups_stay_as_they_are(model: TrainedModel, accelerator: Accelerator) -> None:
    groups = groups_of(3)
    assert hardest(model, groups, TrainOptions(group_size=SIZE), accelerator) is groups


def test_a_group_with_nothing_to_choose_from_stays_as_it_is(model: TrainedModel, accelerator: Accelerator) -> None:
    many, options = groups_of(2), TrainOptions(group_size=SIZE, hardest_of=READ)
    alone = Group("长江在哪里？", ("长江在亚洲。",), (1.0,), answers=("亚洲",))
    found = hardest(model, [many[0], alone, many[1]], options, accelerator)
    assert found[1] is alone
    assert [found[0], found[2]] == list(hardest(model, many, options, accelerator))
    assert hardest(model, [alone], options, accelerator) == [alone]


def test_a_run_counts_the_pairs_it_learned_from_and_holds_no_line_against_them(
    reranker: Path, lessons: Path, tmp_path: Path
) -> None:
    output = tmp_path / "难的"
    run(settings(reranker, lessons, output, max_steps=3, evaluate_every=3, group_size=2, hardest_of=4, absolute=0.5))
    steps = [record for record in metrics(output) if record["event"] == "step"]
    assert [step["pairs"] for step in steps] == [12, 24, 36]
    assert {step["line"] for step in steps} == {None}
    assert all(step["spread"] > 0 for step in steps)


def test_a_run_that_chooses_and_broke_off_goes_on_to_the_undisturbed_result(
    reranker: Path, lessons: Path, tmp_path: Path
) -> None:
    def breaking(record: dict[str, Any]) -> None:
        if record.get("step") == 3:
            raise BrokenPipeError

    shape = {"max_steps": 5, "evaluate_every": 5, "group_size": 2, "hardest_of": 4}
    run(settings(reranker, lessons, tmp_path / "undisturbed", **shape))
    output = tmp_path / "断了"
    options = settings(reranker, lessons, output, **shape)
    with pytest.raises(BrokenPipeError):
        run(options, listener=breaking)
    run(options, resume=True)
    assert_same_model(output, tmp_path / "undisturbed")
    assert records(output) == records(tmp_path / "undisturbed")

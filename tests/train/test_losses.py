"""Losses against those of sentence-transformers and FlagEmbedding's formula; what each stands at before learning."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers.cross_encoder import losses as reference
from torch import Tensor

from secondpass.errors import InputError
from secondpass.train.groups import Group
from secondpass.train.losses import LOSSES, NEED_TEACHER, Groups, LossOptions, nothing_learned, open_loss
from secondpass.train.reading import fill


class GivenScores(torch.nn.Module):
    """Stands where the reference losses expect a model: says the scores it was made with, pair by pair."""

    num_labels = 1
    device = torch.device("cpu")

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores
        self.next = 0

    def preprocess(self, pairs: list[tuple[str, str]], **_: object) -> dict[str, Tensor]:
        first, self.next = self.next, self.next + len(pairs)
        return {"scores": self.scores[first : self.next]}

    def forward(self, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"scores": tokens["scores"][:, None]}


def one_group(seed: int, passages: int, grades: list[float] | None = None) -> Groups:
    draw = np.random.default_rng(seed)
    scores = torch.tensor(draw.normal(0, 3, (1, passages)), dtype=torch.float32)
    given = [1.0] + [0.0] * (passages - 1) if grades is None else grades
    teacher = torch.tensor(draw.normal(0, 3, (1, passages)), dtype=torch.float32)
    return Groups(scores, torch.ones_like(scores, dtype=torch.bool), torch.tensor([given]), teacher)


def theirs(loss: type[torch.nn.Module], groups: Groups, **settings: object) -> float:
    model = GivenScores(groups.scores[0])
    texts = [["问题"], [[f"段落{i}" for i in range(groups.scores.shape[1])]]]
    return float(loss(model, **settings)(texts, [groups.grades[0]]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grades", [None, [0, 2, 1, 0, 3, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1]])
def test_lists_lose_what_sentence_transformers_says(seed: int, grades: list[float] | None) -> None:
    groups = one_group(seed, 6, [float(grade) for grade in grades] if grades else None)
    in_order = Groups(
        groups.scores.gather(1, order := groups.grades.sort(dim=1, descending=True, stable=True).indices),
        groups.there,
        groups.grades.gather(1, order),
    )
    expected = {
        "listnet": theirs(reference.ListNetLoss, groups),
        "lambda": theirs(reference.LambdaLoss, groups),
        "ranknet": theirs(reference.RankNetLoss, groups) * math.log(2),  # theirs counts in bits
        "listmle": theirs(reference.ListMLELoss, in_order, respect_input_order=True),
        "p_listmle": theirs(reference.PListMLELoss, in_order, respect_input_order=True),
    }
    for name, value in expected.items():
        assert float(open_loss(name)(groups)) == pytest.approx(value, rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("positives", [1, 2])
def test_group_softmax_is_the_cross_entropy_of_flag_embedding(positives: int) -> None:
    groups = one_group(3, 8, [1.0] * positives + [0.0] * (8 - positives))
    each = [
        torch.nn.functional.cross_entropy(
            torch.cat([groups.scores[:, place : place + 1], groups.scores[:, positives:]], dim=1), torch.tensor([0])
        )
        for place in range(positives)
    ]
    assert float(open_loss("group_softmax")(groups)) == pytest.approx(float(sum(each)) / positives, abs=1e-6)


def test_the_other_losses_are_what_torch_computes() -> None:
    groups = one_group(1, 5, [1.0, 0.0, 0.0, 1.0, 0.0])
    scores, grades, teacher = groups.scores[0], groups.grades[0], groups.teacher
    assert teacher is not None
    weighted = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))(scores, grades)
    assert float(open_loss("pointwise", LossOptions(positive_weight=3.0))(groups)) == pytest.approx(float(weighted))
    pairs = [(i, j) for i in (0, 3) for j in (1, 2, 4)]
    hinge = torch.nn.MarginRankingLoss(margin=0.5)
    better, worse = (scores[[pair[side] for pair in pairs]] for side in (0, 1))
    assert float(open_loss("margin", LossOptions(margin=0.5))(groups)) == pytest.approx(
        float(hinge(better, worse, torch.ones(6))), rel=1e-6
    )
    wanted = torch.stack([teacher[0, i] - teacher[0, j] for i, j in pairs])
    assert float(open_loss("margin_mse")(groups)) == pytest.approx(
        float(torch.nn.functional.mse_loss(better - worse, wanted)), rel=1e-6
    )
    softened = torch.nn.KLDivLoss(reduction="batchmean", log_target=True)(
        (groups.scores / 2).log_softmax(1), (teacher / 2).log_softmax(1)
    )
    assert float(open_loss("kl", LossOptions(temperature=2.0))(groups)) == pytest.approx(4 * float(softened), rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(LOSSES)), st.integers(0, 1000), st.integers(2, 7), st.integers(1, 5))
def test_places_without_a_passage_change_nothing(name: str, seed: int, passages: int, empty: int) -> None:
    groups = one_group(seed, passages)
    assert groups.teacher is not None

    def widened(values: Tensor, filler: float) -> Tensor:
        return torch.nn.functional.pad(values, (0, empty), value=filler)

    wide = Groups(
        widened(groups.scores, 50.0),
        widened(groups.there.float(), 0.0).bool(),
        widened(groups.grades, 0.0),
        widened(groups.teacher, 50.0),
    )
    assert float(open_loss(name)(wide)) == pytest.approx(float(open_loss(name)(groups)), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradients_are_finite_for_scores_far_apart_and_for_scores_all_alike(name: str) -> None:
    for scores in ([[900.0, -900.0, 0.0]], [[-900.0, 900.0, 0.0]], [[0.0, 0.0, 0.0]]):
        values = torch.tensor(scores, requires_grad=True)
        groups = Groups(
            values, torch.ones(1, 3, dtype=torch.bool), torch.tensor([[1.0, 0, 0]]), torch.tensor([[1.0, 2, 3]])
        )
        open_loss(name)(groups).sum().backward()
        assert values.grad is not None
        assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize("absolute", [0.0, 0.4])
@pytest.mark.parametrize("name", ["group_softmax", "pointwise", "ranknet", "listmle", "margin", "listnet"])
def test_a_model_that_scores_all_alike_stands_on_the_line_of_nothing_learned(name: str, absolute: float) -> None:
    same = torch.linspace(-6, 6, 2401)[:, None].expand(-1, 8)
    groups = Groups(same, torch.ones_like(same, dtype=torch.bool), torch.tensor([[1.0] + [0.0] * 7]).expand_as(same))
    options = LossOptions(margin=0.5, positive_weight=3.0, absolute=absolute)
    assert float(open_loss(name, options)(groups).min()) == pytest.approx(nothing_learned(name, 8, options), rel=1e-5)


def test_no_line_is_known_where_that_of_the_loss_beside_pointwise_is_not() -> None:
    assert nothing_learned("kl", 8, LossOptions(absolute=0.4)) is None


@pytest.mark.parametrize("name", ["group_softmax", "kl", "lambda"])
@pytest.mark.parametrize("positives", [1, 3])
def test_with_a_weight_of_pointwise_a_loss_and_its_gradient_are_the_sum_of_both(name: str, positives: int) -> None:
    groups = one_group(7, 9, [1.0] * positives + [0.0] * (9 - positives))
    options = LossOptions(temperature=0.5, positive_weight=2.0)

    def found(loss: Callable[[Groups], Tensor]) -> tuple[float, Tensor]:
        scores = groups.scores.clone().requires_grad_()
        value = loss(replace(groups, scores=scores)).sum()
        value.backward()
        assert scores.grad is not None
        return value.item(), scores.grad

    both = found(open_loss(name, replace(options, absolute=0.3)))
    alone, level = found(open_loss(name, options)), found(open_loss("pointwise", options))
    assert both[0] == pytest.approx(alone[0] + 0.3 * level[0], rel=1e-6)
    torch.testing.assert_close(both[1], alone[1] + 0.3 * level[1], atol=1e-6, rtol=1e-6)


def test_with_a_weight_of_pointwise_the_level_of_scores_matters_and_without_it_only_their_order() -> None:
    groups = one_group(2, 5)
    higher = replace(groups, scores=groups.scores + 4)
    softmax, both = (open_loss("group_softmax", LossOptions(absolute=weight)) for weight in (0.0, 0.3))
    assert float(softmax(higher)) == pytest.approx(float(softmax(groups)), abs=1e-5)
    assert abs(float(both(higher)) - float(both(groups))) > 0.1


def test_a_share_of_the_teachers_distribution_goes_to_groups_that_have_its_scores_alone() -> None:
    known, unknown = one_group(3, 4), one_group(4, 4)
    both = fill(
        torch.cat([known.scores[0], unknown.scores[0]]),
        [
            Group("有老师", tuple("甲乙丙丁"), (1.0, 0.0, 0.0, 0.0), tuple(known.teacher[0].tolist())),  # type: ignore[index]
            Group("no teacher", tuple("abcd"), (1.0, 0.0, 0.0, 0.0)),
        ],
    )
    labels, teacher = open_loss("group_softmax"), open_loss("kl")
    mixed = open_loss("group_softmax", LossOptions(distil=0.75))(both)
    assert float(mixed[0]) == pytest.approx(0.25 * float(labels(known)) + 0.75 * float(teacher(known)), rel=1e-5)
    assert float(mixed[1]) == pytest.approx(float(labels(unknown)), rel=1e-5)


def test_scores_of_groups_without_a_teacher_still_learn_from_labels() -> None:
    scores = torch.zeros(6, requires_grad=True)
    groups = [Group("a", tuple("abc"), (1.0, 0.0, 0.0), (2.0, 1.0, 0.0)), Group("b", tuple("abc"), (1.0, 0.0, 0.0))]
    open_loss("group_softmax", LossOptions(distil=1.0))(fill(scores, groups)).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert float(scores.grad[:3].abs().sum()) > 0.1
    assert float(scores.grad[3:].abs().sum()) > 0.1


def test_wrong_names_and_missing_teachers_are_refused_with_what_is_accepted() -> None:
    with pytest.raises(InputError, match=r"'rank_net'.*Did you mean 'ranknet'"):
        open_loss("rank_net")
    without = Groups(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), torch.tensor([[1.0, 0.0]]))
    for name in NEED_TEACHER:
        with pytest.raises(InputError, match="teacher"):
            open_loss(name)(without)

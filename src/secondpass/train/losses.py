"""What a reranker is taught by: the losses of the field, each from the scores of whole groups to one number a group.

A group is a question with its passages. All functions take the same `Groups` and return float32 [G]; a step's loss is
the mean over its groups, on however many devices they lie. Nothing here knows where scores come from.

==================  ========================================================================================
``pointwise``       binary cross-entropy of each passage
``ranknet``         logistic loss of every pair: Burges et al., "Learning to Rank using Gradient Descent", ICML 2005
``margin``          hinge loss of every pair: Joachims, "Optimizing Search Engines using Clickthrough Data", KDD 2002
``group_softmax``   the positive against the group's negatives (FlagEmbedding's loss, RankT5's: arXiv:2210.10634)
``listnet``         cross-entropy to the softmax of the grades: Cao et al., "Learning to Rank", ICML 2007
``listmle``         Plackett-Luce likelihood of the order of the grades: Xia et al., ICML 2008
``p_listmle``       the same, top positions weighing more: Lan et al., "Position-Aware ListMLE", UAI 2014
``lambda``          NDCG-Loss2++: Wang et al., "The LambdaLoss Framework", CIKM 2018
``margin_mse``      a teacher's margins: Hofstätter et al., arXiv:2010.02666
``kl``              a teacher's distribution over the group: Hinton et al., arXiv:1503.02531
==================  ========================================================================================
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from secondpass.errors import InputError

_NEVER = -1e9
_LAMBDA_MIX = 10.0
"""The weight of NDCG-Loss2 beside LambdaRank in NDCG-Loss2++, as in the paper's experiments."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The passages of G questions, at most N each.

    ``scores``: float32 [G, N], raw logits. ``there``: bool [G, N], which places hold a passage. ``grades``: float32
    [G, N], above 0 is relevant. ``teacher``: float32 [G, N], a teacher's raw scores, NaN in the rows of groups that
    have none; None where no group has any.
    """

    scores: Tensor
    there: Tensor
    grades: Tensor
    teacher: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LossOptions:
    """What some losses can be told.

    ``margin``: of the hinge. ``temperature``: divides the scores in ``group_softmax``, those of both sides in ``kl``,
    the grades in ``listnet``.
    ``positive_weight``: of relevant passages in ``pointwise``. ``absolute``: the weight of ``pointwise`` beside another
    loss: losses of a group's order say nothing about the level of its scores, and one question's could not be compared
    with another's. ``distil``: the share of ``kl`` in the loss of groups with a teacher's scores; the rest of it, and
    the whole loss of other groups, is the loss named.
    """

    margin: float = 1.0
    temperature: float = 1.0
    positive_weight: float = 1.0
    absolute: float = 0.0
    distil: float = 0.0


def pointwise(groups: Groups, positive_weight: float = 1.0) -> Tensor:
    """Return the mean binary cross-entropy of the passages of each group, grades above 0 being relevant."""
    relevant = (groups.grades > 0).float()
    weight = torch.tensor(positive_weight, device=relevant.device)
    losses = functional.binary_cross_entropy_with_logits(groups.scores, relevant, reduction="none", pos_weight=weight)
    return _mean(losses, groups.there)


def ranknet(groups: Groups) -> Tensor:
    """Return the mean of ``log(1 + exp(s_j - s_i))`` over the pairs of a group whose grades are ``y_i > y_j``."""
    return _mean(functional.softplus(-_differences(groups.scores)), _preferred(groups))


def margin(groups: Groups, least: float = 1.0) -> Tensor:
    """Return the mean of ``max(0, least - (s_i - s_j))`` over the pairs of a group whose grades are ``y_i > y_j``."""
    return _mean(functional.relu(least - _differences(groups.scores)), _preferred(groups))


def group_softmax(groups: Groups, temperature: float = 1.0) -> Tensor:
    """Return ``-log(exp(s+) / (exp(s+) + sum over negatives of exp(s)))``, the mean over the positives of a group.

    Scores are divided by ``temperature`` first. A model that has learnt nothing stands at the logarithm of the number
    of passages (one positive).
    """
    relevant = groups.there & (groups.grades > 0)
    scores = groups.scores / temperature
    others = scores.masked_fill(~groups.there | relevant, _NEVER).logsumexp(dim=1, keepdim=True)  # (G, 1)
    return _mean(functional.softplus(others - scores), relevant)


def listnet(groups: Groups, temperature: float = 1.0) -> Tensor:
    """Return the cross-entropy between the softmax of the grades (over the temperature) and that of the scores."""
    wanted = _only(groups.grades / temperature, groups.there).softmax(dim=1)
    return -(wanted * _log_softmax(groups.scores, groups.there)).sum(dim=1)


def listmle(groups: Groups) -> Tensor:
    """Return the negative Plackett-Luce log-likelihood of the order of the grades; equal grades keep their order."""
    log_likelihoods, _ = _plackett_luce(groups)
    return -log_likelihoods.sum(dim=1)


def p_listmle(groups: Groups) -> Tensor:
    """Return `listmle` with position i of n weighing ``2^(n - i) - 1``, the weights of a group adding up to 1."""
    log_likelihoods, there = _plackett_luce(groups)
    counts = there.sum(dim=1, keepdim=True)
    places = torch.arange(1, there.shape[1] + 1, device=there.device)
    shift = (counts - 100).clamp_min(0)  # the weights of long lists are out of float32's reach; only ratios count
    weights = (torch.exp2((counts - places - shift).float()) - torch.exp2(-shift.float())).clamp_min(0) * there
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    return -(log_likelihoods * weights).sum(dim=1)


def lambda_loss(groups: Groups) -> Tensor:
    """Return NDCG-Loss2++: the mean over pairs ``y_i > y_j`` of ``w_ij * log2(1 + exp(s_j - s_i))``.

    ``w_ij = (10 * |1/D(d) - 1/D(d + 1)| + |1/D(r_i) - 1/D(r_j)|) * |G_i - G_j|`` with the ranks r by score, d their
    distance, ``D(r) = log2(1 + r)``, and the gains ``G = (2^y - 1) / ideal DCG``.
    """
    scores, order = _only(groups.scores, groups.there).sort(dim=1, descending=True, stable=True)
    grades, there = (part.gather(1, order) for part in (groups.grades.clamp_min(0), groups.there))
    gains = (torch.exp2(grades) - 1) * there
    ranks = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    discounts = 1 / torch.log2(1.0 + ranks)  # (N,)
    ideal = (gains.sort(dim=1, descending=True).values * discounts).sum(dim=1, keepdim=True)
    gains = gains / ideal.clamp_min(1e-10)
    distances = (ranks[:, None] - ranks[None, :]).abs()  # (N, N)
    near = 1 / torch.log2(1.0 + distances.clamp_min(1)) - 1 / torch.log2(2.0 + distances)
    weights = _LAMBDA_MIX * near + (discounts[:, None] - discounts[None, :]).abs()
    losses = weights * _differences(gains).abs() * functional.softplus(-_differences(scores)) / math.log(2)
    return _mean(losses, _preferred(Groups(scores, there, grades)))


def margin_mse(groups: Groups) -> Tensor:
    """Return the mean of ``((s+ - s-) - (t+ - t-))^2`` over the pairs of a relevant and another passage of a group."""
    differences = _differences(groups.scores) - _differences(_teacher(groups))
    return _mean(differences.square(), _preferred(groups))


def kl(groups: Groups, temperature: float = 1.0) -> Tensor:
    """Return ``T^2 KL(softmax(t / T) || softmax(s / T))`` of each group, T the temperature."""
    wanted = _log_softmax(_teacher(groups) / temperature, groups.there)
    given = _log_softmax(groups.scores / temperature, groups.there)
    return temperature**2 * (wanted.exp() * (wanted - given)).masked_fill(~groups.there, 0.0).sum(dim=1)


Loss = Callable[[Groups], Tensor]
LOSSES: dict[str, Callable[..., Tensor]] = {
    "group_softmax": group_softmax,
    "pointwise": pointwise,
    "ranknet": ranknet,
    "margin": margin,
    "listnet": listnet,
    "listmle": listmle,
    "p_listmle": p_listmle,
    "lambda": lambda_loss,
    "margin_mse": margin_mse,
    "kl": kl,
}
NEED_TEACHER = frozenset({"margin_mse", "kl"})
"""Losses that learn from a teacher's scores alone."""


def open_loss(name: str, options: LossOptions | None = None) -> Loss:
    """Return the loss ``name`` with what ``options`` say of it.

    Raises:
        InputError: there is no such loss.
    """
    if name not in LOSSES:
        near = difflib.get_close_matches(name, LOSSES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"There is no loss named {name!r}; known are: {', '.join(LOSSES)}.{hint}")
    options = options or LossOptions()
    told = {
        "group_softmax": {"temperature": options.temperature},
        "pointwise": {"positive_weight": options.positive_weight},
        "margin": {"least": options.margin},
        "listnet": {"temperature": options.temperature},
        "kl": {"temperature": options.temperature},
    }
    chosen: Loss = partial(LOSSES[name], **told.get(name, {}))
    if options.distil:
        plain = open_loss(name, replace(options, distil=0.0))
        return lambda groups: _distilled(plain(groups), groups, options)
    if not options.absolute:
        return chosen
    level = open_loss("pointwise", replace(options, absolute=0.0))
    return lambda groups: chosen(groups) + options.absolute * level(groups)


def _distilled(losses: Tensor, groups: Groups, options: LossOptions) -> Tensor:
    """Return ``(1 - d) * losses + d * kl`` for groups with a teacher's scores, and ``losses`` for the others."""
    if groups.teacher is None:
        return losses
    taught = ~groups.teacher.isnan().any(dim=1)
    scores = replace(groups, teacher=groups.teacher.nan_to_num())
    mixed = (1 - options.distil) * losses + options.distil * kl(scores, options.temperature)
    return torch.where(taught, mixed, losses)


def nothing_learned(loss: str, passages: int, options: LossOptions | None = None) -> float | None:
    """Return the least loss that scores all alike can reach, one passage of a group relevant; None: not known.

    >>> round(nothing_learned("group_softmax", 8), 3)
    2.079
    """
    options = options or LossOptions()
    if options.absolute:
        parts = [nothing_learned(name, passages, replace(options, absolute=0.0)) for name in (loss, "pointwise")]
        return None if parts[0] is None or parts[1] is None else parts[0] + options.absolute * parts[1]
    if loss in {"group_softmax", "listnet"}:
        return math.log(passages)
    if loss == "pointwise":
        relevant, others = options.positive_weight, passages - 1
        both = relevant + others
        gain = relevant * math.log(both / relevant) + (others * math.log(both / others) if others else 0.0)
        return gain / passages
    if loss == "margin":
        return options.margin
    if loss == "ranknet":
        return math.log(2)
    return math.lgamma(passages + 1) if loss == "listmle" else None


def _teacher(groups: Groups) -> Tensor:
    if groups.teacher is None:
        raise InputError(
            "This loss learns from a teacher's scores and the examples have none; add pos_scores and neg_scores, or "
            "take another loss, such as group_softmax."
        )
    return groups.teacher


def _differences(values: Tensor) -> Tensor:
    """Return ``v_i - v_j``, [G, N] -> [G, N, N]."""
    return values[:, :, None] - values[:, None, :]


def _preferred(groups: Groups) -> Tensor:
    """Return which pairs are ``y_i > y_j``, bool [G, N, N]."""
    both = groups.there[:, :, None] & groups.there[:, None, :]
    return both & (groups.grades[:, :, None] > groups.grades[:, None, :])


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of what counts, for each group; 0 where nothing counts."""
    flat = torch.where(counted, losses, 0.0).flatten(1).sum(dim=1)
    return flat / counted.flatten(1).sum(dim=1).clamp_min(1)


def _only(values: Tensor, there: Tensor) -> Tensor:
    return values.masked_fill(~there, _NEVER)


def _log_softmax(values: Tensor, there: Tensor) -> Tensor:
    return _only(values, there).log_softmax(dim=1).masked_fill(~there, 0.0)


def _plackett_luce(groups: Groups) -> tuple[Tensor, Tensor]:
    """Return the log-probability of each choice in the order of the grades, and which places are there, [G, N]."""
    order = _only(groups.grades, groups.there).sort(dim=1, descending=True, stable=True).indices
    scores, there = (part.gather(1, order) for part in (groups.scores, groups.there))
    left = _only(scores, there).flip(1).logcumsumexp(dim=1).flip(1)
    return (scores - left).masked_fill(~there, 0.0), there

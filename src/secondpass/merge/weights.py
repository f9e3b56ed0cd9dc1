"""The share each model has in a merge: as given, or found from how well each does on examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from secondpass.errors import InputError

_TOLERANCE = 1e-6
TEMPERATURE = 5.0
"""LM_Cocktail's default; of losses that differ by 1 it makes weights of 0.55 and 0.45."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model as a person names it, and the weight beside it if there is one."""

    name: str
    weight: float | None


def parse_model(text: str) -> NamedModel:
    """Read ``FOLDER`` or ``FOLDER=WEIGHT``; the weight is a number or a fraction.

    >>> parse_model("models/法律=1/4")
    NamedModel(name='models/法律', weight=0.25)

    Raises:
        InputError: what stands behind the sign is no number, and there is no folder of this name.
    """
    name, sign, written = text.rpartition("=")
    if not sign or Path(text).expanduser().is_dir():
        return NamedModel(text, None)
    try:
        return NamedModel(name, float(Fraction(written.strip())))
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"{text!r}: {written!r} is no weight; accepted is FOLDER=WEIGHT, such as {name or 'FOLDER'}=0.5."
        ) from error


def given_weights(models: Sequence[NamedModel], normalize: bool = False) -> tuple[float, ...]:
    """Return the weights of ``models``, equal ones where none has any; ``normalize`` divides them by their sum.

    Raises:
        InputError: some have a weight and some have not, or the weights do not sum to 1.
    """
    given = [model.weight for model in models if model.weight is not None]
    if not given:
        return (1 / len(models),) * len(models)
    if len(given) < len(models):
        missing = next(model.name for model in models if model.weight is None)
        raise InputError(f"{missing} has no weight and others have; give every model one, or none of them.")
    total = sum(given)
    if not math.isfinite(total):
        raise InputError("A weight is not a finite number; accepted are numbers such as 0.5.")
    if normalize:
        if total <= 0:
            raise InputError(f"The weights sum to {total:g} and cannot be scaled to sum to 1.")
        return tuple(weight / total for weight in given)
    if abs(total - 1) > _TOLERANCE:
        listed = " + ".join(f"{weight:g}" for weight in given)
        raise InputError(
            f"The weights sum to {total:g} ({listed}), not to 1: the merged model would be scaled by that, layer by "
            "layer. Give weights that sum to 1, or have them divided by their sum with --normalize."
        )
    return tuple(given)


def cocktail_weights(losses: Sequence[float], temperature: float = TEMPERATURE) -> tuple[float, ...]:
    """Return w_i = exp(-l_i / T) / sum_j exp(-l_j / T) (LM-Cocktail, arXiv:2311.13534, equation 2).

    A high temperature makes the weights alike, a low one leaves the best model alone.

    >>> [round(weight, 3) for weight in cocktail_weights([0.1, 2.0])]
    [0.594, 0.406]

    Raises:
        InputError: the temperature is not above 0, or a loss is no number.
    """
    if not temperature > 0 or not math.isfinite(temperature):
        raise InputError(f"The temperature is {temperature:g}; accepted are numbers above 0, such as {TEMPERATURE:g}.")
    values = np.array(losses, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"A loss is {values[~np.isfinite(values)][0]}: no weights can be made of it.")
    powers = np.exp(-(values - values.min()) / temperature)
    return tuple(float(power) for power in powers / powers.sum())

"""How near the evidence of `builtin` is to the reference answers of dev questions, the passage given.

    python benchmarks/evidence.py --data ../shared/data [--questions 150]

Exact match and F1 (Rajpurkar et al., arXiv:1606.05250; characters in Chinese) of squad_dev, cmrc2018 and drcd, and of
the two Chinese sets together; all dev questions where ``--questions`` does not say how many are drawn.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recipes.builtin.measuring import measure_evidence

from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile

SEED = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=sys.maxsize, help="of each set")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--precision", default="f32")
    options = parser.parse_args()
    engine = EngineOptions(options.engine, options.precision, threads=1)
    scorer = open_cross_encoder(builtin_folder(), find_profile(BUILTIN), engine)
    found = measure_evidence(scorer, options.data, options.questions, SEED)
    for one in found:
        print(f"{one.name:<10} {one.questions:>5} questions  F1 {one.f1:.3f}  exact match {one.exact:.3f}")
    chinese = [one for one in found if one.name != "squad_dev"]
    total = sum(one.questions for one in chinese)
    f1, exact = (sum(one.questions * getattr(one, name) for one in chinese) / total for name in ("f1", "exact"))
    print(f"{'Chinese':<10} {total:>5} questions  F1 {f1:.3f}  exact match {exact:.3f}")


if __name__ == "__main__":
    main()

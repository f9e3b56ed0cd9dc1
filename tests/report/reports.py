"""Reports with invented records: every optional part is there in one place and missing in another."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from secondpass.evaluate.records import (
    Calibration,
    Cost,
    Difference,
    Estimate,
    MovedPassage,
    OverallResult,
    Reliability,
    Report,
    SystemKind,
    SystemResult,
    TaskResult,
    WorseQuery,
)
from secondpass.types import Language

MEASURES = ("nDCG@10", "MAP", "MRR@10", "hit@3", "Recall@10")


@dataclass(frozen=True)
class Invented:
    """How an invented system behaves: what it adds to the baseline, how often it changes a question, its pace."""

    name: str
    kind: SystemKind
    adds: float
    changes: float = 0.0
    milliseconds: float | None = None
    calibrated: bool = False
    identity: str = ""


BGE = "BAAI/bge-reranker-v2-m3@10"
SYSTEMS = (
    Invented("random", "random", -0.45, 1.0),
    Invented("bm25", "first_stage", 0.0, identity="bm25 k1=0.9 b=0.4"),
    Invented("dense", "first_stage", 0.02, 0.8, 9.6, identity="all-minilm-l6-v2 f32"),
    Invented("fuse:bm25+dense", "fusion", 0.035, 0.6, 10.2),
    Invented("lexical@10", "reranker", 0.012, 0.45, 1.3, identity="lexical, fingerprint 5c1e09b7a4d2f386"),
    Invented(BGE, "reranker", 0.105, 0.7, 412.0, True, identity="onnx f32, fingerprint 90f2b6c1d77e0a54"),
    Invented("listwise:ollama/qwen3", "reranker", -0.031, 0.9, 5210.0, identity="temperature 0"),
    Invented("ceiling", "ceiling", 0.22, 0.9),
)
QUESTIONS = {
    "zh": ("西安交大由哪几个学校合并的？", "浏览器缓存 CORS 响应的最长时间默认是多少秒？", "高血压患者可以喝咖啡吗？"),
    "en": (
        "For how many seconds do browsers cache CORS responses by default?",
        "What is the boundary layer thickness on a flat plate at Mach 3?",
        "who wrote the music for the film",
    ),
}
PASSAGES = {
    "zh": 3
    * "西安交通大学由原西安交通大学、西安医科大学、陕西财经学院于2000年合并组建而成，是教育部直属的全国重点大学。",
    "en": 3 * "The max_age argument sets the seconds for which browsers cache CORS responses; it defaults to 600. ",
}


def make_report() -> Report:
    """Three tasks, Chinese and English, with everything there is."""
    tasks = (
        make_task("cmrc2018", "zh", 300, seed=1),
        make_task("cranfield", "en", 160, seed=2),
        replace(
            make_task("noveleval", "en", 21, seed=3), worst=(), notes=(), missing=0, of_queries=21, candidate_tokens=0.0
        ),
    )
    return Report(
        created="2025-11-25 18:40 UTC",
        version="0.1.0",
        measures=MEASURES,
        tasks=tasks,
        overall=overall(tasks),
        conventions=(
            "Ties keep the order of the candidates.",
            "A question without candidates counts as 0.",
            "An unjudged passage counts as not relevant.",
        ),
        machine={"processor": "AMD EPYC, 2 cores", "python": "3.11.7", "onnxruntime": "1.20.1"},
        options={"baseline": "bm25", "sample": 300, "draws": 10_000, "seed": 13, "rerank": ["lexical@10", BGE]},
    )


def make_bare_report() -> Report:
    """One task, one reranker, and nothing that may be missing."""
    task = make_task("内部文档", "zh", 12, seed=4, systems=(SYSTEMS[1], replace(SYSTEMS[4], milliseconds=None)))
    bare = tuple(replace(system, cost=None, movement=(), notes=(), identity="") for system in task.systems)
    task = replace(task, systems=bare, worst=(), notes=(), missing=0, of_queries=12)
    return Report(created="2025-11-25", version="0.1.0", measures=("nDCG@10",), tasks=(task,))


def make_big_report(tasks: int, questions: int, systems: tuple[Invented, ...] = SYSTEMS) -> Report:
    """Many tasks with many questions, as in a run over a benchmark."""
    languages: tuple[Language, Language] = ("zh", "en")
    made = tuple(
        make_task(f"Task{place}Reranking", languages[place % 2], questions, place, systems) for place in range(tasks)
    )
    return replace(make_report(), tasks=made, overall=overall(made))


def make_task(
    name: str, language: Language, questions: int, seed: int, systems: tuple[Invented, ...] = SYSTEMS
) -> TaskResult:
    """Return one task whose figures fit one another."""
    chance = random.Random(seed)
    ids = [f"{name}-q{place}" for place in range(questions)]
    base = {one: min(max(chance.gauss(0.62, 0.25), 0.0), 1.0) for one in ids}
    made = tuple(_system(one, base, chance, questions) for one in systems)
    return TaskResult(
        name=name,
        language=language,
        baseline="bm25",
        queries=questions,
        of_queries=questions * 3,
        passages=questions * 21,
        pairs=questions * 30,
        missing=2,
        relevant=0.071,
        candidates_hash=f"{seed:02d}b4c09d81e27fa3",
        systems=made,
        worst=_worst(made, base, language),
        notes=("3 candidates without a text were left out.",),
        candidate_tokens=6280.4,
    )


def _system(one: Invented, base: dict[str, float], chance: random.Random, questions: int) -> SystemResult:
    values = {
        key: min(max(value + chance.gauss(one.adds, 0.16), 0.0), 1.0) if chance.random() < one.changes else value
        for key, value in base.items()
    }
    differences = [values[key] - base[key] for key in base]
    # The baseline is not held to itself; floor and ceiling are no claims.
    claims_nothing = one.kind in {"random", "ceiling"} or one.changes == 0
    return SystemResult(
        name=one.name,
        kind=one.kind,
        scale="log_odds" if one.kind == "reranker" else "bm25",
        identity=one.identity,
        measures={name: _estimate(list(values.values()), place) for place, name in enumerate(MEASURES)},
        differences={}
        if claims_nothing
        else {name: _difference(differences, place) for place, name in enumerate(MEASURES)},
        gain_reached={} if claims_nothing else {name: sum(differences) / questions / 0.2 for name in MEASURES},
        cost=_cost(one, questions),
        calibration=_calibration(chance) if one.calibrated else None,
        per_query=values,
        movement=_movement(one, chance, questions),
        answers={"exact match": Estimate(0.41, 0.36, 0.46), "F1": Estimate(0.583, 0.55, 0.62)}
        if one.calibrated
        else {},
        notes=("17 passages were longer than the model reads.",) if one.calibrated else (),
    )


def _estimate(values: list[float], place: int) -> Estimate:
    mean = sum(values) / len(values) * (1 - 0.03 * place)
    half = 0.5 / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half)


def _difference(values: list[float], place: int) -> Difference:
    mean = sum(values) / len(values) * (1 - 0.03 * place)
    half = 0.3 / len(values) ** 0.5
    p_value = min(1.0, 2.718 ** (-3 * (mean / half) ** 2 / 2))
    counts = [
        sum(value > 0 for value in values),
        sum(value == 0 for value in values),
        sum(value < 0 for value in values),
    ]
    return Difference(mean, mean - half, mean + half, p_value, min(1.0, p_value * 7), *counts)


def _cost(one: Invented, questions: int) -> Cost | None:
    if one.milliseconds is None:
        return None
    pace = one.milliseconds
    return Cost(
        pace, pace * 2.6, 10_000 / pace, questions * 29, questions, 412.5, truncated=17 if one.calibrated else 0
    )


def _calibration(chance: random.Random) -> Calibration:
    bins = []
    for place in range(10):
        middle = place / 10 + 0.05
        relevant = min(max(middle**1.5 + chance.gauss(0, 0.02), 0.0), 1.0)
        pairs = 0 if place == 4 else int(2000 * (1 - middle) ** 3) + 40
        bins.append(Reliability(place / 10, place / 10 + 0.1, pairs, middle, relevant))
    return Calibration(tuple(bins), 0.064)


def _movement(one: Invented, chance: random.Random, questions: int) -> tuple[tuple[int, int], ...]:
    if one.kind in {"random", "ceiling"} or one.changes == 0:
        return ()
    moved = []
    for _ in range(questions):
        before = min(30, 1 + int(chance.expovariate(0.28)))
        after = max(1, before - int(chance.gauss(one.adds * 40, 2.2)))
        moved.append((before, after if after <= 10 else 0))
    return tuple(moved)


def _worst(systems: tuple[SystemResult, ...], base: dict[str, float], language: Language) -> tuple[WorseQuery, ...]:
    found = []
    for system in systems:
        if system.kind != "reranker":
            continue
        for place, key in enumerate(sorted(base, key=lambda one: system.per_query[one] - base[one])[:5]):
            passages = tuple(
                MovedPassage(f"{key}-d{turn}", turn + 1, (turn * 7 + place) % 11, int(turn == 0), PASSAGES[language])
                for turn in range(8)
            )
            query = QUESTIONS[language][place % 3]
            found.append(WorseQuery(system.name, key, query, base[key], system.per_query[key], passages))
    return tuple(found)


def overall(tasks: tuple[TaskResult, ...]) -> tuple[OverallResult, ...]:
    """Return the means over tasks, together and by language."""
    rows = []
    for language in ("", *sorted({task.language for task in tasks}, reverse=True)):
        chosen = [task for task in tasks if language in ("", task.language)]
        for place, system in enumerate(tasks[0].systems):
            found = [task.systems[place] for task in chosen]
            measures = {name: _mean([one.measures[name] for one in found]) for name in MEASURES}
            differences = {
                name: _mean_difference([one.differences[name] for one in found]) for name in system.differences
            }
            rows.append(OverallResult(system.name, language, len(chosen), measures, differences))
    return tuple(rows)


def _mean(found: list[Estimate]) -> Estimate:
    mean = sum(one.mean for one in found) / len(found)
    return Estimate(mean, mean - 0.02, mean + 0.02)


def _mean_difference(found: list[Difference]) -> Difference:
    mean = sum(one.mean for one in found) / len(found)
    p_value = 0.0004 if abs(mean) > 0.02 else 0.03 if abs(mean) > 0.01 else 0.4
    wins, ties, losses = (sum(getattr(one, name) for one in found) for name in ("wins", "ties", "losses"))
    return Difference(mean, mean - 0.01, mean + 0.01, p_value, min(1.0, p_value * 3), wins, ties, losses)

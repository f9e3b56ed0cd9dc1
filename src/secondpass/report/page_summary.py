"""The first thing on the page: one sentence a reranker, in plain words, that does not say more than was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from secondpass.evaluate.records import Difference, Report, SystemResult, TaskResult
from secondpass.report.markup import Markup, Text, both, data, element, escape, fill, join, sentences
from secondpass.report.page_numbers import amount, count, interval, p_value, percent, points, signed_points
from secondpass.report.page_reading import (
    Verdict,
    first_measure,
    named,
    overall_of,
    tried_names,
    verdict,
)
from secondpass.report.page_texts import (
    A_QUESTION_COUNT,
    A_TASK_COUNT,
    BETTER,
    GAIN,
    NO_RERANKER,
    NO_TASK,
    ON_TASK,
    OWN_BASELINE,
    PACE,
    QUESTION_COUNTS,
    SUMMARY_NOTE,
    TASK_VERDICTS,
    TASKS_WORSE,
    TASKS_WORSE_MORE,
    UNCLEAR,
    VERDICTS,
    WORSE,
)

SENTENCES: dict[Verdict, Text] = {"better": BETTER, "worse": WORSE, "unclear": UNCLEAR}
Said: TypeAlias = tuple[Text, Mapping[str, Markup]]
NAMES_SHOWN = 6
MARKS: dict[Verdict, str] = {"better": "▲", "worse": "▼", "unclear": "◇"}


def summary(report: Report) -> Markup:
    """Return the sentences about all rerankers and fusions, and what their numbers mean."""
    if not report.tasks:
        return element("p", {}, both(NO_TASK))
    sentences = [sentence for name in tried_names(report.tasks) for sentence in _about(report, name)]
    if not sentences:
        return element("p", {}, both(NO_RERANKER))
    return join([element("ul", {"class": "summary"}, *sentences), element("p", {"class": "note"}, both(SUMMARY_NOTE))])


def sign(says: Verdict) -> Markup:
    """Return a mark for a verdict that is also said beside it."""
    return element("span", {"class": f"mark {says}", "aria-hidden": "true"}, escape(MARKS[says]))


def badge(says: Verdict) -> Markup:
    """Return a mark for a verdict that is said nowhere else: a shape, a colour, and the word for who sees neither."""
    return join([sign(says), element("span", {"class": "hidden"}, both(VERDICTS[says]))])


def _about(report: Report, name: str) -> list[Markup]:
    """Return a sentence over all tasks, or one a task where there are no figures over all."""
    measure = first_measure(report)
    overall = overall_of(report, name)
    found = [(task, system) for task in report.tasks if (system := named(task, name)) and measure in system.differences]
    if len(report.tasks) > 1 and overall is not None and measure in overall.differences:
        return [_over_tasks(report, name, overall.differences[measure], found)]
    return [_on_task(report, task, system) for task, system in found]


def _on_task(report: Report, task: TaskResult, system: SystemResult) -> Markup:
    measure = first_measure(report)
    difference = system.differences[measure]
    asked = _in_both(A_QUESTION_COUNT, {"count": escape(count(task.queries))})
    said = [_sentence((system.name, measure), difference, data(task.baseline), asked), _counts([difference])]
    if len(report.tasks) > 1:
        said.insert(0, (ON_TASK, {"task": data(task.name)}))
    gain = system.gain_reached.get(measure)
    if verdict(difference) == "better" and gain is not None:
        said.append((GAIN, {"gain": escape(percent(gain))}))
    if system.cost is not None and system.cost.p50_ms is not None:
        said.append((PACE, {"p50": escape(amount(system.cost.p50_ms))}))
    return _item(verdict(difference), said)


def _over_tasks(
    report: Report, name: str, difference: Difference, found: Sequence[tuple[TaskResult, SystemResult]]
) -> Markup:
    measure = first_measure(report)
    single = [system.differences[measure] for _, system in found]
    names = {task.baseline for task, _ in found}
    baseline = data(next(iter(names))) if len(names) == 1 else both(OWN_BASELINE)
    asked = {
        "count": escape(count(len(found))),
        "questions": escape(count(sum(task.queries for task, _ in found))),
    }
    verdicts = [verdict(one) for one in single]
    said = [_sentence((name, measure), difference, baseline, _in_both(A_TASK_COUNT, asked)), _counts(single)]
    kinds: tuple[Verdict, ...] = ("better", "worse", "unclear")
    said.append((TASK_VERDICTS, {says: escape(count(verdicts.count(says))) for says in kinds}))
    worse = [data(task.name) for (task, _), says in zip(found, verdicts, strict=True) if says == "worse"]
    if worse:
        said.append(_worse_tasks(worse))
    return _item(verdict(difference), said)


def _worse_tasks(names: Sequence[Markup]) -> Said:
    shown = element("strong", {}, join(names[:NAMES_SHOWN], ", "))
    if len(names) <= NAMES_SHOWN:
        return TASKS_WORSE, {"names": shown}
    return TASKS_WORSE_MORE, {"names": shown, "more": escape(count(len(names) - NAMES_SHOWN))}


def _item(says: Verdict, said: Sequence[Said]) -> Markup:
    return element("li", {"class": f"says {says}"}, badge(says), element("p", {}, sentences(said)))


def _in_both(text: Text, values: dict[str, Markup]) -> Text:
    # Filled before its sentence is, whose places take markup: nothing but digits is filled in.
    return Text(fill(text.en, values), fill(text.zh, values))


def _sentence(named_measure: tuple[str, str], difference: Difference, baseline: Markup, asked: Text) -> Said:
    name, measure = named_measure
    says = verdict(difference)
    shown = points(abs(difference.mean)) if says != "unclear" else signed_points(difference.mean)
    bounds = (difference.low, difference.high)
    if says == "worse":
        # "Falls by 2.1 [1.2, 3.0]": an interval of the fall, not of the difference.
        bounds = (-difference.high, -difference.low)
    values = {
        "name": element("strong", {"class": "name"}, data(name)),
        "measure": escape(measure),
        "points": element("strong", {}, escape(shown)),
        "interval": element("span", {"class": "number"}, escape(interval(*bounds))),
        "baseline": baseline,
        "p": escape(p_value(difference.p_holm)),
        "questions": both(asked),
    }
    return SENTENCES[says], values


def _counts(differences: Sequence[Difference]) -> Said:
    sums = {
        "wins": sum(one.wins for one in differences),
        "ties": sum(one.ties for one in differences),
        "losses": sum(one.losses for one in differences),
    }
    return QUESTION_COUNTS, {name: escape(count(value)) for name, value in sums.items()}

"""Sentences that come with a report, in English, and what they are in Chinese.

A report's conventions and notes are sentences with numbers in them. Those that our evaluation writes are known here; a
sentence from elsewhere is shown as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from secondpass.report.markup import Markup, Text, both, data, escape

_CONVENTIONS: Final = (
    Text("Equal scores keep the order in which a system returned the passages.", "分数相同的段落保持系统给出的次序。"),
    Text(
        "Equal scores (in 32 bits) are ordered by passage id, from the last, as trec_eval does.",
        "分数相同（按 32 位浮点数）的段落按编号从后往前排，与 trec_eval 相同。",
    ),
    Text("A question without candidates counts 0 in every measure.", "没有候选段落的问题，各项指标记 0。"),
    Text("A question without candidates is left out of every mean.", "没有候选段落的问题不计入均值。"),
    Text(
        "A passage without a judgement counts as not relevant; Judged@k says how many there are.",
        "没有标注的段落算不相关；Judged@k 给出有标注的比例。",
    ),
    Text(
        "Grades above 0 are relevant; lower ones, negative ones too, count as not relevant and have no gain.",
        "相关度大于 0 为相关；其余（包括负数）算不相关，没有增益。",
    ),
    Text(
        "A question without any relevant passage counts 0 and stays in the mean (as in trec_eval).",
        "没有相关段落的问题记 0 并计入均值（与 trec_eval 相同）。",
    ),
    Text(
        "Relevant passages that are not in the list count as missed: MAP, Recall and nDCG are held to all that there "
        "are.",
        "不在候选中的相关段落算漏掉：MAP、Recall 和 nDCG 以全部相关段落为准。",
    ),
    Text(
        "nDCG has the grade as gain (trec_eval), nDCG_burges 2^grade - 1; both discount by log2(rank + 1).",
        "nDCG 以相关度为增益（trec_eval），nDCG_burges 为 2^相关度 - 1；两者都按 log2(名次 + 1) 折损。",
    ),
    Text("What a reranker cuts (@N) counts as missed too.", "精排器截去的（@N）也算漏掉。"),
    Text(
        "The random order is the exact mean over all orders; the ceiling is the best order of the candidates.",
        "随机次序是所有次序的精确均值；上限是候选段落的最好次序。",
    ),
    Text(
        "Intervals: 95%, the studentised bootstrap over questions, {draws} draws.",
        "区间：95%，对问题作学生化自助法，抽样 {draws} 次。",
    ),
    Text(
        "p: two-sided paired randomisation test; p (Holm): corrected for all tests of a measure in this report.",
        "p：双侧配对随机化检验；校正后的 p：对本报告中同一指标的所有检验作 Holm 校正。",
    ),
    Text(
        "All tasks together: every task counts the same; questions are drawn within their tasks.",
        "总体：每个任务权重相同；问题在各自任务内抽样。",
    ),
    Text(
        "Times: wall milliseconds of a question's rerank without the first stage; scores from a cache are not timed.",
        "时间：一个问题精排所用的实际毫秒数，不含第一阶段；取自缓存的分数不计时。",
    ),
)
_NOTES: Final = (
    Text("{count} {reason}: left out", "略去 {count} 个：{reason}"),
    Text(
        "a sample of {some} of {all} questions; intervals are for the sample",
        "{all} 个问题中抽样 {some} 个；区间针对样本",
    ),
    Text(
        "the task has no lists of candidates: they are the best passages by our BM25",
        "任务没有候选列表：候选是本库 BM25 的最好段落",
    ),
    Text("{count} questions have no candidates", "{count} 个问题没有候选段落"),
    Text(
        "only {count} questions: intervals are wide, and a difference must be large to be seen",
        "只有 {count} 个问题：区间很宽，差别要大才看得出来",
    ),
    Text(
        "a random order already reaches {points} {measure} (of 100), because a list has {passages} passages and "
        "{share} of them are relevant: high figures say little here",
        "随机次序的 {measure} 已达 {points}（满分 100），因为一个列表有 {passages} 个段落，其中 {share} 相关："
        "这里的高分说明不了什么",
    ),
    Text(
        "no fusion of first stages: there is one first stage ({name}); --embedder NAME adds another",
        "没有融合：第一阶段只有一个（{name}）；用 --embedder NAME 可再加一个",
    ),
    Text(
        "no fusion of first stages: there is no first stage; --embedder NAME adds another",
        "没有融合：没有第一阶段；用 --embedder NAME 可加一个",
    ),
    Text("worse than {baseline}: {said} (significant)", "比 {baseline} 差：{said}（显著）"),
    Text(
        "{known} of {all} scores ({share}) came from the score cache; times are those of questions without any",
        "{all} 个分数中有 {known} 个（{share}）取自缓存；时间只计没有缓存的问题",
    ),
    Text("of {count} passages a part was not read", "{count} 个段落有一部分没有读到"),
    Text(
        "nothing says what its order depends on: it is worked out anew each time",
        "无从得知它的次序取决于什么：每次重新计算",
    ),
)


def known_sentence(sentence: str) -> tuple[Text, dict[str, Markup]] | None:
    """Return the sentence in both languages with its values; None where it is not one of ours."""
    for text, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            return text, {name: escape(value) for name, value in found.groupdict().items()}
    return None


def said(sentence: str) -> Markup:
    """Return a sentence of a report in both languages, or as it is where it is not one of ours."""
    known = known_sentence(sentence)
    return data(sentence) if known is None else both(*known)


@cache
def _patterns() -> tuple[tuple[Text, re.Pattern[str]], ...]:
    return tuple((text, _pattern(text.en)) for text in (*_CONVENTIONS, *_NOTES))


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", template)
    # Counts are numbers: "3 questions have no candidates" is one sentence, "all questions ..." would be another.
    numbers = {"count", "draws", "some", "all", "known", "points"}
    written = (
        f"(?P<{piece}>{'[0-9.,+-]+' if piece in numbers else '.+?'})" if turn % 2 else re.escape(piece)
        for turn, piece in enumerate(pieces)
    )
    return re.compile("".join(written), re.DOTALL)

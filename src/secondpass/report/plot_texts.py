"""Every text of the report page's plots, in both languages: titles, axes, and one sentence on how to read each."""

from __future__ import annotations

from typing import Final

from secondpass.report.markup import Text

LATENCY_TITLE: Final = Text("Quality against latency", "质量与延迟")
LATENCY_CAPTION: Final = Text(
    "Up is better, left is faster; the stepped line joins what nothing else beats in both, vertical bars are 95% "
    "intervals, dotted tails reach to p95, and the dashed line is {baseline}, which takes no time for reranking.",
    "越高越好，越左越快；阶梯线连接两方面都无人超过的系统，竖线是 95% 区间，点线伸到 p95，"
    "虚线是不花精排时间的 {baseline}。",
)
LATENCY_OVERALL_CAPTION: Final = Text(
    "Up is better, left is faster; the stepped line joins what nothing else beats in both, vertical bars are 95% "
    "intervals, the dashed line is {baseline}; time is the geometric mean of the tasks' p50.",
    "越高越好，越左越快；阶梯线连接两方面都无人超过的系统，竖线是 95% 区间，虚线是 {baseline}；"
    "时间是各任务 p50 的几何平均。",
)
LATENCY_MIXED_CAPTION: Final = Text(
    "Up is better, left is faster; the stepped line joins what nothing else beats in both, vertical bars are 95% "
    "intervals; the tasks have different baselines, so that none is drawn; time is the geometric mean of the tasks' "
    "p50.",
    "越高越好，越左越快；阶梯线连接两方面都无人超过的系统，竖线是 95% 区间；各任务的基线不同，所以没有画出；"
    "时间是各任务 p50 的几何平均。",
)
LATENCY_AXIS: Final = Text("ms per question, p50 (log scale)", "每个问题的毫秒数，p50（对数刻度）")
POINTS_AXIS: Final = Text("{measure}, points", "{measure}，百分点")
CEILING_LINE: Final = Text("ceiling {value}", "上限 {value}")

FOREST_TITLE: Final = Text("Difference to the baseline, task by task", "与基线之差，逐个任务")
FOREST_CAPTION: Final = Text(
    "The dot is the mean difference of {measure}, the bar its 95% interval, the diamond all tasks together: right of "
    "the zero line reranking helps, left of it it hurts; hollow means that nothing is shown (p (Holm) not below 0.05).",
    "圆点是 {measure} 差值的均值，横线是 95% 区间，菱形是全部任务合计：零线右边是有益，左边是有害；"
    "空心表示不能确定（校正后的 p 不小于 0.05）。",
)
FOREST_AXIS: Final = Text("points", "百分点")
ALL_TASKS: Final = Text("all tasks", "全部任务")

QUESTIONS_TITLE: Final = Text("Question by question", "逐题差值")
QUESTIONS_CAPTION: Final = Text(
    "Each bar is a question, or the mean of neighbouring ones where there are many, sorted by its difference of "
    "{measure} to the baseline: bars above the line are questions helped, bars below it questions hurt; hover for "
    "which.",
    "每根柱是一个问题（问题多时为相邻几个的均值），按 {measure} 与基线的差值排序：线上的柱变好，线下的柱变差；"
    "悬停可见问题编号。",
)
QUESTIONS_A_BAR: Final = Text("{count} questions a bar", "每柱 {count} 个问题")
WORSE_COUNT: Final = Text("{count} worse", "{count} 个变差")
SAME_COUNT: Final = Text("{count} same", "{count} 个不变")
BETTER_COUNT: Final = Text("{count} better", "{count} 个变好")

RELIABILITY_TITLE: Final = Text("Do probabilities mean what they say?", "概率可信吗？")
RELIABILITY_CAPTION: Final = Text(
    "On the diagonal, 70% of the pairs that are given a probability of 0.7 are relevant; dots below it say that the "
    "model is too sure, dots above it too shy; the bars beneath count the pairs of each bin.",
    "落在对角线上，说明概率为 0.7 的对中有 70% 相关；低于对角线是过分自信，高于是过分保守；下方的柱是每格的对数。",
)
CALIBRATION_NOTE: Final = Text("expected calibration error {error}", "期望校准误差 {error}")
PROBABILITY_AXIS: Final = Text("probability given", "给出的概率")
RELEVANT_AXIS: Final = Text("share relevant", "相关的比例")

MOVEMENT_TITLE: Final = Text("Where relevant passages went", "相关段落的去向")
MOVEMENT_CAPTION: Final = Text(
    "Columns are ranks in the baseline, rows ranks after, numbers count relevant passages: above the outlined diagonal "
    "they rose, below it they fell.",
    "列是基线中的名次，行是之后的名次，数字是相关段落的个数：在描边的对角线之上是上升，之下是下降。",
)
MOVEMENT_NOTE: Final = Text("{up} rose, {down} fell, {same} stayed", "上升 {up}，下降 {down}，不动 {same}")
BEFORE_AXIS: Final = Text("rank before", "之前的名次")
AFTER_AXIS: Final = Text("rank after", "之后的名次")
CUT_RANK: Final = Text("cut", "截去")

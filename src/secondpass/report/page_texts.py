"""Every text of the report page that is not about a plot, in both languages."""

from __future__ import annotations

from typing import Final

from secondpass.report.markup import Text

TITLE: Final = Text("Does reranking help?", "精排有用吗？")
SUBTITLE: Final = Text(
    "Rerankers: {rerankers}. Tasks: {tasks}. Questions: {questions}. Each system orders the same candidates. "
    "secondpass {version}, {created}.",
    "精排器 {rerankers} 个，任务 {tasks} 个，问题 {questions} 个；各系统排的是同样的候选段落。"
    "secondpass {version}，{created}。",
)
CHOOSE_LANGUAGE: Final = Text("Language", "语言")
CONTENTS: Final = Text("Contents", "目录")
SKIP: Final = Text("To the results", "跳到结果")

# Sections
SUMMARY: Final = Text("In short", "结论")
OVERALL: Final = Text("All tasks together", "总体")
TASKS: Final = Text("Task by task", "逐个任务")
WORST: Final = Text("Questions that got worst", "变差最多的问题")
CLOSING: Final = Text("How this was measured", "怎样测的")

# The summary
BETTER: Final = Text(
    "{name} raises {measure} by {points} points {interval} over {baseline} (p\u00a0{p}).",
    "{name} 使 {measure} 比 {baseline} 提高 {points} 个百分点 {interval}（p\u00a0{p}）。",
)
WORSE: Final = Text(
    "{name} makes it worse: {measure} falls by {points} points {interval} below {baseline} (p\u00a0{p}).",
    "{name} 使结果变差：{measure} 比 {baseline} 降低 {points} 个百分点 {interval}（p\u00a0{p}）。",
)
UNCLEAR: Final = Text(
    "{name}: no difference to {baseline} can be shown with {questions}: {measure} {points} points {interval}, "
    "p\u00a0{p}.",
    "{name}：用{questions}看不出与 {baseline} 的差别：{measure} {points} 个百分点 {interval}，p\u00a0{p}。",
)
QUESTION_COUNTS: Final = Text(
    "Questions: {wins} better, {losses} worse, {ties} the same.",
    "{wins} 个问题变好，{losses} 个变差，{ties} 个不变。",
)
GAIN: Final = Text(
    "That is {gain} of what the candidates allow.",
    "达到候选段落所允许的提升的 {gain}。",
)
PACE: Final = Text("Half of the questions take at most {p50} ms.", "一半的问题不超过 {p50} 毫秒。")
TASK_VERDICTS: Final = Text(
    "Tasks: {better} better, {worse} worse, {unclear} undecided.",
    "单个任务：{better} 个变好，{worse} 个变差，{unclear} 个不能确定。",
)
TASKS_WORSE: Final = Text("Worse on {names}.", "变差的任务：{names}。")
TASKS_WORSE_MORE: Final = Text("Worse on {names} and {more} more.", "变差的任务：{names}，另有 {more} 个。")
ON_TASK: Final = Text("On {task}:", "{task}：")
A_QUESTION_COUNT: Final = Text("{count} questions", " {count} 个问题")
A_TASK_COUNT: Final = Text("{count} tasks ({questions} questions)", " {count} 个任务（{questions} 个问题）")
NO_RERANKER: Final = Text("No reranker was measured, only orders without one.", "没有测任何精排器，只有不精排的次序。")
NO_TASK: Final = Text("No task was measured.", "没有测任何任务。")
OWN_BASELINE: Final = Text("the task's baseline", "各任务的基线")
SUMMARY_NOTE: Final = Text(
    "Points are hundredths of the measure; brackets hold the 95% bootstrap interval; p comes from a paired "
    "randomisation test and is Holm-corrected over all tests of the measure. Better or worse is said where p is "
    "below 0.05.",
    "百分点是指标的百分之一；方括号内是 95% 自助法区间；p 来自配对随机化检验，并对同一指标的所有检验作 Holm 校正。"
    "p 小于 0.05 才说变好或变差。",
)

# Tables
SYSTEM: Final = Text("system", "系统")
TASK: Final = Text("task", "任务")
MEASURE: Final = Text("measure", "指标")
MEAN: Final = Text("mean", "均值")
DIFFERENCE: Final = Text("difference, points", "差值（百分点）")
P_HOLM: Final = Text("p (Holm)", "校正后的 p")
P_RAW: Final = Text("p alone", "未校正的 p")
WINS_TIES_LOSSES: Final = Text("better / same / worse", "变好 / 不变 / 变差")
POSSIBLE_GAIN: Final = Text("of the possible gain", "占可能的提升")
P50: Final = Text("p50, ms", "p50 毫秒")
P95: Final = Text("p95, ms", "p95 毫秒")
PAIRS_PER_SECOND: Final = Text("pairs/s", "对/秒")
CONTEXT_TOKENS: Final = Text("context tokens kept", "保留的上下文词元")
PAIRS: Final = Text("pairs computed", "计算的对数")
KNOWN: Final = Text("from the cache", "取自缓存")
TRUNCATED: Final = Text("cut pairs", "截断的对数")
IDENTITY: Final = Text("what was computed", "计算内容")
SCALE: Final = Text("scores", "分数")
NOTES: Final = Text("notes", "备注")
QUESTIONS: Final = Text("questions", "问题")
CEILING_COLUMN: Final = Text("ceiling", "上限")
TASK_COUNT: Final = Text("tasks", "任务数")
CALIBRATION_ERROR: Final = Text("calibration error", "校准误差")

KINDS: Final = {
    "random": Text("floor: order by chance", "下限：随机次序"),
    "first_stage": Text("first stage", "第一阶段"),
    "fusion": Text("fusion, untrained", "融合，未训练"),
    "reranker": Text("reranker", "精排器"),
    "ceiling": Text("ceiling: best possible order", "上限：最好的次序"),
}
BASELINE: Final = Text("baseline", "基线")
LANGUAGES: Final = {
    "": Text("all", "全部"),
    "zh": Text("Chinese", "中文"),
    "en": Text("English", "英文"),
}
VERDICTS: Final = {
    "better": Text("better", "变好"),
    "worse": Text("worse", "变差"),
    "unclear": Text("undecided", "不能确定"),
}
BY_LANGUAGE: Final = Text("By language", "分语言")
OVERALL_TABLE: Final = Text(
    "Every task counts the same. Points; under each mean its 95% interval.",
    "每个任务权重相同。单位为百分点；均值下面是 95% 区间。",
)
MATRIX_TABLE: Final = Text(
    "{measure} of the baseline, and how far each system is from it; bold where p (Holm) is below 0.05.",
    "基线的 {measure}，以及各系统与它的差值；校正后的 p 小于 0.05 时为粗体。",
)
TASK_TABLE: Final = Text(
    "Points; under each mean its 95% interval. Difference, p and counts are of {measure} against {baseline}.",
    "单位为百分点；均值下面是 95% 区间。差值、p 和计数指 {measure} 与 {baseline} 相比。",
)
ANSWERS_TABLE: Final = Text(
    "Answers made from each system's first passages, scored against reference answers.",
    "用各系统排在最前的段落作答，与参考答案相比。",
)
ANSWER_MEASURES: Final = {
    "answered": Text("answered", "有答案"),
    "exact match": Text("exact match", "完全匹配"),
    "F1": Text("F1", "F1"),
    "answer in context": Text("answer in context", "上下文含答案"),
    "citation precision": Text("citation precision", "引用准确率"),
    "citation recall": Text("citation recall", "引用召回率"),
}
MORE_MEASURES: Final = Text("All measures against the baseline", "全部指标与基线相比")
COMPUTED: Final = Text("What was computed", "计算了什么")

# A task
FACTS: Final = Text(
    "{language}. {questions} questions, {passages} passages, {pairs} candidates, {relevant} of them relevant.",
    "{language}。{questions} 个问题，{passages} 个段落，{pairs} 个候选，其中相关的占 {relevant}。",
)
CANDIDATE_TOKENS: Final = Text(
    "All candidates of a question make about {tokens} tokens.", "一个问题的全部候选约有 {tokens} 个词元。"
)
SAMPLED: Final = Text(
    "A sample: {questions} of {of_queries} questions.",
    "抽样：{of_queries} 个问题中的 {questions} 个。",
)
MISSING: Final = Text("Without candidates: {missing}.", "没有候选段落的：{missing} 个。")
HASH: Final = Text("Questions and candidates: {hash}.", "问题与候选的散列值：{hash}。")

# The questions that got worst
WORST_NOTE: Final = Text(
    "Read these before trusting a mean: {measure} before and after, and where the passages moved.",
    "在相信均值之前先读一读：{measure} 的前后变化，以及段落的移动。",
)
WORST_SHOWN: Final = Text(
    "{shown} of the {known} questions kept in the report are shown.",
    "报告保存了 {known} 个问题，这里显示 {shown} 个。",
)
NO_WORST: Final = Text("The report keeps no questions that got worse.", "报告没有保存变差的问题。")
RANKS: Final = Text("rank", "名次")
GRADE: Final = Text("grade", "相关度")
PASSAGE: Final = Text("passage", "段落")
CUT: Final = Text("cut", "被截去")
PASSAGES_LEFT_OUT: Final = Text("Passages not shown: {count}.", "未显示的段落：{count} 个。")

# The closing section
CONVENTIONS: Final = Text("Conventions", "约定")
MACHINE: Final = Text("Machine", "机器")
OPTIONS: Final = Text("Options", "选项")
WHOLE_REPORT: Final = Text(
    "Every number with all its digits, question by question, is in the JSON report: run the same command with "
    "{option}.",
    "每个数的全部数位和逐题结果都在 JSON 报告中：用同一条命令加上 {option} 即可写出。",
)
NONE_STATED: Final = Text("None stated.", "没有说明。")
MADE_BY: Final = Text(
    "One file, no links to elsewhere, no traces kept. Made by secondpass {version}.",
    "单个文件，不访问外部，不留任何记录。由 secondpass {version} 生成。",
)

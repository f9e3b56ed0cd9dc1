"""Proof that a reranker helps: the same candidates for each, measured with intervals, tests and costs.

from secondpass import EvaluationOptions, evaluate_rerankers, read_task

tasks = [read_task("my-task"), read_task("lists.jsonl")]
report = evaluate_rerankers(tasks, ["lexical", "lexical@20>BAAI/bge-reranker-v2-m3"], EvaluationOptions(sample=200))
for system in report.tasks[0].systems:
print(system.name, system.measures["nDCG@10"], system.differences.get("nDCG@10"))
"""

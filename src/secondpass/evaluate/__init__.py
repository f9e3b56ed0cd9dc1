"""Proof that a reranker helps: the same candidates for each, measured with intervals, tests and costs."""

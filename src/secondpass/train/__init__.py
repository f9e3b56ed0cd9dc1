"""Teach a reranker on examples, and know whether it got better."""

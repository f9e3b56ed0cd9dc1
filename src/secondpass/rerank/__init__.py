"""The second stage: question and passage read together."""

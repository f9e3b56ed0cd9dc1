"""The last stage: an answer with citations, or the word that there is none."""

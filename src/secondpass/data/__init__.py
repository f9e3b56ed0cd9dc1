"""Files in and out: passages to rerank, TREC runs, corpora and questions."""

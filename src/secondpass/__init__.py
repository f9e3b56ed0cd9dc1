"""secondpass 精排: retrieve, rerank, answer with citations; Chinese and English; fast on a plain CPU."""

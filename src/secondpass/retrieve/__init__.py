"""The first stage: a query to the best passages of the index."""

"""Several models of one shape become one: mixed, spherically, by signs, by weights found from examples."""

"""Sources of the graph: other people's data as N-Triples."""

"""Floor 1: the graph language: nodes, graphs, their verifier and printer."""

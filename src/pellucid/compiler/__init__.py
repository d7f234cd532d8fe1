"""Floor 4: graph to program, as a list of named passes."""

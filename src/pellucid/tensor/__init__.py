"""Floor 6: the tensor and the functions that people call."""

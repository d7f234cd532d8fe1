"""The reference backend: NumPy, operation by operation; the definition of every result."""

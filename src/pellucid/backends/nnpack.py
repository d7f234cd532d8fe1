"""Settings of a library of kernels for telephones: kernels are our own."""


def is_available() -> bool:
    """Whether the library is used: no."""
    return False

"""What programs ask about a library of products for CPUs: kernels are our own."""


def is_available() -> bool:
    """Whether the library is used: no."""
    return False

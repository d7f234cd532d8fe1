"""What programs ask about a library of threads: the threads are our own."""


def is_available() -> bool:
    """Whether the library is used: no."""
    return False

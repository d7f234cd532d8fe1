"""What programs ask about Apple's graphics processors: tensors cannot live there."""


def is_built() -> bool:
    """Whether code for them is part of the package: no."""
    return False


def is_available() -> bool:
    """Whether tensors can live on one: no."""
    return False


def is_macos13_or_newer() -> bool:
    """Whether the system would have all of their operations: nothing is asked of it."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Whether the system is of that version: nothing is asked of it."""
    return False

"""What a program asks about graphics processors before it chooses a device: there are none.

>>> import pellucid
>>> "cuda" if pellucid.cuda.is_available() else "cpu"
'cpu'
"""


def is_available() -> bool:
    """Whether tensors can live on a graphics processor: no."""
    return False


def device_count() -> int:
    """Number of graphics processors that can be used: 0."""
    return 0


__all__ = [
    "device_count",
    "is_available",
]


def __dir__() -> list[str]:
    return sorted(__all__)

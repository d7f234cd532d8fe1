"""Comparison of results in tests, with PyTorch's tolerances and words.

>>> import pellucid
>>> pellucid.testing.assert_close(pellucid.ones(2) * 3 / 3, pellucid.ones(2))
"""

from pellucid.testing.comparison import (
    MismatchError,
    assert_allclose,
    assert_close,
    make_tensor,
)

__all__ = ["MismatchError", "assert_allclose", "assert_close", "make_tensor"]


def __dir__() -> list[str]:
    return sorted(__all__)

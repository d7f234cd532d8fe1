"""Settings about the order of products in ``einsum``, kept so that they can be read."""

from __future__ import annotations

enabled = True
strategy: str | None = "auto"


def is_available() -> bool:
    """Whether PyTorch's helper for the order is used: no, ``einsum`` finds an order itself."""
    return False

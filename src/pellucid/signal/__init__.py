"""What PyTorch keeps in ``torch.signal``: window functions."""

from pellucid.signal import windows

__all__ = ["windows"]


def __dir__() -> list[str]:
    return sorted(__all__)

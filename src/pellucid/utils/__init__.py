"""What PyTorch keeps in ``torch.utils``: gradient checkpointing."""

from pellucid.utils import checkpoint

__all__ = ["checkpoint"]


def __dir__() -> list[str]:
    return sorted(__all__)

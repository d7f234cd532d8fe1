"""What PyTorch keeps in ``torch.utils``: gradient checkpointing."""

from pellucid.utils import checkpoint

__all__ = ["checkpoint"]

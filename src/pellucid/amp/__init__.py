"""Mixed precision under PyTorch's name: products in a narrow type, losses scaled on the way back.

>>> import pellucid
>>> scaler = pellucid.amp.GradScaler("cpu")
>>> with pellucid.amp.autocast("cpu"):
...     pass
"""

from pellucid.amp.functions import custom_bwd, custom_fwd
from pellucid.amp.grad_scaler import GradScaler
from pellucid.tensor.autocast import autocast, is_autocast_available

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def __dir__() -> list[str]:
    return sorted(__all__)

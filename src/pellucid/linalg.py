"""Linear algebra under the name PyTorch's users look for: ``pellucid.linalg``."""

from pellucid.tensor.linalg import *  # noqa: F403
from pellucid.tensor.linalg import __all__ as __all__


def __dir__() -> list[str]:
    return sorted(__all__)

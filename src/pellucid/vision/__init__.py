"""Pictures: transforms, data sets and grids of them, under the names of torchvision.

Pictures are tensors (…, C, H, W) or Pillow's images; what is done to one kind is done to the other.
Pillow is needed for its images and for reading picture files.
"""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.vision import datasets as datasets
    from pellucid.vision import transforms as transforms
    from pellucid.vision import utils as utils

__all__ = [
    "datasets",
    "transforms",
    "utils",
]

_PLACES = {name: f"pellucid.vision.{name}" for name in ("datasets", "transforms", "utils")}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

"""What PyTorch keeps in ``torch.utils``: data sets and loaders, gradient checkpointing, weights by
address, records for TensorBoard, trees of containers, times of statements."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.utils import benchmark as benchmark
    from pellucid.utils import checkpoint as checkpoint
    from pellucid.utils import data as data
    from pellucid.utils import model_zoo as model_zoo
    from pellucid.utils import pytree as pytree
    from pellucid.utils import tensorboard as tensorboard

__all__ = ["benchmark", "checkpoint", "data", "model_zoo", "pytree", "tensorboard"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, {name: f"pellucid.utils.{name}" for name in __all__})

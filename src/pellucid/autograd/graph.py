"""What the tape is made of, and hooks on what it keeps: ``torch.autograd.graph``.

A tensor's ``grad_fn`` is a :class:`Node`: its ``name()`` is PyTorch's name of the operation, and
``next_functions`` are the nodes that made its inputs.
"""

from pellucid.tensor.core import AccumulateGrad
from pellucid.tensor.core import Record as Node
from pellucid.tensor.saved import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks

__all__ = [
    "AccumulateGrad",
    "Node",
    "disable_saved_tensors_hooks",
    "save_on_cpu",
    "saved_tensors_hooks",
]


def __dir__() -> list[str]:
    return sorted(__all__)

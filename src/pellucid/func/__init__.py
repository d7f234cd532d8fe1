"""Transformations of functions, as in ``torch.func``: derivatives and batches that nest.

>>> import pellucid
>>> from pellucid.func import grad, vmap
>>> loss = lambda w, x: (w * x).sum() ** 2
>>> w, x = pellucid.tensor([1.0, 2.0]), pellucid.tensor([[1.0, 0.0], [0.0, 1.0]])
>>> vmap(grad(loss), in_dims=(None, 0))(w, x)      # the gradient of each example
tensor([[2., 0.],
        [0., 4.]])
"""

from pellucid.func.derivatives import grad, grad_and_value, jvp, linearize, vjp
from pellucid.func.jacobians import hessian, jacfwd, jacrev
from pellucid.func.modules import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from pellucid.func.purity import debug_unwrap, functionalize
from pellucid.func.rearranging import rearrange
from pellucid.tensor.vmap import vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]


def __dir__() -> list[str]:
    return sorted(__all__)

"""Functions on sparse tensors: products, sums, softmax; see :func:`pellucid.sparse_coo_tensor`.

>>> import pellucid
>>> graph = pellucid.sparse_coo_tensor([[0, 1, 1], [1, 0, 1]], [1.0, 2.0, 3.0], (2, 2))
>>> pellucid.sparse.mm(graph, pellucid.ones(2, 1))
tensor([[1.],
        [5.]])
"""

from pellucid.tensor.sparse_functions import *  # noqa: F403
from pellucid.tensor.sparse_functions import __all__ as __all__


def __dir__() -> list[str]:
    return sorted(__all__)

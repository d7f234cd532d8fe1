"""Reductions of the elements that a mask lets through, by the names of ``torch.masked``.

>>> import pellucid
>>> from pellucid import masked
>>> x = pellucid.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
>>> masked.mean(x, 1, mask=x > 2)
tensor([3., 5.])
"""

from pellucid.tensor.masked import (
    amax,
    amin,
    argmax,
    argmin,
    cumprod,
    cumsum,
    log_softmax,
    logaddexp,
    logsumexp,
    mean,
    median,
    norm,
    normalize,
    prod,
    softmax,
    softmin,
    std,
    sum,
    var,
)

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]


def __dir__() -> list[str]:
    return sorted(__all__)

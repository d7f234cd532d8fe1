"""What the programs share: weights and data from NumPy, the same under either engine.

Programs write ``from start import fill, normal``; the test runs this file once for each engine, so
that every run begins with the same numbers.
"""

import math
import os

import numpy as np
import torch

COMPILE = os.environ.get("PROGRAM_COMPILE") == "1"
"""Whether the program shall compile its step; only Pellucid's runs ask for it."""

_generator = np.random.default_rng(0)


def seed(number):
    """Begin the numbers again."""
    global _generator
    _generator = np.random.default_rng(number)


def normal(*shape):
    """Standard normal numbers, float32."""
    return torch.from_numpy(_generator.normal(size=shape).astype(np.float32))


def uniform(*shape):
    """Numbers between 0 and 1, float32."""
    return torch.from_numpy(_generator.random(shape, dtype=np.float32))


def integers(high, *shape):
    """Whole numbers from 0 to high - 1, int64."""
    return torch.from_numpy(_generator.integers(0, high, shape))


def permutation(count):
    """The numbers from 0 to count - 1 in random order."""
    return torch.from_numpy(_generator.permutation(count))


def fill(model):
    """Give all parameters of a model values that depend on their order and shapes alone."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            values = _generator.normal(size=shape)
            if len(shape) > 1:
                values = values / math.sqrt(math.prod(shape[1:]))
            else:
                values = 0.1 * values + (1.0 if name.endswith("weight") else 0.0)
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


def compiled(step):
    """The step, compiled where that is asked for."""
    return torch.compile(step) if COMPILE else step

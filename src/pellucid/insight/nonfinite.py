"""Where NaN or infinity first appeared; see :func:`find_first_nonfinite`.

The search is part of the tensors (:mod:`pellucid.tensor.nonfinite`), so that the Trainer can use
it too; this is its door for people.
"""

from pellucid.tensor.nonfinite import FirstNonFinite, OperandFacts, find_first_nonfinite

__all__ = ["FirstNonFinite", "OperandFacts", "find_first_nonfinite"]

"""The tensor as annotations see it, in the files that the class is put together from.

Methods of tensors return tensors, but the class stands above the files that define them (see
:mod:`pellucid.tensor.tensor`).  Here ``Tensor`` is, while a program runs, the base that all of
them share; to a type checker and to an editor it is the whole class, every method with its
signature: that is ``interface.pyi`` beside this file, which ``tools/write_stubs.py`` writes from
the signatures of the real class.
"""

from __future__ import annotations

from pellucid.tensor.core import TensorCore as Tensor

__all__ = ["Tensor"]

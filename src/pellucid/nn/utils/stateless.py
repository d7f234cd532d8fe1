"""Modules called with other parameters than their own: :func:`pellucid.func.functional_call`."""

from pellucid.base.faces import lazy_face

__all__ = ["functional_call"]  # noqa: F822  (found by __getattr__)

__getattr__, __dir__ = lazy_face(__name__, {"functional_call": "pellucid.func.modules"})

"""Export to ONNX: there is none, and the call says what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from pellucid.base.errors import UnsupportedError


def export(model: Any, args: Any = (), f: Any = None, **kwargs: Any) -> NoReturn:
    """Raises ``UnsupportedError`` (a ``NotImplementedError`` and ``RuntimeError``)."""
    raise UnsupportedError(
        "onnx.export was called, and no files of ONNX are written here",
        "write the weights with interop.save_file (safetensors) or pellucid.save, load them into "
        "the same model in PyTorch, and export there",
    )


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: no."""
    return False


__all__ = ["export", "is_in_onnx_export"]


def __dir__() -> list[str]:
    return sorted(__all__)

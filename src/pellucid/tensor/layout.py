"""How elements lie in memory, by PyTorch's names: here always dense, in C order or as a view."""

from __future__ import annotations

from pellucid.base.errors import ArgumentTypeError, UnsupportedError


class Layout:
    """The name of a layout; tensors have :data:`strided`, the others can be named."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"pellucid.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class MemoryFormat(Layout):
    """The name of an order of axes in memory; it is accepted, for orders are the compiler's."""


strided = Layout("strided")
sparse_coo = Layout("sparse_coo")
sparse_csr = Layout("sparse_csr")
sparse_csc = Layout("sparse_csc")
sparse_bsr = Layout("sparse_bsr")
sparse_bsc = Layout("sparse_bsc")
contiguous_format = MemoryFormat("contiguous_format")
preserve_format = MemoryFormat("preserve_format")
channels_last = MemoryFormat("channels_last")
channels_last_3d = MemoryFormat("channels_last_3d")


def check_layout(layout: Layout | None) -> None:
    """Raise ``UnsupportedError`` for any layout but :data:`strided`."""
    if layout is None or layout is strided:
        return
    if not isinstance(layout, Layout):
        raise ArgumentTypeError(f"layout={layout!r} is no layout", "leave it out")
    raise UnsupportedError(
        f"there are no tensors of layout {layout!r}", "tensors are dense: leave layout= out"
    )

"""Memory formats of weights, which are the compiler's business here."""

from __future__ import annotations

from typing import TypeVar

from pellucid.nn.module import Module

Given = TypeVar("Given", bound=Module)


def convert_conv2d_weight_memory_format(module: Given, memory_format: object) -> Given:
    """The module itself: the compiler lays weights out as its kernels need them."""
    return module


def convert_conv3d_weight_memory_format(module: Given, memory_format: object) -> Given:
    """The module itself; see :func:`convert_conv2d_weight_memory_format`."""
    return module


__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

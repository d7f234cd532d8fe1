"""Axes in another order and grouping, by a pattern: ``rearrange`` (Rogozhnikov, "Einops", 2022)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.ops import structure
from pellucid.tensor.interface import Tensor
from pellucid.tensor.shaping import stack

Groups = list[list[str]]
"""The axes of each axis of one side: one name, several in parentheses, or none for 1."""

ELLIPSIS = "..."


def rearrange(tensor: Tensor | Sequence[Tensor], pattern: str, **axes_lengths: int) -> Tensor:
    """The elements of a tensor with axes permuted, split and joined as ``pattern`` says.

    ``"b c (h p) w -> b (c p) h w"``: names of the axes on the left, where they go on the right;
    names in parentheses are one axis, of the product of their extents, ``1`` (or ``()``) is an
    axis of extent 1, and ``...`` any number of axes.  Where the extents within parentheses do not
    follow, they are given by name.  Of a list of tensors, the list is the first axis.

    >>> import pellucid
    >>> from pellucid.func import rearrange
    >>> tuple(rearrange(pellucid.zeros(2, 6, 5), "b (h w) c -> b c h w", h=2).shape)
    (2, 5, 2, 3)

    Raises :class:`~pellucid.base.errors.ArgumentError` for a pattern that makes no sense and
    ``ShapeError`` for a tensor that does not fit it.
    """
    x = tensor if isinstance(tensor, Tensor) else stack(list(tensor))
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ArgumentError(
            f"rearrange got the pattern {pattern!r}", "write two sides: 'h w c -> c h w'"
        )
    left, right = _parsed(sides[0], pattern), _parsed(sides[1], pattern)
    left, right = _expanded(left, right, len(x.shape), pattern)
    names = [name for group in left for name in group]
    _check_names(names, [n for group in right for n in group], axes_lengths, pattern)
    extents = _extents(left, tuple(x.shape), axes_lengths, pattern)
    split = structure.reshape(x, [extents[name] for name in names])
    moved = structure.transpose(split, [names.index(n) for group in right for n in group])
    result: Tensor = structure.reshape(
        moved, [math.prod(extents[name] for name in group) for group in right]
    )
    return result


def _parsed(side: str, pattern: str) -> Groups:
    """The groups of one side."""
    groups: Groups = []
    inside = False
    for token in re.findall(r"\.\.\.|[A-Za-z_]\w*|\d+|\S", side):
        if token in "()":
            if inside == (token == "("):
                raise ArgumentError(
                    f"the parentheses of {pattern!r} do not match", "close each, without nesting"
                )
            inside = token == "("
            if inside:
                groups.append([])
        elif token == "1":
            groups.extend([] if inside else [[]])
        elif token != ELLIPSIS and not token.isidentifier():
            raise ArgumentError(
                f"rearrange got {token!r} in {pattern!r}", "use names, 1, parentheses and ..."
            )
        elif inside:
            groups[-1].append(token)
        else:
            groups.append([token])
    if inside:
        raise ArgumentError(f"the parentheses of {pattern!r} do not match", "close each")
    return groups


def _expanded(left: Groups, right: Groups, rank: int, pattern: str) -> tuple[Groups, Groups]:
    """Both sides with a name for each axis that ``...`` stands for."""
    count = sum(group == [ELLIPSIS] for group in left)
    if count > 1 or any(ELLIPSIS in group and len(group) > 1 for group in left):
        raise ArgumentError(
            f"rearrange got {pattern!r}", "use ... once on the left, outside of parentheses"
        )
    hidden = rank - len(left) + count if count else 0
    if hidden < 0 or (not count and len(left) != rank):
        raise ShapeError(f"rearrange got {rank} axes for {pattern!r}", "name each axis on the left")
    names = [f"...{i}" for i in range(hidden)]
    first = [
        g for group in left for g in ([[n] for n in names] if group == [ELLIPSIS] else [group])
    ]
    second: Groups = []
    for group in right:
        if group == [ELLIPSIS]:
            second += [[n] for n in names]
        else:
            second.append([n for part in group for n in (names if part == ELLIPSIS else [part])])
    return first, second


def _check_names(
    names: Sequence[str], wanted: Sequence[str], lengths: dict[str, int], pattern: str
) -> None:
    unknown = [name for name in lengths if name not in names]
    if len(set(names)) < len(names) or sorted(names) != sorted(wanted) or unknown:
        raise ArgumentError(
            f"the sides of {pattern!r} do not name the same axes once each"
            + (f"; it has no axis {unknown}" if unknown else ""),
            "each name stands once on the left and once on the right",
        )


def _extents(
    groups: Groups, shape: Sequence[int], lengths: dict[str, int], pattern: str
) -> dict[str, int]:
    """The extent of each named axis."""
    found = dict(lengths)
    for group, extent in zip(groups, shape, strict=True):
        open_names = [name for name in group if name not in found]
        known = math.prod(found[name] for name in group if name in found)
        if len(open_names) > 1:
            raise ArgumentError(
                f"the extents of {open_names} in {pattern!r} do not follow from {extent}",
                "give all but one of them by name",
            )
        if open_names:
            found[open_names[0]] = extent // known if known else 0
        if math.prod(found[name] for name in group) != extent:
            raise ShapeError(
                f"an axis of extent {extent} is no {group} of {pattern!r} with {lengths}",
                "the extents in parentheses multiply to that of the axis",
            )
    return found

"""Random programs of views and changes in place, to be run by any library with PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _view(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[str, Callable[[Any], Any]]:
    """A way to make a view of a tensor of this shape."""
    rank = len(shape)
    axis = int(rng.integers(rank)) if rank else 0
    ways: list[tuple[str, Callable[[Any], Any]]] = [
        ("view_as", lambda x: x.view_as(x)),
        ("reshape(-1)", lambda x: x.reshape(-1)),
        ("unsqueeze", lambda x: x.unsqueeze(0)),
        ("squeeze", lambda x: x.squeeze()),
        ("...", lambda x: x[...]),
        ("detach", lambda x: x.detach()),
        ("expand_as", lambda x: x.expand_as(x)),
        ("flatten", lambda x: x.flatten()),
    ]
    if rank:
        extent = shape[axis]
        low = int(rng.integers(extent))
        count = int(rng.integers(1, extent - low + 1))
        lead = (slice(None),) * axis
        ways += [
            (f"narrow({axis},{low},{count})", lambda x: x.narrow(axis, low, count)),
            (f"select({axis},{low})", lambda x: x.select(axis, low)),
            (f"[{axis}: ::2]", lambda x: x[(*lead, slice(None, None, 2))]),
            (f"[{low}]", lambda x: x[(*lead, low)]),
            (f"swap({axis})", lambda x: x.transpose(axis, -1)),
            ("movedim", lambda x: x.movedim(axis, 0)),
            ("permute", lambda x: x.permute(*reversed(range(rank)))),
            (f"select({axis},-1)", lambda x: x.select(axis, -1)),
            (f"tensor_split({axis})", lambda x: x.tensor_split(2, axis)[0]),
            (f"unfold({axis})", lambda x: x.unfold(axis, count, count)),
        ]
        if rng.random() < 0.1:  # PyTorch forbids to change these while it records
            ways = [
                (f"split[{low}]", lambda x: x.split(1, axis)[low]),
                (f"unbind[{low}]", lambda x: x.unbind(axis)[low]),
                (f"chunk[0]({axis})", lambda x: x.chunk(2, axis)[0]),
                ("split([...])", lambda x: x.split([low, extent - low], axis)[1]),
            ]
    if rank == 2:
        ways += [
            ("t", lambda x: x.t()),
            ("mT", lambda x: x.mT),
            ("diagonal", lambda x: x.diagonal()),
            ("t.reshape", lambda x: x.t().reshape(-1)),
            ("contiguous", lambda x: x.t().contiguous()),
        ]
    return ways[int(rng.integers(len(ways)))]


def _change(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[str, Callable[..., Any]]:
    """A change in place of a tensor of this shape; ``other`` is a tensor of one element."""
    mask = rng.random(shape) < 0.5
    values = rng.uniform(0.5, 1.5, shape)
    ways: list[tuple[str, Callable[..., Any]]] = [
        ("mul_(2)", lambda lib, x, other: x.mul_(2)),
        ("mul_(other)", lambda lib, x, other: x.mul_(other)),
        ("add_(other)", lambda lib, x, other: x.add_(other)),
        ("add_(values)", lambda lib, x, other: x.add_(lib.tensor(values))),
        ("sin_", lambda lib, x, other: x.sin_()),
        ("exp_", lambda lib, x, other: x.mul_(0.1).exp_()),
        ("clamp_", lambda lib, x, other: x.clamp_(-1.0, 1.0)),
        ("relu_", lambda lib, x, other: x.relu_()),
        ("zero_", lambda lib, x, other: x.zero_()),
        ("fill_", lambda lib, x, other: x.fill_(0.5)),
        ("copy_(values)", lambda lib, x, other: x.copy_(lib.tensor(values))),
        ("copy_(other)", lambda lib, x, other: x.copy_(other)),
        ("masked_fill_", lambda lib, x, other: x.masked_fill_(lib.tensor(mask), 0.25)),
        ("[...] =", lambda lib, x, other: x.__setitem__(Ellipsis, other * 3)),
        ("+= under no_grad", _add_unrecorded),
    ]
    if shape:
        place = int(rng.integers(shape[0]))
        ways += [
            (f"[{place}] = other", lambda lib, x, other: x.__setitem__(place, other)),
            (f"[{place}] = 2", lambda lib, x, other: x.__setitem__(place, 2.0)),
            ("[mask] =", lambda lib, x, other: x.__setitem__(lib.tensor(mask), 1.5)),
            (f"[{place}] +=", lambda lib, x, other: x[place].add_(other)),
            ("index_fill_", lambda lib, x, other: x.index_fill_(0, lib.tensor([place]), 0.75)),
            ("index_add_", lambda lib, x, other: _index_add(lib, x, place, other)),
        ]
    return ways[int(rng.integers(len(ways)))]


def _index_add(lib: Any, x: Any, place: int, other: Any) -> Any:
    return x.index_add_(0, lib.tensor([place]), (other * 2).expand(1, *x.shape[1:]))


def _add_unrecorded(lib: Any, x: Any, other: Any) -> None:
    with lib.no_grad():
        x += 0.5


def random_program(seed: int, length: int = 7) -> tuple[list[int], np.ndarray]:
    """The draws that a random program's steps are made of, and the value of its leaf."""
    rng = np.random.default_rng(seed)
    shape = [(4,), (2, 3), (3, 3), (2, 2, 3)][int(rng.integers(4))]
    draws = [int(d) for d in rng.integers(2**31, size=length)]
    return draws, rng.uniform(0.5, 1.5, shape)


def run_program(lib: Any, draws: list[int], w: Any, lines: list[str] | None = None) -> list[Any]:
    """Run the steps that ``draws`` stand for, and list them in ``lines``.

    A step changes a tensor in place, makes a view of one, or reads one for the loss.  Results: all
    tensors at the end, the loss (which reads all of them), and its gradient to ``w``.
    """
    tensors = [w * 1.0]
    read: list[Any] = []
    for number, draw in enumerate(draws):
        rng = np.random.default_rng(draw)
        k = int(rng.integers(len(tensors)))
        chosen = tensors[k]
        shape = tuple(chosen.shape)
        kind = rng.random()
        if kind < 0.45:
            name, view = _view(rng, shape)
            if rng.random() < 0.03:
                name += " (no_grad)"
                with lib.no_grad():
                    tensors.append(view(chosen))
            else:
                tensors.append(view(chosen))
            text = f"x{len(tensors) - 1} = x{k}.{name}"
        elif kind < 0.9:
            name, change = _change(rng, shape)
            other = w.reshape(-1)[number % math.prod(w.shape)]
            change(lib, chosen, other)
            text = f"x{k}.{name}"
        else:
            read.append((chosen * chosen).sum())
            text = f"read x{k}"
        if lines is not None:
            lines.append(text)
    parts = [(t * t * (i + 1.0)).sum() for i, t in enumerate(tensors)]
    loss = sum(parts[1:], parts[0])
    for part in read:
        loss = loss + part
    (gradient,) = lib.autograd.grad(loss, [w], allow_unused=True)
    return [*(t.detach().clone() for t in tensors), loss.detach(), gradient]

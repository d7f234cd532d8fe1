"""What programs tell and ask the compiler, by the names of ``torch.compiler``."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from pellucid.base.caches import clear_caches
from pellucid.base.errors import ArgumentError
from pellucid.tensor.compile import compile
from pellucid.tensor.state import ThreadState, is_tracing

Function = TypeVar("Function", bound=Callable[..., Any])


def is_compiling() -> bool:
    """Whether a program is being made from the function that runs now."""
    return is_tracing()


is_dynamo_compiling = is_compiling


def is_exporting() -> bool:
    """Whether a program is being written for elsewhere: no."""
    return False


def reset() -> None:
    """Forget all compiled programs; see :func:`pellucid.clear_caches`."""
    clear_caches()


def disable(
    fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None
) -> Callable[..., Any]:
    """Mark a function as one that needs no compiling; it is returned as it is.

    A compiled function that calls it is one program all the same: whatever it does with tensors
    becomes part of that, with the same results.
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    return fn


def allow_in_graph(fn: Function) -> Function:
    """The function as it is: every function of tensors may be part of a program."""
    return fn


def assume_constant_result(fn: Function) -> Function:
    """The function as it is: what it reads from Python is remembered as a guard."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Say that a step begins, which matters on graphics processors alone."""


def list_backends(exclude_tags: object = ("debug", "experimental")) -> list[str]:
    """What can run a program: ``compile(backend=...)`` takes these names."""
    return ["cpu", "reference"]


STANCES = (
    "default",
    "force_eager",
    "eager_on_recompile",
    "fail_on_recompile",
    "eager_then_compile",
    "aot_eager_then_compile",
)
"""What :class:`set_stance` takes."""


class set_stance:  # noqa: N801  (PyTorch's name)
    """How compiled functions run from now on, in a ``with`` block, or in a decorated function.

    "force_eager" runs their Python, uncompiled; "default" their programs.  The others, about when
    to compile, are accepted and count as "default": results are the same.  Raises
    :class:`~pellucid.base.errors.ArgumentError` for any other stance.
    """

    def __init__(
        self,
        stance: str = "default",
        *,
        skip_guard_eval_unsafe: bool = False,
        force_backend: object = None,
    ) -> None:
        if stance not in STANCES:
            raise ArgumentError(
                f"there is no stance {stance!r}", f"use one of {', '.join(STANCES)}"
            )
        self.stance = stance
        self._before = ThreadState.uncompiled
        ThreadState.uncompiled = stance == "force_eager"

    def __enter__(self) -> None:
        """The stance began when the object was made."""

    def __exit__(self, *raised: object) -> None:
        ThreadState.uncompiled = self._before

    def __call__(self, function: Function) -> Function:
        """``function`` with this stance during its calls; outside of them as before."""
        ThreadState.uncompiled = self._before

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with set_stance(self.stance):
                return function(*args, **kwargs)

        return cast(Function, run)


class Settings(types.ModuleType):
    """Settings of another compiler that programs make: kept, readable, without effect.

    What was never set is a group of settings of its own, and false.

    >>> config = Settings("config")
    >>> config.triton.cudagraphs = True
    >>> config.triton.cudagraphs, bool(config.debug)
    (True, False)
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        group = Settings(name)
        setattr(self, name, group)
        return group

    def __bool__(self) -> bool:
        return False

    @contextmanager
    def patch(self, *names: Any, **values: Any) -> Iterator[None]:
        """Inside the block (or the decorated function) these settings have these values:
        ``patch("name", value)``, ``patch(name=value)`` or ``patch({"name": value})``."""
        if names:
            values = {**values, **(names[0] if len(names) == 1 else {names[0]: names[1]})}
        before = dict(vars(self))
        vars(self).update(values)
        try:
            yield
        finally:
            vars(self).clear()
            vars(self).update(before)


config = Settings("config")
"""What a program sets under ``torch._dynamo.config``, ``torch._inductor.config`` and the like."""


__all__ = [
    "Settings",
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "config",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
    "set_stance",
]

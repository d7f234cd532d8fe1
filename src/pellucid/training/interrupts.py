"""Ctrl-C and SIGTERM as requests: the step that runs is finished, what was learned is kept."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, ClassVar


class Interrupted(KeyboardInterrupt):
    """Ctrl-C (SIGINT) or SIGTERM; ``number`` is the signal's."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(f"signal {int(number)}")
        self.number = int(number)


class Interrupts:
    """Inside, Ctrl-C (SIGINT) and SIGTERM only set ``requested``.

    In a :meth:`second_raises` block a second signal, in a :meth:`raising` block every signal
    raises :class:`Interrupted`.

    Blocks can be nested: what was requested in an outer one is seen in the inner one, and the
    other way round.  Outside of the main thread, and for signals that are ignored, nothing is
    changed.
    """

    _innermost: ClassVar[Interrupts | None] = None

    def __init__(self) -> None:
        self.count = 0
        """Signals so far."""
        self.number = 0
        """Number of the first signal (as ``signal.SIGINT``), 0 before."""
        self._raises_from = 0
        """A signal raises when at least so many have come, itself included; 0: none does."""
        self._outer: Interrupts | None = None
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether there has been a signal."""
        return self.count > 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._outer, Interrupts._innermost = Interrupts._innermost, self
        if self._outer is not None:
            self.count, self.number = self._outer.count, self._outer.number
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if Interrupts._innermost is self:
            Interrupts._innermost = self._outer

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Inside, every signal raises at once: for work that can be left at any point."""
        with self._from(1):
            yield

    @contextlib.contextmanager
    def second_raises(self) -> Iterator[None]:
        """Inside, a signal after the first one raises: for people who cannot wait."""
        with self._from(2):
            yield

    @contextlib.contextmanager
    def _from(self, number: int) -> Iterator[None]:
        before, self._raises_from = self._raises_from, number
        try:
            yield
        finally:
            self._raises_from = before

    def _handle(self, number: int, frame: FrameType | None) -> None:
        part: Interrupts | None = self
        while part is not None:
            part.count += 1
            part.number = part.number or number
            part = part._outer
        if self._raises_from and self.count >= self._raises_from:
            raise Interrupted(number)

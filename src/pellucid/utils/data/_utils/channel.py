"""From a worker to the process that asked: objects, their arrays in shared memory.

An object is pickled with its arrays left out (pickle's protocol 5).  Where these are large, the
worker writes them into one block of shared memory and sends its descriptor: the receiver's arrays
show that memory, nothing is copied again.  Small ones, and all of them where there is no shared
memory, travel in the pipe.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from pellucid.base import shared_memory

SHARED_FROM = 1 << 15
"""Bytes in the arrays of one object from which they are put into shared memory."""


class Message:
    """What was received: a number and a kind at once, the object when it is asked for."""

    def __init__(self, number: int, kind: str, data: bytes, parts: Sequence[memoryview]) -> None:
        self.number = number
        self.kind = kind
        self._data = data
        self._parts = parts

    def open(self) -> Any:
        """The object; its arrays may be written."""
        return pickle.loads(self._data, buffers=self._parts)


class Channel:
    """One end of a connection (a pipe in both directions, hence a socket where there are any)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, number: int, kind: str, content: Any) -> None:
        """Send an object; what cannot be pickled raises before anything was sent."""
        parts: list[pickle.PickleBuffer] = []
        text = io.BytesIO()
        # The pickler of multiprocessing also knows sockets, connections and shared tensors.
        reduction.ForkingPickler(text, 5, True, parts.append).dump(content)
        views = [part.raw() for part in parts]
        sizes = [view.nbytes for view in views]
        shared = shared_memory.AVAILABLE and sum(sizes) >= SHARED_FROM
        descriptor = _filled_block(views, sizes) if shared else -1
        try:
            head = (number, kind, sizes, shared, text.getvalue())
            self.connection.send_bytes(pickle.dumps(head))
            if shared:
                reduction.send_handle(self.connection, descriptor, None)
            elif sizes:
                self.connection.send_bytes(b"".join(views))
        finally:
            if shared:
                os.close(descriptor)

    def receive(self) -> Message:
        """Wait for the next message; raises ``EOFError`` or ``OSError`` when nobody sends."""
        number, kind, sizes, shared, data = pickle.loads(self.connection.recv_bytes())
        if not sizes:
            return Message(number, kind, data, ())
        if not shared:
            memory = memoryview(bytearray(self.connection.recv_bytes()))
            starts = [sum(sizes[:i]) for i in range(len(sizes))]
        else:
            starts, end = shared_memory.places_in_block(sizes)
            descriptor = reduction.recv_handle(self.connection)
            try:
                memory = shared_memory.map_block(descriptor, end)
            finally:
                os.close(descriptor)
        parts = [memory[s : s + size] for s, size in zip(starts, sizes, strict=True)]
        return Message(number, kind, data, parts)


def _filled_block(views: Sequence[memoryview], sizes: Sequence[int]) -> int:
    starts, end = shared_memory.places_in_block(sizes)
    descriptor = shared_memory.new_block(end)
    try:
        for start, view in zip(starts, views, strict=True):
            shared_memory.write_at(descriptor, start, view)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor

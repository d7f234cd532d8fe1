"""Floor 5: what runs a graph.  A backend is one folder, found by name.

Each folder has a module ``load`` with ``load(graph) -> Executable``.  The files beside them,
``cudnn`` and the like, hold the settings that PyTorch's programs make under these names.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any, Protocol

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.base.faces import lazy_face
from pellucid.base.shapes import size_of
from pellucid.graph.node import Graph


class Executable(Protocol):
    """A graph ready to run on arrays that stay where they are.

    Arrays are bound by address: the caller keeps them alive, C-contiguous and of the declared
    shape and dtype.  An output that aliases an input (:attr:`Graph.aliases`) needs no binding.
    """

    @property
    def pointers(self) -> MutableSequence[int]:
        """Addresses of the inputs, then of the outputs, for callers that set them often."""

    def bind_input(self, position: int, address: int, stride: int = 0) -> None:
        """Address of an input; ``stride`` bytes are added after each step of :meth:`run`."""

    def bind_output(self, position: int, address: int, stride: int = 0) -> None:
        """Address that an output is written to; ``stride`` as for inputs."""

    def run(self, steps: int = 1) -> None:
        """Run the program ``steps`` times, one after the other."""


def array_at(address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array at an address (no copy)."""
    size = size_of(shape) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_char * size).from_address(address)
    return np.ndarray(shape, dtype, memory)


class Sharing(Protocol):
    """What runs with memory that others use as well."""

    memory_bytes: int
    """How much it needs."""
    placed: int
    """Address that it uses now."""

    def place(self, address: int) -> None:
        """Use the memory at this address, a multiple of 64."""

    def run(self, steps: int = 1) -> None:
        """Run ``steps`` times, one after the other."""


class SharingExecutable(Sharing, Executable, Protocol):
    """An executable whose intermediate values live in memory that others use as well."""


def load_sharing(graph: Graph) -> SharingExecutable:
    """The graph as a native program that has to be given memory before it runs."""
    module = importlib.import_module("pellucid.backends.cpu.load")
    found: SharingExecutable = module.CpuExecutable(graph, own_memory=False)
    return found


def prepared(graph: Graph) -> Graph:
    """The graph after the passes that rewrite it for the processor, before it is a program."""
    module = importlib.import_module("pellucid.backends.cpu.load")
    found: Graph = module.prepared(graph)
    return found


class GeneralExecutable(Sharing, Protocol):
    """A kernel that serves every extent, for given numbers (:mod:`.cpu.general`)."""

    pointers: memoryview
    """Addresses of the arrays that it works on."""


def load_general(
    kind: str,
    dtype: str,
    words: Mapping[str, int],
    chunks: int,
    cost: float,
    offsets: Sequence[int] = (),
) -> GeneralExecutable:
    """The kernel of this name for these numbers; see :class:`.cpu.general.GeneralProgram`."""
    module = importlib.import_module("pellucid.backends.cpu.general")
    found: GeneralExecutable = module.GeneralProgram(kind, dtype, words, chunks, cost, offsets)
    return found


class CrowdExecutable(Protocol):
    """Programs for many members at once (:class:`.cpu.crowd.CrowdProgram`)."""

    def move(self, part: int, position: int, address: int) -> None:
        """From now on an input, or an output behind the inputs, starts at another address."""

    def set_steps(self, part: int, steps: int) -> None:
        """From now on a part makes so many steps for each member."""

    def set_rounds(self, rounds: int) -> None:
        """From now on all parts of a member run in so many rounds."""

    def run(self) -> None:
        """All parts of all members."""


CrowdPlaces = Sequence[tuple[int, int, int, int]]
"""Of each input, then each output: address, bytes to the next member, round and step."""


def can_be_crowd(executable: Executable) -> bool:
    """Whether many of a program can run as a crowd."""
    module = importlib.import_module("pellucid.backends.cpu.crowd")
    return bool(module.can_be_crowd(executable))


def load_crowd(
    parts: Sequence[tuple[Executable, int, CrowdPlaces]], members: int, rounds: int = 1
) -> CrowdExecutable:
    """Programs, each with its steps and places, that run one after the other for each member, and
    this in rounds."""
    module = importlib.import_module("pellucid.backends.cpu.crowd")
    made: CrowdExecutable = module.CrowdProgram(
        [module.CrowdPart(*p) for p in parts], members, rounds
    )
    return made


def general_columns(dtype: str) -> tuple[int, int]:
    """Elements of a vector, and how many vectors of columns a product computes side by side."""
    module = importlib.import_module("pellucid.backends.cpu.general")
    return int(module.lanes_of(dtype)), int(module.ACROSS)


def load(graph: Graph, backend: str = "cpu") -> Executable:
    """The graph made runnable by the backend called ``backend``."""
    try:
        module = importlib.import_module(f"pellucid.backends.{backend}.load")
    except ModuleNotFoundError as error:
        if backend in str(error):
            raise ArgumentError(
                f"there is no backend {backend!r}", 'use "cpu" or "reference"'
            ) from error
        raise
    found: Executable = module.load(graph)
    return found


SETTINGS = "cuda cudnn mkl mkldnn mps nnpack openmp opt_einsum".split()
"""The modules that programs find here."""
__getattr__, __dir__ = lazy_face(__name__, {name: f"{__name__}.{name}" for name in SETTINGS})

"""The Python values that a traced function reads, and whether they are still the same.

A traced function runs once; whatever Python decided then is built into the program.  So before it
runs, everything that it can read is looked up: globals, closures, default arguments, attributes
of plain objects and classes, contents of lists, dictionaries, sets and NumPy arrays, and the same
of the user's functions and methods that it reaches through these.  Code of Pellucid, of Python's
library and of installed packages is not followed.

Looking is by name: a variable that the code of a reached function loads, and of an object those
attributes whose names occur in any reached code.  That may watch too much, which costs a trace; it
does not watch too little as long as code reads what it names.

Before each call :meth:`PythonState.holds` compares identities in a few C loops.  Only where one
differs are values compared, so that an equal number is still the same and ``1`` is not ``True``.
"""

from __future__ import annotations

import argparse
import dis
import functools
import itertools
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Mapping
from operator import attrgetter, contains, getitem, is_
from typing import Any, NamedTuple

import numpy as np

from pellucid.base.errors import TraceError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.trace import is_user_file

MOST_VALUES = 100_000
"""So many values are watched for one program; a function that reads more is refused."""


class Scanned(NamedTuple):
    """What a piece of code loads, with the functions defined in it."""

    globals: frozenset[str]
    variables: frozenset[str]
    """Variables of functions around it."""
    attributes: frozenset[str]
    extended: frozenset[str]
    """Names of all three kinds that are loaded to call ``append`` or the like on them."""


@functools.lru_cache(maxsize=4096)
def scanned(code: types.CodeType) -> Scanned:
    """The global names and the attribute names that ``code`` loads."""
    names: set[str] = set()
    variables: set[str] = set()
    attributes: set[str] = set()
    extended: set[str] = set()
    loads = dict.fromkeys(("LOAD_GLOBAL", "LOAD_NAME"), names)
    loads |= dict.fromkeys(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"), variables)
    loads |= dict.fromkeys(_LOADS_ATTRIBUTE, attributes)
    instructions = list(dis.get_instructions(code))
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        kind = loads.get(instruction.opname)
        if kind is not None:
            (extended if _only_writes(following) else kind).add(instruction.argval)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            inner = scanned(part)
            names |= inner.globals
            variables |= inner.variables
            attributes |= inner.attributes
            extended |= inner.extended
        elif isinstance(part, str) and part.isidentifier():
            attributes.add(part)  # getattr(config, "scale")
    found = map(frozenset, (names, variables, attributes, extended))
    return Scanned(*found)


def _only_writes(following: dis.Instruction | None) -> bool:
    """Whether what was just loaded may only be added to: ``seen.append(…)`` reads no list."""
    methods = ("LOAD_METHOD", "LOAD_ATTR")
    return following is not None and following.opname in methods and following.argval in _ADDING


_ADDING = frozenset("append appendleft extend extendleft insert add".split())


_LOADS_ATTRIBUTE = frozenset("LOAD_ATTR LOAD_METHOD LOAD_SUPER_ATTR IMPORT_FROM".split())


def _is_user_module(name: str | None, namespace: Mapping[str, Any]) -> bool:
    """Whether a module with this name and namespace is the user's."""
    if name is None or name.split(".")[0] in ("pellucid", "builtins", "numpy"):
        return False
    file = namespace.get("__file__")
    spec = namespace.get("__spec__")
    if file is None:
        return spec is None or spec.origin not in ("built-in", "frozen")
    return is_user_file(str(file))


def is_user_class(cls: type) -> bool:
    """Whether a class is the user's."""
    module = sys.modules.get(cls.__module__)
    return module is None or _is_user_module(cls.__module__, vars(module))


# ---- what "the same" means -----------------------------------------------------------------------


def exact(value: object) -> object:
    """Equal for two values just when Python code cannot tell them apart: 1, 1.0 and True differ,
    as 0.0 and -0.0 do, and NaN equals NaN.  What is no plain value stands for itself alone."""
    kind = type(value)
    if kind in (int, str, bytes, bool, type(None)):
        return kind, value
    if kind is float:
        return kind, value.hex()  # type: ignore[attr-defined]
    if kind is complex:
        return kind, value.real.hex(), value.imag.hex()  # type: ignore[attr-defined]
    if isinstance(value, np.generic):
        return kind, value.dtype, value.tobytes()
    if isinstance(value, (tuple, frozenset)):
        return kind, tuple(map(exact, value)) if isinstance(value, tuple) else value
    if isinstance(value, types.MethodType):
        return kind, exact(value.__self__), exact(value.__func__)
    if isinstance(value, (slice, range)):
        return kind, exact((value.start, value.stop, value.step))
    return Identity(value)


class Identity:
    """Equal only to itself; keeps the object alive, so that no later one can be taken for it."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.value is other.value


def shown(value: object) -> str:
    """A value for a message, in a few characters."""
    if isinstance(value, TensorCore):
        return f"a tensor of shape {tuple(value.shape)}"
    text = repr(value) if isinstance(value, _PLAIN) else f"a {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "..."


_PLAIN = (int, float, complex, str, bytes, bool, type(None), tuple, list, dict, set)


# ---- the guards of one program -------------------------------------------------------------------


class Entry(NamedTuple):
    """A place that was read, by its name for people, and how to read it again."""

    name: str
    holder: Any
    key: Any


class PythonState:
    """The Python values that one program was traced with."""

    def __init__(self) -> None:
        self._maps: list[Entry] = []
        self._cells: list[Entry] = []
        self._fields: list[Entry] = []
        self._absent: list[Entry] = []
        self._contents: list[tuple[str, Any, list[Any]]] = []
        self._arrays: list[tuple[str, np.ndarray, tuple[Any, ...], np.ndarray]] = []
        self._others: list[tuple[str, Callable[[], object], object]] = []
        self._expected: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        """Values of maps, cells and fields."""
        self._seal()

    def _seal(self) -> None:
        self.holders = [e.holder for e in self._maps]
        self.keys = [e.key for e in self._maps]
        self.cells = [e.holder for e in self._cells]
        self.owners = [e.holder for e in self._fields]
        self.fields = [e.key for e in self._fields]
        self.without = [e.holder for e in self._absent]
        self.names = [e.key for e in self._absent]

    def __len__(self) -> int:
        return (
            len(self._maps)
            + len(self._cells)
            + len(self._fields)
            + len(self._absent)
            + sum(len(items) for _, _, items in self._contents)
            + len(self._arrays)
            + len(self._others)
        )

    # ---- checking ----------------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether all of them are identical, fast; False also where one is only equal."""
        maps, cells, fields = self._expected
        try:
            if not all(map(is_, map(getitem, self.holders, self.keys), maps)):
                return False
            if cells and not all(map(is_, map(_contents_of, self.cells), cells)):
                return False
            if fields and not all(map(is_, map(getattr, self.owners, self.fields), fields)):
                return False
        except (KeyError, ValueError, AttributeError):  # deleted
            return False
        if self.without and any(map(contains, self.without, self.names)):
            return False
        for _, container, items in self._contents:
            if len(container) != len(items) or not all(map(is_, _items(container), items)):
                return False
        for _, array, form, known in self._arrays:
            if (array.shape, array.dtype) != form or not _equal_bytes(array, known):
                return False
        for _, read, value in self._others:
            if read() != value:
                return False
        return True

    def changed(self) -> str | None:
        """The first value that is another one now, in words; None if all are the same.

        Equal values take the place of those that were compared by identity so far.
        """
        maps, cells, fields = [list(values) for values in self._expected]
        for entries, expected, read in (
            (self._maps, maps, _read_item),
            (self._cells, cells, _read_cell),
            (self._fields, fields, _read_field),
        ):
            for i, entry in enumerate(entries):
                now = read(entry)
                if now is not expected[i]:
                    if exact(now) != exact(expected[i]):
                        return f"{entry.name} ({shown(expected[i])}, then {shown(now)})"
                    expected[i] = now
        for entry in self._absent:
            if entry.key in entry.holder:
                return f"{entry.name} (then {shown(entry.holder[entry.key])})"
        contents = []
        for name, container, items in self._contents:
            parts = list(_items(container))
            if len(parts) != len(items) or any(map(_differs, parts, items)):
                return f"the contents of {name} ({shown(container)} now)"
            contents.append((name, container, parts))
        for name, array, form, known in self._arrays:
            if (array.shape, array.dtype) != form or not _equal_bytes(array, known):
                return f"the values of {name}"
        for name, other, value in self._others:
            if other() != value:
                return name
        self._contents, self._expected = contents, (maps, cells, fields)
        return None

    # ---- collecting --------------------------------------------------------------------------

    def add_map(self, name: str, holder: Any, key: Any) -> None:
        """The value of ``holder[key]``."""
        self._maps.append(Entry(name, holder, key))
        self._expected[0].append(holder[key])

    def add_cell(self, name: str, cell: Any) -> None:
        """The content of a closure's cell."""
        self._cells.append(Entry(name, cell, None))
        self._expected[1].append(cell.cell_contents)

    def add_field(self, name: str, owner: Any, field: str) -> None:
        """The value of ``owner.field``, for what is in no dictionary."""
        self._fields.append(Entry(name, owner, field))
        self._expected[2].append(getattr(owner, field))

    def add_absent(self, name: str, holder: Any, key: str) -> None:
        """That ``holder`` has no ``key``: an attribute of an object hides one of its class."""
        self._absent.append(Entry(name, holder, key))

    def add_contents(self, name: str, container: Any) -> None:
        """The items of a list, dictionary, set or deque."""
        self._contents.append((name, container, list(_items(container))))

    def add_array(self, name: str, array: np.ndarray) -> None:
        """The values of a NumPy array."""
        self._arrays.append((name, array, (array.shape, array.dtype), array))

    def add_other(self, name: str, read: Callable[[], object]) -> None:
        """Whatever ``read()`` gives, compared by ``==``."""
        self._others.append((name, read, read()))

    def sealed(self) -> PythonState | None:
        """Itself, ready to check; None if there is nothing to check."""
        if len(self) > MOST_VALUES:
            raise TraceError(
                f"a compiled function reads more than {MOST_VALUES} Python values, the first of "
                f"them {self._first_large()}",
                "pass large collections as tensors or NumPy arguments, or keep them in tuples",
            )
        self._seal()
        self._arrays = [(n, a, form, a.copy()) for n, a, form, _ in self._arrays]
        return self if len(self) else None

    def _first_large(self) -> str:
        return max(self._contents, key=lambda c: len(c[2]), default=("", None, []))[0] or "globals"

    def drop_results(self, is_result: Callable[[object], bool]) -> list[tuple[str, Any]]:
        """Leave out places where the function has put a value of its own trace.

        Returns name and old value of each.
        """
        found = []
        for entries, expected, read in zip(
            (self._maps, self._cells, self._fields),
            self._expected,
            (_read_item, _read_cell, _read_field),
            strict=True,
        ):
            for i in reversed(range(len(entries))):
                if is_result(read(entries[i])):
                    found.append((entries[i].name, expected[i]))
                    del entries[i], expected[i]
        for i, (name, container, items) in enumerate(self._contents):
            now = list(_items(container))
            if any(map(is_result, now)):
                found += [(f"an entry of {name}", part) for part in items if not _is_in(part, now)]
                self._contents[i] = (name, container, now)
        self._seal()
        return found


def _is_in(part: object, parts: list[Any]) -> bool:
    return any(part is other for other in parts)


_contents_of = attrgetter("cell_contents")
_MISSING = object()


def _read_item(entry: Entry) -> Any:
    """What a dictionary, a module or a class holds now."""
    try:
        return entry.holder[entry.key]
    except KeyError:
        return _MISSING


def _read_cell(entry: Entry) -> Any:
    """What a variable of a closure is now."""
    try:
        return entry.holder.cell_contents
    except ValueError:
        return _MISSING


def _read_field(entry: Entry) -> Any:
    """What an attribute is now."""
    return getattr(entry.holder, entry.key, _MISSING)


def _items(container: Any) -> Any:
    """What identifies a container's contents, in order."""
    return [*container, *container.values()] if isinstance(container, dict) else container


def _differs(a: object, b: object) -> bool:
    return a is not b and exact(a) != exact(b)


def _equal_bytes(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one shape and dtype hold the same bits."""
    if a.dtype.hasobject:
        return not any(map(_differs, a.ravel().tolist(), b.ravel().tolist()))
    if a.nbytes < 1 << 12:
        return a.tobytes() == b.tobytes()
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return bool(np.array_equal(a.reshape(-1).view(np.uint8), b.reshape(-1).view(np.uint8)))


# ---- finding what a function can read ------------------------------------------------------------

Reader = Callable[["Walk", Any, str], None]
READERS: list[tuple[type, Reader]] = []
"""Kinds of objects of higher floors and how they are walked: modules register themselves here."""


class Walk:
    """Finds everything that a function can read; ``found`` holds it.

    Attribute names accumulate while code is reached, so the walk is repeated until none is new.
    """

    def __init__(self) -> None:
        self.attributes: set[str] = {"forward", "__call__"}
        self.extended: set[str] = set()
        """Names that reached code loads to add to them."""
        self.found = PythonState()
        self.later: list[Callable[[], None]] = []
        """What is to be called when the function has run, while it is still being traced."""
        self.guards: list[tuple[str, Callable[[], object]]] = []
        """Conditions that only change when something says so; see :func:`.state.guard`."""
        self._seen: dict[int, object] = {}
        self._kinds: dict[int, type] = {}
        self._classwide: dict[str, set[str]] = {}
        self._keys: set[tuple[int, object]] = set()

    @classmethod
    def of(cls, function: Any, arguments: Any) -> Walk:
        """The values that ``function(*arguments)`` can read."""
        attributes, extended = cls().attributes, cls().extended
        while True:
            walk = cls()
            walk.attributes |= attributes
            walk.extended |= extended
            walk.value(function, getattr(function, "__name__", "the function"))
            walk.argument(arguments)
            if (walk.attributes, walk.extended) == (attributes, extended):
                return walk
            attributes, extended = walk.attributes, walk.extended

    def argument(self, value: Any) -> None:
        """What objects among the arguments hold; plain values are part of the signature."""
        if isinstance(value, (list, tuple, dict)):
            for part in value.values() if isinstance(value, dict) else value:
                self.argument(part)
        elif not isinstance(value, (np.ndarray, TensorCore)):
            self.value(value, f"an argument of type {type(value).__name__}")

    def value(self, value: Any, name: str) -> None:
        """Watch what can change inside a value that is called ``name``."""
        kind = type(value)
        if kind in _LEAVES or isinstance(value, TensorCore) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        for known, reader in READERS:
            if isinstance(value, known):
                reader(self, value, name)
                return
        if isinstance(value, np.ndarray):
            self.found.add_array(name, value)
        elif isinstance(value, (tuple, frozenset)):
            self._parts(value, name)
        elif isinstance(value, (list, dict, set, deque, bytearray)):
            self._container(value, name)
        elif isinstance(value, types.ModuleType):
            self._module(value, name)
        elif isinstance(value, type):
            self.kind(value)
        elif not self._callable(value, name):
            self._object(value, name)

    def _container(self, value: Any, name: str) -> None:
        self.found.add_contents(name, value)
        if len(self.found) > MOST_VALUES:
            self.found.sealed()  # raises
        if not isinstance(value, bytearray):
            self._parts(value, name)
        if is_user_class(type(value)):
            self._object(value, name)

    def _parts(self, value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                self.value(key, f"a key of {name}")
                self.value(part, f"{name}[{key!r:.40}]")
            return
        indexed = isinstance(value, (list, tuple, deque))
        for i, part in enumerate(value):
            self.value(part, f"{name}[{i}]" if indexed else f"an element of {name}")

    def _module(self, module: types.ModuleType, name: str) -> None:
        namespace = vars(module)
        if module.__name__ in _RANDOM:
            _RANDOM[module.__name__](self, module, name)
        elif _is_user_module(module.__name__, namespace):
            for attribute in list(namespace):
                if self.reads(attribute, namespace[attribute]):
                    self.place(namespace, attribute, f"{name}.{attribute}")

    def reads(self, attribute: str, value: object) -> bool:
        """Whether reached code may read an attribute that has this value."""
        added = attribute in self.extended and type(value) not in _EXTENDED
        return added or attribute in self.attributes

    def place(self, holder: Any, key: Any, name: str) -> None:
        """Watch ``holder[key]`` and what is inside of it."""
        if (id(holder), key) not in self._keys:
            self._keys.add((id(holder), key))
            self.found.add_map(name, holder, key)
            self.value(holder[key], name)

    def once(self, namespace: Mapping[str, Any], key: str, name: str) -> None:
        """Watch ``key`` of a class's namespace, also if several objects are of that class."""
        if key not in self._classwide.setdefault(name, set()):
            self._classwide[name].add(key)
            self.place(namespace, key, name)

    # ---- functions ---------------------------------------------------------------------------

    def _callable(self, value: Any, name: str) -> bool:
        """Walk a function or a wrapper of one; False for other objects."""
        if isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, types.BuiltinFunctionType):
            if isinstance(value.__self__, (random.Random, np.random.RandomState)):
                self.value(value.__self__, f"the generator of {name}")
        elif isinstance(value, types.MethodType):
            self.value(value.__func__, name)
            self.value(value.__self__, f"the object of {name}")
        elif isinstance(value, functools.partial):
            self.value(value.func, name)
            self._parts(value.args, f"the arguments of {name}")
            self.value(value.keywords, f"the keywords of {name}")
        elif isinstance(value, (staticmethod, classmethod)):
            self.value(value.__func__, name)
        elif isinstance(value, property):
            for accessor in (value.fget, value.fset):
                self.value(accessor, name)
        elif isinstance(value, functools.cached_property):
            self.value(value.func, name)
        elif isinstance(getattr(value, "__wrapped__", None), types.FunctionType):
            self.value(value.__wrapped__, name)
        else:
            return False
        return True

    def function(self, function: types.FunctionType) -> None:
        """Watch what a function of the user's loads; behind one of ours, what it wraps."""
        if not is_user_file(function.__code__.co_filename):
            self.value(getattr(function, "__wrapped__", None), function.__name__)
            return
        own = function.__qualname__.replace("<locals>.", "")
        found = scanned(function.__code__)
        self.attributes |= found.attributes
        self.extended |= found.extended
        namespace = function.__globals__
        for name in sorted((found.globals | found.extended) & namespace.keys()):
            if name in found.globals or type(namespace[name]) not in _EXTENDED:
                self.place(namespace, name, f"the global {name!r}")
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            added = name in found.extended and type(value) not in _EXTENDED
            if (id(cell), None) in self._keys or not (added or name in found.variables):
                continue
            self._keys.add((id(cell), None))
            self.found.add_cell(f"{name!r}, a variable around {own}", cell)
            self.value(value, f"{name!r}")
        for defaults in ("__defaults__", "__kwdefaults__"):
            if getattr(function, defaults):
                self.found.add_field(f"the defaults of {own}", function, defaults)
                self.value(getattr(function, defaults), f"the defaults of {own}")

    # ---- objects -----------------------------------------------------------------------------

    def kind(self, cls: type) -> None:
        """Watch those attributes of a user's class, and of its bases, that code may read."""
        for base in cls.__mro__:
            if base is object or id(base) in self._kinds or not is_user_class(base):
                continue
            self._kinds[id(base)] = base
            names = vars(base)
            for name in list(names):
                special = name.startswith("__") and name.endswith("__") and name != "__call__"
                if self.reads(name, names[name]) and not special:
                    self.place(names, name, f"{base.__name__}.{name}")
                elif special and isinstance(names[name], types.FunctionType):
                    self.value(names[name], f"{base.__name__}.{name}")

    def _object(self, value: Any, name: str) -> None:
        cls = type(value)
        if isinstance(value, _ITERATORS):
            raise TraceError(
                f"a compiled function reads {name}, a {cls.__name__}: each call would have to "
                "take the next value from it, and a program cannot",
                "take the value outside and pass it as an argument",
            )
        if isinstance(value, np.random.Generator):
            generator = value.bit_generator
            self.found.add_other(f"the state of {name}", lambda: repr(generator.state))
        if isinstance(value, random.Random):
            self.found.add_other(f"the state of {name}", value.getstate)
        if isinstance(value, np.random.RandomState):
            self.found.add_other(f"the state of {name}", lambda: repr(value.get_state(False)))
        plain = cls in _PLAIN_OBJECTS or is_user_class(cls)
        if not plain:
            return
        if is_user_class(cls):
            self.kind(cls)
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            self.attributes_of(value, own, name)
        for base in cls.__mro__:
            for slot in _slots_of(base) & self.attributes:
                self._slot(value, slot, name)

    def attributes_of(self, value: Any, own: dict[str, Any], name: str) -> None:
        """Watch those attributes of an object that code may read."""
        for attribute in list(own):
            if self.reads(attribute, own[attribute]):
                self.place(own, attribute, f"{name}.{attribute}")
        for base in type(value).__mro__:
            if base is not object and is_user_class(base):
                for attribute in self.attributes & vars(base).keys() - own.keys():
                    if (id(own), attribute) not in self._keys:
                        self._keys.add((id(own), attribute))
                        self.found.add_absent(f"{name}.{attribute}", own, attribute)

    def _slot(self, value: Any, slot: str, name: str) -> None:
        place = f"{name}.{slot}"
        if hasattr(value, slot):
            self.found.add_field(place, value, slot)
            self.value(getattr(value, slot), place)
        else:
            self.found.add_other(place, lambda: hasattr(value, slot))


def _slots_of(cls: type) -> set[str]:
    """Names of the attributes that objects of a class keep outside of a dictionary."""
    given = vars(cls).get("__slots__", ())
    names = (given,) if isinstance(given, str) else tuple(given)
    return {n for n in names if n not in ("__dict__", "__weakref__")}


def _hidden_generator(walk: Walk, module: types.ModuleType, name: str) -> None:
    """Python's own generator of random numbers: drawing from it changes what the next call is."""
    if walk.attributes & _DRAWS:
        walk.found.add_other(f"the state of Python's {module.__name__}", module.getstate)


def _numpy_generator(walk: Walk, module: types.ModuleType, name: str) -> None:
    if "random" in walk.attributes or module.__name__ == "numpy.random":
        state = np.random.get_state
        walk.found.add_other("the state of numpy.random", lambda: repr(state(legacy=False)))


_DRAWS = frozenset(
    "random uniform randint randrange choice choices shuffle sample gauss normalvariate "
    "betavariate expovariate triangular getrandbits".split()
)
_RANDOM: dict[str, Reader] = {
    "random": _hidden_generator,
    "numpy": _numpy_generator,
    "numpy.random": _numpy_generator,
}
_EXTENDED = frozenset((list, set, deque))
_LEAVES = frozenset(
    (int, float, complex, str, bytes, bool, type(None), type(...), slice, range, types.CodeType)
    + (np.dtype,)
)
_ITERATORS = (
    types.GeneratorType,
    *map(type, (iter([]), iter(()), iter({}), iter({}.values()), iter({}.items()), iter(range(0)))),
    *(zip, map, filter, enumerate, reversed),
    *(k for n, k in vars(itertools).items() if isinstance(k, type) and n[0] != "_"),
)
_PLAIN_OBJECTS = frozenset((types.SimpleNamespace, argparse.Namespace))

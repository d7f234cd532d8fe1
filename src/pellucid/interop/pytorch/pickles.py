"""Pickles read as data: an interpreter of the format that calls nothing which is not handed to it.

Python's own ``Unpickler`` imports what a file names, calls it, and takes memory for the sizes that
the file states.  Here a file's names are looked up in a table, calls are calls of that table's
functions, and a size counts only as far as bytes follow.  The opcodes are decoded by the standard
library's ``pickletools``, which executes nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, NamedTuple, NoReturn

from pellucid.base.errors import DataError

MOST_BYTES = 1 << 28
"""A pickle holds names and sizes, and numbers as Python objects, which take many times the memory
that they take in the file; longer ones are refused."""


class Global(NamedTuple):
    """What a name in a pickle stands for."""

    value: Any
    """What is handed out where the file stores the name itself, such as a dtype."""
    call: Callable[..., Any] | None = None
    """What happens where the file calls it; None: it must not be called."""
    create: Callable[..., Any] | None = None
    """What makes an object where the file creates one without calling (``cls.__new__``)."""


Find = Callable[[str, str], Global]
"""(module, name) → what that is; raises :class:`DataError` for names that are not allowed."""


class Bounded:
    """A file as ``pickletools`` reads it, which asks for as many bytes as the file says: here it
    never gets more than there are, nor a longer pickle than allowed."""

    def __init__(self, stream: IO[bytes], most: int = MOST_BYTES) -> None:
        self._stream = stream
        begin = stream.tell()
        stream.seek(0, 2)
        self._end = min(stream.tell(), begin + most)
        stream.seek(begin)

    def tell(self) -> int:
        """The position in the stream."""
        return self._stream.tell()

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes."""
        return self._stream.read(max(0, min(count, self._end - self._stream.tell())))

    def readline(self) -> bytes:
        """A line, which ends where the pickle must end at the latest."""
        return self._stream.readline(max(0, self._end - self._stream.tell()))


_MARK = object()

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, type] = {
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_NUMBERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT".split()
_TEXTS = "UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8".split()
_BYTES = "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
_OLD_TEXTS = "STRING BINSTRING SHORT_BINSTRING".split()
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = ("PROTO", "FRAME")


class Reader:
    """One pickle after the other from a stream that gives no more bytes than it has.

    ``find`` says what names stand for, ``persistent`` what the file refers to outside of the
    pickle, ``build`` gives a made object its state.  ``encoding`` is that of texts which Python 2
    wrote (``"bytes"`` leaves them as they are).
    """

    def __init__(
        self,
        stream: IO[bytes] | Bounded,
        find: Find,
        persistent: Callable[[Any], Any],
        build: Callable[[Any, Any], None],
        encoding: str = "utf-8",
    ) -> None:
        self._stream = stream
        self._find = find
        self._persistent = persistent
        self._build = build
        self._encoding = encoding
        self._globals: dict[int, Global] = {}
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> object:
        """The object of the next pickle.  Raises :class:`DataError` for a damaged one."""
        self._stack, self._memo = [], {}
        try:
            for opcode, argument, _ in pickletools.genops(self._stream):  # type: ignore[arg-type]
                if opcode.name == "STOP":
                    return self._pop()
                self._step(opcode.name, argument)
        except DataError:
            raise
        except MemoryError:
            raise _damaged("it asks for more memory than there is") from None
        except Exception as error:  # whatever a hostile or damaged pickle leads to
            raise _damaged(f"{type(error).__name__}: {error}") from None
        raise _damaged("it ends in the middle")

    def _step(self, name: str, argument: Any) -> None:
        """Execute one opcode."""
        push = self._stack.append
        if name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _NUMBERS or name in _TEXTS:
            push(argument)
        elif name in _BYTES:
            push(argument if isinstance(argument, bytes | bytearray) else _latin(argument))
        elif name in _OLD_TEXTS:
            push(self._decoded(argument))
        elif name in _EMPTY:
            push(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            push(tuple(self._pop() for _ in range(count))[::-1])
        elif name in _NOTHING:
            pass
        else:
            action = _ACTIONS.get(name)
            if action is None:
                raise _damaged(f"it uses {name}, which files of weights do not")
            action(self, argument)

    def _decoded(self, text: str | bytes) -> str | bytes:
        """A text of Python 2, which is bytes in an encoding that the file does not tell."""
        raw = text if isinstance(text, bytes) else _latin(text)
        return raw if self._encoding == "bytes" else raw.decode(self._encoding)

    # ---- stack -------------------------------------------------------------------------------

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise _damaged("a value is missing")
        return value

    def _pop_to_mark(self) -> list[Any]:
        for position in range(len(self._stack) - 1, -1, -1):
            if self._stack[position] is _MARK:
                values = self._stack[position + 1 :]
                del self._stack[position:]
                return values
        raise _damaged("a mark is missing")

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _drop(self, _: Any) -> None:
        self._stack.pop()

    def _drop_to_mark(self, _: Any) -> None:
        self._pop_to_mark()

    def _duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    # ---- memo --------------------------------------------------------------------------------

    def _get(self, key: Any) -> None:
        self._stack.append(self._memo[int(key)])

    def _put(self, key: Any) -> None:
        self._memo[int(key)] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    # ---- containers --------------------------------------------------------------------------

    def _list(self, _: Any) -> None:
        self._stack.append(self._pop_to_mark())

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _dict(self, _: Any) -> None:
        self._stack.append(_pairs(self._pop_to_mark()))

    def _frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(map(_key, self._pop_to_mark())))

    def _append(self, _: Any) -> None:
        value = self._pop()
        _expect(self._stack[-1], list).append(value)

    def _appends(self, _: Any) -> None:
        values = self._pop_to_mark()
        _expect(self._stack[-1], list).extend(values)

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        _expect(self._stack[-1], dict)[_key(key)] = value

    def _set_items(self, _: Any) -> None:
        pairs = _pairs(self._pop_to_mark())
        _expect(self._stack[-1], dict).update(pairs)

    def _add_items(self, _: Any) -> None:
        values = self._pop_to_mark()
        _expect(self._stack[-1], set).update(map(_key, values))

    # ---- names, calls, state -----------------------------------------------------------------

    def _global(self, argument: Any) -> None:
        module, _, name = argument.partition(" ")
        self._push_global(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._push_global(_expect(module, str), _expect(name, str))

    def _push_global(self, module: str, name: str) -> None:
        found = self._find(module, name)
        self._globals[id(found.value)] = found  # which keeps the value, and so its id
        self._stack.append(found.value)

    def _called(self, value: Any, arguments: Any) -> Any:
        found = self._globals.get(id(value))
        if found is None or found.call is None:
            raise _damaged(f"it calls {_title(value)}")
        return found.call(*_expect(arguments, tuple))

    def _reduce(self, _: Any) -> None:
        arguments, value = self._pop(), self._pop()
        self._stack.append(self._called(value, arguments))

    def _new(self, _: Any) -> None:
        arguments, value = self._pop(), self._pop()
        self._stack.append(self._created(value, arguments, {}))

    def _new_ex(self, _: Any) -> None:
        keywords, arguments, value = self._pop(), self._pop(), self._pop()
        self._stack.append(self._created(value, arguments, _expect(keywords, dict)))

    def _created(self, value: Any, arguments: Any, keywords: dict[str, Any]) -> Any:
        found = self._globals.get(id(value))
        if found is None or found.create is None:
            raise _damaged(f"it makes an object of {_title(value)}")
        return found.create(*_expect(arguments, tuple), **keywords)

    def _instance(self, argument: Any) -> None:
        arguments = tuple(self._pop_to_mark())
        module, _, name = argument.partition(" ")
        found = self._find(module, name)
        if found.call is None:
            raise _damaged(f"it calls {module}.{name}")
        self._stack.append(found.call(*arguments))

    def _object(self, _: Any) -> None:
        value, *arguments = self._pop_to_mark()
        self._stack.append(self._called(value, tuple(arguments)))

    def _give_state(self, _: Any) -> None:
        state = self._pop()
        self._build(self._stack[-1], state)

    def _refer(self, _: Any) -> None:
        self._stack.append(self._persistent(self._pop()))

    def _refer_by_text(self, argument: Any) -> None:
        self._stack.append(self._persistent(argument))


_ACTIONS: dict[str, Callable[[Reader, Any], None]] = {
    "MARK": Reader._mark,
    "POP": Reader._drop,
    "POP_MARK": Reader._drop_to_mark,
    "DUP": Reader._duplicate,
    "GET": Reader._get,
    "BINGET": Reader._get,
    "LONG_BINGET": Reader._get,
    "PUT": Reader._put,
    "BINPUT": Reader._put,
    "LONG_BINPUT": Reader._put,
    "MEMOIZE": Reader._memoize,
    "LIST": Reader._list,
    "TUPLE": Reader._tuple,
    "DICT": Reader._dict,
    "FROZENSET": Reader._frozenset,
    "APPEND": Reader._append,
    "APPENDS": Reader._appends,
    "SETITEM": Reader._set_item,
    "SETITEMS": Reader._set_items,
    "ADDITEMS": Reader._add_items,
    "GLOBAL": Reader._global,
    "STACK_GLOBAL": Reader._stack_global,
    "REDUCE": Reader._reduce,
    "NEWOBJ": Reader._new,
    "NEWOBJ_EX": Reader._new_ex,
    "INST": Reader._instance,
    "OBJ": Reader._object,
    "BUILD": Reader._give_state,
    "BINPERSID": Reader._refer,
    "PERSID": Reader._refer_by_text,
}
"""Opcodes that do more than push what stands behind them."""


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise _damaged(f"a {kind.__name__} is needed where a {type(value).__name__} stands")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise _damaged("a key has no value")
    return dict(zip(map(_key, values[::2]), values[1::2], strict=True))


def _key(value: Any, depth: int = 0) -> Any:
    """``value`` as a key or member of a set.  Python computes the hash of tuples within tuples by
    recursion without an end to it: deep ones would break the process."""
    if isinstance(value, tuple | frozenset):
        if depth > 9:
            raise _damaged("a key is nested too deeply")
        for part in value:
            _key(part, depth + 1)
    return value


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _title(value: Any) -> str:
    return str(getattr(value, "__qualname__", None) or f"a {type(value).__name__}")


def _damaged(what: str) -> DataError:
    return DataError(f"The pickle in the file cannot be used: {what}", "Fetch or write it again.")


def refuse(what: str) -> NoReturn:
    """Raise the error for a pickle that cannot be used."""
    raise _damaged(what)

"""Trees of containers with anything at the leaves: what programs take from ``torch.utils._pytree``.

A tree is a tuple, list, dict, ``OrderedDict``, ``defaultdict``, ``deque`` or named tuple of trees,
or a value of a class entered with :func:`register_pytree_node`; everything else, ``None`` included,
is a leaf.  Leaves come in the order of the containers.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import ArgumentError

__all__ = [
    "PyTree",
    "TreeSpec",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any
"""A tree: any value."""

Flatten = Callable[[Any], tuple[Iterable[Any], Any]]
Unflatten = Callable[[Iterable[Any], Any], Any]
IsLeaf = Callable[[Any], bool] | None

_kinds: dict[type, tuple[Flatten, Unflatten]] = {
    tuple: (lambda t: (list(t), None), lambda values, _: tuple(values)),
    list: (lambda t: (list(t), None), lambda values, _: list(values)),
    dict: (lambda t: (list(t.values()), list(t)), lambda v, keys: dict(zip(keys, v, strict=True))),
    OrderedDict: (
        lambda t: (list(t.values()), list(t)),
        lambda v, keys: OrderedDict(zip(keys, v, strict=True)),
    ),
    defaultdict: (
        lambda t: (list(t.values()), [t.default_factory, list(t)]),
        lambda v, context: defaultdict(context[0], zip(context[1], v, strict=True)),
    ),
    deque: (lambda t: (list(t), t.maxlen), lambda values, longest: deque(values, maxlen=longest)),
}
_NAMED: tuple[Flatten, Unflatten] = (
    lambda t: (list(t), type(t)),
    lambda values, kind: kind(*values),
)


@dataclass(frozen=True)
class TreeSpec:
    """The containers of a tree without its leaves.

    ``type`` is the container's class (``None`` for a leaf), ``context`` what is needed beside the
    children to make it again, such as a dict's keys.
    """

    type: Any
    context: Any = None
    children_specs: list[TreeSpec] = field(default_factory=list)

    def is_leaf(self) -> bool:
        """Whether this is the place of a leaf."""
        return self.type is None

    @property
    def num_nodes(self) -> int:
        """Containers and leaves."""
        return 1 + sum(child.num_nodes for child in self.children_specs)

    @property
    def num_leaves(self) -> int:
        """How many leaves :func:`tree_unflatten` needs."""
        return 1 if self.is_leaf() else sum(child.num_leaves for child in self.children_specs)

    @property
    def num_children(self) -> int:
        """How many trees the container holds."""
        return len(self.children_specs)

    def child(self, index: int) -> TreeSpec:
        """The spec of one of them."""
        return self.children_specs[index]

    def children(self) -> list[TreeSpec]:
        """The specs of all of them."""
        return list(self.children_specs)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree with these leaves, see :func:`tree_unflatten`."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of ``tree`` at the places of the leaves; they may be trees themselves.

        Raises :class:`ArgumentError` where its containers are others.
        """
        if self.is_leaf():
            return [tree]
        kind = _kind(tree)
        parts, context = _parts(tree, kind) if kind is self.type else ([], None)
        same = kind is self.type and len(parts) == self.num_children
        if same and issubclass(kind, dict) and isinstance(tree, dict):
            keys = self.context[1] if kind is defaultdict else self.context
            same = set(keys) == set(tree)
            parts = [tree[key] for key in keys] if same else parts
        elif same:
            same = context == self.context
        if not same:
            raise ArgumentError(
                f"a tree has {type(tree).__name__} where the first has {self.type.__name__} with "
                f"{self.num_children} parts, or other keys",
                "give trees of the same structure",
            )
        found = []
        for child, part in zip(self.children_specs, parts, strict=True):
            found.extend(child.flatten_up_to(part))
        return found


_LEAF = TreeSpec(None)


def _kind(tree: Any) -> Any:
    """The container's class in the table, or None for a leaf."""
    kind = type(tree)
    if kind in _kinds:
        return kind
    return tuple if isinstance(tree, tuple) and hasattr(tree, "_fields") else None


def _parts(tree: Any, kind: Any) -> tuple[list[Any], Any]:
    flatten = (_NAMED if kind is tuple and type(tree) is not tuple else _kinds[kind])[0]
    parts, context = flatten(tree)
    return list(parts), context


def register_pytree_node(
    cls: type, flatten_fn: Flatten, unflatten_fn: Unflatten, **_named: Any
) -> None:
    """Make ``cls`` a container: ``flatten_fn(value)`` gives its children and a context,
    ``unflatten_fn(children, context)`` the value.

    Further settings of PyTorch (names for exported programs) are accepted and mean nothing here.
    Raises :class:`ArgumentError` for a class that is one already.
    """
    if cls in _kinds:
        raise ArgumentError(
            f"register_pytree_node got {cls.__name__}, which is registered", "register it once"
        )
    _kinds[cls] = (flatten_fn, unflatten_fn)


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves, and the spec that makes the tree from them again.

    What ``is_leaf`` says yes to is a leaf, whatever it holds.
    """
    leaves: list[Any] = []

    def walk(part: Any) -> TreeSpec:
        kind = _kind(part)
        if kind is None or (is_leaf is not None and is_leaf(part)):
            leaves.append(part)
            return _LEAF
        parts, context = _parts(part, kind)
        return TreeSpec(kind, context, [walk(child) for child in parts])

    return leaves, walk(tree)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree of this structure with these leaves.

    Raises :class:`ArgumentError` where they are more or fewer than its places.
    """
    given = list(leaves)
    if len(given) != treespec.num_leaves:
        raise ArgumentError(
            f"tree_unflatten got {len(given)} leaves for {treespec.num_leaves} places",
            "give as many leaves as tree_flatten returned",
        )
    rest = iter(given)

    def build(spec: TreeSpec) -> Any:
        if spec.is_leaf():
            return next(rest)
        children = [build(child) for child in spec.children_specs]
        named = spec.type is tuple and spec.context is not None
        return (_NAMED if named else _kinds[spec.type])[1](children, spec.context)

    return build(treespec)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves, one by one."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The containers without the leaves."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree with ``func(leaf, *parts)`` for each leaf; the parts are what ``rests`` have there.

    Raises :class:`ArgumentError` where the rests have other containers.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(spec.flatten_up_to(rest) for rest in rests)]
    return tree_unflatten(map(func, *columns), spec)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call ``func`` as :func:`tree_map` does, for what it does; the tree itself is returned."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree with ``func(leaf)`` for leaves of this class (or of these classes, or that the
    function ``kind`` says yes to); other leaves stay."""

    def fits(leaf: Any) -> bool:
        if isinstance(kind, type) or not callable(kind):
            return isinstance(leaf, kind)
        return bool(kind(leaf))

    return tree_map(lambda leaf: func(leaf) if fits(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether ``pred`` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether ``pred`` holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))

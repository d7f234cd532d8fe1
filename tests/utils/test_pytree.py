"""Trees of containers, under PyTorch's private but widely used names."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest

from pellucid.base.errors import ArgumentError
from pellucid.utils import pytree

Point = namedtuple("Point", "x y")


class Pair:
    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return 0


class Couple(Pair):
    """Entered in our table by a test, and in PyTorch's."""


def trees() -> list[Any]:
    rest = defaultdict(list, {"k": [1, 2]})
    return [
        3,
        None,
        [],
        (),
        {},
        [1, (2, None), {"b": 4, "a": [5]}],
        (Point(1, [2, 3]), OrderedDict([("z", 1), ("y", (2,))])),
        [rest, deque([1, (2, 3)], maxlen=5)],
        {"leaf": Pair(1, 2), 7: "text"},
    ]


@pytest.mark.parametrize("number", range(len(trees())))
def test_leaves_and_spec_make_the_tree_again(number: int) -> None:
    tree = trees()[number]
    leaves, spec = pytree.tree_flatten(tree)
    again = pytree.tree_unflatten(leaves, spec)
    assert again == tree and type(again) is type(tree)
    assert spec == pytree.tree_structure(tree) and spec.num_leaves == len(leaves)
    assert getattr(again, "maxlen", 0) == getattr(tree, "maxlen", 0)


@pytest.mark.parity
@pytest.mark.parametrize("number", range(len(trees())))
def test_as_in_pytorch(number: int) -> None:
    theirs = pytest.importorskip("torch.utils._pytree")
    tree = trees()[number]

    def twice(leaf: Any) -> Any:
        return (leaf, leaf)

    def short(part: Any) -> bool:
        return isinstance(part, (list, deque)) and len(part) < 3

    for is_leaf in (None, short):
        assert pytree.tree_leaves(tree, is_leaf) == theirs.tree_leaves(tree, is_leaf)
        ours = pytree.tree_map(twice, tree, is_leaf=is_leaf)
        assert ours == theirs.tree_map(twice, tree, is_leaf=is_leaf)
    assert pytree.tree_map_only(int, str, tree) == theirs.tree_map_only(int, str, tree)
    assert pytree.tree_all(bool, tree) == theirs.tree_all(bool, tree)
    assert pytree.tree_any(bool, tree) == theirs.tree_any(bool, tree)
    spec, other = pytree.tree_structure(tree), theirs.tree_structure(tree)
    assert (spec.num_leaves, spec.num_nodes) == (other.num_leaves, other.num_nodes)
    assert spec.is_leaf() == other.is_leaf()


def test_several_trees_together() -> None:
    first, second = {"a": [1, 2], "b": 3}, {"b": (6, 7), "a": [4, 5]}
    found = pytree.tree_map(lambda x, y: (x, y), first, second)
    assert found == {"a": [(1, 4), (2, 5)], "b": (3, (6, 7))}
    for wrong in ({"a": [1], "b": 2}, {"a": [1, 2]}, [1, 2], {"a": (1, 2), "b": 3}):
        with pytest.raises(ValueError, match="same structure"):
            pytree.tree_map(lambda x, y: x, first, wrong)


def test_leaves_must_fill_the_places() -> None:
    spec = pytree.tree_structure([1, {"a": 2}])
    for leaves in ([1], [1, 2, 3]):
        with pytest.raises(ValueError, match="2 places"):
            pytree.tree_unflatten(leaves, spec)
    assert spec.unflatten([5, 6]) == [5, {"a": 6}]
    assert [child.is_leaf() for child in spec.children()] == [True, False]
    assert spec.child(1).num_children == 1


def test_a_class_of_the_user_is_a_container_once_it_is_registered() -> None:
    assert pytree.tree_leaves(Couple(1, [2])) == [Couple(1, [2])]
    pytree.register_pytree_node(
        Couple, lambda pair: ([pair.left, pair.right], None), lambda parts, _: Couple(*parts)
    )
    assert pytree.tree_map(lambda x: 10 * x, Couple(1, [2])) == Couple(10, [20])
    with pytest.raises(ArgumentError, match="Couple"):
        pytree.register_pytree_node(Couple, lambda pair: ([], None), lambda parts, _: parts)


def test_a_call_for_what_it_does_returns_the_tree_itself() -> None:
    tree: dict[str, Any] = {"a": [1, 2]}
    seen: list[int] = []
    assert pytree.tree_map_(seen.append, tree) is tree
    assert seen == list(pytree.tree_iter(tree)) == [1, 2]

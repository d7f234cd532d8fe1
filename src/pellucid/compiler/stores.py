"""Which values are stored although they could be computed again wherever they are needed.

Element-wise work is computed by its readers, which costs less than writing and reading it back.
It is stored where that is no longer so: where overlapping windows read each element many times,
where much work would be done again, and where something small, such as a scale for each channel,
would be computed again for each row of something large.
"""

from __future__ import annotations

from pellucid.compiler.machine import Machine
from pellucid.graph.node import CONSTANT, INPUT, Node


def worth_storing(users: dict[Node, list[Node]], anchors: set[Node], machine: Machine) -> set[Node]:
    """Values that should be stored besides ``anchors``; ``users`` has all nodes in order."""
    chosen: set[Node] = set()
    work: dict[Node, int] = {}
    for node in users:
        if node in anchors or node.op is INPUT or node.op is CONSTANT:
            work[node] = 0
            continue
        own = 1 if node.op.family == "elementwise" else 0
        steps = min(own + sum(work[n] for n in node.inputs), 1000)
        if node.dtype.kind == "float" and _is_chosen(node, users, steps, machine):
            chosen.add(node)
            steps = 0
        work[node] = steps
    return chosen


def _is_chosen(node: Node, users: dict[Node, list[Node]], steps: int, machine: Machine) -> bool:
    if node.op.family not in ("elementwise", "movement") or node.size < 2:
        return False
    computed = node.op.family == "elementwise"
    if (computed or _turns_last_axis(node)) and _is_row_of_loop(node, users, machine):
        return True
    if computed or node.op.name == "pad":
        sliced = sum(u.size for u in users[node] if u.op.name == "slice")
        if sliced > machine.most_passes * node.size:
            return True
    if (
        computed
        and node.size >= machine.turned
        and steps >= machine.turned_work
        and _is_turned(node, users)
    ):
        return True
    return (
        computed
        and node.size >= machine.large
        and len(set(users[node])) > 1
        and steps > machine.most_work
    )


def _turns_last_axis(node: Node) -> bool:
    """Whether a transpose leaves neighbours far apart in memory."""
    if node.op.name != "transpose":
        return False
    shape, axes = node.inputs[0].shape, node.settings["axes"]
    real = [a for a in range(len(shape)) if shape[a] != 1]
    last = [a for a in axes if shape[a] != 1]
    return bool(real) and last[-1] != real[-1]


def _is_turned(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether it is read through a transpose that leaves neighbours far apart."""
    stack = list(users[node])
    while stack:
        user = stack.pop()
        if _turns_last_axis(user):
            return True
        if user.op.name == "reshape":
            stack.extend(users[user])
    return False


def _is_row_of_loop(node: Node, users: dict[Node, list[Node]], machine: Machine) -> bool:
    """Whether a much larger value needs this one again in each of its rows."""
    stack = [node]
    while stack:
        current = stack.pop()
        for user in users[current]:
            if user.op.name in ("reshape", "transpose", "slice"):
                stack.append(user)
            elif user.op.family == "elementwise" or user.op.name == "broadcast_to":
                last = current.shape[-1] if current.shape else 1
                if user.size >= machine.spread * node.size and last > 1 and user.shape[-1] == last:
                    return True
    return False

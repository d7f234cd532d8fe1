"""Which activation, output layer and loss to start with, as data.

The guide says the same in words; a test holds that they agree.

>>> print(suggest_activation("hidden"))
hidden: ReLU. Cheap, and its slope is 1 for every positive input, so gradients keep their size.
>>> suggest_head("multiclass").loss
'CrossEntropyLoss'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.nn import activations


@dataclass(frozen=True)
class Advice:
    """An activation for a place in a network.

    ``choice`` is a class of ``pellucid.nn``; ``instead`` holds pairs (class, when to take it), in
    the order in which to try them; ``avoid`` pairs (class, why not).
    """

    place: str
    choice: str
    why: str
    instead: tuple[tuple[str, str], ...] = ()
    avoid: tuple[tuple[str, str], ...] = ()

    def make(self) -> Any:
        """The chosen activation as a layer, with its defaults."""
        return getattr(activations, self.choice)()

    def __str__(self) -> str:
        return f"{self.place}: {self.choice}. {self.why}"


@dataclass(frozen=True)
class Head:
    """The end of a network for a kind of task.

    ``activation`` is what turns scores into predictions (a class of ``pellucid.nn``); ``loss`` is
    the loss class, which takes the scores before that activation; ``units`` says how many.
    """

    task: str
    activation: str
    loss: str
    units: str
    why: str

    def __str__(self) -> str:
        return f"{self.task}: {self.activation} on {self.units}, {self.loss}. {self.why}"


HIDDEN: Mapping[str, Advice] = {
    "hidden": Advice(
        "hidden",
        "ReLU",
        "Cheap, and its slope is 1 for every positive input, so gradients keep their size.",
        instead=(
            ("LeakyReLU", "when units die: output 0 for every row, so no gradient reaches them"),
            ("ELU", "as LeakyReLU; its outputs have a mean nearer to 0, at the price of an exp"),
            ("GELU", "in transformers, and where a smooth function trains better"),
            ("Tanh", "in small and in recurrent networks; rather than Sigmoid, as it is centred"),
        ),
        avoid=(
            ("Sigmoid", "slope at most 1/4, so gradients vanish with depth; not centred at 0"),
            ("Identity", "layers without an activation between them are one affine layer"),
        ),
    ),
    "transformer": Advice(
        "transformer",
        "GELU",
        "Smooth, and what published transformers were tuned with.",
        instead=(("SiLU", "in gated blocks"), ("ReLU", "where speed matters most")),
    ),
    "recurrent": Advice(
        "recurrent",
        "Tanh",
        "Bounded, so that a state fed back many times cannot grow; centred at 0.",
        avoid=(("ReLU", "a state fed back can grow without bound"),),
    ),
    "gate": Advice(
        "gate",
        "Sigmoid",
        "A gate is a share between 0 and 1.",
        instead=(("Hardsigmoid", "where the exp costs too much"),),
    ),
}
"""Place inside a network → what to use there."""

HEADS: Mapping[str, Head] = {
    "regression": Head(
        "regression", "Identity", "MSELoss", "one unit a target", "Any number can be an answer."
    ),
    "binary": Head(
        "binary",
        "Sigmoid",
        "BCEWithLogitsLoss",
        "one unit",
        "The probability of class 1; its complement is class 0.",
    ),
    "multiclass": Head(
        "multiclass",
        "Softmax",
        "CrossEntropyLoss",
        "one unit a class",
        "Classes exclude each other, so the probabilities sum to 1.",
    ),
    "multilabel": Head(
        "multilabel",
        "Sigmoid",
        "BCEWithLogitsLoss",
        "one unit a label",
        "Labels are independent of each other, each with a probability of its own.",
    ),
}
"""Kind of task → output layer and loss."""


def suggest_activation(place: str = "hidden") -> Advice:
    """What to start with at a place: ``hidden`` (default), ``transformer``, ``recurrent``,
    ``gate``.  ``ArgumentError`` for other places; an output layer's comes from ``suggest_head``."""
    if place in HEADS or place == "output":
        raise ArgumentError(
            f"suggest_activation got {place!r}, which is about the output layer",
            "Ask suggest_head with the task: " + ", ".join(HEADS) + ".",
        )
    if place not in HIDDEN:
        raise ArgumentError(
            f"suggest_activation got the place {place!r}", "Use one of: " + ", ".join(HIDDEN) + "."
        )
    return HIDDEN[place]


def suggest_head(task: str) -> Head:
    """Output activation and loss for a ``regression``, ``binary``, ``multiclass`` or
    ``multilabel`` task.  ``ArgumentError`` for anything else."""
    if task not in HEADS:
        raise ArgumentError(
            f"suggest_head got the task {task!r}", "Use one of: " + ", ".join(HEADS) + "."
        )
    return HEADS[task]


def activation_table() -> str:
    """The advice on hidden layers as a Markdown table."""
    rows = []
    for advice in HIDDEN.values():
        rows.append((advice.place, f"**{advice.choice}**", advice.why))
        rows += [(advice.place, name, when) for name, when in advice.instead]
        rows += [(advice.place, f"not {name}", why) for name, why in advice.avoid]
    return _markdown(("place", "activation", "why or when"), rows)


def head_table() -> str:
    """The advice on output layers as a Markdown table."""
    rows = [(h.task, h.units, h.activation, h.loss, h.why) for h in HEADS.values()]
    return _markdown(("task", "units", "activation", "loss", "why"), rows)


def _markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""Errors tell where they arose: the layer, the shapes before it, the user's line."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import DTypeError, OutOfRangeError, ShapeError
from pellucid.nn.calling import STEPS, calls
from pellucid.nn.locating import SHOWN


class Block(nn.Module):
    """A convolution, then what the test wants to go wrong."""

    def __init__(self, wrong: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 4, 3)
        self.fc = nn.Linear(100, 10)
        self.wrong = [wrong]

    def forward(self, x: Any) -> Any:
        return self.wrong[0](self, self.conv(x).relu())


class Net(nn.Module):
    """Two modules deep: ``block.fc`` and ``net.2`` are layers."""

    def __init__(self, wrong: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.block = Block(wrong)

    def forward(self, x: Any) -> Any:
        return self.block(self.net(x))


BEFORE = (
    "input (2, 1, 12, 12) → net.0 Conv2d (2, 8, 10, 10) → net.1 ReLU (2, 8, 10, 10) → "
    "net.2 MaxPool2d (2, 8, 5, 5) → block.conv Conv2d (2, 4, 3, 3) → "
)
WRONG = {
    "a flattened size written by hand": (
        lambda block, x: x.view(-1, 16 * 5 * 5),
        ShapeError,
        r"cannot reshape \(2, 4, 3, 3\) \(72 elements\) to \(-1, 400\), in layer block \(Block\)",
        BEFORE + "block Block",
    ),
    "a layer after a reshape of one's own": (
        lambda block, x: block.fc(x.flatten(1)),
        ShapeError,
        r"in layer block.fc \(Linear\(in_features=100, out_features=10, bias=True\)\)",
        BEFORE + "your code (2, 36) → block.fc Linear",
    ),
    "an operation in a forward": (
        lambda block, x: x @ pellucid.ones(5, 5),
        ShapeError,
        r"matmul got shapes \(2, 4, 3, 3\) and \(5, 5\).*, in layer block \(Block\)",
        BEFORE + "block Block",
    ),
    "a dtype": (
        lambda block, x: nn.functional.embedding(x, block.fc.weight),
        DTypeError,
        r"embedding got ids of float32, in layer block \(Block\)",
        BEFORE + "block Block",
    ),
    "an argument": (
        lambda block, x: x[:, 9],
        OutOfRangeError,
        r"index 9 is out of range for axis 1 of extent 4, in layer block \(Block\)",
        BEFORE + "block Block",
    ),
}


def error_of(function: Any, *args: Any) -> Any:
    """The error that a call raises."""
    with pytest.raises(pellucid.PellucidError) as caught:
        function(*args)
    return caught.value


@pytest.mark.parametrize("name", WRONG)
def test_layer_shapes_and_line_are_told_eagerly_and_compiled(name: str) -> None:
    wrong, kind, where, chain = WRONG[name]
    model = Net(wrong)
    x = pellucid.ones(2, 1, 12, 12)
    eager = error_of(model, x)
    compiled = error_of(pellucid.compile(lambda x: model(x), backend="reference"), x)
    assert type(eager) is type(compiled) is kind
    assert str(eager) == str(compiled), "eager and compiled say the same"
    first, shapes, line, *_ = str(eager).split("\n")
    assert re.search(where, first)
    assert shapes == "  shapes: " + chain
    assert line.startswith("  at ") and "test_locating.py:" in line
    assert line.endswith(": return self.wrong[0](self, self.conv(x).relu())") or "lambda" in line
    assert eager.layer in ("block", "block.fc") and eager.shapes == chain.split(" → ")
    assert calls.running is None, "the next call starts anew"


def test_pythons_own_errors_get_a_note() -> None:
    def unpack(block: Any, x: Any) -> None:
        _batch, _features = x.shape

    with pytest.raises(ValueError, match="too many values to unpack") as caught:
        Net(unpack)(pellucid.ones(2, 1, 12, 12))
    (note,) = caught.value.__notes__
    assert note.startswith("in layer block (Block)\n  shapes: " + BEFORE + "block Block\n  at ")
    assert note.endswith("_batch, _features = x.shape")


def test_other_exceptions_pass_untouched() -> None:
    class Stop(Exception):
        pass

    def stop(block: Any, x: Any) -> None:
        raise Stop

    with pytest.raises(Stop) as caught:
        Net(stop)(pellucid.ones(2, 1, 12, 12))
    assert not hasattr(caught.value, "__notes__") and not hasattr(caught.value, "layer")


def test_the_line_is_the_callers_where_only_layers_of_ours_run() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2))
    error = error_of(lambda x: model(x), pellucid.ones(5, 4))  # the line with the call
    assert "the line with the call" in str(error)
    assert error.shapes == ["input (5, 4)", "0 Linear (5, 3)", "1 Linear"]


def test_several_inputs_and_results_are_listed() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 3)
            self.out = nn.Linear(4, 1)

        def forward(self, x: Any, *, mask: Any) -> Any:
            return self.out(self.lstm(x)[0] * mask)

    model = Reader()
    x, mask = pellucid.ones(5, 2, 4), pellucid.ones(5, 2, 1)
    error = error_of(lambda: model(x, mask=mask))
    assert error.shapes == [
        "input [(5, 2, 4), (5, 2, 1)]",
        "lstm LSTM [(5, 2, 3), [(1, 2, 3), (1, 2, 3)]]",
        "out Linear",
    ]


def test_long_chains_are_shortened_and_loops_do_not_grow() -> None:
    layers = [nn.Identity() for _ in range(30)]
    error = error_of(nn.Sequential(*layers, nn.Linear(3, 1)), pellucid.ones(2, 4))
    assert error.shapes[:2] == ["input (2, 4)", f"… {30 - SHOWN} more …"]
    assert error.shapes[2:] == [f"{i} Identity (2, 4)" for i in range(20, 30)] + ["30 Linear"]

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Identity()

        def forward(self, x: Any) -> Any:
            for _ in range(3 * STEPS):
                x = self.step(x)
            assert len(calls.running.steps) == STEPS
            return x @ x

    error = error_of(Loop(), pellucid.ones(2, 4))
    assert error.shapes[1] == "…" and error.shapes[-1] == "Loop"


def test_composite_layers_are_one_step_and_containers_none() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU()),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.Linear(9, 1),
    )
    error = error_of(model, pellucid.ones(2, 5, 4))
    assert error.shapes == [
        "input (2, 5, 4)",
        "0.0 Linear (2, 5, 8)",
        "0.1 ReLU (2, 5, 8)",
        "1 TransformerEncoderLayer (2, 5, 8)",
        "2 Linear",
    ]


def test_threads_have_chains_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(9, 1))
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(error_of(model, pellucid.ones(n, 4))))
        for n in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chains = sorted(error.shapes for error in found)
    assert chains == [
        [f"input ({n}, 4)", f"0 Linear ({n}, 3)", f"1 Linear ({n}, 2)", "2 Linear"]
        for n in (1, 2, 3)
    ]


def test_shapes_alone_are_kept_and_only_during_the_call() -> None:
    class Looks(nn.Module):
        def forward(self, x: Any) -> Any:
            assert [step[2] for step in calls.running.steps] == [(2, 3)]
            return x

    nn.Sequential(nn.Linear(4, 3), Looks())(pellucid.ones(2, 4))
    assert calls.running is None


def test_a_broken_repr_does_not_hide_the_error() -> None:
    class Layer(nn.Module):
        def extra_repr(self) -> str:
            raise RuntimeError("no text")

        def forward(self, x: Any) -> Any:
            return x @ x

    assert "in layer Layer (Layer)\n" in str(error_of(Layer(), pellucid.ones(2, 3)))


def test_a_flattened_size_written_by_hand_is_set_right() -> None:
    error = error_of(Net(lambda block, x: x.view(-1, 400)), pellucid.ones(2, 1, 12, 12))
    assert (
        "one of the 2 samples has 4 · 3 · 3 = 36; use x.flatten(1), and 36 features" in error.hint
    )
    # A -1 that swallows features makes another batch, which shows at the loss.
    x = pellucid.ones(2, 4, 3, 3).view(-1, 18)
    error = error_of(nn.CrossEntropyLoss(), x, pellucid.tensor([0, 1]))
    assert "the batches differ, 4 and 2: did a reshape with -1 move features" in error.hint


def test_arrays_are_told_from_tensors() -> None:
    error = error_of(nn.Sequential(nn.Flatten()), np.ones((2, 3)))
    assert error.shapes == ["input array(2, 3)", "0 Flatten"]
    assert "pellucid.tensor(data)" in error.hint

"""Computation graphs with their values and gradients, as steps and as drawings."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.insight.pictures import computation_steps, draw_graph


def test_D43_values_and_gradients_of_a_diamond() -> None:
    """z = (x + y)·y at (3, −2): ∂z/∂x = y = −2, ∂z/∂y = x + 2y = −1 in two parts, 1·y and x + y."""
    steps = computation_steps(lambda x, y: (x + y) * y, 3.0, -2.0)
    by_name = {step.name or step.operation: step for step in steps}
    assert {k: s.value.item() for k, s in by_name.items()} == {
        "x": 3,
        "y": -2,
        "add": 1,
        "mul": -2,
    }
    assert {k: s.gradient.item() for k, s in by_name.items() if s.gradient is not None} == {
        "x": -2,
        "y": -1,
        "add": -2,
        "mul": 1,
    }
    y = [s.name for s in steps].index("y")
    parts = [
        part.item()
        for step in steps
        for operand, part in zip(step.operands, step.parts, strict=True)
        if operand == y and part is not None
    ]
    assert sorted(parts) == [-2, 1] and sum(parts) == by_name["y"].gradient.item()


def test_steps_of_a_layer_have_its_names(rng: np.random.Generator) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = rng.normal(size=(5, 3)).astype(np.float32)
    for function in (model, model.forward, lambda input: model(input)):
        steps = computation_steps(function, x)
        names = {step.name for step in steps if step.name}
        assert names == {"input", "0.weight", "0.bias", "2.weight", "2.bias"}
    model(pellucid.tensor(x)).sum().backward()
    found = {
        step.name: step.gradient for step in steps if step.name in dict(model.named_parameters())
    }
    for name, parameter in model.named_parameters():
        assert_close(found[name], parameter.grad, 1e-5, 1e-6)
    assert "0" in {step.layer for step in steps}


def test_gradients_of_a_value_are_the_sum_of_its_parts(rng: np.random.Generator) -> None:
    x, w = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))

    def function(x, w):
        h = F.softmax(x @ w, dim=1)
        return (h * h.log()).sum() + h.sum() * w.mean()

    steps = computation_steps(function, x, w)
    checked = 0
    for number, step in enumerate(steps):
        parts = [
            part
            for user in steps
            for operand, part in zip(user.operands, user.parts, strict=False)
            if operand == number
        ]
        if step.gradient is not None and parts and all(part is not None for part in parts):
            assert_close(sum(parts), step.gradient, 1e-10, 1e-12)
            checked += 1
    assert checked >= 5


def test_drawings_show_every_box_and_line(tmp_path: Path) -> None:
    picture = draw_graph(lambda x, y: (x + y) * y, 3.0, -2.0)
    root = ElementTree.fromstring(picture.svg)
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    assert {"x", "y", "+", "×"} <= set(texts) and texts.count("-2") >= 3
    assert len(list(root.iter(f"{space}path"))) == 4
    width, height = float(root.get("width")), float(root.get("height"))
    for text in root.iter(f"{space}text"):
        assert 0 < float(text.get("x")) < width and 0 < float(text.get("y")) < height
    assert picture._repr_svg_() == picture.svg
    picture.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(ArgumentError, match=r"'graph\.png' does not end in \.svg"):
        picture.save(tmp_path / "graph.png")


def test_operands_stand_above_what_uses_them() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    svg = draw_graph(model, np.ones((2, 2), np.float32)).svg
    for x1, y1, x2, y2 in re.findall(r'd="M(\d+),(\d+) C.* (\d+),(\d+)" fill', svg):
        assert int(y1) < int(y2), (x1, x2)


def test_what_has_no_way_back_or_is_too_large_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no way back to its arguments"):
        computation_steps(lambda i: i + 1, np.array([1, 2]))
    with pytest.raises(ArgumentError, match="The function made tuple"):
        computation_steps(lambda x: (x, x), 1.0)

    def long(x):
        for _ in range(500):
            x = x * 1.01
        return x

    with pytest.raises(ArgumentError, match=r"values: nobody could read"):
        draw_graph(long, 1.0)
    with pytest.raises(ArgumentError, match="1 arguments and 2 names"):
        computation_steps(lambda x: x * 2, 1.0, names=["a", "b"])

"""Updates that a program makes by itself, without an optimizer."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.insight import doctor

ROWS = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
LABELS = (ROWS @ np.array([1.0, -2.0, 0.5]) > 0).astype(np.float32)


@pytest.mark.parametrize("bare", [False, True], ids=["module", "tensors"])
@pytest.mark.parametrize("marked", [False, True], ids=["unmarked", "marked"])
def test_a_program_that_adds_the_gradient_is_told_so(bare: bool, marked: bool) -> None:
    assert _causes(0.1, bare, marked)[:1] == ["GRAD_SIGN"]
    assert _causes(-0.1, bare, marked) == []


def _causes(rate: float, bare: bool, marked: bool) -> list[str]:
    pellucid.manual_seed(0)
    x, y = pellucid.tensor(ROWS), pellucid.tensor(LABELS)
    model = None if bare else nn.Linear(3, 1)
    weight, bias = pellucid.zeros(3, requires_grad=True), pellucid.zeros(1, requires_grad=True)
    parameters = [weight, bias] if model is None else list(model.parameters())
    with doctor.watch(model) as watch:
        for _ in range(80):
            with watch.step() if marked else contextlib.nullcontext():
                scores = x @ weight + bias if model is None else model(x).squeeze(1)
                loss = nn.functional.binary_cross_entropy_with_logits(scores, y)
                loss.backward()
                with pellucid.no_grad():
                    for p in parameters:
                        p += rate * p.grad
                for p in parameters:
                    p.grad = None
        return [finding.cause for finding in watch.report()]

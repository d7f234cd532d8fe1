"""``pellucid weights``: what is in a file of weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid import nn


def test_the_command_shows_them(command: Callable[..., Any], tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    with pellucid.no_grad():
        model.weight[0] = float("nan")
    pellucid.save({"net": model.state_dict(), "epoch": 3}, tmp_path / "m.pt")
    outcome = command("weights", "m.pt")
    assert outcome.code == 0, outcome.err
    assert "net.weight  2×3    float32" in outcome.out
    assert "2 tensors, 8 numbers" in outcome.out
    assert "Suspicious: net.weight: 3 NaN" in outcome.out
    found = json.loads(command("weights", "m.pt", "--json", "-m", "*.bias").out)
    assert [entry["name"] for entry in found] == ["net.bias"]
    assert found[0]["mean"] == pytest.approx(float(model.bias.mean()))
    outcome = command("weights", "m.pt", "--match", "nothing")
    assert outcome.code == 2 and "No tensor of m.pt is called 'nothing'" in outcome.err
    (tmp_path / "bad.pt").write_bytes(b"PK\x03\x04 no archive")
    outcome = command("weights", "bad.pt")
    assert outcome.code == 3 and "bad.pt cannot be read: it is damaged" in outcome.err
    outcome = command("weights", "gone.pt")
    assert outcome.code == 4 and "gone.pt" in outcome.err

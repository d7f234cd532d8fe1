"""Where the time of a step goes: by layer, all of it, and without changing anything."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.base.language import in_language
from pellucid.training import Trainer
from pellucid.training.profiling import LayerProfile
from pellucid.utils.data import DataLoader, TensorDataset

X = np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 200)


def trainer(**extra: Any) -> Trainer:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 256), nn.Tanh(), nn.Sequential(nn.Linear(256, 3)))
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    return Trainer(model, "cross_entropy", optimizer, **extra)


def bits(made: Trainer) -> list[bytes]:
    return [t.detach().numpy().tobytes() for t in made.model.state_dict().values()]


def test_layers_have_the_work_that_they_do() -> None:
    """2·rows·inputs·outputs for a product: once forward, for the first layer once and for the
    others twice backward."""
    made = trainer()
    before, state = bits(made), pellucid.get_rng_state().tolist()
    found = made.profile((X, Y), batch_size=64, calls=3)
    assert bits(made) == before and pellucid.get_rng_state().tolist() == state
    assert len(made.history) == 0 and made.epochs_trained == 0
    assert [(one.layer, one.kind) for one in found.layers] == [
        ("0", "Linear"), ("1", "Tanh"), ("2.0", "Linear"), ("SGD", "update"), ("", ""),
    ]  # fmt: skip
    first, tanh, last, update, outside = found.layers
    assert first.forward_flop == pytest.approx(2 * 64 * 32 * 256, rel=0.05)
    assert first.backward_flop == pytest.approx(2 * 64 * 32 * 256, rel=0.05)
    assert last.forward_flop == pytest.approx(2 * 64 * 256 * 3, rel=0.05)
    assert last.backward_flop == pytest.approx(2 * 2 * 64 * 256 * 3, rel=0.2)
    assert tanh.forward_flop >= 0.9 * 64 * 256 and tanh.backward_flop > 0
    assert update.forward_flop >= 2 * (32 * 256 + 256 + 3 * 256 + 3)
    assert found.rows == 64 and found.seconds > 0 and found.threads >= 1
    assert sum(map(found.share, found.layers)) == pytest.approx(1)
    assert all(one.seconds > 0 for one in (first, last, update, outside))


def test_a_fit_is_profiled_on_a_full_step_and_ends_as_without() -> None:
    plain, measured = trainer(), trainer(profile=True)
    for made in (plain, measured):
        made.fit((X, Y), (X[:50], Y[:50]), epochs=2, batch_size=64)
    assert bits(plain) == bits(measured)
    assert plain.layer_profile is None and measured.layer_profile is not None
    assert measured.layer_profile.rows == 64  # the last batch has 8
    assert measured.history["loss"] == plain.history["loss"]
    plain.fit((X, Y), epochs=1, batch_size=64)
    measured.fit((X, Y), epochs=1, batch_size=64)
    assert bits(plain) == bits(measured)


@pytest.mark.parametrize("several", [1, 2])
def test_batches_and_accumulated_steps_are_profiled(several: int) -> None:
    made = trainer(profile=True, accumulate=several)
    data = DataLoader(TensorDataset(pellucid.as_tensor(X), pellucid.as_tensor(Y)), batch_size=50)
    made.fit(data, epochs=1)
    assert made.layer_profile is not None and made.layer_profile.rows == 50 * several
    assert {"0", "2.0", "SGD"} <= {one.layer for one in made.layer_profile.layers}
    assert {"0", "SGD"} <= {one.layer for one in made.profile((X, Y), calls=1).layers}


def test_it_is_told_in_both_languages_and_read_again() -> None:
    found = trainer().profile((X, Y), calls=1)
    assert LayerProfile.from_json(json.loads(json.dumps(found.to_json()))) == found
    text = str(found)
    assert "forward" in text and "outside of layers" in text and "one step on 64 rows" in text
    with in_language("zh"):
        assert "各层之外" in str(found) and "每步 64 行" in str(found)
    assert "<table" in found._repr_html_()
    with pytest.raises(RunFolderError):
        LayerProfile.from_json({**found.to_json(), "seconds": "fast"})


def test_eager_steps_have_no_layers_to_show() -> None:
    with pytest.raises(ArgumentError, match="only programs know their layers"):
        trainer(compile=False, profile=True)
    with pytest.raises(ArgumentError, match="only programs know their layers"):
        trainer(compile=False).profile((X, Y))
    with pytest.raises(ArgumentError, match="calls=0"):
        trainer().profile((X, Y), calls=0)

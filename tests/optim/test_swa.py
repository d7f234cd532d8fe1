"""Averages of weights: plain and moving means, schedules for them, batch statistics afterwards."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.optim import SGD, Adam
from pellucid.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

RNG = np.random.default_rng(4)
BATCHES = [RNG.standard_normal((16, 3)).astype(np.float32) for _ in range(6)]


def network() -> nn.Module:
    pellucid.manual_seed(2)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))


def values(model: Any) -> dict[str, np.ndarray]:
    return {k: v.detach().numpy().copy() for k, v in model.state_dict().items()}


def run(native: bool, make: Any, optimizer: Any = SGD) -> tuple[Any, Any, list[Any]]:
    """Train for some steps; the model, its average, and the weights after each step."""
    model = network()
    average = make(model)
    descent = optimizer(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        descent.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        descent.step()
        average.update_parameters(model)
        return loss

    call = pellucid.compile(step) if native else step
    seen = []
    for batch in BATCHES:
        call(pellucid.from_numpy(batch))
        seen.append(values(model))
    return model, average, seen


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("form", ["multi_avg_fn", "avg_fn", None])
def test_the_plain_mean(native: bool, form: str | None) -> None:
    function = {"multi_avg_fn": get_swa_multi_avg_fn, "avg_fn": get_swa_avg_fn}
    options = {} if form is None else {form: function[form]()}
    _, average, seen = run(native, lambda m: AveragedModel(m, **options))
    found = values(average)
    assert found.pop("n_averaged") == len(BATCHES)
    for key, value in found.items():
        stacked = np.stack([s[key.removeprefix("module.")] for s in seen])
        buffer = "running" in key or "tracked" in key
        expected = stacked[-1] if buffer else stacked.mean(0)
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("form", ["multi_avg_fn", "avg_fn"])
def test_the_moving_mean(native: bool, form: str) -> None:
    function = {"multi_avg_fn": get_ema_multi_avg_fn, "avg_fn": get_ema_avg_fn}[form]
    _, average, seen = run(native, lambda m: AveragedModel(m, **{form: function(0.7)}), Adam)
    found = values(average)
    for key in seen[0]:
        if "running" in key or "tracked" in key:
            continue
        expected = seen[0][key]
        for state in seen[1:]:
            expected = 0.7 * expected + 0.3 * state[key]
        np.testing.assert_allclose(found[f"module.{key}"], expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("native", [False, True])
def test_buffers_are_averaged_on_request(native: bool) -> None:
    make = get_ema_multi_avg_fn(0.5)
    _, average, seen = run(native, lambda m: AveragedModel(m, multi_avg_fn=make, use_buffers=True))
    expected = seen[0]["1.running_mean"]
    for state in seen[1:]:
        expected = 0.5 * expected + 0.5 * state["1.running_mean"]
    np.testing.assert_allclose(values(average)["module.1.running_mean"], expected, rtol=1e-5)


def test_the_average_answers_with_its_own_weights_and_leaves_the_model_alone() -> None:
    model, average, seen = run(True, AveragedModel)
    x = pellucid.from_numpy(BATCHES[0])
    twin = copy.deepcopy(model)
    own = {k.removeprefix("module."): v for k, v in average.state_dict().items()}
    del own["n_averaged"]
    twin.load_state_dict(own)
    average.eval()
    twin.eval()
    assert (average(x).detach().numpy() == twin(x).detach().numpy()).all()
    assert (values(model)["0.weight"] == seen[-1]["0.weight"]).all()


def test_a_first_value_that_is_not_finite_is_not_averaged_with() -> None:
    model = nn.Linear(2, 2)
    average = AveragedModel(model)
    with pellucid.no_grad():
        average.module.weight.fill_(float("nan"))
    average.update_parameters(model)
    assert (average.module.weight.detach().numpy() == model.weight.detach().numpy()).all()


def test_statistics_are_means_over_the_loader() -> None:
    model = network()
    model.eval()
    batches = [(pellucid.from_numpy(b), 0) for b in BATCHES]
    update_bn(batches, model)
    layer = model[1]
    inner = [(model[0](x)).detach().numpy() for x, _ in batches]
    np.testing.assert_allclose(
        layer.running_mean.numpy(), np.mean([i.mean(0) for i in inner], 0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        layer.running_var.numpy(), np.mean([i.var(0, ddof=1) for i in inner], 0), rtol=1e-4
    )
    assert layer.momentum == 0.1 and not model.training
    update_bn(batches, nn.Linear(3, 2))  # nothing to do


def test_bad_arguments() -> None:
    model = network()
    with pytest.raises(ArgumentError, match="avg_fn and multi_avg_fn"):
        AveragedModel(model, avg_fn=get_swa_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())
    with pytest.raises(ArgumentError, match=r"decay of an average is 1\.5"):
        get_ema_multi_avg_fn(1.5)
    with pytest.raises(ArgumentError, match="got a list"):
        AveragedModel([model])
    with pytest.raises(ArgumentError, match="made of 9 tensors and the model has 2"):
        AveragedModel(model).update_parameters(nn.Linear(3, 5))
    with pytest.raises(ShapeError, match=r"shape \(5, 3\), the model's \(5, 4\)"):
        AveragedModel(nn.Linear(3, 5)).update_parameters(nn.Linear(4, 5))
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match="anneal_strategy='square'"):
        SWALR(optimizer, 0.05, anneal_strategy="square")
    with pytest.raises(ArgumentError, match="anneal_epochs=-1"):
        SWALR(optimizer, 0.05, anneal_epochs=-1)


@pytest.mark.parity
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
@pytest.mark.parametrize("before", [False, True])
def test_the_schedule_is_pytorchs(strategy: str, epochs: int, before: bool) -> None:
    torch = pytest.importorskip("torch")
    rates = []
    for library, make in ((pellucid, SWALR), (torch, torch.optim.swa_utils.SWALR)):
        groups = [{"params": [library.zeros(2)], "lr": 0.5}, {"params": [library.zeros(3)]}]
        optimizer = library.optim.SGD(groups, lr=0.1)
        first = library.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda t: 0.9)
        schedule = make(optimizer, [0.05, 0.3], epochs, strategy)
        found = []
        optimizer.step()
        for _ in range(3 if before else 0):
            first.step()
        for _ in range(8):
            schedule.step()
            found.append([g["lr"] for g in optimizer.param_groups])
        rates.append(found)
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["ema", "swa", "ema_one", "swa_one", "buffers"])
def test_averages_are_pytorchs(kind: str) -> None:
    torch = pytest.importorskip("torch")
    results = []
    start = values(network())
    for library, utils in ((pellucid, pellucid.optim.swa_utils), (torch, torch.optim.swa_utils)):
        made = (
            library.nn.Linear(3, 5),
            library.nn.BatchNorm1d(5),
            library.nn.ReLU(),
            library.nn.Linear(5, 2),
        )
        model = library.nn.Sequential(*made)
        model.load_state_dict({k: library.tensor(v) for k, v in start.items()})
        options = {
            "ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
            "swa": {},
            "ema_one": {"avg_fn": utils.get_ema_avg_fn(0.9)},
            "swa_one": {"avg_fn": utils.get_swa_avg_fn()},
            "buffers": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9), "use_buffers": True},
        }[kind]
        average = utils.AveragedModel(model, **options)
        optimizer = library.optim.SGD(model.parameters(), lr=0.1)
        for batch in BATCHES:
            optimizer.zero_grad()
            model(library.tensor(batch)).square().mean().backward()
            optimizer.step()
            average.update_parameters(model)
        results.append({k: v.detach().numpy() for k, v in average.state_dict().items()})
    assert list(results[0]) == list(results[1])
    for key, value in results[1].items():
        np.testing.assert_allclose(results[0][key], value, rtol=2e-5, atol=2e-6, err_msg=key)

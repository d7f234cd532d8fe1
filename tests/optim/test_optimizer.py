"""What all optimizers share: groups, gradients, unison, penalties, state, errors."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from optim.parity_cases import start_values, train
from pellucid import optim
from pellucid.base.errors import ArgumentError, AutogradError, TraceError
from pellucid.tensor.validity import Validity
from pellucid.training.config import setting_reason

ALL = "SGD Adagrad RMSprop Adadelta Adam AdamW Adamax SparseAdam NAdam RAdam Lion Muon".split()


def parameter(*values: float) -> Any:
    return pellucid.tensor(np.array(values), requires_grad=True)


def random_parameter(seed: int, *shape: int) -> Any:
    values = np.random.default_rng(seed).normal(size=shape)
    return pellucid.tensor(values, requires_grad=True)


# ---- gradient descent ------------------------------------------------------------------------


def test_A17_C14_D44_step_is_the_formula_bit_for_bit() -> None:
    w, b = random_parameter(1, 4, 3), random_parameter(2, 3)
    x = pellucid.tensor(np.random.default_rng(3).normal(size=(5, 4)))
    ((x @ w + b) ** 2).mean().backward()
    expected = [p.detach().numpy() - 0.37 * p.grad.numpy() for p in (w, b)]
    optim.SGD([w, b], lr=0.37).step()
    np.testing.assert_array_equal(w.detach().numpy(), expected[0])
    np.testing.assert_array_equal(b.detach().numpy(), expected[1])


def test_A18_learning_rate_scales_the_step() -> None:
    moved = []
    for lr in (0.1, 0.2, 0.4):
        x = parameter(3.0, -1.0)
        (x**2).sum().backward()
        optim.SGD([x], lr=lr).step()
        moved.append(x.detach().numpy() - [3.0, -1.0])
    np.testing.assert_allclose(moved[1], 2 * moved[0], rtol=1e-12)
    np.testing.assert_allclose(moved[2], 4 * moved[0], rtol=1e-12)


@pytest.mark.parametrize(("share", "converges"), [(0.98, True), (1.02, False)])
def test_A18_learning_rate_has_a_limit(share: float, converges: bool) -> None:
    curvatures = pellucid.tensor(np.array([0.5, 3.0, 8.0]))
    x = parameter(1.0, 1.0, 1.0)
    optimizer = optim.SGD([x], lr=share * 2 / 8.0)
    for _ in range(500):
        optimizer.zero_grad()
        (0.5 * curvatures * x**2).sum().backward()
        optimizer.step()
    assert (np.abs(x.detach().numpy()).max() < 1e-3) == converges


def test_A19_gradient_is_the_steepest_direction() -> None:
    rng = np.random.default_rng(7)
    x = random_parameter(4, 6)

    def loss(values: Any) -> Any:
        return (values.sin() * values.exp()).sum() + (values**2).prod()

    loss(x).backward()
    gradient = x.grad.numpy()
    length = np.linalg.norm(gradient)

    def slope(direction: np.ndarray) -> float:
        h = 1e-6
        ends = [loss(x.detach() + pellucid.tensor(s * h * direction)).item() for s in (1, -1)]
        return (ends[0] - ends[1]) / (2 * h)

    for _ in range(50):
        direction = rng.normal(size=6)
        assert slope(direction / np.linalg.norm(direction)) <= length + 1e-6
    assert slope(gradient / length) == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("start", [-3.0, 5.0])
def test_C5_step_goes_against_the_gradient(start: float) -> None:
    w = parameter(start)
    optimizer = optim.SGD([w], lr=0.1)
    before = start
    for _ in range(20):
        optimizer.zero_grad()
        ((w - 1) ** 2).sum().backward()
        optimizer.step()
        assert np.sign(w.item() - before) == -np.sign(w.grad.item())
        assert abs(w.item() - 1) < abs(before - 1)
        before = w.item()


def test_C15_documentation_says_where_to_start() -> None:
    # The default is PyTorch's, 0.001; the docs name the usual first try.
    assert optim.SGD([parameter(1.0)]).param_groups[0]["lr"] == 1e-3
    assert "0.01 is the usual first try" in " ".join((optim.SGD.__doc__ or "").split())
    assert "start at" in (optim.__doc__ or "") and "0.01" in (optim.__doc__ or "")
    # The settings of a run and both guides name the same two numbers.
    assert "0.001 suits Adam and its kin; SGD starts at 0.01" in setting_reason("learning_rate")
    for guide in ("guide.md", "guide.zh-CN.md"):
        text = (Path(__file__).parents[2] / "docs" / guide).read_text(encoding="utf-8")
        rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
        rates = {row[2].strip(): row[3].strip() for row in rows if len(row) == 5}
        sgd = [rate for name, rate in rates.items() if "SGD" in name and "optim." not in name]
        assert sgd == ["0.01", "0.01"] and "0.001" in rates.values(), guide


def test_C18_D38_all_parameters_move_in_unison() -> None:
    def net(first: Any, second: Any) -> Any:
        return ((first * 3.0).tanh() * second - 1.0) ** 2

    first, second = parameter(0.4), parameter(-0.7)
    net(first, second).sum().backward()
    expected = [0.4 - 0.5 * first.grad.item(), -0.7 - 0.5 * second.grad.item()]
    optim.SGD([first, second], lr=0.5).step()
    assert [first.item(), second.item()] == pytest.approx(expected, rel=1e-15)

    # Layer by layer, each gradient taken after the move of the layer before: another result.
    first, second = parameter(0.4), parameter(-0.7)
    for layer in (second, first):
        for p in (first, second):
            p.grad = None
        net(first, second).sum().backward()
        optim.SGD([layer], lr=0.5).step()
    assert abs(first.item() - expected[0]) > 1e-3


def test_D38_updates_read_everything_before_they_write() -> None:
    class Recording(optim.SGD):
        log: list[str] = []

        def _rule(self, *args: Any) -> Any:
            self.log.append("read")
            return super()._rule(*args)

    first, second = parameter(1.0), parameter(2.0)
    (first * second).sum().backward()
    optimizer = Recording([{"params": [first]}, {"params": [second]}], lr=1.0)
    optimizer.step()
    assert Recording.log == ["read", "read"]
    assert [first.item(), second.item()] == [-1.0, 1.0]


def test_D38_failed_update_changes_nothing() -> None:
    first, second = parameter(1.0), parameter(2.0)
    optimizer = optim.SGD([first, second], lr=1.0)
    (first * second).sum().backward()
    del optimizer.param_groups[0]["lr"]
    with pytest.raises(KeyError):
        optimizer.step()
    assert [first.item(), second.item()] == [1.0, 2.0]


def test_D38_parameter_changed_between_forward_and_backward_is_an_error() -> None:
    w = parameter(2.0)
    optimizer = optim.SGD([w], lr=0.1)
    (w**2).sum().backward()
    loss = (w**2).sum()
    optimizer.step()
    with pytest.raises(AutogradError, match="modified in place after the forward pass"):
        loss.backward()


def test_D35_D39_backward_collects_and_the_optimizer_moves() -> None:
    w = parameter(2.0)
    optimizer = optim.SGD([w], lr=0.1)
    (w**2).sum().backward()
    assert w.item() == 2.0 and w.grad.item() == 4.0
    (w**2).sum().backward()
    assert w.grad.item() == 8.0  # without zero_grad gradients add up
    optimizer.step()
    assert w.item() == pytest.approx(1.2)
    assert w.grad.item() == 8.0
    optimizer.zero_grad()
    assert w.grad is None
    w.grad = pellucid.ones(1, dtype=pellucid.float64)
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.item() == 0.0


# ---- adaptive methods ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop"])
def test_D46_steps_are_scaled_for_each_element(name: str) -> None:
    x = parameter(0.0, 0.0)
    optimizer = getattr(optim, name)([x], lr=0.1)
    x.grad = pellucid.tensor(np.array([1e-3, 1e3]))
    optimizer.step()
    steps = -x.detach().numpy()
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)
    plain = parameter(0.0, 0.0)
    plain.grad = x.grad
    optim.SGD([plain], lr=0.1).step()
    np.testing.assert_allclose(plain.detach().numpy(), [-1e-4, -1e2])


def test_D47_adam_corrects_the_bias_of_its_start() -> None:
    x = parameter(0.0, 0.0, 0.0)
    optimizer = optim.Adam([x], lr=0.01)
    x.grad = pellucid.tensor(np.array([1e-2, -5.0, 300.0]))
    optimizer.step()
    # m̂ = g and v̂ = g² after one step: every element moves by the learning rate.
    np.testing.assert_allclose(x.detach().numpy(), [-0.01, 0.01, -0.01], rtol=2e-6)


def test_D47_adamw_decay_is_decoupled() -> None:
    results = {}
    for name in ("Adam", "AdamW"):
        x = parameter(4.0, 4.0)
        optimizer = getattr(optim, name)([x], lr=0.1, weight_decay=0.5)
        x.grad = pellucid.tensor(np.array([1e-3, 1e3]))
        optimizer.step()
        results[name] = x.detach().numpy()
    # AdamW: 4 − 0.1·0.5·4 − 0.1; Adam: the decay only turns the normalized gradient.
    np.testing.assert_allclose(results["AdamW"], [3.7, 3.7], rtol=1e-5)
    np.testing.assert_allclose(results["Adam"], [3.9, 3.9], rtol=1e-5)


def test_D48_documentation_compares_all_optimizers() -> None:
    table = optim.__doc__ or ""
    for name in [*ALL, "LBFGS"]:
        assert f"\n{name} " in table
        text = getattr(optim, name).__doc__ or ""
        assert "``lr``" in text and "(" in text and any(f"({y})" in text for y in range(1951, 2026))
    assert "AdamW       the default choice" in table


# ---- penalties -------------------------------------------------------------------------------


def ridge(optimizer_options: dict[str, Any], name: str = "SGD") -> float:
    """Norm of the weights of a linear fit after training with a penalty."""
    rng = np.random.default_rng(9)
    x = pellucid.tensor(rng.normal(size=(40, 6)))
    y = x @ pellucid.tensor(rng.normal(size=(6,)) * 3)
    w = random_parameter(10, 6)
    optimizer = getattr(optim, name)([w], lr=0.05, **optimizer_options)
    for _ in range(150):
        optimizer.zero_grad()
        ((x @ w - y) ** 2).mean().backward()
        optimizer.step()
    return float(np.abs(w.detach().numpy()).sum())


@pytest.mark.parametrize("kind", ["weight_decay", "l1"])
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_A29_penalty_holds_the_parameters_back(kind: str, name: str) -> None:
    strengths = (0.0, 0.1, 1.0, 4.0) if name == "SGD" else (0.0, 0.1, 0.5, 4.0)
    norms = [ridge({**({"weight_decay": 0} if name == "AdamW" else {}), kind: s}, name)
             for s in strengths]  # fmt: skip
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 0.8 * norms[0]


def test_A29_coupled_penalties_are_gradients() -> None:
    w = random_parameter(12, 5)
    start = w.detach().numpy().copy()
    w.grad = pellucid.zeros(5, dtype=pellucid.float64)
    optim.SGD([w], lr=1.0, weight_decay=0.3, l1=0.2).step()

    def penalty(values: np.ndarray) -> float:
        return float(0.15 * (values**2).sum() + 0.2 * np.abs(values).sum())

    h = 1e-6
    numeric = [
        (penalty(start + h * unit) - penalty(start - h * unit)) / (2 * h) for unit in np.eye(5)
    ]
    np.testing.assert_allclose(start - w.detach().numpy(), numeric, rtol=1e-6)


def test_l1_brings_unused_weights_to_zero() -> None:
    rng = np.random.default_rng(13)
    x = rng.normal(size=(60, 5))
    y = x[:, 0] * 2
    w = random_parameter(14, 5)
    optimizer = optim.SGD([w], lr=0.05, l1=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    for _ in range(300):
        optimizer.zero_grad()
        ((pellucid.tensor(x) @ w - pellucid.tensor(y)) ** 2).mean().backward()
        optimizer.step()
        schedule.step()
    values = w.detach().numpy()
    assert values[0] > 1.8
    assert np.abs(values[1:]).max() < 1e-3


# ---- groups and counts -----------------------------------------------------------------------


def test_groups_have_their_own_settings() -> None:
    first, second = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD(
        [{"params": first, "lr": 0.5}, {"params": [second], "weight_decay": 1.0}], lr=0.1
    )
    for p in (first, second):
        p.grad = pellucid.tensor(np.array([1.0]))
    optimizer.step()
    assert first.item() == pytest.approx(0.5)
    assert second.item() == pytest.approx(1 - 0.1 * 2)


def test_named_parameters() -> None:
    w, b = parameter(1.0), parameter(2.0)
    optimizer = optim.AdamW([("layer.weight", w), ("layer.bias", b)])
    assert optimizer.param_groups[0]["param_names"] == ["layer.weight", "layer.bias"]
    assert optimizer.param_groups[0]["params"][1] is b


def test_changing_a_setting_is_noticed() -> None:
    optimizer = optim.SGD([parameter(1.0)], lr=0.1)
    group = optimizer.param_groups[0]
    watcher = Validity()
    watcher.watch([group, optimizer])
    for change in (
        lambda: group.__setitem__("lr", 0.2),
        lambda: group.update(momentum=0.5),
        lambda: group.setdefault("own", 1),
        lambda: group.pop("own"),
        lambda: optimizer.add_param_group({"params": [parameter(3.0)]}),
    ):
        watcher.fresh = True
        change()
        assert not watcher.fresh


def test_parameters_updated_together_share_one_count() -> None:
    parameters = [parameter(1.0), parameter(2.0), parameter(3.0)]
    optimizer = optim.Adam(parameters)
    for p in parameters:
        p.grad = pellucid.tensor(np.array([1.0]))
    optimizer.step()
    counts = [optimizer.state[p]["step"] for p in parameters]
    assert counts[0] is counts[1] is counts[2]
    assert counts[0].item() == 1.0


@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam", "Adagrad"])
def test_late_and_pausing_parameters_count_for_themselves(name: str) -> None:
    rng = np.random.default_rng(15)
    gradients = rng.normal(size=(12, 2))
    active = np.array([[True, t not in (0, 1, 5, 6)] for t in range(12)])

    def run(indices: list[int]) -> list[float]:
        parameters = [parameter(1.0), parameter(1.0)]
        options = {"lr_decay": 0.1} if name == "Adagrad" else {}
        optimizer = getattr(optim, name)([parameters[i] for i in indices], lr=0.1, **options)
        for t in range(12):
            for i in indices:
                on = active[t, i]
                parameters[i].grad = pellucid.tensor(gradients[t, i : i + 1]) if on else None
            if any(parameters[i].grad is not None for i in indices):
                optimizer.step()
        return [parameters[i].item() for i in indices]

    assert run([0, 1]) == run([0]) + run([1])


def test_dampening_counts_the_first_step_only() -> None:
    x = parameter(0.0)
    optimizer = optim.SGD([x], lr=1.0, momentum=0.5, dampening=0.25)
    moved = []
    for _ in range(3):
        before = x.item()
        x.grad = pellucid.tensor(np.array([1.0]))
        optimizer.step()
        moved.append(before - x.item())
    assert moved == pytest.approx([1.0, 0.5 + 0.75, 0.5 * 1.25 + 0.75])


def test_closure_is_evaluated_with_gradients() -> None:
    x = parameter(3.0)
    optimizer = optim.SGD([x], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (x**2).sum()
        loss.backward()
        return loss

    with pellucid.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert x.item() == pytest.approx(2.4)


# ---- saving and loading ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*(n for n in ALL if n != "Muon"), "LBFGS"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saved_and_loaded_optimizer_continues_bit_for_bit(name: str, dtype: str) -> None:
    options: dict[str, Any] = {"lr": 0.05}
    if name == "SGD":
        options |= {"momentum": 0.9, "dampening": 0.1}
    if name == "LBFGS":
        options |= {"max_iter": 3}
    saved: dict[str, Any] = {}

    def remember(optimizer: Any, step: int) -> None:
        if step == 6:
            saved["state"] = copy.deepcopy(
                {k: v for k, v in optimizer.state_dict().items() if k == "param_groups"}
            )
            twin = getattr(optim, name)(
                [p.detach().clone().requires_grad_() for p in optimizer.param_groups[0]["params"]]
            )
            twin.load_state_dict(optimizer.state_dict())
            saved["twin"] = twin

    whole = train(
        pellucid, lambda p: getattr(optim, name)(p, **options), dtype, 14, after_step=remember
    )
    twin = saved["twin"]
    assert twin.param_groups[0]["lr"] == 0.05

    def resume(parameters: list[Any]) -> Any:
        with pellucid.no_grad():
            for p, q in zip(parameters, twin.param_groups[0]["params"], strict=True):
                p.copy_(q)
        optimizer = getattr(optim, name)(parameters)
        optimizer.load_state_dict(twin.state_dict())
        return optimizer

    rest = train(pellucid, resume, dtype, 7)
    np.testing.assert_array_equal(rest, whole[7:])


def test_state_dict_has_pytorchs_layout() -> None:
    a, b = parameter(1.0, 2.0), parameter(3.0)
    optimizer = optim.AdamW([{"params": [a]}, {"params": [b], "lr": 0.5}], amsgrad=True)
    for p in (a, b):
        p.grad = pellucid.ones(*p.shape, dtype=pellucid.float64)
    optimizer.step()
    saved = optimizer.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1]]
    assert saved["param_groups"][1]["lr"] == 0.5
    assert set(saved["state"]) == {0, 1}
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
    assert saved["state"][0]["exp_avg"].shape == (2,)


def test_loaded_state_is_a_copy_with_shared_counts() -> None:
    a, b = parameter(1.0), parameter(3.0)
    optimizer = optim.Adam([a, b])
    for p in (a, b):
        p.grad = pellucid.tensor(np.array([1.0]))
    optimizer.step()
    other = optim.Adam([parameter(1.0), parameter(3.0)])
    watcher = Validity()
    watcher.watch([other])
    watcher.fresh = True
    other.load_state_dict(optimizer.state_dict())
    assert not watcher.fresh
    states = list(other.state.values())
    assert states[0]["step"] is states[1]["step"]
    optimizer.step()
    assert states[0]["step"].item() == 1.0
    assert states[0]["exp_avg"].item() != optimizer.state[a]["exp_avg"].item()


def test_groups_keep_their_identity_when_state_is_loaded() -> None:
    optimizer = optim.SGD([parameter(1.0)], lr=0.1)
    group = optimizer.param_groups[0]
    other = optim.SGD([parameter(1.0)], lr=0.7)
    optimizer.load_state_dict(other.state_dict())
    assert optimizer.param_groups[0] is group
    assert group["lr"] == 0.7


def test_state_of_another_model_is_refused() -> None:
    first = optim.Adam([parameter(1.0, 2.0)])
    first.param_groups[0]["params"][0].grad = pellucid.ones(2, dtype=pellucid.float64)
    first.step()
    second = optim.Adam([parameter(1.0), parameter(2.0)])
    with pytest.raises(ArgumentError, match=r"saved parameter groups have \[1\] parameters"):
        second.load_state_dict(first.state_dict())
    third = optim.Adam([parameter(1.0, 2.0, 3.0)], lr=0.5)
    with pytest.raises(ArgumentError, match=r"saved exp_avg of parameter 0 has shape \(2,\)"):
        third.load_state_dict(first.state_dict())
    assert third.param_groups[0]["lr"] == 0.5 and not third.state
    with pytest.raises(ArgumentError, match="needs a dictionary with state and param_groups"):
        third.load_state_dict({"state": {}})
    hostile = third.state_dict()
    hostile["param_groups"][0]["lr"] = float("nan")
    with pytest.raises(ArgumentError, match=r"got lr=nan"):
        third.load_state_dict(hostile)


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ALL, "LBFGS"])
def test_bad_parameters_are_refused(name: str) -> None:
    make = getattr(optim, name)
    weight = random_parameter(1, 2, 2)
    with pytest.raises(ArgumentError, match="got an empty list of parameters"):
        make([])
    with pytest.raises(ArgumentError, match=r"got one tensor of shape \(2, 2\) as params"):
        make(weight)
    with pytest.raises(ArgumentError, match=r"parameter 0 of shape \(2, 2\) is not a leaf"):
        make([weight * 2])
    with pytest.raises(ArgumentError, match="parameter 0 is a str, not a tensor"):
        make(["weight"])
    with pytest.raises(ArgumentError, match="parameter 1 of shape .* was given twice"):
        make([weight, weight])
    with pytest.raises(ArgumentError, match=rf"{name} got lr=-0.1"):
        make([weight], lr=-0.1)
    with pytest.raises(ArgumentError, match=rf"{name} got lr='big', a str"):
        make([weight], lr="big")


def test_parameter_in_two_groups_is_refused() -> None:
    weight = random_parameter(1, 2)
    with pytest.raises(ArgumentError, match="was given twice.*\n.*belongs to one group"):
        optim.SGD([{"params": [weight]}, {"params": [weight]}])
    with pytest.raises(ArgumentError, match="needs params"):
        optim.SGD([{"lr": 0.1}])
    with pytest.raises(ArgumentError, match="params is a set"):
        optim.SGD([{"params": {weight}}])
    with pytest.raises(ArgumentError, match="some parameters have a name"):
        optim.SGD([("w", weight), random_parameter(2, 2)])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", {"momentum": -1}, r"momentum=-1\n  momentum must be in \[0, ∞\)"),
        ("SGD", {"nesterov": True}, "needs momentum > 0 and dampening = 0"),
        ("SGD", {"l1": -0.1}, "l1=-0.1"),
        ("Adam", {"betas": (0.9, 1.0)}, r"betas=1.0\n  betas must be in \[0, 1\)"),
        ("Adam", {"eps": float("nan")}, "eps=nan"),
        ("Adam", {"differentiable": True}, "differentiable=True, which does not exist"),
        ("Adam", {"fuse": True}, "unexpected keyword argument 'fuse'\n  did you mean 'fused'"),
        ("AdamW", {"weight_decay": -1}, "weight_decay=-1"),
        ("RMSprop", {"alpha": 1.5}, "alpha=1.5"),
        ("Adadelta", {"rho": -0.5}, "rho=-0.5"),
        ("Adagrad", {"lr_decay": -1}, "lr_decay=-1"),
        ("NAdam", {"momentum_decay": -1}, "momentum_decay=-1"),
        ("Muon", {"adjust_lr_fn": "best"}, "adjust_lr_fn='best'"),
        ("Muon", {"ns_steps": 100}, "ns_steps=100"),
        ("Muon", {"ns_coefficients": (1, 2)}, "2 ns_coefficients"),
        ("LBFGS", {"line_search_fn": "armijo"}, "line_search_fn='armijo'"),
        ("LBFGS", {"max_iter": 0}, "max_iter=0"),
    ],
)
def test_bad_hyperparameters_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        getattr(optim, name)([random_parameter(1, 2, 2)], **options)


def test_ways_of_running_are_accepted() -> None:
    stepped = []
    for options in ({}, {"fused": True, "foreach": False, "capturable": True}):
        x = parameter(1.0)
        x.grad = x.detach() * 0.5
        optim.AdamW([x], **options).step()
        stepped.append(x.item())
    assert stepped[0] == stepped[1] != 1.0


def test_muon_takes_matrices_only() -> None:
    with pytest.raises(ArgumentError, match=r"parameter 1 of shape \(3,\), which is not a matrix"):
        optim.Muon([random_parameter(1, 2, 2), random_parameter(2, 3)])


def test_lbfgs_has_one_group_and_needs_a_closure() -> None:
    x = parameter(1.0)
    with pytest.raises(ArgumentError, match="second parameter group"):
        optim.LBFGS([{"params": [x]}, {"params": [parameter(2.0)]}])
    with pytest.raises(ArgumentError, match="without a closure"):
        optim.LBFGS([x]).step()


def test_lbfgs_cannot_be_compiled() -> None:
    x = parameter(1.0)
    optimizer = optim.LBFGS([x])
    from pellucid.tensor.compile import compile

    with pytest.raises(TraceError, match="LBFGS decides by the values"):
        compile(lambda: optimizer.step(lambda: (x**2).sum()), backend="reference")()


def test_repr_lists_the_settings() -> None:
    text = repr(optim.SGD([parameter(1.0)], lr=0.25))
    assert text.startswith("SGD (\nParameter Group 0\n") and "    lr: 0.25\n" in text


def test_eager_training_data_are_fixed() -> None:
    weights, _, _ = start_values(0)
    assert weights[0][0, 0] == pytest.approx(0.1257302210933933)


@pytest.mark.parametrize("name", ["AdamW", "Lion", "Muon"])
def test_direct_penalties_shrink_towards_zero(name: str) -> None:
    start = np.array([[2.0, -0.3], [0.05, 0.0]])
    x = pellucid.tensor(start, requires_grad=True)
    x.grad = pellucid.zeros(2, 2, dtype=pellucid.float64)
    optimizer = getattr(optim, name)([x], lr=0.5, weight_decay=0.4, l1=0.2)
    optimizer.step()
    np.testing.assert_allclose(x.detach().numpy(), [[1.5, -0.14], [0.0, 0.0]], atol=1e-12)

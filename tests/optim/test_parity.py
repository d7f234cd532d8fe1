"""Trajectories of every optimizer equal PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from optim.parity_cases import pellucid_run, train
from pellucid import optim

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.parity

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.003, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adagrad", {"weight_decay": 0.1, "eps": 1e-3, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "alpha": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("Adam", {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "betas": (0.0, 0.9)}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.7, 0.9)}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.4), "step_sizes": (1e-3, 0.3)}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "t0": 3, "lambd": 0.01, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.003, "t0": 0, "alpha": 0.5, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "beta2_decay": -0.5, "d": 2.0}),
    ("Adafactor", {"lr": 0.003, "eps": (1e-3, 0.1), "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.02}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]


def _name(case: Any) -> str:
    return case if isinstance(case, str) else ",".join(f"{k}={v}" for k, v in case.items())


def _torch_run(name: str, options: dict[str, Any], **settings: Any) -> list[np.ndarray]:
    return train(torch, lambda p: getattr(torch.optim, name)(p, **options), **settings)


# NAdam keeps the product of its momenta in float32 here as in PyTorch.
@pytest.mark.parametrize(("name", "options"), CASES, ids=_name)
def test_trajectory_equals_torch_in_float64(name: str, options: dict[str, Any]) -> None:
    ours = pellucid_run(name, options, seed=3)
    theirs = _torch_run(name, options, seed=3)
    tolerance = 1e-6 if name == "NAdam" else 1e-11
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=_name)
def test_trajectory_equals_torch_in_float32(name: str, options: dict[str, Any]) -> None:
    ours = pellucid_run(name, options, dtype="float32", seed=4)
    theirs = _torch_run(name, options, dtype="float32", seed=4)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
@pytest.mark.parametrize("extra", [{}, {"history_size": 2, "max_iter": 4}], ids=_name)
def test_lbfgs_trajectory_equals_torch(line_search_fn: str | None, extra: dict[str, Any]) -> None:
    options = {"lr": 0.5, "line_search_fn": line_search_fn, **extra}
    # Ten steps of up to 4 or 20 moves; later ones only amplify the rounding of the first.
    ours = pellucid_run("LBFGS", options, seed=5, steps=10)
    theirs = _torch_run("LBFGS", options, seed=5, steps=10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": 0.05, "momentum": 0.8, "nesterov": False},
        {"lr": 0.05, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.3, "ns_steps": 3},
    ],
    ids=_name,
)
def test_muon_trajectory_equals_torch(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # PyTorch orthogonalizes in bfloat16; let it keep the dtype to compare the algorithm.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())

    def run(library: Any, muon: Any, sgd: Any) -> list[np.ndarray]:
        def make(parameters: list[Any]) -> Any:
            matrices = [p for p in parameters if p.ndim == 2]
            rest = sgd([p for p in parameters if p.ndim != 2], lr=0.05)
            optimizer = muon(matrices, **options)
            plain_step, plain_zero = optimizer.step, optimizer.zero_grad

            def step(closure: Any) -> Any:
                loss = plain_step(closure)
                rest.step()
                return loss

            def zero_grad() -> None:
                plain_zero()
                rest.zero_grad()

            optimizer.step, optimizer.zero_grad = step, zero_grad
            return optimizer

        return train(library, make, seed=6)

    ours = run(pellucid, optim.Muon, optim.SGD)
    theirs = run(torch, torch.optim.Muon, torch.optim.SGD)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_parameter_groups_equal_torch() -> None:
    def groups(parameters: list[Any]) -> list[dict[str, Any]]:
        return [
            {"params": parameters[:1], "lr": 0.1, "weight_decay": 0.2},
            {"params": parameters[1:], "betas": (0.5, 0.9)},
        ]

    ours = train(pellucid, lambda p: optim.AdamW(groups(p), lr=0.02))
    theirs = train(torch, lambda p: torch.optim.AdamW(groups(p), lr=0.02))
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in CASES if not case[1] or "momentum" in case[1] or "amsgrad" in case[1]],
    ids=_name,
)
def test_state_saved_by_torch_continues_here(name: str, options: dict[str, Any]) -> None:
    saved: dict[str, Any] = {}

    def remember(optimizer: Any, step: int) -> None:
        if step == 9:
            saved["state"] = optimizer.state_dict()
            saved["values"] = [
                p.detach().numpy().copy() for g in optimizer.param_groups for p in g["params"]
            ]
            # PyTorch's state dict holds the live tensors.
            import copy

            saved["state"] = copy.deepcopy(saved["state"])

    theirs = train(
        torch, lambda p: getattr(torch.optim, name)(p, **options), steps=20, after_step=remember
    )

    def make(parameters: list[Any]) -> Any:
        with pellucid.no_grad():
            for parameter, value in zip(parameters, saved["values"], strict=True):
                parameter.copy_(pellucid.tensor(value))
        optimizer = getattr(optim, name)(parameters, **options)
        optimizer.load_state_dict(saved["state"])
        return optimizer

    ours = train(pellucid, make, steps=10)
    np.testing.assert_allclose(ours, theirs[10:], rtol=1e-6, atol=1e-6)


def test_defaults_equal_torch() -> None:
    import inspect

    for name in (
        "SGD Adagrad RMSprop Adadelta Adam AdamW Adamax NAdam RAdam Muon LBFGS Rprop ASGD "
        "Adafactor SparseAdam"
    ).split():
        ours = inspect.signature(getattr(optim, name).__init__).parameters
        theirs = inspect.signature(getattr(torch.optim, name).__init__).parameters
        for argument, parameter in theirs.items():
            if argument in ("self", "foreach", "fused", "capturable", "differentiable"):
                continue
            assert argument in ours, (name, argument)
            assert ours[argument].default == parameter.default, (name, argument)
        named = [a for a in theirs if a in ours and theirs[a].kind.name != "KEYWORD_ONLY"]
        order = [a for a in ours if a in named]
        assert order == named, name


@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "betas": (0.5, 0.8), "maximize": True}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_adam_moves_the_rows_of_a_batch_as_torch(
    options: dict[str, Any], dtype: str
) -> None:
    rng = np.random.default_rng(11)
    start = rng.normal(size=(9, 4)).astype(dtype)
    batches = [rng.integers(0, 9, 5) for _ in range(8)]
    weights = [rng.normal(size=(5, 4)).astype(dtype) for _ in batches]
    theirs = torch.nn.Embedding(9, 4, sparse=True, _weight=torch.tensor(start))
    ours = pellucid.nn.Embedding(9, 4, _weight=pellucid.tensor(start))
    optimizers = (
        torch.optim.SparseAdam(list(theirs.parameters()), **options),
        optim.SparseAdam(ours.parameters(), **options),
    )
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    for ids, weight in zip(batches, weights, strict=True):
        for library, layer, optimizer in zip(
            (torch, pellucid), (theirs, ours), optimizers, strict=True
        ):
            optimizer.zero_grad()
            (layer(library.tensor(ids)) * library.tensor(weight)).sum().backward()
            optimizer.step()
        np.testing.assert_allclose(
            ours.weight.detach().numpy(), theirs.weight.detach().numpy(), tolerance, tolerance
        )
    untouched = sorted(set(range(9)) - set(np.concatenate(batches[:1]).tolist()))
    assert untouched  # the first step left some rows alone, which later ones were compared with


def test_sparse_adam_leaves_rows_without_gradient_alone() -> None:
    x = pellucid.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    optimizer = optim.SparseAdam([x], lr=0.5)
    x[0].sum().backward()
    optimizer.step()
    assert x[1].tolist() == [3.0, 4.0] and x[0].tolist() == pytest.approx([0.5, 1.5])
    moved = x[0].tolist()
    optimizer.zero_grad()
    x[1].sum().backward()
    optimizer.step()
    assert x[0].tolist() == moved
    assert optimizer.state[x]["exp_avg"][0].tolist() == pytest.approx([0.1, 0.1])

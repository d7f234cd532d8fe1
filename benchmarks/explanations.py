"""Explanations beside Captum's and SHAP's, on the same weights.

    python benchmarks/explanations.py [--cores 2] [--seconds 1.0] [--only NAME,NAME]

A network on a table (30 → 64 → 64 → 3), one on pictures of digits (two convolutions, 28 × 28) and
one on tokens (embedding, LSTM), each with many rows and with one.  A time is that of a whole call
of the method, the shortest of as many as fit into so many seconds, after one that compiles; values
are compared before anything is measured.  "ratio" is the other's time over ours.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Skipped, difference, pair, shortest, use_cores

RANDOM = np.random.default_rng(0)


def tabular(n: Any) -> Any:
    return n.Sequential(n.Linear(30, 64), n.ReLU(), n.Linear(64, 64), n.ReLU(), n.Linear(64, 3))


def pictures(n: Any) -> Any:
    return n.Sequential(
        n.Conv2d(1, 8, 3), n.ReLU(), n.MaxPool2d(2), n.Conv2d(8, 16, 3), n.ReLU(), n.MaxPool2d(2),
        n.Flatten(), n.Linear(400, 10),
    )  # fmt: skip


def texts(n: Any) -> Any:
    class Tokens(n.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = n.Embedding(1000, 32)
            self.lstm = n.LSTM(32, 64, batch_first=True)
            self.out = n.Linear(64, 2)

        def forward(self, ids: Any) -> Any:
            return self.out(self.lstm(self.embedding(ids))[0][:, -1])

    return Tokens()


Case = tuple[str, Callable[[], Any], Callable[[], Any], float]
"""Name, ours, theirs, how far the values may be apart (relative to the largest)."""


def cases_of_rows(rows: int, network: str) -> list[Case]:
    """The methods on a table or on pictures."""
    import captum.attr as attr
    import torch

    from pellucid.insight import explain

    tab = network == "table"
    ours, theirs = pair(tabular if tab else pictures)
    shape = (30,) if tab else (1, 28, 28)
    x = RANDOM.normal(size=(rows, *shape)).astype(np.float32)
    base = RANDOM.normal(size=(16, *shape)).astype(np.float32)
    tx, tbase = torch.tensor(x), torch.tensor(base)
    grown = torch.tensor(x, requires_grad=True)
    layer = 2 if tab else 3
    found: list[Case] = [
        ("saliency", lambda: explain.saliency(ours, x, 1),
         lambda: attr.Saliency(theirs).attribute(grown, 1, abs=False), 1e-4),
        ("smoothgrad, 25 samples", lambda: explain.smooth_grad(ours, x, 1, nt_samples=25),
         lambda: attr.NoiseTunnel(attr.Saliency(theirs)).attribute(
             grown, nt_samples=25, stdevs=0.1, target=1, abs=False), 0.5),
        ("integrated gradients, 50 steps", lambda: explain.integrated_gradients(ours, x, 0, 1),
         lambda: attr.IntegratedGradients(theirs).attribute(tx, 0, 1), 1e-4),
        ("expected gradients, 20 samples",
         lambda: explain.expected_gradients(ours, x, base, 1, n_samples=20),
         lambda: attr.GradientShap(theirs).attribute(tx, tbase, n_samples=20, target=1), 5.0),
        ("DeepLIFT-SHAP, 16 references", lambda: explain.deep_lift_shap(ours, x, base, 1),
         lambda: attr.DeepLiftShap(theirs).attribute(tx, tbase, 1), 1e-4 if tab else 5.0),
        ("guided back-propagation", lambda: explain.guided_backprop(ours, x, 1),
         lambda: attr.GuidedBackprop(theirs).attribute(grown, 1), 1e-4),
        ("layer conductance, 50 steps",
         lambda: explain.layer_conductance(ours, x, str(layer), 0, 1),
         lambda: attr.LayerConductance(theirs, theirs[layer]).attribute(tx, 0, 1), 1e-3),
    ]  # fmt: skip
    if tab:
        found.append(("DeepLIFT", lambda: explain.deep_lift(ours, x, 0, 1),
                      lambda: attr.DeepLift(theirs).attribute(tx, 0, 1), 1e-4))  # fmt: skip
        found.append(("LRP, epsilon", lambda: explain.lrp(ours, x, 1),
                      lambda: attr.LRP(theirs).attribute(grown, 1), 1e-2))  # fmt: skip
    else:
        found.append(("Grad-CAM", lambda: explain.layer_grad_cam(ours, x, ours[3], 1),
                      lambda: attr.LayerGradCam(theirs, theirs[3]).attribute(tx, 1),
                      1e-4))  # fmt: skip
    return found + of_shap(ours, theirs, x, base)


def of_shap(ours: Any, theirs: Any, x: Any, base: Any) -> list[Case]:
    """SHAP's DeepExplainer, which gives the values of all outputs in one call."""
    try:
        import shap
    except ImportError:
        return []
    import torch

    from pellucid.insight import explain

    if len(x) > 32:  # it takes minutes for many rows
        return []
    explainer = shap.DeepExplainer(theirs, torch.tensor(base))
    outputs = int(theirs[-1].out_features)

    def all_outputs() -> Any:
        made = [explain.deep_lift_shap(ours, x, base, k).array for k in range(outputs)]
        return np.stack(made, -1)

    return [
        ("SHAP's DeepExplainer, all outputs", all_outputs,
         lambda: explainer.shap_values(torch.tensor(x), check_additivity=False), 1e-3)
    ]  # fmt: skip


def cases_of_tokens(rows: int) -> list[Case]:
    """The methods on tokens."""
    import captum.attr as attr
    import torch

    from pellucid.insight import explain

    ours, theirs = pair(texts)
    ids = RANDOM.integers(1, 1000, (rows, 20))
    given, zero = torch.tensor(ids), torch.tensor(ids * 0)
    return [
        ("integrated gradients, 50 steps",
         lambda: explain.layer_integrated_gradients(ours, ids, ours.embedding, 0, 1),
         lambda: attr.LayerIntegratedGradients(theirs, theirs.embedding).attribute(
             given, zero, target=1), 1e-3),
        ("layer gradient × activation",
         lambda: explain.layer_gradient_x_activation(ours, ids, ours.embedding, 1),
         lambda: attr.LayerGradientXActivation(theirs, theirs.embedding).attribute(given, 1), 1e-3),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cores = use_cores(options.cores)
    try:
        import captum  # noqa: F401
        import torch
    except ImportError as error:
        raise SystemExit(str(Skipped(f"needs Captum and PyTorch: {error}"))) from None
    import pellucid

    torch.set_num_threads(cores)
    pellucid.set_num_threads(cores)
    warnings.simplefilter("ignore")
    print(f"{cores} cores")
    print(shown(["network", "rows", "method", "ours, ms", "theirs, ms", "ratio"]), flush=True)
    for network, rows in [
        ("table", 256), ("table", 1), ("pictures", 32), ("pictures", 1), ("tokens", 32),
        ("tokens", 1),
    ]:  # fmt: skip
        if options.only and network not in options.only.split(","):
            continue
        made = cases_of_tokens(rows) if network == "tokens" else cases_of_rows(rows, network)
        for name, ours, theirs, close in made:
            apart = difference(ours(), theirs())
            if apart > close:
                raise SystemExit(f"{network}, {name}: values are {apart:.2g} apart")
            times = shortest(ours, options.seconds), shortest(theirs, options.seconds)
            ratio = f"{times[1] / times[0]:.1f}"
            line = [network, str(rows), name, f"{times[0]:.3f}", f"{times[1]:.3f}", ratio]
            print(shown(line), flush=True)


def shown(cells: list[str]) -> str:
    """A line of the table."""
    network, rows, name, *figures = cells
    return f"{network:9}{rows:>5}  {name:36}" + "".join(f"{figure:>12}" for figure in figures)


if __name__ == "__main__":
    main()

"""The diagnosis of a stored run: its network as it began, and its learning curves."""

from __future__ import annotations

from pellucid.insight.diagnosis import Finding, check_model, diagnose_curves
from pellucid.tensor.random import get_rng_state, set_rng_state
from pellucid.training.network import build_network
from pellucid.training.stored_run import SimpleModel, StoredRun


def run_findings(run: StoredRun) -> list[Finding]:
    """What is noticed about a run, in the order in which to mend it.

    The network is built again as its settings say, since what makes it learn badly (equal
    weights, a head that does not fit the loss) is seen best before training.
    """
    before = get_rng_state()
    try:
        task = run.saved.task
        shape, config = run.saved.row_shape, run.saved.config
        network = build_network(shape, config, task.output_units, task.kind)
    finally:
        set_rng_state(before)
    found = check_model(network, loss=run.training.loss)
    curves = curves_finding(run)
    return [*found, curves] if curves is not None else found


def curves_finding(run: StoredRun) -> Finding | None:
    """What the curves say beside the losses of the simple models; None where nothing can be said:
    one epoch, no validation rows, or a loss that the simple models were not measured with."""
    history = run.history
    if run.saved.config.loss != "auto" or len(history) < 2 or not run.baselines:
        return None
    if any(record.validation_loss is None for record in history.epochs):
        return None
    is_regression = run.saved.task.kind == "regression"
    losses = [_loss_of(model, is_regression) for model in run.baselines]
    baseline = 1.0 if is_regression else losses[0]  # of targets with a standard deviation of 1
    if baseline is None:
        return None
    simple = min((loss for loss in losses[1:] if loss is not None), default=None)
    return diagnose_curves(history, baseline, simple)


def _loss_of(model: SimpleModel, is_regression: bool) -> float | None:
    """A simple model's loss on the validation rows, in the unit of the network's."""
    measured = model.metrics.get("validation")
    if measured is None:
        return None
    if not is_regression:
        return measured.values.get("log_loss")
    r2 = measured.values.get("r2")
    return None if r2 is None else 1.0 - r2

"""Explanations at layers and neurons inside a model, instead of at its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.insight.explain.baselines import baselines_of
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.gradients import saliency
from pellucid.insight.explain.integrated import integrated_gradients, rule_of
from pellucid.insight.explain.lifting import multiplied
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.relevance import Rule, conserved, relevances, rule_named
from pellucid.insight.explain.slopes import path_average, slopes_at, through_points
from pellucid.insight.explain.starts import Layer, layer_of
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]


class LayerOutput(nn.Module):
    """A model as seen at one of its layers: its outputs are what that layer makes.

    With it every method explains a *neuron*: ``saliency(LayerOutput(model, layer), x, target=3)``
    is the gradient of the layer's fourth neuron.  Of a layer that gives several tensors it is the
    first.  Raises ``ArgumentError`` where the model does not run the layer.
    """

    def __init__(self, model: Any, layer: Any) -> None:
        super().__init__()
        self.model = model
        self.path = layer if isinstance(layer, str) else _path(model, layer)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """What the layer makes when the model is given these arguments."""
        kept: list[Any] = []
        layer = dict(self.model.named_modules())[self.path]
        handle = layer.register_forward_hook(lambda module, given, made: kept.append(made))
        try:
            self.model(*args, **kwargs)
        finally:
            handle.remove()
        if not kept:
            raise ArgumentError(
                f"the model does not run its layer {self.path!r}",
                "name a module that forward calls",
            )
        made = kept[-1]
        first: Tensor = made if isinstance(made, Tensor) else made[0]
        return first


def _path(model: Any, layer: Any) -> str:
    for path, module in model.named_modules():
        if module is layer:
            return str(path)
    raise ArgumentError(
        f"the layer, a {type(layer).__name__}, is no part of the model",
        "choose one of model.named_modules()",
    )


def _asked(
    model: Model, inputs: Inputs, layer: Any, target: Any, extra: Any, of_inputs: bool
) -> tuple[Forward, Layer]:
    forward = Forward(model, inputs, target, extra)
    return forward, layer_of(forward.module, layer, of_inputs)


def _told(forward: Forward, name: str, values: Sequence[Array], **further: Any) -> Explanation:
    names = tuple("layer" if len(values) == 1 else f"layer {k}" for k in range(len(values)))
    return forward.explanation(name, values, names, **further)


def _at(forward: Forward, layer: Layer) -> tuple[list[Array], list[Array]]:
    """A layer's slopes and values for the inputs themselves."""
    baselines = [np.zeros_like(plain(t)) for t in forward.tensors]
    found = path_average(forward, baselines, np.ones(1), np.ones(1), layer)
    return found.slopes[0], found.here[0]


@method
def layer_activation(
    model: Model,
    inputs: Inputs,
    layer: Any,
    additional_forward_args: Any = (),
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """What a layer makes of the inputs (is given for them, with ``attribute_to_layer_input``).

    ``layer`` is a module of the model or its path.  The values are not about a score.
    """
    forward, asked = _asked(
        model, inputs, layer, None, additional_forward_args, attribute_to_layer_input
    )
    return _told(forward, "layer_activation", _at(forward, asked)[1])


@method
def layer_gradient_x_activation(
    model: Model,
    inputs: Inputs,
    layer: Any,
    target: Any = None,
    additional_forward_args: Any = (),
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """``a · ∂ score / ∂ a`` for what a layer makes, a; see :func:`.input_x_gradient`."""
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    slopes, here = _at(forward, asked)
    values = [s * h for s, h in zip(slopes, here, strict=True)]
    return _told(forward, "layer_gradient_x_activation", values, kind="contribution")


@method
def layer_integrated_gradients(
    model: Model,
    inputs: Inputs,
    layer: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "gausslegendre",
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """Integrated gradients from what a layer makes of the baselines to what it makes of the inputs.

    Of an embedding the values are (rows, tokens, features): their sum over the features is what
    each token gives.  Everything else in the model sees the inputs.  Where the layer is all that
    the inputs go through, the values sum to score(x) − score(x′).  (Captum's
    LayerIntegratedGradients.)
    """
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    base = baselines_of(forward, baselines)
    found = path_average(forward, base, *rule_of(method, n_steps), layer=asked)
    values = [
        s * (h - t) for s, h, t in zip(found.slopes[0], found.here[0], found.there[0], strict=True)
    ]
    return _told(
        forward,
        "layer_integrated_gradients",
        values,
        kind="contribution",
        is_complete=True,
        baseline=base,
        baseline_output=forward(*base),
        settings={"n_steps": n_steps, "method": method},
    )


@method
def layer_conductance(
    model: Model,
    inputs: Inputs,
    layer: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "gausslegendre",
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """How much of integrated gradients flows through each neuron of a layer.

    ``Σ_k ∂ score / ∂ y (x_k) · (y(x_{k+1}) − y(x_k))`` over the points x_k of the way from the
    baselines to the inputs, of which there are ``n_steps + 1``.  The values sum to the difference
    of the scores up to ``gap``, if everything goes through the layer.  (Dhamdhere, Sundararajan
    and Yan, 2018; Shrikumar, Su and Kundaje, 2018.)
    """
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    base = baselines_of(forward, baselines)
    alphas, _ = rule_of(method, n_steps + 1)
    slopes, made = through_points(forward, base, alphas, asked)
    values = [
        (s[:-1] * np.diff(v, axis=0)).sum(0, dtype=np.float64)
        for s, v in zip(slopes, made, strict=True)
    ]
    return _told(
        forward,
        "layer_conductance",
        values,
        kind="contribution",
        is_complete=True,
        baseline=base,
        baseline_output=forward(*base),
        settings={"n_steps": n_steps, "method": method},
    )


@method
def internal_influence(
    model: Model,
    inputs: Inputs,
    layer: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "gausslegendre",
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """The mean slope of the score to each neuron of a layer on the way from the baselines.

    (Leino, Sen, Datta, Fredrikson and Li, 2018.)
    """
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    base = baselines_of(forward, baselines)
    found = path_average(forward, base, *rule_of(method, n_steps), layer=asked, through=True)
    return _told(
        forward,
        "internal_influence",
        found.slopes[0],
        kind="slope",
        baseline=base,
        settings={"n_steps": n_steps, "method": method},
    )


@method
def layer_deep_lift(
    model: Model,
    inputs: Inputs,
    layer: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """:func:`.deep_lift` for what a layer makes, against what it makes of the baselines."""
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    base = baselines_of(forward, baselines)
    return _told(
        forward,
        "layer_deep_lift",
        multiplied(forward, base, asked)[0],
        kind="contribution",
        is_complete=True,
        baseline=base,
        baseline_output=forward(*base),
    )


@method
def layer_lrp(
    model: Model,
    inputs: Inputs,
    layer: Any,
    target: Any = None,
    additional_forward_args: Any = (),
    rule: Rule | str = "epsilon",
    attribute_to_layer_input: bool = False,
) -> Explanation:
    """:func:`.lrp` down to what a layer makes."""
    forward, asked = _asked(
        model, inputs, layer, target, additional_forward_args, attribute_to_layer_input
    )
    found, _ = relevances(forward, rule_named(rule), {}, asked)
    made = _told(forward, "layer_lrp", found[0], kind="contribution", settings={"rule": rule})
    made.checks["conservation"] = conserved(made)
    return made


# ---- neurons -----------------------------------------------------------------------------------


@method
def neuron_conductance(
    model: Model,
    inputs: Inputs,
    layer: Any,
    neuron_selector: int | tuple[int, ...],
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "riemann_trapezoid",
) -> Explanation:
    """What each input gives to the score through one neuron of a layer.

    ``(x − x′) ∫ ∂ score / ∂ y · ∂ y / ∂ x dα`` with y the neuron ``neuron_selector``, a position
    (with several axes a tuple) among what the layer makes for a row.  (Dhamdhere, Sundararajan and
    Yan, 2018.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    base = baselines_of(forward, baselines)
    asked = layer_of(forward.module, layer)
    alphas, weights = rule_of(method, n_steps)
    slopes, made = through_points(forward, base, alphas, asked)
    place = neuron_selector if isinstance(neuron_selector, tuple) else (neuron_selector,)
    if made[0].ndim != 2 + len(place):
        raise ArgumentError(
            f"neuron_selector={neuron_selector!r} for a layer that makes {made[0].shape[1:]}",
            "give one position for each axis after the rows",
        )
    chosen: Any = (slice(None), slice(None), *place)
    of_neuron = slopes[0][chosen]  # (points, rows)
    view = LayerOutput(forward.module, layer)
    seen = Forward(view, inputs, place if len(place) > 1 else place[0], additional_forward_args)
    values = _chained(seen, base, alphas, weights, of_neuron)
    return forward.explanation(
        "neuron_conductance",
        values,
        kind="contribution",
        baseline=base,
        settings={"n_steps": n_steps, "method": method},
    )


def _chained(
    seen: Forward, base: Sequence[Array], alphas: Array, weights: Array, outer: Array
) -> list[Array]:
    """(x − x′) Σ w · outer · ∂ y / ∂ x over the points."""
    from_points = []
    for tensor, start in zip(seen.tensors, base, strict=True):
        x = plain(tensor)
        steps = alphas.reshape(1, -1, *(1,) * (x.ndim - 1)).astype(x.dtype)
        points = start[:, None] + steps * (x - start)[:, None]
        from_points.append(points.reshape(-1, *x.shape[1:]))
    inner = slopes_at(seen, from_points, len(alphas))
    values = []
    for slope, tensor, start in zip(inner, seen.tensors, base, strict=True):
        apart = slope.reshape(seen.rows, len(alphas), *slope.shape[1:]).astype(np.float64)
        scale = (outer.T * weights).reshape(seen.rows, len(alphas), *(1,) * (slope.ndim - 1))
        values.append((apart * scale).sum(1) * (plain(tensor) - start))
    return values


def neuron_gradient(
    model: Model,
    inputs: Inputs,
    layer: Any,
    neuron_selector: int | tuple[int, ...],
    additional_forward_args: Any = (),
) -> Explanation:
    """∂ y / ∂ x of one neuron y of a layer: :func:`.saliency` of :class:`LayerOutput`."""
    view = LayerOutput(getattr(model, "function", model), layer)
    return saliency(view, inputs, neuron_selector, additional_forward_args=additional_forward_args)


def neuron_integrated_gradients(
    model: Model,
    inputs: Inputs,
    layer: Any,
    neuron_selector: int | tuple[int, ...],
    baselines: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "gausslegendre",
) -> Explanation:
    """:func:`.integrated_gradients` of one neuron of a layer."""
    view = LayerOutput(getattr(model, "function", model), layer)
    return integrated_gradients(
        view, inputs, baselines, neuron_selector, additional_forward_args, n_steps, method
    )

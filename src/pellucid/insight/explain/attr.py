"""The methods as classes with the names and arguments of Captum's ``captum.attr``.

A program written for Captum changes its import and its model; ``attribute`` returns tensors, and
``explain``, with the same arguments, the :class:`.Explanation` with its error and verdict.

>>> from pellucid.insight.explain.attr import IntegratedGradients              # doctest: +SKIP
>>> values, delta = IntegratedGradients(model).attribute(                      # doctest: +SKIP
...     x, target=3, return_convergence_delta=True)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from pellucid.insight.explain import (
    activation_maps,
    gradients,
    guided,
    integrated,
    layers,
    lifting,
    relevance,
)
from pellucid.insight.explain.explanation import Explanation
from pellucid.tensor.creation import as_tensor

Values = Any
"""A tensor, or a tuple of them where several inputs were given."""


class Attribution:
    """A method bound to a model."""

    function: ClassVar[Callable[..., Explanation]]
    takes_multiply: ClassVar[bool] = False

    def __init__(self, forward_func: Any, multiply_by_inputs: bool = True) -> None:
        self.forward_func = forward_func
        self.multiplies_by_inputs = multiply_by_inputs

    def explain(self, inputs: Any, *args: Any, **kwargs: Any) -> Explanation:
        """The explanation of these inputs; arguments as of :meth:`attribute`."""
        if self.takes_multiply:
            kwargs["multiply_by_inputs"] = self.multiplies_by_inputs
        return type(self).function(self.forward_func, inputs, *args, **kwargs)

    def attribute(
        self, inputs: Any, *args: Any, return_convergence_delta: bool = False, **kwargs: Any
    ) -> Values:
        """The values as tensors; with ``return_convergence_delta`` also their sum less the
        difference that they should sum to, (rows,)."""
        found = self.explain(inputs, *args, **kwargs)
        made = tuple(as_tensor(np.ascontiguousarray(v)) for v in found.values)
        values = made if isinstance(inputs, tuple) or len(made) > 1 else made[0]
        return (values, as_tensor(self._delta(found))) if return_convergence_delta else values

    def _delta(self, found: Explanation) -> Any:
        gap = found.gap
        return np.asarray(found.output) * np.nan if gap is None else -gap


class Saliency(Attribution):
    """:func:`.saliency`, with absolute values by default."""

    def explain(
        self, inputs: Any, target: Any = None, abs: bool = True, additional_forward_args: Any = ()
    ) -> Explanation:
        """The explanation of these inputs."""
        return gradients.saliency(self.forward_func, inputs, target, abs, additional_forward_args)


class InputXGradient(Attribution):
    """:func:`.input_x_gradient`."""

    function = gradients.input_x_gradient


class IntegratedGradients(Attribution):
    """:func:`.integrated_gradients`."""

    function = integrated.integrated_gradients
    takes_multiply = True


class GradientShap(Attribution):
    """:func:`.expected_gradients`."""

    def explain(
        self,
        inputs: Any,
        baselines: Any,
        n_samples: int = 5,
        stdevs: float = 0.0,
        target: Any = None,
        additional_forward_args: Any = (),
    ) -> Explanation:
        """The explanation of these inputs."""
        return integrated.expected_gradients(
            self.forward_func, inputs, baselines, target, additional_forward_args, n_samples, stdevs
        )


class DeepLift(Attribution):
    """:func:`.deep_lift`."""

    function = lifting.deep_lift
    takes_multiply = True


class DeepLiftShap(Attribution):
    """:func:`.deep_lift_shap`."""

    function = lifting.deep_lift_shap


class LRP(Attribution):
    """:func:`.lrp`; layers get rules by ``rules={path: rule}``."""

    function = relevance.lrp

    def _delta(self, found: Explanation) -> Any:
        return np.asarray(found.output) - found.totals


class GuidedBackprop(Attribution):
    """:func:`.guided_backprop`."""

    function = guided.guided_backprop


class Deconvolution(Attribution):
    """:func:`.deconvolution`."""

    function = guided.deconvolution


class NoiseTunnel(Attribution):
    """:func:`.noise_tunnel` over another method."""

    def __init__(self, attribution_method: Attribution) -> None:
        super().__init__(attribution_method.forward_func)
        self.attribution_method = attribution_method

    def explain(
        self,
        inputs: Any,
        nt_type: str = "smoothgrad",
        nt_samples: int = 5,
        stdevs: float | tuple[float, ...] = 1.0,
        target: Any = None,
        additional_forward_args: Any = (),
        seed: int = 0,
        **kwargs: Any,
    ) -> Explanation:
        """The explanation of these inputs."""

        def inner(model: Any, noisy: Any, **settings: Any) -> Explanation:
            return self.attribution_method.explain(noisy, **settings)

        return gradients.noise_tunnel(
            self.forward_func,
            inputs,
            inner,
            nt_type,
            nt_samples,
            stdevs,
            target,
            additional_forward_args,
            seed,
            **kwargs,
        )


class LayerAttribution(Attribution):
    """A method bound to a model and one of its layers."""

    def __init__(self, forward_func: Any, layer: Any) -> None:
        super().__init__(forward_func)
        self.layer = layer

    def explain(self, inputs: Any, *args: Any, **kwargs: Any) -> Explanation:
        """The explanation of these inputs; arguments as of :meth:`attribute`."""
        return type(self).function(self.forward_func, inputs, self.layer, *args, **kwargs)


class LayerActivation(LayerAttribution):
    """:func:`.layer_activation`."""

    function = layers.layer_activation


class LayerGradientXActivation(LayerAttribution):
    """:func:`.layer_gradient_x_activation`."""

    function = layers.layer_gradient_x_activation


class LayerIntegratedGradients(LayerAttribution):
    """:func:`.layer_integrated_gradients`."""

    function = layers.layer_integrated_gradients


class LayerConductance(LayerAttribution):
    """:func:`.layer_conductance`."""

    function = layers.layer_conductance


class InternalInfluence(LayerAttribution):
    """:func:`.internal_influence`."""

    function = layers.internal_influence


class LayerDeepLift(LayerAttribution):
    """:func:`.layer_deep_lift`."""

    function = layers.layer_deep_lift


class LayerLRP(LayerAttribution):
    """:func:`.layer_lrp`."""

    function = layers.layer_lrp


class LayerGradCam(LayerAttribution):
    """:func:`.layer_grad_cam`."""

    function = activation_maps.layer_grad_cam


class GuidedGradCam(LayerAttribution):
    """:func:`.guided_grad_cam`."""

    def explain(self, inputs: Any, *args: Any, **kwargs: Any) -> Explanation:
        """The explanation of these inputs; arguments as of :meth:`attribute`."""
        return activation_maps.guided_grad_cam(
            self.forward_func, self.layer, inputs, *args, **kwargs
        )


class NeuronConductance(LayerAttribution):
    """:func:`.neuron_conductance`."""

    function = layers.neuron_conductance


class NeuronGradient(LayerAttribution):
    """:func:`.neuron_gradient`."""

    function = layers.neuron_gradient


class NeuronIntegratedGradients(LayerAttribution):
    """:func:`.neuron_integrated_gradients`."""

    function = layers.neuron_integrated_gradients

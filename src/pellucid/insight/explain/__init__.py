"""Which inputs an answer rests on, and how far each explanation can be trusted.

The methods answer different questions.  Slopes (``saliency``, ``smooth_grad``) and maps
(``grad_cam``) look at one answer: what would change it.  Shares (``integrated_gradients``,
``deep_lift``, ``lrp``, ``shapley_values``) divide it among the inputs so that they sum to it.
``permutation_importance`` looks at a whole data set: what the model's quality rests on.  Layers and
neurons are explained as inputs are (``layer_conductance``, ``LayerOutput``).  What comes back is an
:class:`Explanation`: values shaped as the inputs, what they miss of the sum, their sampling error,
tests against the model, and a verdict in a sentence.

>>> explanation = integrated_gradients(model, x, target=3)                     # doctest: +SKIP
>>> print(explanation.verdict())                                               # doctest: +SKIP
>>> explanation.draw()                                                         # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.insight.effects.ablation import Ablation as Ablation
    from pellucid.insight.effects.ablation import ablate as ablate
    from pellucid.insight.effects.counterfactuals import Counterfactuals as Counterfactuals
    from pellucid.insight.effects.counterfactuals import counterfactuals as counterfactuals
    from pellucid.insight.effects.curves import Effect as Effect
    from pellucid.insight.effects.curves import Interaction as Interaction
    from pellucid.insight.effects.curves import (
        accumulated_local_effects as accumulated_local_effects,
    )
    from pellucid.insight.effects.curves import (
        individual_conditional_expectation as individual_conditional_expectation,
    )
    from pellucid.insight.effects.curves import interaction as interaction
    from pellucid.insight.effects.curves import partial_dependence as partial_dependence
    from pellucid.insight.effects.displays import EffectDisplay as EffectDisplay
    from pellucid.insight.effects.displays import ImportanceDisplay as ImportanceDisplay
    from pellucid.insight.effects.importance import Importance as Importance
    from pellucid.insight.effects.importance import permutation_importance as permutation_importance
    from pellucid.insight.effects.influence import Influence as Influence
    from pellucid.insight.effects.influence import leave_one_out as leave_one_out
    from pellucid.insight.effects.influence import tracin as tracin
    from pellucid.insight.effects.probes import ExplainProbes as ExplainProbes
    from pellucid.insight.effects.prototypes import Prototypes as Prototypes
    from pellucid.insight.effects.prototypes import nearest_examples as nearest_examples
    from pellucid.insight.effects.prototypes import prototypes as prototypes
    from pellucid.insight.effects.pruning import Pruned as Pruned
    from pellucid.insight.effects.pruning import prune as prune
    from pellucid.insight.effects.runs import explain_run as explain_run
    from pellucid.insight.effects.tables import explain_rows as explain_rows
    from pellucid.insight.explain import attr as attr
    from pellucid.insight.explain.activation_maps import grad_cam as grad_cam
    from pellucid.insight.explain.activation_maps import grad_cam_plus_plus as grad_cam_plus_plus
    from pellucid.insight.explain.activation_maps import guided_grad_cam as guided_grad_cam
    from pellucid.insight.explain.activation_maps import layer_grad_cam as layer_grad_cam
    from pellucid.insight.explain.baselines import baselines_of as baselines_of
    from pellucid.insight.explain.concepts import ConceptTest as ConceptTest
    from pellucid.insight.explain.concepts import concept_vector as concept_vector
    from pellucid.insight.explain.concepts import tcav as tcav
    from pellucid.insight.explain.covering import feature_ablation as feature_ablation
    from pellucid.insight.explain.covering import occlusion as occlusion
    from pellucid.insight.explain.explanation import Explanation as Explanation
    from pellucid.insight.explain.forward import Forward as Forward
    from pellucid.insight.explain.forward import Output as Output
    from pellucid.insight.explain.gradients import input_x_gradient as input_x_gradient
    from pellucid.insight.explain.gradients import noise_tunnel as noise_tunnel
    from pellucid.insight.explain.gradients import saliency as saliency
    from pellucid.insight.explain.gradients import smooth_grad as smooth_grad
    from pellucid.insight.explain.gradients import var_grad as var_grad
    from pellucid.insight.explain.grouped import GroupedExplanation as GroupedExplanation
    from pellucid.insight.explain.guided import deconvolution as deconvolution
    from pellucid.insight.explain.guided import guided_backprop as guided_backprop
    from pellucid.insight.explain.integrated import expected_gradients as expected_gradients
    from pellucid.insight.explain.integrated import gradient_shap as gradient_shap
    from pellucid.insight.explain.integrated import integrated_gradients as integrated_gradients
    from pellucid.insight.explain.layers import LayerOutput as LayerOutput
    from pellucid.insight.explain.layers import internal_influence as internal_influence
    from pellucid.insight.explain.layers import layer_activation as layer_activation
    from pellucid.insight.explain.layers import layer_conductance as layer_conductance
    from pellucid.insight.explain.layers import layer_deep_lift as layer_deep_lift
    from pellucid.insight.explain.layers import (
        layer_gradient_x_activation as layer_gradient_x_activation,
    )
    from pellucid.insight.explain.layers import (
        layer_integrated_gradients as layer_integrated_gradients,
    )
    from pellucid.insight.explain.layers import layer_lrp as layer_lrp
    from pellucid.insight.explain.layers import neuron_conductance as neuron_conductance
    from pellucid.insight.explain.layers import neuron_gradient as neuron_gradient
    from pellucid.insight.explain.layers import (
        neuron_integrated_gradients as neuron_integrated_gradients,
    )
    from pellucid.insight.explain.lenses import LogitLens as LogitLens
    from pellucid.insight.explain.lenses import logit_lens as logit_lens
    from pellucid.insight.explain.lifting import deep_lift as deep_lift
    from pellucid.insight.explain.lifting import deep_lift_shap as deep_lift_shap
    from pellucid.insight.explain.local_lines import lime as lime
    from pellucid.insight.explain.local_lines import lime_tabular as lime_tabular
    from pellucid.insight.explain.looks import attention_flow as attention_flow
    from pellucid.insight.explain.looks import attention_maps as attention_maps
    from pellucid.insight.explain.looks import attention_rollout as attention_rollout
    from pellucid.insight.explain.quality import agreement as agreement
    from pellucid.insight.explain.quality import check as check
    from pellucid.insight.explain.quality import curves as curves
    from pellucid.insight.explain.relevance import AlphaBetaRule as AlphaBetaRule
    from pellucid.insight.explain.relevance import EpsilonRule as EpsilonRule
    from pellucid.insight.explain.relevance import GammaRule as GammaRule
    from pellucid.insight.explain.relevance import lrp as lrp
    from pellucid.insight.explain.shapley import exact_shapley as exact_shapley
    from pellucid.insight.explain.shapley import kernel_shap as kernel_shap
    from pellucid.insight.explain.shapley import shapley_sampling as shapley_sampling
    from pellucid.insight.explain.shapley import shapley_values as shapley_values
    from pellucid.insight.explain.verdicts import Check as Check
    from pellucid.insight.explain.verdicts import Verdict as Verdict
    from pellucid.insight.features import maximized as maximized

__all__ = [
    "Ablation",
    "AlphaBetaRule",
    "Check",
    "ConceptTest",
    "Counterfactuals",
    "Effect",
    "EffectDisplay",
    "EpsilonRule",
    "ExplainProbes",
    "Explanation",
    "Forward",
    "GammaRule",
    "GroupedExplanation",
    "Importance",
    "ImportanceDisplay",
    "Influence",
    "Interaction",
    "LayerOutput",
    "LogitLens",
    "Output",
    "Prototypes",
    "Pruned",
    "Verdict",
    "ablate",
    "accumulated_local_effects",
    "agreement",
    "attention_flow",
    "attention_maps",
    "attention_rollout",
    "attr",
    "baselines_of",
    "check",
    "concept_vector",
    "counterfactuals",
    "curves",
    "deconvolution",
    "deep_lift",
    "deep_lift_shap",
    "exact_shapley",
    "expected_gradients",
    "explain_rows",
    "explain_run",
    "feature_ablation",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient_shap",
    "guided_backprop",
    "guided_grad_cam",
    "individual_conditional_expectation",
    "input_x_gradient",
    "integrated_gradients",
    "interaction",
    "internal_influence",
    "kernel_shap",
    "layer_activation",
    "layer_conductance",
    "layer_deep_lift",
    "layer_grad_cam",
    "layer_gradient_x_activation",
    "layer_integrated_gradients",
    "layer_lrp",
    "leave_one_out",
    "lime",
    "lime_tabular",
    "logit_lens",
    "lrp",
    "maximized",
    "nearest_examples",
    "neuron_conductance",
    "neuron_gradient",
    "neuron_integrated_gradients",
    "noise_tunnel",
    "occlusion",
    "partial_dependence",
    "permutation_importance",
    "prototypes",
    "prune",
    "saliency",
    "shapley_sampling",
    "shapley_values",
    "smooth_grad",
    "tcav",
    "tracin",
    "var_grad",
]

_PLACES = {
    "Ablation": "pellucid.insight.effects.ablation",
    "AlphaBetaRule": "pellucid.insight.explain.relevance",
    "Check": "pellucid.insight.explain.verdicts",
    "ConceptTest": "pellucid.insight.explain.concepts",
    "Counterfactuals": "pellucid.insight.effects.counterfactuals",
    "Effect": "pellucid.insight.effects.curves",
    "EffectDisplay": "pellucid.insight.effects.displays",
    "EpsilonRule": "pellucid.insight.explain.relevance",
    "ExplainProbes": "pellucid.insight.effects.probes",
    "Explanation": "pellucid.insight.explain.explanation",
    "Forward": "pellucid.insight.explain.forward",
    "GammaRule": "pellucid.insight.explain.relevance",
    "GroupedExplanation": "pellucid.insight.explain.grouped",
    "Importance": "pellucid.insight.effects.importance",
    "ImportanceDisplay": "pellucid.insight.effects.displays",
    "Influence": "pellucid.insight.effects.influence",
    "Interaction": "pellucid.insight.effects.curves",
    "LayerOutput": "pellucid.insight.explain.layers",
    "LogitLens": "pellucid.insight.explain.lenses",
    "Output": "pellucid.insight.explain.forward",
    "Prototypes": "pellucid.insight.effects.prototypes",
    "Pruned": "pellucid.insight.effects.pruning",
    "Verdict": "pellucid.insight.explain.verdicts",
    "ablate": "pellucid.insight.effects.ablation",
    "accumulated_local_effects": "pellucid.insight.effects.curves",
    "agreement": "pellucid.insight.explain.quality",
    "attention_flow": "pellucid.insight.explain.looks",
    "attention_maps": "pellucid.insight.explain.looks",
    "attention_rollout": "pellucid.insight.explain.looks",
    "attr": "pellucid.insight.explain.attr",
    "baselines_of": "pellucid.insight.explain.baselines",
    "check": "pellucid.insight.explain.quality",
    "concept_vector": "pellucid.insight.explain.concepts",
    "counterfactuals": "pellucid.insight.effects.counterfactuals",
    "curves": "pellucid.insight.explain.quality",
    "deconvolution": "pellucid.insight.explain.guided",
    "deep_lift": "pellucid.insight.explain.lifting",
    "deep_lift_shap": "pellucid.insight.explain.lifting",
    "exact_shapley": "pellucid.insight.explain.shapley",
    "expected_gradients": "pellucid.insight.explain.integrated",
    "explain_rows": "pellucid.insight.effects.tables",
    "explain_run": "pellucid.insight.effects.runs",
    "feature_ablation": "pellucid.insight.explain.covering",
    "grad_cam": "pellucid.insight.explain.activation_maps",
    "grad_cam_plus_plus": "pellucid.insight.explain.activation_maps",
    "gradient_shap": "pellucid.insight.explain.integrated",
    "guided_backprop": "pellucid.insight.explain.guided",
    "guided_grad_cam": "pellucid.insight.explain.activation_maps",
    "individual_conditional_expectation": "pellucid.insight.effects.curves",
    "input_x_gradient": "pellucid.insight.explain.gradients",
    "integrated_gradients": "pellucid.insight.explain.integrated",
    "interaction": "pellucid.insight.effects.curves",
    "internal_influence": "pellucid.insight.explain.layers",
    "kernel_shap": "pellucid.insight.explain.shapley",
    "layer_activation": "pellucid.insight.explain.layers",
    "layer_conductance": "pellucid.insight.explain.layers",
    "layer_deep_lift": "pellucid.insight.explain.layers",
    "layer_grad_cam": "pellucid.insight.explain.activation_maps",
    "layer_gradient_x_activation": "pellucid.insight.explain.layers",
    "layer_integrated_gradients": "pellucid.insight.explain.layers",
    "layer_lrp": "pellucid.insight.explain.layers",
    "leave_one_out": "pellucid.insight.effects.influence",
    "lime": "pellucid.insight.explain.local_lines",
    "lime_tabular": "pellucid.insight.explain.local_lines",
    "logit_lens": "pellucid.insight.explain.lenses",
    "lrp": "pellucid.insight.explain.relevance",
    "maximized": "pellucid.insight.features",
    "nearest_examples": "pellucid.insight.effects.prototypes",
    "neuron_conductance": "pellucid.insight.explain.layers",
    "neuron_gradient": "pellucid.insight.explain.layers",
    "neuron_integrated_gradients": "pellucid.insight.explain.layers",
    "noise_tunnel": "pellucid.insight.explain.gradients",
    "occlusion": "pellucid.insight.explain.covering",
    "partial_dependence": "pellucid.insight.effects.curves",
    "permutation_importance": "pellucid.insight.effects.importance",
    "prototypes": "pellucid.insight.effects.prototypes",
    "prune": "pellucid.insight.effects.pruning",
    "saliency": "pellucid.insight.explain.gradients",
    "shapley_sampling": "pellucid.insight.explain.shapley",
    "shapley_values": "pellucid.insight.explain.shapley",
    "smooth_grad": "pellucid.insight.explain.gradients",
    "tcav": "pellucid.insight.explain.concepts",
    "tracin": "pellucid.insight.effects.influence",
    "var_grad": "pellucid.insight.explain.gradients",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

"""Which inputs an answer rests on, and how far each explanation can be trusted.

The methods answer different questions.  Gradients (``saliency``) and maps (``grad_cam``) look at
one answer: what would change it.  Shares (``shapley_values``) divide it among the inputs so that
they sum to it.  ``permutation_importance`` looks at a whole data set: what the model's quality
rests on.  What comes back is an :class:`Explanation`: values shaped as the inputs, what they miss
of the sum, their sampling error, tests against the model, and a verdict in a sentence.
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
    from pellucid.insight.effects.prototypes import Prototypes as Prototypes
    from pellucid.insight.effects.prototypes import nearest_examples as nearest_examples
    from pellucid.insight.effects.prototypes import prototypes as prototypes
    from pellucid.insight.effects.tables import explain_rows as explain_rows
    from pellucid.insight.explain.activation_maps import grad_cam as grad_cam
    from pellucid.insight.explain.covering import feature_ablation as feature_ablation
    from pellucid.insight.explain.covering import occlusion as occlusion
    from pellucid.insight.explain.explanation import Explanation as Explanation
    from pellucid.insight.explain.forward import Forward as Forward
    from pellucid.insight.explain.forward import Output as Output
    from pellucid.insight.explain.gradients import saliency as saliency
    from pellucid.insight.explain.grouped import GroupedExplanation as GroupedExplanation
    from pellucid.insight.explain.local_lines import lime as lime
    from pellucid.insight.explain.local_lines import lime_tabular as lime_tabular
    from pellucid.insight.explain.shapley import exact_shapley as exact_shapley
    from pellucid.insight.explain.shapley import kernel_shap as kernel_shap
    from pellucid.insight.explain.shapley import shapley_sampling as shapley_sampling
    from pellucid.insight.explain.shapley import shapley_values as shapley_values
    from pellucid.insight.explain.verdicts import Check as Check
    from pellucid.insight.explain.verdicts import Verdict as Verdict

__all__ = [
    "Ablation",
    "Check",
    "Counterfactuals",
    "Effect",
    "EffectDisplay",
    "Explanation",
    "Forward",
    "GroupedExplanation",
    "Importance",
    "ImportanceDisplay",
    "Influence",
    "Interaction",
    "Output",
    "Prototypes",
    "Verdict",
    "ablate",
    "accumulated_local_effects",
    "counterfactuals",
    "exact_shapley",
    "explain_rows",
    "feature_ablation",
    "grad_cam",
    "individual_conditional_expectation",
    "interaction",
    "kernel_shap",
    "leave_one_out",
    "lime",
    "lime_tabular",
    "nearest_examples",
    "occlusion",
    "partial_dependence",
    "permutation_importance",
    "prototypes",
    "saliency",
    "shapley_sampling",
    "shapley_values",
    "tracin",
]

_PLACES = {
    "Ablation": "pellucid.insight.effects.ablation",
    "Check": "pellucid.insight.explain.verdicts",
    "Counterfactuals": "pellucid.insight.effects.counterfactuals",
    "Effect": "pellucid.insight.effects.curves",
    "EffectDisplay": "pellucid.insight.effects.displays",
    "Explanation": "pellucid.insight.explain.explanation",
    "Forward": "pellucid.insight.explain.forward",
    "GroupedExplanation": "pellucid.insight.explain.grouped",
    "Importance": "pellucid.insight.effects.importance",
    "ImportanceDisplay": "pellucid.insight.effects.displays",
    "Influence": "pellucid.insight.effects.influence",
    "Interaction": "pellucid.insight.effects.curves",
    "Output": "pellucid.insight.explain.forward",
    "Prototypes": "pellucid.insight.effects.prototypes",
    "Verdict": "pellucid.insight.explain.verdicts",
    "ablate": "pellucid.insight.effects.ablation",
    "accumulated_local_effects": "pellucid.insight.effects.curves",
    "counterfactuals": "pellucid.insight.effects.counterfactuals",
    "exact_shapley": "pellucid.insight.explain.shapley",
    "explain_rows": "pellucid.insight.effects.tables",
    "feature_ablation": "pellucid.insight.explain.covering",
    "grad_cam": "pellucid.insight.explain.activation_maps",
    "individual_conditional_expectation": "pellucid.insight.effects.curves",
    "interaction": "pellucid.insight.effects.curves",
    "kernel_shap": "pellucid.insight.explain.shapley",
    "leave_one_out": "pellucid.insight.effects.influence",
    "lime": "pellucid.insight.explain.local_lines",
    "lime_tabular": "pellucid.insight.explain.local_lines",
    "nearest_examples": "pellucid.insight.effects.prototypes",
    "occlusion": "pellucid.insight.explain.covering",
    "partial_dependence": "pellucid.insight.effects.curves",
    "permutation_importance": "pellucid.insight.effects.importance",
    "prototypes": "pellucid.insight.effects.prototypes",
    "saliency": "pellucid.insight.explain.gradients",
    "shapley_sampling": "pellucid.insight.explain.shapley",
    "shapley_values": "pellucid.insight.explain.shapley",
    "tracin": "pellucid.insight.effects.influence",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

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
    from pellucid.insight.explain.activation_maps import grad_cam as grad_cam
    from pellucid.insight.explain.covering import occlusion as occlusion
    from pellucid.insight.explain.explanation import Explanation as Explanation
    from pellucid.insight.explain.forward import Forward as Forward
    from pellucid.insight.explain.forward import Output as Output
    from pellucid.insight.explain.gradients import saliency as saliency
    from pellucid.insight.explain.permutation import (
        permutation_importance as permutation_importance,
    )
    from pellucid.insight.explain.shapley import shapley_values as shapley_values
    from pellucid.insight.explain.verdicts import Check as Check
    from pellucid.insight.explain.verdicts import Verdict as Verdict

__all__ = [
    "Check",
    "Explanation",
    "Forward",
    "Output",
    "Verdict",
    "grad_cam",
    "occlusion",
    "permutation_importance",
    "saliency",
    "shapley_values",
]

_PLACES = {
    "Check": "pellucid.insight.explain.verdicts",
    "Explanation": "pellucid.insight.explain.explanation",
    "Forward": "pellucid.insight.explain.forward",
    "Output": "pellucid.insight.explain.forward",
    "Verdict": "pellucid.insight.explain.verdicts",
    "grad_cam": "pellucid.insight.explain.activation_maps",
    "occlusion": "pellucid.insight.explain.covering",
    "permutation_importance": "pellucid.insight.explain.permutation",
    "saliency": "pellucid.insight.explain.gradients",
    "shapley_values": "pellucid.insight.explain.shapley",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

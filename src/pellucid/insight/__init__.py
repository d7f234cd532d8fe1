"""Looking at runs and networks: reports, pictures, diagnosis."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.insight import diagnosis as diagnosis
    from pellucid.insight import doctor as doctor
    from pellucid.insight import explain as explain
    from pellucid.insight import features as features
    from pellucid.insight import nonfinite as nonfinite
    from pellucid.insight import pictures as pictures
    from pellucid.insight import report as report
    from pellucid.insight.diagnosis import DeadUnits as DeadUnits
    from pellucid.insight.diagnosis import Finding as Finding
    from pellucid.insight.diagnosis import check_gradients as check_gradients
    from pellucid.insight.diagnosis import check_model as check_model
    from pellucid.insight.diagnosis import dead_units as dead_units
    from pellucid.insight.diagnosis import diagnose_curves as diagnose_curves
    from pellucid.insight.diagnosis import gradient_norms as gradient_norms
    from pellucid.insight.explain import grad_cam as grad_cam
    from pellucid.insight.explain import occlusion as occlusion
    from pellucid.insight.explain import permutation_importance as permutation_importance
    from pellucid.insight.explain import saliency as saliency
    from pellucid.insight.explain import shapley_values as shapley_values
    from pellucid.insight.features import convolutions as convolutions
    from pellucid.insight.features import feature_maps as feature_maps
    from pellucid.insight.features import filters as filters
    from pellucid.insight.features import maximized as maximized
    from pellucid.insight.features import oriented_edges as oriented_edges
    from pellucid.insight.features import strongest_patches as strongest_patches
    from pellucid.insight.nonfinite import FirstNonFinite as FirstNonFinite
    from pellucid.insight.nonfinite import OperandFacts as OperandFacts
    from pellucid.insight.nonfinite import find_first_nonfinite as find_first_nonfinite
    from pellucid.insight.pictures import Curve as Curve
    from pellucid.insight.pictures import draw_decision as draw_decision
    from pellucid.insight.pictures import draw_feature_maps as draw_feature_maps
    from pellucid.insight.pictures import draw_filters as draw_filters
    from pellucid.insight.pictures import draw_function as draw_function
    from pellucid.insight.pictures import draw_learning_rates as draw_learning_rates
    from pellucid.insight.pictures import sample_function as sample_function
    from pellucid.insight.report import Report as Report
    from pellucid.insight.report import render_report as render_report

__all__ = [
    "Curve",
    "DeadUnits",
    "Finding",
    "FirstNonFinite",
    "OperandFacts",
    "Report",
    "check_gradients",
    "check_model",
    "convolutions",
    "dead_units",
    "diagnose_curves",
    "diagnosis",
    "draw_decision",
    "draw_feature_maps",
    "draw_filters",
    "draw_function",
    "draw_learning_rates",
    "doctor",
    "explain",
    "feature_maps",
    "features",
    "filters",
    "find_first_nonfinite",
    "grad_cam",
    "gradient_norms",
    "maximized",
    "nonfinite",
    "occlusion",
    "oriented_edges",
    "permutation_importance",
    "pictures",
    "render_report",
    "report",
    "saliency",
    "sample_function",
    "shapley_values",
    "strongest_patches",
]

_PLACES = {
    "Curve": "pellucid.insight.pictures",
    "DeadUnits": "pellucid.insight.diagnosis",
    "Finding": "pellucid.insight.diagnosis",
    "FirstNonFinite": "pellucid.insight.nonfinite",
    "OperandFacts": "pellucid.insight.nonfinite",
    "Report": "pellucid.insight.report",
    "check_gradients": "pellucid.insight.diagnosis",
    "check_model": "pellucid.insight.diagnosis",
    "convolutions": "pellucid.insight.features",
    "dead_units": "pellucid.insight.diagnosis",
    "diagnose_curves": "pellucid.insight.diagnosis",
    "diagnosis": "pellucid.insight.diagnosis",
    "draw_decision": "pellucid.insight.pictures",
    "draw_feature_maps": "pellucid.insight.pictures",
    "draw_filters": "pellucid.insight.pictures",
    "draw_function": "pellucid.insight.pictures",
    "draw_learning_rates": "pellucid.insight.pictures",
    "doctor": "pellucid.insight.doctor",
    "explain": "pellucid.insight.explain",
    "feature_maps": "pellucid.insight.features",
    "features": "pellucid.insight.features",
    "filters": "pellucid.insight.features",
    "find_first_nonfinite": "pellucid.insight.nonfinite",
    "grad_cam": "pellucid.insight.explain",
    "gradient_norms": "pellucid.insight.diagnosis",
    "maximized": "pellucid.insight.features",
    "nonfinite": "pellucid.insight.nonfinite",
    "occlusion": "pellucid.insight.explain",
    "oriented_edges": "pellucid.insight.features",
    "permutation_importance": "pellucid.insight.explain",
    "pictures": "pellucid.insight.pictures",
    "render_report": "pellucid.insight.report",
    "report": "pellucid.insight.report",
    "saliency": "pellucid.insight.explain",
    "sample_function": "pellucid.insight.pictures",
    "shapley_values": "pellucid.insight.explain",
    "strongest_patches": "pellucid.insight.features",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

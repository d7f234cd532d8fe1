"""Looking at runs and networks: reports, pictures, diagnosis."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.insight import diagnosis as diagnosis
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
    from pellucid.insight.pictures import GraphPicture as GraphPicture
    from pellucid.insight.pictures import LearningCurve as LearningCurve
    from pellucid.insight.pictures import LossSurface as LossSurface
    from pellucid.insight.pictures import Regions as Regions
    from pellucid.insight.pictures import Step as Step
    from pellucid.insight.pictures import computation_steps as computation_steps
    from pellucid.insight.pictures import confusion_matrix as confusion_matrix
    from pellucid.insight.pictures import decision_regions as decision_regions
    from pellucid.insight.pictures import descend as descend
    from pellucid.insight.pictures import draw_attention as draw_attention
    from pellucid.insight.pictures import draw_confusion as draw_confusion
    from pellucid.insight.pictures import draw_decision as draw_decision
    from pellucid.insight.pictures import draw_decisions as draw_decisions
    from pellucid.insight.pictures import draw_descent as draw_descent
    from pellucid.insight.pictures import draw_embeddings as draw_embeddings
    from pellucid.insight.pictures import draw_feature_maps as draw_feature_maps
    from pellucid.insight.pictures import draw_filters as draw_filters
    from pellucid.insight.pictures import draw_function as draw_function
    from pellucid.insight.pictures import draw_graph as draw_graph
    from pellucid.insight.pictures import draw_grid_world as draw_grid_world
    from pellucid.insight.pictures import draw_heat as draw_heat
    from pellucid.insight.pictures import draw_history as draw_history
    from pellucid.insight.pictures import draw_images as draw_images
    from pellucid.insight.pictures import draw_importances as draw_importances
    from pellucid.insight.pictures import draw_learning_curve as draw_learning_curve
    from pellucid.insight.pictures import draw_learning_rates as draw_learning_rates
    from pellucid.insight.pictures import draw_loss_curve as draw_loss_curve
    from pellucid.insight.pictures import draw_loss_surface as draw_loss_surface
    from pellucid.insight.pictures import draw_maximized as draw_maximized
    from pellucid.insight.pictures import draw_parallel_coordinates as draw_parallel_coordinates
    from pellucid.insight.pictures import draw_rewards as draw_rewards
    from pellucid.insight.pictures import draw_state_values as draw_state_values
    from pellucid.insight.pictures import draw_surface as draw_surface
    from pellucid.insight.pictures import draw_values as draw_values
    from pellucid.insight.pictures import draw_values_over_time as draw_values_over_time
    from pellucid.insight.pictures import draw_what_it_looks_for as draw_what_it_looks_for
    from pellucid.insight.pictures import layer_values as layer_values
    from pellucid.insight.pictures import learning_curve as learning_curve
    from pellucid.insight.pictures import loss_surface as loss_surface
    from pellucid.insight.pictures import project as project
    from pellucid.insight.pictures import sample_function as sample_function
    from pellucid.insight.report import Report as Report
    from pellucid.insight.report import render_report as render_report

__all__ = [
    "Curve",
    "DeadUnits",
    "Finding",
    "FirstNonFinite",
    "GraphPicture",
    "LearningCurve",
    "LossSurface",
    "OperandFacts",
    "Report",
    "Regions",
    "Step",
    "check_gradients",
    "check_model",
    "computation_steps",
    "confusion_matrix",
    "convolutions",
    "dead_units",
    "decision_regions",
    "descend",
    "diagnose_curves",
    "diagnosis",
    "draw_attention",
    "draw_confusion",
    "draw_decision",
    "draw_decisions",
    "draw_descent",
    "draw_embeddings",
    "draw_feature_maps",
    "draw_filters",
    "draw_function",
    "draw_graph",
    "draw_grid_world",
    "draw_heat",
    "draw_history",
    "draw_images",
    "draw_importances",
    "draw_learning_curve",
    "draw_learning_rates",
    "draw_loss_curve",
    "draw_loss_surface",
    "draw_maximized",
    "draw_parallel_coordinates",
    "draw_rewards",
    "draw_state_values",
    "draw_surface",
    "draw_values",
    "draw_values_over_time",
    "draw_what_it_looks_for",
    "explain",
    "feature_maps",
    "features",
    "filters",
    "find_first_nonfinite",
    "grad_cam",
    "gradient_norms",
    "layer_values",
    "learning_curve",
    "loss_surface",
    "maximized",
    "nonfinite",
    "occlusion",
    "oriented_edges",
    "permutation_importance",
    "pictures",
    "project",
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
    "GraphPicture": "pellucid.insight.pictures",
    "LearningCurve": "pellucid.insight.pictures",
    "LossSurface": "pellucid.insight.pictures",
    "OperandFacts": "pellucid.insight.nonfinite",
    "Report": "pellucid.insight.report",
    "Regions": "pellucid.insight.pictures",
    "Step": "pellucid.insight.pictures",
    "check_gradients": "pellucid.insight.diagnosis",
    "check_model": "pellucid.insight.diagnosis",
    "computation_steps": "pellucid.insight.pictures",
    "confusion_matrix": "pellucid.insight.pictures",
    "convolutions": "pellucid.insight.features",
    "dead_units": "pellucid.insight.diagnosis",
    "decision_regions": "pellucid.insight.pictures",
    "descend": "pellucid.insight.pictures",
    "diagnose_curves": "pellucid.insight.diagnosis",
    "diagnosis": "pellucid.insight.diagnosis",
    "draw_attention": "pellucid.insight.pictures",
    "draw_confusion": "pellucid.insight.pictures",
    "draw_decision": "pellucid.insight.pictures",
    "draw_decisions": "pellucid.insight.pictures",
    "draw_descent": "pellucid.insight.pictures",
    "draw_embeddings": "pellucid.insight.pictures",
    "draw_feature_maps": "pellucid.insight.pictures",
    "draw_filters": "pellucid.insight.pictures",
    "draw_function": "pellucid.insight.pictures",
    "draw_graph": "pellucid.insight.pictures",
    "draw_grid_world": "pellucid.insight.pictures",
    "draw_heat": "pellucid.insight.pictures",
    "draw_history": "pellucid.insight.pictures",
    "draw_images": "pellucid.insight.pictures",
    "draw_importances": "pellucid.insight.pictures",
    "draw_learning_curve": "pellucid.insight.pictures",
    "draw_learning_rates": "pellucid.insight.pictures",
    "draw_loss_curve": "pellucid.insight.pictures",
    "draw_loss_surface": "pellucid.insight.pictures",
    "draw_maximized": "pellucid.insight.pictures",
    "draw_parallel_coordinates": "pellucid.insight.pictures",
    "draw_rewards": "pellucid.insight.pictures",
    "draw_state_values": "pellucid.insight.pictures",
    "draw_surface": "pellucid.insight.pictures",
    "draw_values": "pellucid.insight.pictures",
    "draw_values_over_time": "pellucid.insight.pictures",
    "draw_what_it_looks_for": "pellucid.insight.pictures",
    "explain": "pellucid.insight.explain",
    "feature_maps": "pellucid.insight.features",
    "features": "pellucid.insight.features",
    "filters": "pellucid.insight.features",
    "find_first_nonfinite": "pellucid.insight.nonfinite",
    "grad_cam": "pellucid.insight.explain",
    "gradient_norms": "pellucid.insight.diagnosis",
    "layer_values": "pellucid.insight.pictures",
    "learning_curve": "pellucid.insight.pictures",
    "loss_surface": "pellucid.insight.pictures",
    "maximized": "pellucid.insight.features",
    "nonfinite": "pellucid.insight.nonfinite",
    "occlusion": "pellucid.insight.explain",
    "oriented_edges": "pellucid.insight.features",
    "permutation_importance": "pellucid.insight.explain",
    "pictures": "pellucid.insight.pictures",
    "project": "pellucid.insight.pictures",
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

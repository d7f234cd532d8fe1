"""Pictures: of functions, losses and the ways down them, of what is inside a network, of how a
training went, of words, agents and computation graphs.

Every ``draw_…`` function draws into axes of matplotlib and returns them.  Where to: into ``ax``;
or into the file ``path``, SVG or PNG by its ending, without a window; or into a new figure, which
a notebook shows.  Words are in the user's language, in a font that has their characters.  (A
computation graph is an SVG of its own: ``draw_graph``.)

>>> draw_function(F.relu, "relu.svg", title="ReLU")                            # doctest: +SKIP
>>> figure, (left, right) = pyplot.subplots(1, 2)                              # doctest: +SKIP
>>> draw_history(history, ax=left)                                             # doctest: +SKIP
>>> draw_confusion(y, predicted, ax=right)                                     # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.insight.pictures.canvas import SERIES as SERIES
    from pellucid.insight.pictures.functions import Curve as Curve
    from pellucid.insight.pictures.functions import Regions as Regions
    from pellucid.insight.pictures.functions import decision_regions as decision_regions
    from pellucid.insight.pictures.functions import draw_decision as draw_decision
    from pellucid.insight.pictures.functions import draw_decisions as draw_decisions
    from pellucid.insight.pictures.functions import draw_function as draw_function
    from pellucid.insight.pictures.functions import sample_function as sample_function
    from pellucid.insight.pictures.graphs import GraphPicture as GraphPicture
    from pellucid.insight.pictures.graphs import Step as Step
    from pellucid.insight.pictures.graphs import computation_steps as computation_steps
    from pellucid.insight.pictures.graphs import draw_graph as draw_graph
    from pellucid.insight.pictures.landscapes import LossSurface as LossSurface
    from pellucid.insight.pictures.landscapes import descend as descend
    from pellucid.insight.pictures.landscapes import draw_descent as draw_descent
    from pellucid.insight.pictures.landscapes import draw_loss_curve as draw_loss_curve
    from pellucid.insight.pictures.landscapes import draw_loss_surface as draw_loss_surface
    from pellucid.insight.pictures.landscapes import draw_surface as draw_surface
    from pellucid.insight.pictures.landscapes import loss_surface as loss_surface
    from pellucid.insight.pictures.learning import LearningCurve as LearningCurve
    from pellucid.insight.pictures.learning import confusion_matrix as confusion_matrix
    from pellucid.insight.pictures.learning import draw_confusion as draw_confusion
    from pellucid.insight.pictures.learning import draw_history as draw_history
    from pellucid.insight.pictures.learning import draw_learning_curve as draw_learning_curve
    from pellucid.insight.pictures.learning import draw_learning_rates as draw_learning_rates
    from pellucid.insight.pictures.learning import learning_curve as learning_curve
    from pellucid.insight.pictures.networks import draw_feature_maps as draw_feature_maps
    from pellucid.insight.pictures.networks import draw_filters as draw_filters
    from pellucid.insight.pictures.networks import draw_heat as draw_heat
    from pellucid.insight.pictures.networks import draw_images as draw_images
    from pellucid.insight.pictures.networks import draw_maximized as draw_maximized
    from pellucid.insight.pictures.networks import draw_what_it_looks_for as draw_what_it_looks_for
    from pellucid.insight.pictures.rewards import draw_grid_world as draw_grid_world
    from pellucid.insight.pictures.rewards import draw_rewards as draw_rewards
    from pellucid.insight.pictures.rewards import draw_state_values as draw_state_values
    from pellucid.insight.pictures.search import draw_importances as draw_importances
    from pellucid.insight.pictures.search import (
        draw_parallel_coordinates as draw_parallel_coordinates,
    )
    from pellucid.insight.pictures.values import draw_values as draw_values
    from pellucid.insight.pictures.values import draw_values_over_time as draw_values_over_time
    from pellucid.insight.pictures.values import layer_values as layer_values
    from pellucid.insight.pictures.words import draw_attention as draw_attention
    from pellucid.insight.pictures.words import draw_embeddings as draw_embeddings
    from pellucid.insight.pictures.words import project as project

__all__ = [
    "Curve",
    "GraphPicture",
    "LearningCurve",
    "LossSurface",
    "Regions",
    "SERIES",
    "Step",
    "computation_steps",
    "confusion_matrix",
    "decision_regions",
    "descend",
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
    "layer_values",
    "learning_curve",
    "loss_surface",
    "project",
    "sample_function",
]

_PLACES = {
    "Curve": "pellucid.insight.pictures.functions",
    "GraphPicture": "pellucid.insight.pictures.graphs",
    "LearningCurve": "pellucid.insight.pictures.learning",
    "LossSurface": "pellucid.insight.pictures.landscapes",
    "Regions": "pellucid.insight.pictures.functions",
    "SERIES": "pellucid.insight.pictures.canvas",
    "Step": "pellucid.insight.pictures.graphs",
    "computation_steps": "pellucid.insight.pictures.graphs",
    "confusion_matrix": "pellucid.insight.pictures.learning",
    "decision_regions": "pellucid.insight.pictures.functions",
    "descend": "pellucid.insight.pictures.landscapes",
    "draw_attention": "pellucid.insight.pictures.words",
    "draw_confusion": "pellucid.insight.pictures.learning",
    "draw_decision": "pellucid.insight.pictures.functions",
    "draw_decisions": "pellucid.insight.pictures.functions",
    "draw_descent": "pellucid.insight.pictures.landscapes",
    "draw_embeddings": "pellucid.insight.pictures.words",
    "draw_feature_maps": "pellucid.insight.pictures.networks",
    "draw_filters": "pellucid.insight.pictures.networks",
    "draw_function": "pellucid.insight.pictures.functions",
    "draw_graph": "pellucid.insight.pictures.graphs",
    "draw_grid_world": "pellucid.insight.pictures.rewards",
    "draw_heat": "pellucid.insight.pictures.networks",
    "draw_history": "pellucid.insight.pictures.learning",
    "draw_images": "pellucid.insight.pictures.networks",
    "draw_importances": "pellucid.insight.pictures.search",
    "draw_learning_curve": "pellucid.insight.pictures.learning",
    "draw_learning_rates": "pellucid.insight.pictures.learning",
    "draw_loss_curve": "pellucid.insight.pictures.landscapes",
    "draw_loss_surface": "pellucid.insight.pictures.landscapes",
    "draw_maximized": "pellucid.insight.pictures.networks",
    "draw_parallel_coordinates": "pellucid.insight.pictures.search",
    "draw_rewards": "pellucid.insight.pictures.rewards",
    "draw_state_values": "pellucid.insight.pictures.rewards",
    "draw_surface": "pellucid.insight.pictures.landscapes",
    "draw_values": "pellucid.insight.pictures.values",
    "draw_values_over_time": "pellucid.insight.pictures.values",
    "draw_what_it_looks_for": "pellucid.insight.pictures.networks",
    "layer_values": "pellucid.insight.pictures.values",
    "learning_curve": "pellucid.insight.pictures.learning",
    "loss_surface": "pellucid.insight.pictures.landscapes",
    "project": "pellucid.insight.pictures.words",
    "sample_function": "pellucid.insight.pictures.functions",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

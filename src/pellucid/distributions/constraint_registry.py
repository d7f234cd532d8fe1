"""Which transform leads from all real numbers into a constrained set.

``biject_to(constraint)`` is one to one and has a ``log_abs_det_jacobian``, as Hamiltonian Monte
Carlo needs; ``transform_to(constraint)`` may have more coordinates than needed and suits gradient
descent::

    scale = transform_to(Normal.arg_constraints["scale"])(unconstrained)
    potential = -posterior.log_prob(biject_to(posterior.support)(unconstrained)).sum()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.base.errors import ArgumentTypeError, UnsupportedError
from pellucid.distributions import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], transforms.Transform]


class ConstraintRegistry:
    """A table from classes of constraints to functions that make transforms."""

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(
        self, constraint: Any, factory: Factory | None = None
    ) -> Factory | Callable[[Factory], Factory]:
        """Enter what makes the transform for a class of constraints, or for an instance's class.

        Without ``factory`` it is a decorator.  Raises ``ArgumentTypeError`` for anything that is no
        constraint.
        """
        if factory is None:

            def enter(given: Factory) -> Factory:
                self.register(constraint, given)
                return given

            return enter
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, constraints.Constraint)):
            raise ArgumentTypeError(
                f"register got {constraint!r}", "give a subclass of Constraint, or an instance"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        """The transform to ``constraint``; raises ``UnsupportedError`` if none is known."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise UnsupportedError(
                f"Cannot transform {type(constraint).__name__} constraints",
                "register a transform for it",
            )
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _to_greater_than(constraint: Any) -> transforms.Transform:
    raised = transforms.ExpTransform()
    if isinstance(constraint.lower_bound, (int, float)) and constraint.lower_bound == 0:
        return raised
    moved = transforms.AffineTransform(constraint.lower_bound, 1)
    return transforms.ComposeTransform([raised, moved])


def _to_less_than(constraint: Any) -> transforms.Transform:
    turned = transforms.AffineTransform(constraint.upper_bound, -1)
    return transforms.ComposeTransform([transforms.ExpTransform(), turned])


def _to_interval(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    stretched = transforms.AffineTransform(low, high - low)
    return transforms.ComposeTransform([transforms.SigmoidTransform(), stretched])


def _enter_compounds(table: ConstraintRegistry) -> None:
    """Constraints that are made of others."""

    def independent(constraint: Any) -> transforms.Transform:
        base = table(constraint.base_constraint)
        return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    def cat(constraint: Any) -> transforms.Transform:
        parts = [table(c) for c in constraint.cseq]
        return transforms.CatTransform(parts, constraint.dim, constraint.lengths)

    def stack(constraint: Any) -> transforms.Transform:
        return transforms.StackTransform([table(c) for c in constraint.cseq], constraint.dim)

    table.register(constraints.independent, independent)
    table.register(constraints.cat, cat)
    table.register(constraints.stack, stack)


_IN_BOTH: tuple[tuple[Any, Factory], ...] = (
    (constraints.real, lambda _: transforms.identity_transform),
    (constraints.greater_than, _to_greater_than),
    (constraints.greater_than_eq, _to_greater_than),
    (constraints.less_than, _to_less_than),
    (constraints.interval, _to_interval),
    (constraints.half_open_interval, _to_interval),
    (constraints.corr_cholesky, lambda _: transforms.CorrCholeskyTransform()),
)

for _table in (biject_to, transform_to):
    _enter_compounds(_table)
    for _kind, _factory in _IN_BOTH:
        _table.register(_kind, _factory)

biject_to.register(constraints.simplex, lambda _: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda _: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda _: transforms.LowerCholeskyTransform())
for _kind in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_kind, lambda _: transforms.PositiveDefiniteTransform())

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

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Enter what makes the transform for a class of constraints, or for an instance's class.

        Without ``factory`` it is a decorator.  Raises ``ArgumentTypeError`` for anything that is no
        constraint.
        """
        if factory is None:
            return lambda given: self.register(constraint, given)
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


def _both(*kinds: Any) -> Callable[[Factory], Factory]:
    """Decorator: the same transform for both tables."""

    def enter(factory: Factory) -> Factory:
        for kind in kinds:
            biject_to.register(kind, factory)
            transform_to.register(kind, factory)
        return factory

    return enter


@_both(constraints.real)
def _to_real(constraint: Any) -> transforms.Transform:
    return transforms.identity_transform


@_both(constraints.greater_than, constraints.greater_than_eq)
def _to_greater_than(constraint: Any) -> transforms.Transform:
    raised: Any = transforms.ExpTransform()
    if isinstance(constraint.lower_bound, (int, float)) and constraint.lower_bound == 0:
        return raised
    return transforms.ComposeTransform(
        [raised, transforms.AffineTransform(constraint.lower_bound, 1)]
    )


@_both(constraints.less_than)
def _to_less_than(constraint: Any) -> transforms.Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


@_both(constraints.interval, constraints.half_open_interval)
def _to_interval(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)]
    )


@_both(constraints.corr_cholesky)
def _to_corr_cholesky(constraint: Any) -> transforms.Transform:
    return transforms.CorrCholeskyTransform()


@biject_to.register(constraints.simplex)
def _biject_to_simplex(constraint: Any) -> transforms.Transform:
    return transforms.StickBreakingTransform()


@transform_to.register(constraints.simplex)
def _transform_to_simplex(constraint: Any) -> transforms.Transform:
    return transforms.SoftmaxTransform()


@transform_to.register(constraints.lower_cholesky)
def _to_lower_cholesky(constraint: Any) -> transforms.Transform:
    return transforms.LowerCholeskyTransform()


@transform_to.register(constraints.positive_definite)
@transform_to.register(constraints.positive_semidefinite)
def _to_positive_definite(constraint: Any) -> transforms.Transform:
    return transforms.PositiveDefiniteTransform()


def _enter_compounds(table: ConstraintRegistry) -> None:
    """Constraints that are made of others."""

    @table.register(constraints.independent)
    def _to_independent(constraint: Any) -> transforms.Transform:
        base = table(constraint.base_constraint)
        return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    @table.register(constraints.cat)
    def _to_cat(constraint: Any) -> transforms.Transform:
        parts = [table(c) for c in constraint.cseq]
        return transforms.CatTransform(parts, constraint.dim, constraint.lengths)

    @table.register(constraints.stack)
    def _to_stack(constraint: Any) -> transforms.Transform:
        return transforms.StackTransform([table(c) for c in constraint.cseq], constraint.dim)


_enter_compounds(biject_to)
_enter_compounds(transform_to)

"""Pruning: weights held at zero by a mask (PyTorch's ``nn.utils.prune``).

A pruned ``layer.weight`` is computed at each use as ``layer.weight_orig``, which is the parameter
now, times the buffer ``layer.weight_mask``.  Pruning again acts on what is left; ``remove`` makes
it permanent.

>>> import pellucid
>>> from pellucid import nn
>>> from pellucid.nn.utils import prune
>>> layer = prune.l1_unstructured(nn.Linear(4, 2), "weight", amount=0.5)
>>> int((layer.weight == 0).sum())
4
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from pellucid.base.errors import ArgumentError, ArgumentTypeError, OutOfRangeError, ShapeError
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.nn.utils.parametrizations import parameter_of
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import ones_like, zeros_like
from pellucid.tensor.random import rand, rand_like
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor


class BasePruningMethod:
    """What chooses the elements to prune; subclasses define ``compute_mask``.

    ``PRUNING_TYPE`` says what a further pruning sees of a tensor: "unstructured" the elements
    left, "structured" the slices along the method's ``dim`` left, "global" everything.
    """

    PRUNING_TYPE: ClassVar[str] = "unstructured"
    _tensor_name: str = ""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask (1 keeps, 0 prunes) for the scores ``t``; 0 wherever ``default_mask`` is."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_mask")

    def apply_mask(self, module: Any) -> Tensor:
        """The masked tensor of a module."""
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original  # type: ignore[no-any-return]

    compute = apply_mask

    def assign(self, module: Any, value: Any) -> None:
        """``value`` as the tensor that is masked."""
        with no_grad():
            getattr(module, f"{self._tensor_name}_orig").copy_(value)

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune ``module.name``, whose arguments are the method's; returns what holds the mask.

        Elements of small ``importance_scores`` (by default the tensor itself) go first, where the
        method looks at values.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        value = parameter_of(cls.__name__, module, name)
        if importance_scores is not None and importance_scores.shape != value.shape:
            raise ShapeError(
                f"importance scores of shape {tuple(importance_scores.shape)} were given for a "
                f"tensor of shape {tuple(value.shape)}",
                "give one score for each element",
            )
        before = module._computed.get(name)
        known = isinstance(before, BasePruningMethod)
        if known:
            container = PruningContainer(before)
            container.add_pruning_method(method)
            method = container
        with no_grad():
            scores = value.detach() if importance_scores is None else importance_scores.detach()
            default = getattr(module, f"{name}_mask") if known else ones_like(value.detach())
            mask = method.compute_mask(scores, default_mask=default)
        if known:
            getattr(module, f"{name}_mask").copy_(mask)
            module.compute_from(name, method)
            return method
        original = module._parameters.get(name)
        module.compute_from(name, method)
        if original is not None:
            module.register_parameter(f"{name}_orig", original)
        else:
            module.register_buffer(f"{name}_orig", value)
        module.register_buffer(f"{name}_mask", mask)
        return method

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Any = None
    ) -> Tensor:
        """A pruned copy of ``t``, which no module needs to own."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise ShapeError(
                f"prune got scores of shape {tuple(scores.shape)} for {tuple(t.shape)}",
                "give one score for each element",
            )
        default = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor a parameter again, its zeros permanent."""
        name = self._tensor_name
        with no_grad():
            value = self.apply_mask(module).detach()
        original: Any = getattr(module, f"{name}_orig")
        delattr(module, name)
        delattr(module, f"{name}_mask")
        delattr(module, f"{name}_orig")
        if isinstance(original, Parameter):
            with no_grad():
                original.copy_(value)
            module.register_parameter(name, original)
        else:
            module.register_buffer(name, value)


class PruningContainer(BasePruningMethod):
    """Several prunings of one tensor, each on what the ones before left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        listed = args[0] if len(args) == 1 and not isinstance(args[0], BasePruningMethod) else args
        for method in listed:
            self._tensor_name = self._tensor_name or method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add a pruning; raises ``ArgumentError`` for one of another tensor."""
        if not isinstance(method, BasePruningMethod):
            raise ArgumentTypeError(
                f"a {type(method).__name__} was added to a PruningContainer",
                "add a BasePruningMethod",
            )
        if self._tensor_name != method._tensor_name:
            raise ArgumentError(
                f"a pruning of {method._tensor_name!r} was added to those of {self._tensor_name!r}",
                "a container holds the prunings of one tensor",
            )
        inner = method._pruning_methods if isinstance(method, PruningContainer) else (method,)
        self._pruning_methods += inner

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of the last method, on what ``default_mask`` has left."""
        method: Any = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left: Any = mask.eq(1)
        elif method.PRUNING_TYPE == "structured":
            axis = _axis(t, method.dim)
            others = [i for i in range(t.dim()) if i != axis]
            kept = mask.sum(others).ne(0) if others else mask.ne(0)
            left = (slice(None),) * axis + (kept,)
        elif method.PRUNING_TYPE == "global":
            left = ...
        else:
            raise ArgumentError(
                f"{type(method).__name__} has PRUNING_TYPE {method.PRUNING_TYPE!r}",
                "use unstructured, structured or global",
            )
        found = mask.clone()
        found[left] = method.compute_mask(t[left], default_mask=mask[left]).to(mask.dtype)
        return found


class Identity(BasePruningMethod):
    """Prunes nothing: the parameter gets a mask of ones."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask as it was."""
        return default_mask


class RandomUnstructured(BasePruningMethod):
    """Prunes elements by chance: ``amount`` of them, a number (int) or a share (float)."""

    def __init__(self, amount: float) -> None:
        self.amount = _amount(amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in random places."""
        return _without_smallest(rand_like(t), default_mask, self.amount)


class L1Unstructured(BasePruningMethod):
    """Prunes the elements of least magnitude: ``amount``, a number (int) or a share (float)."""

    def __init__(self, amount: float) -> None:
        self.amount = _amount(amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros where |t| is smallest."""
        return _without_smallest(t.abs(), default_mask, self.amount)


class RandomStructured(BasePruningMethod):
    """Prunes whole slices along ``dim`` by chance: ``amount`` of them, a number or a share."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        self.amount = _amount(amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in random slices."""
        axis = _axis(_structured(t), self.dim)
        return _without_slices(rand(t.shape[axis]), t, default_mask, self.amount, axis)


class LnStructured(BasePruningMethod):
    """Prunes the slices along ``dim`` of least ``n``-norm: ``amount``, a number or a share."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: float | str, dim: int = -1) -> None:
        self.amount = _amount(amount)
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in the slices of least norm."""
        axis = _axis(_structured(t), self.dim)
        others = [i for i in range(t.dim()) if i != axis]
        norms = t.norm(self.n, others)
        return _without_slices(norms, t, default_mask, self.amount, axis)


class CustomFromMask(BasePruningMethod):
    """Prunes where a given ``mask`` is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Both masks together."""
        if self.mask.shape != default_mask.shape:
            raise ShapeError(
                f"a mask of shape {tuple(self.mask.shape)} was given for a tensor of shape "
                f"{tuple(default_mask.shape)}",
                "give 0 or 1 for each element",
            )
        return default_mask * self.mask.to(default_mask.dtype)


def _amount(amount: Any) -> Any:
    """How much to prune, checked: a share from 0 to 1 or a number of elements."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise ArgumentTypeError(f"amount is {amount!r}", "use an int or a float")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise ArgumentError(f"amount is {amount}", "use a share from 0 to 1, or a number")
    return amount


def _count(amount: float, size: int) -> int:
    """How many of ``size`` to prune."""
    if isinstance(amount, float):
        return round(amount * size)
    if amount > size:
        raise ArgumentError(f"{amount} are to be pruned of {size}", "prune at most all of them")
    return amount


def _axis(t: Tensor, dim: int) -> int:
    if not -t.dim() <= dim < t.dim():
        raise OutOfRangeError(f"dim is {dim}", f"the tensor has {t.dim()} axes")
    return dim % t.dim()


def _structured(t: Tensor) -> Tensor:
    if t.dim() <= 1:
        raise ShapeError(
            f"structured pruning got a tensor of shape {tuple(t.shape)}",
            "it needs two axes or more; use an unstructured method",
        )
    return t


def _without_smallest(scores: Tensor, default_mask: Tensor, amount: float) -> Tensor:
    count = _count(amount, scores.numel())
    mask = default_mask.clone()
    if count:
        _, places = scores.reshape(-1).topk(count, largest=False)
        mask = mask.reshape(-1).index_fill(0, places, 0).reshape(default_mask.shape)
    return mask


def _without_slices(
    scores: Tensor, t: Tensor, default_mask: Tensor, amount: float, axis: int
) -> Tensor:
    extent = t.shape[axis]
    kept = extent - _count(amount, extent)
    mask = zeros_like(default_mask)
    if kept:
        _, places = scores.topk(kept, largest=True)
        mask = mask.index_fill(axis, places, 1)
    return mask * default_mask


# ---- functions -----------------------------------------------------------------------------------


def identity(module: Module, name: str) -> Module:
    """A mask of ones for ``module.name``; returns the module."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune ``amount`` elements of ``module.name`` by chance; returns the module.

    ``amount`` is a number (int) or a share (float from 0 to 1).  Raises ``ArgumentError`` for more
    than there are.
    """
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the ``amount`` elements of least magnitude (or least score); returns the module.

    (Han, Pool, Tran and Dally, 2015.)
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune ``amount`` slices along ``dim`` by chance; returns the module."""
    RandomStructured.apply(module, name, amount=amount, dim=dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: float | str,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the ``amount`` slices along ``dim`` of least ``n``-norm; returns the module."""
    LnStructured.apply(
        module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores
    )
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune ``module.name`` where ``mask`` is 0; returns the module."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several tensors, (module, name) each, as if they were one.

    ``pruning_method`` is an unstructured one, ``kwargs`` are its arguments; scores may be given
    for some of the tensors.  Raises ``ArgumentTypeError`` for other methods.
    """
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError(
            f"global_unstructured got a {type(parameters).__name__}",
            "pass a list of (module, name) pairs",
        )
    pairs = list(parameters)
    given = {} if importance_scores is None else importance_scores
    if not isinstance(given, dict):
        raise ArgumentTypeError(
            f"importance_scores is a {type(given).__name__}", "pass a dict by (module, name)"
        )
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise ArgumentTypeError(
            f"{pruning_method.__name__} is a {method.PRUNING_TYPE} method",
            "tensors of several shapes are pruned together by unstructured ones",
        )
    with no_grad():
        values = [parameter_of("global_unstructured", *pair).detach() for pair in pairs]
        scores = [given.get(p, v) for p, v in zip(pairs, values, strict=True)]
        masks = [getattr(module, f"{name}_mask", None) for module, name in pairs]
        known = [ones_like(v) if m is None else m for v, m in zip(values, masks, strict=True)]
        joined = PruningContainer(method).compute_mask(
            cat([s.detach().reshape(-1) for s in scores]), cat([m.reshape(-1) for m in known])
        )
        start = 0
        for (module, name), value in zip(pairs, values, strict=True):
            part = joined.narrow(0, start, value.numel()).reshape(value.shape).clone()
            custom_from_mask(module, name, part)
            start += value.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruning of ``module.name`` permanent; returns the module.

    The tensor is a parameter again, its zeros values like others.  Raises ``ArgumentError`` if it
    is not pruned.
    """
    method = module._computed.get(name)
    if not isinstance(method, BasePruningMethod):
        raise ArgumentError(
            f"{name!r} of this {type(module).__name__} is not pruned",
            f"what is computed here: {[*module._computed]}",
        )
    method.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a tensor of the module, or of one below it, is pruned."""
    return any(
        isinstance(source, BasePruningMethod)
        for part in module.modules()
        for source in part._computed.values()
    )


__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


def __dir__() -> list[str]:
    return sorted(__all__)

"""The module: a tree of parameters, buffers and other modules, with a ``forward``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from pellucid.base.errors import ArgumentError, NamingError, UnsupportedError
from pellucid.graph.node import current_layer, enter_layer
from pellucid.nn.calling import (
    BackwardWatch,
    Pass,
    RemovableHandle,
    calls,
    facts_changed,
    guard_module,
    is_setting,
    mode_changed,
    path_outside,
    read_module,
    shapes_in,
    structure_changed,
)
from pellucid.nn.converting import Convertible
from pellucid.nn.errors import MissingAttribute, PathError, RegistrationError, SetupError
from pellucid.nn.locating import Failure, locate
from pellucid.nn.observing import observe
from pellucid.nn.older_names import OlderNames
from pellucid.nn.parameter import Buffer, Parameter
from pellucid.nn.saving import IncompatibleKeys, hooks_of, load_state, state_of
from pellucid.nn.showing import module_html
from pellucid.tensor.autograd import has_gradient, no_grad, stored_gradient
from pellucid.tensor.compile import HasForward
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.guards import READERS, exact
from pellucid.tensor.observe import Observation
from pellucid.tensor.state import is_tracing, state
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.observe import DEFAULT_BINS, DEFAULT_STATISTICS

Self = TypeVar("Self", bound="Module")
Taken = ParamSpec("Taken")
Returned = TypeVar("Returned")


class ComputedTensor(Protocol):
    """What gives a module's tensor at each reading; see :meth:`Module.compute_from`."""

    def compute(self, module: Any) -> Tensor:
        """The tensor as the module sees it."""

    def assign(self, module: Any, value: Any) -> None:
        """Make ``value`` what is computed, or raise."""


class Module(Convertible, OlderNames):
    """Base class of all layers and models.

    Subclasses call ``super().__init__()``, assign parameters and modules to attributes, and
    define ``forward``.  Assigned :class:`Parameter` and :class:`Module` objects are found by
    :meth:`parameters`, :meth:`state_dict`, :meth:`train` and the rest, in the order of
    assignment.  Call the module itself, not ``forward``: the call runs the hooks and lets
    errors, profiles and pictures name the layer.

    >>> from pellucid import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.out = nn.Linear(8, 1)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> [name for name, _ in Net().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    output_bounds: tuple[float, float] | None = None
    """Bounds of the outputs where the layer saturates: at them its slope is (nearly) 0."""
    output_kind: str = ""
    """What the outputs are where the layer decides it: "probabilities" or "log-probabilities"."""
    silent_when_negative: bool = False
    """Whether the slope is 0 for all negative inputs, so that units before the layer can die."""
    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent: set[str]
    _forward_pre_hooks: dict[int, Any]
    _forward_hooks: dict[int, Any]
    _backward_hooks: dict[int, Any]
    _computed: Mapping[str, ComputedTensor] = MappingProxyType({})
    """Tensors that are computed from others whenever they are read, such as a normed weight."""
    _compiled_call: Callable[..., Any] | None = None
    """What calls run instead, after :meth:`compile`."""

    def __init__(self) -> None:
        put = super().__setattr__
        put("training", True)
        put("_parameters", {})
        put("_buffers", {})
        put("_non_persistent", set())
        put("_modules", {})
        put("_forward_pre_hooks", {})
        put("_forward_hooks", {})
        put("_backward_hooks", {})

    if not TYPE_CHECKING:  # a subclass's forward takes and returns what it likes

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            """What the module computes; every subclass defines it."""
            raise UnsupportedError(
                f"{type(self).__name__} has no forward()", "define what it computes from its input"
            )

    # ---- calling ---------------------------------------------------------------------------

    @overload
    def __call__(
        self: HasForward[Taken, Returned], *args: Taken.args, **kwargs: Taken.kwargs
    ) -> Returned: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the hooks and ``forward``; operations inside belong to this layer's path."""
        if is_tracing():
            guard_module(self)
        elif self._compiled_call is not None:
            return self._compiled_call(*args, **kwargs)
        running = calls.running
        outermost = running is None
        if running is None:
            running = calls.running = Pass(self, args, kwargs)
        before = current_layer()
        path = running.paths.get(id(self)) or path_outside(self, before)
        enter_layer(path)
        follower = state.follower if outermost else None
        try:
            if follower is not None:
                follower.entered(self, args, kwargs)
            if self._forward_pre_hooks or self._forward_hooks or self._backward_hooks:
                result = self._call_with_hooks(args, kwargs)
            else:
                result = self.forward(*args, **kwargs)  # type: ignore[operator]
        except Exception as error:
            locate(error, Failure(self, path, args, kwargs, running))
            raise
        finally:
            enter_layer(before)
            if outermost:
                calls.running = None
        shape = tuple(result.shape) if isinstance(result, Tensor) else shapes_in(result)
        running.steps.append((path, self, shape))
        if follower is not None:
            follower.called(self, args, kwargs, result)
        return result

    def _facts(self) -> tuple[Any, ...]:
        """What a traced call depends on beyond its arguments; a program is valid while it stays.

        Parts are compared by identity (modules, storage of parameters and buffers, hooks,
        functions) and plain settings, such as a dropout's p, by value.  The mode, which changes
        often, is compared apart.
        """
        storage = (*self._parameters.items(), *self._buffers.items())
        return (
            *(
                (k, exact(v))
                for k, v in self.__dict__.items()
                if (v is None or is_setting(v)) and k != "training"
            ),
            *((k, id(v)) for k, v in self._modules.items()),
            *((k, id(v)) for k, v in self._computed.items()),
            *((k, None if tensor is None else tensor.identity) for k, tensor in storage),
            *self._forward_pre_hooks,
            *self._forward_hooks,
            *self._backward_hooks,
        )

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in tuple(self._forward_pre_hooks.values()):
            result = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if result is not None and with_kwargs:
                args, kwargs = result
            elif result is not None:
                args = result if isinstance(result, tuple) else (result,)
        watch = None
        if self._backward_hooks:
            watch = BackwardWatch(self, tuple(self._backward_hooks.values()))
            args = watch.watch_inputs(args)
        output = self.forward(*args, **kwargs)  # type: ignore[operator]
        for hook, with_kwargs in tuple(self._forward_hooks.values()):
            result = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            output = output if result is None else result
        return output if watch is None else watch.watch_outputs(output)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns replaces ``args``.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns both or None.
        """
        return RemovableHandle(self._forward_pre_hooks, (hook, with_kwargs), first=prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; a result replaces the output."""
        return RemovableHandle(self._forward_hooks, (hook, with_kwargs), first=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The older name of :meth:`register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in backward.

        Both are tuples with an entry per positional argument and output, None where no gradient
        flows.  A returned tuple replaces ``grad_input``.
        """
        return RemovableHandle(self._backward_hooks, hook, first=prepend)

    def observe(
        self,
        names: str | Sequence[str] = "*",
        of: Sequence[str] = ("output", "gradient"),
        statistics: Sequence[str] = DEFAULT_STATISTICS,
        every: int = 1,
        capacity: int = 1024,
        bins: int = DEFAULT_BINS,
    ) -> Observation:
        """Watch values inside the model: returns where the records are read.

        ``names`` are layer paths or parameter names, or patterns of them (``"encoder.*"``).
        ``of`` chooses among ``"output"``, ``"gradient"`` (the loss's gradient to the outputs),
        ``"parameter"`` and ``"parameter_gradient"``, each of which costs another pass over all
        parameters (consider ``every``); ``statistics`` among those of
        :func:`pellucid.transforms.observe.measures`: by default mean, std, min, max, norm,
        zero_fraction, saturated_fraction and nonfinite_fraction; ``histogram`` (of ``bins``
        bins) and ``slice`` cost more.  Each ``every``-th step is recorded, and the newest
        ``capacity`` records are kept.

        In a compiled step the statistics are part of the program.  ``remove()``, or the end of a
        ``with`` block, brings back the program without them.

        A recurrent layer shows its outputs (``"rnn[0]"`` all steps, then the last state) and the
        gradients to them.  Layers called inside the body of :func:`pellucid.scan` show the
        outputs of all steps together, and their parameters with gradients; the gradients to
        their outputs exist inside the reverse loop only and are not recorded.

        >>> import pellucid
        >>> from pellucid import nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        >>> with model.observe(["1"], of=["output"]) as observation:
        ...     _ = model(pellucid.ones(2, 4))
        >>> sorted(observation.latest()["output"]["1"])[:3]
        ['max', 'mean', 'min']
        """
        made = Observation(of, statistics, every, capacity, bins)
        return observe(self, names, made)

    # ---- registration ----------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        parameters = self.__dict__.get("_parameters")
        if parameters is None:
            if isinstance(value, (Parameter, Buffer, Module)):
                raise SetupError(
                    f"{name!r} was assigned before the {type(self).__name__} was set up",
                    "call super().__init__() first in __init__",
                )
            super().__setattr__(name, value)
        elif name == "training":
            super().__setattr__(name, value)
            mode_changed(self)
        elif name in self._computed:
            self._computed[name].assign(self, value)
        elif isinstance(value, Parameter):
            self._forget(name, but=self._parameters)
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name, but=self._modules)
            self._modules[name] = value
            structure_changed(self)
        elif isinstance(value, Buffer):
            self._forget(name, but=self._buffers)
            self.register_buffer(name, value, value.persistent)
        elif name in parameters:
            if value is not None:
                raise RegistrationError(
                    f"cannot assign a {type(value).__name__} as parameter {name!r}",
                    "wrap it in nn.Parameter, or change the values under no_grad with copy_()",
                )
            self.register_parameter(name, None)
        elif name in self._modules and type(value).__module__ not in FOREIGN:
            if value is not None:
                raise RegistrationError(
                    f"cannot assign a {type(value).__name__} as module {name!r}",
                    "assign an nn.Module",
                )
            self._modules[name] = None
            structure_changed(self)
        elif name in self._buffers:
            self._set_buffer(name, value)
        elif type(value).__module__ in FOREIGN:
            self.__setattr__(name, _ours(value))
        else:
            super().__setattr__(name, value)
            facts_changed(self)

    def _set_buffer(self, name: str, value: Any) -> None:
        """Assign to a known buffer; in a traced program this is a change in place."""
        if value is not None and not isinstance(value, Tensor):
            raise RegistrationError(
                f"cannot assign a {type(value).__name__} as buffer {name!r}",
                "assign a tensor or None",
            )
        known = self._buffers[name]
        if is_tracing() and known is not None and value is not None:
            with no_grad():
                known.copy_(value)
            return
        self._buffers[name] = value
        facts_changed(self)

    def __getattr__(self, name: str) -> Tensor:  # what no class or __init__ names is a buffer
        for kind in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(kind)
            if found is not None and name in found:
                return found[name]  # type: ignore[no-any-return]
        if name in self._computed:
            return self._computed[name].compute(self)
        raise MissingAttribute(self, name)

    def __getstate__(self) -> dict[str, Any]:
        # A program belongs to this very module: copies and pickles compile their own.
        return {k: v for k, v in self.__dict__.items() if k != "_compiled_call"}

    def __delattr__(self, name: str) -> None:
        for found in (self._parameters, self._buffers, self._modules):
            if name in found:
                self._forget(name)
                structure_changed(self)
                return
        if name in self._computed:
            self._compute_no_more(name)
        else:
            super().__delattr__(name)
            facts_changed(self)

    def compute_from(self, name: str, source: ComputedTensor) -> None:
        """Let ``module.name``, a parameter so far, be what ``source`` computes at each reading.

        ``source.compute(module)`` gives the tensor, ``source.assign(module, value)`` answers
        ``module.name = value``.  This is how weights are normed or pruned without the layer's
        knowledge; see :mod:`pellucid.nn.utils`.
        """
        self._forget(name)
        self.__dict__["_computed"] = {**self._computed, name: source}
        structure_changed(self)

    def _compute_no_more(self, name: str) -> None:
        left = {k: v for k, v in self._computed.items() if k != name}
        if left:
            self.__dict__["_computed"] = left
        else:
            self.__dict__.pop("_computed", None)
        structure_changed(self)

    def __dir__(self) -> list[str]:
        own = [*super().__dir__()]
        for kind in ("_parameters", "_buffers", "_modules"):
            own += self.__dict__.get(kind, {})
        return [*own, *self._computed]

    def _forget(self, name: str, but: dict[str, Any] | None = None) -> None:
        """Take ``name`` out of wherever it is, except (to keep its place) out of ``but``."""
        for found in (self._buffers, self._modules, self._parameters):
            if found is not but:
                found.pop(name, None)
        self.__dict__.pop(name, None)
        self._non_persistent.discard(name)

    def _check_name(self, name: str, kind: str, known: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise RegistrationError(
                f"{name!r} was given as the name of a {kind}", "a name is a str"
            )
        if "." in name or name == "":
            raise NamingError(
                f"{name!r} was given as the name of a {kind}",
                "a name must not be empty or contain a dot: dots join the names of a path",
            )
        taken = name in self.__dict__ or hasattr(type(self), name)
        taken = taken or any(name in d for d in (self._parameters, self._buffers, self._modules))
        if name not in known and taken:
            raise NamingError(
                f"{type(self).__name__} already has an attribute {name!r}",
                f"choose another name for the {kind}",
            )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter (or None: a place that is empty) under ``name``."""
        self._check_name(name, "parameter", self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise RegistrationError(
                f"{name!r} is a {type(param).__name__}, not a parameter", "wrap it in nn.Parameter"
            )
        if param is not None and param.grad_fn is not None:
            raise ArgumentError(
                f"parameter {name!r} has a history",
                "parameters are leaves: use nn.Parameter(x.detach())",
            )
        self._parameters[name] = param
        facts_changed(self)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned, such as a running mean.

        ``persistent=False`` keeps it out of :meth:`state_dict`.
        """
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise RegistrationError(
                f"buffer {name!r} is a {type(tensor).__name__}", "register a tensor or None"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent.discard(name)
        else:
            self._non_persistent.add(name)
        facts_changed(self)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under ``name``."""
        module = _ours(module)
        if module is not None and not isinstance(module, Module):
            raise RegistrationError(
                f"{name!r} is a {type(module).__name__}, not an nn.Module",
                "give an object of a class derived from nn.Module (a layer, not a layer's class)",
            )
        self._check_name(name, "module", self._modules)
        self._modules[name] = module
        structure_changed(self)

    register_module = add_module

    # ---- walking ---------------------------------------------------------------------------

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of the module itself (path ``""``) and everything below it."""
        seen = set() if memo is None else memo
        if id(self) in seen:
            return
        if remove_duplicate:
            seen.add(id(self))
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(
                    seen, f"{prefix}.{name}" if prefix else name, remove_duplicate
                )

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """The module itself and every module below it, each once unless told otherwise."""
        return (m for _, m in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the direct children, each once."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        return (child for _, child in self.named_children())

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in getattr(module, kind).items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) in the order of assignment; shared parameters once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters in the order of assignment; shared ones once.

        Weights and biases only: learning rate, dropout's p and other numbers that people choose
        (hyperparameters) are not among them.
        """
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer) in the order of registration."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers in the order of registration."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; ``""`` is the module itself."""
        module: Module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                raise PathError(
                    f"{type(module).__name__} has no submodule {name!r} (looking for {target!r})",
                    f"it has: {', '.join(module._modules) or 'none'}",
                )
            module = child
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path; with ``strict`` only in the place of another."""
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict:
            self.get_submodule(target)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise PathError(
                f"{type(self).__name__} has no parameter {target!r}",
                _listed(self.named_parameters()),
            )
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._buffers.get(name)
        if found is None:
            raise PathError(
                f"{type(self).__name__} has no buffer {target!r}", _listed(self.named_buffers())
            )
        return found

    def apply(self: Self, fn: Callable[[Module], object]) -> Self:
        """Call ``fn`` with every module, children first; often used to initialize."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes -----------------------------------------------------------------------------

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode here and below: dropout drops, batch norm uses the batch's statistics."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"train() got mode={mode!r}", "pass True or False")
        for module in self.modules():
            if module.training is not mode:
                module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode: dropout does nothing, batch norm uses its running statistics."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of all parameters; False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or overwrite them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif (stored := stored_gradient(parameter)) is not None:
                with no_grad():
                    stored.zero_()
            elif has_gradient(parameter):
                parameter.grad = zeros_like(parameter)

    # ---- state -----------------------------------------------------------------------------

    def state_dict(
        self,
        *args: Any,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> OrderedDict[str, Tensor]:
        """Path → tensor of all parameters and persistent buffers, in order.

        The tensors share memory with the module (copy them to keep a snapshot) and have no
        history unless ``keep_vars``.  Keys are PyTorch's; ``destination`` is a dictionary to
        write to, a new one by default.  By position the order is destination, prefix, keep_vars.
        """
        older = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
        state: OrderedDict[str, Tensor] = state_of(
            self,
            older.get("destination", destination),
            older.get("prefix", prefix),
            older.get("keep_vars", keep_vars),
            Module._has_extra_state,
        )
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, object], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy values into parameters and buffers by name.

        Values are tensors, NumPy arrays, or tensors of another library that turn into arrays.
        Shapes must agree; dtypes are converted.  With ``assign`` the tensors of the state become
        the parameters and buffers themselves and keep their dtypes.  With ``strict`` the names
        must agree as well.  Nothing is changed when anything does not fit; the error lists
        everything that does not.
        """
        return load_state(self, state_dict, strict, assign, Module._has_extra_state)

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

    def get_extra_state(self) -> object:
        """What a subclass wants to be in its state besides tensors; it overrides this."""
        raise UnsupportedError(
            f"{type(self).__name__} has no get_extra_state()", "define it, and set_extra_state()"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take up what :meth:`get_extra_state` gave; for subclasses."""
        raise UnsupportedError(
            f"{type(self).__name__} has no set_extra_state()", "define it, and get_extra_state()"
        )

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before :meth:`state_dict` reads the module."""
        return RemovableHandle(hooks_of(self, "state_dict_pre"), hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` behind :meth:`state_dict`."""
        return RemovableHandle(hooks_of(self, "state_dict_post"), hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` with a copy of the state that may be changed."""
        return RemovableHandle(hooks_of(self, "load_state_dict_pre"), hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` behind :meth:`load_state_dict`."""
        return RemovableHandle(hooks_of(self, "load_state_dict_post"), hook)

    # ---- text ------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Settings of the module for its text; subclasses override it."""
        return ""

    def _repr_html_(self) -> str:
        """The module in a notebook: a tree that opens, with settings and parameters."""
        return module_html(self)

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        lines += [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        return described(type(self).__name__, lines, bool(self._modules))


FOREIGN: dict[str, Callable[[Any], Any]] = {}
"""Module of another library → what makes a layer of ours of one of its layers, or None."""


def _ours(layer: Any) -> Any:
    """A layer that another library made for PyTorch as one of ours, if we have it."""
    adopt = FOREIGN.get(type(layer).__module__)
    found = None if adopt is None else adopt(layer)
    return layer if found is None else found


def _listed(named: Iterator[tuple[str, Any]]) -> str:
    """The names there are, as advice."""
    return f"it has: {', '.join(name for name, _ in named) or 'none'}"


def indented(text: str) -> str:
    """All lines but the first, two columns to the right."""
    return text.replace("\n", "\n  ")


def described(name: str, lines: list[str], several: bool) -> str:
    """``Name(settings)`` on one line, or a line for each of several entries."""
    if several or len(lines) > 1:
        return f"{name}(\n  " + "\n  ".join(lines) + "\n)"
    return f"{name}({''.join(lines)})"


READERS.append((Module, read_module))

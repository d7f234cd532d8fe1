"""What would change a score: its gradient to the inputs, plain, times the input, or smoothed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.slopes import path_average, slopes_at
from pellucid.insight.explain.starts import all_floating, gathered

Array = npt.NDArray[Any]


@method
def saliency(
    model: Model,
    inputs: Inputs,
    target: Any = None,
    abs: bool = False,
    additional_forward_args: Any = (),
    *,
    output: Any = None,
) -> Explanation:
    """∂ score / ∂ input for each row: how much a small change of each input changes the score.

    ``inputs`` (rows, …), a tuple or a dictionary of them; ``target`` is the position of the
    score (with several axes a tuple of positions), one for all rows or a sequence with one for
    each row, a function, or None for the largest score of each row (``output`` is its older name).
    Returns the gradients, with the shapes of the inputs, in evaluation mode; with ``abs`` their
    absolute values.  Of whole numbers that are looked up, such as tokens, it is the norm of the
    gradient to what they are looked up as.  Raises ``OutOfRangeError`` and ``ShapeError`` for
    positions that do not fit.  (Simonyan, Vedaldi and Zisserman, 2013.)
    """
    forward = Forward(model, inputs, target if output is None else output, additional_forward_args)
    values = _slopes(forward)
    kind = "slope"
    if abs or not all_floating(forward):
        values, kind = [np.abs(v) for v in values], "map"
    return forward.explanation("saliency", values, kind=kind)


@method
def input_x_gradient(
    model: Model, inputs: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> Explanation:
    """``x · ∂ score / ∂ x``: what each input would give if the score were linear.

    Arguments as in :func:`saliency`.  The values sum to the score where the model is made of
    linear layers without bias and ReLU; elsewhere ``gap`` says what they miss.  (Shrikumar,
    Greenside, Shcherbina and Kundaje, 2016.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    if all_floating(forward):
        values = [plain(t) * s for t, s in zip(forward.tensors, _slopes(forward), strict=True)]
    else:
        found = _path_of_one(forward)
        values = [
            gathered(
                [h * s for h, s in zip(here, slopes, strict=True)],
                tuple(t.shape),
                t.dtype.is_floating_point,
            )
            for t, here, slopes in zip(forward.tensors, found.here, found.slopes, strict=True)
        ]
    zeros = tuple(np.zeros_like(plain(t)) for t in forward.tensors)
    floating = all_floating(forward)
    return forward.explanation(
        "input_x_gradient",
        values,
        kind="contribution",
        baseline=zeros,
        baseline_output=forward(*zeros) if floating else None,
    )


def _path_of_one(forward: Forward) -> Any:
    """Slopes at the inputs themselves, and the values there, also of looked-up ones."""
    baselines = [np.zeros_like(plain(t)) for t in forward.tensors]
    return path_average(forward, baselines, np.ones(1), np.ones(1))


def _slopes(forward: Forward) -> list[Array]:
    """∂ score / ∂ input; of looked-up inputs the norm over what each is looked up as."""
    if all_floating(forward):
        return slopes_at(forward, [plain(t) for t in forward.tensors])
    found = _path_of_one(forward)
    values = []
    for tensor, slopes in zip(forward.tensors, found.slopes, strict=True):
        if tensor.dtype.is_floating_point:
            values.append(slopes[0])
        else:
            squares = gathered(
                [s.astype(np.float64) ** 2 for s in slopes], tuple(tensor.shape), False
            )
            values.append(np.sqrt(squares))
    return values


NOISE = ("smoothgrad", "smoothgrad_sq", "vargrad")


@method
def noise_tunnel(
    model: Model,
    inputs: Inputs,
    attribution: Callable[..., Explanation] = saliency,
    nt_type: str = "smoothgrad",
    nt_samples: int = 25,
    stdevs: float | tuple[float, ...] = 0.1,
    target: Any = None,
    additional_forward_args: Any = (),
    seed: int = 0,
    **settings: Any,
) -> Explanation:
    """A method averaged over inputs with noise, which what happens to hold at one point cancels in.

    ``attribution`` is any method of this package; ``stdevs`` the standard deviation of the noise,
    one number or one for each input, in the inputs' own units; ``settings`` go to the method.
    ``nt_type`` says what is made of the values: ``"smoothgrad"`` their mean (Smilkov and others,
    2017), ``"smoothgrad_sq"`` the mean of their squares (Hooker and others, 2019), ``"vargrad"``
    their variance (Adebayo and others, 2018).  Inputs must be of floating-point types.  The
    standard error is that of the mean over ``nt_samples``.
    """
    if nt_type not in NOISE or nt_samples < 1:
        raise ArgumentError(
            f"noise_tunnel got nt_type={nt_type!r} and nt_samples={nt_samples}",
            f"use one of {', '.join(NOISE)} and at least 1 sample",
        )
    forward = Forward(model, inputs, target, additional_forward_args)
    if not all_floating(forward):
        raise ArgumentError(
            "noise_tunnel adds noise, and an input is of whole numbers",
            "give inputs of floating-point types",
        )
    sizes = stdevs if isinstance(stdevs, tuple) else (stdevs,) * len(forward.tensors)
    random = np.random.default_rng(seed)
    noisy = []
    for tensor, size in zip(forward.tensors, sizes, strict=True):
        x = np.repeat(plain(tensor), nt_samples, axis=0)
        noisy.append(x + random.normal(0, size, x.shape).astype(x.dtype))
    one = attribution(
        model,
        forward.rebuilt(noisy),
        target=forward.repeated_target(nt_samples),
        additional_forward_args=tuple(e for e, _ in forward.repeated(nt_samples)),
        **{k: _repeated(v, forward.rows, nt_samples) for k, v in settings.items()},
    )
    values, errors = [], []
    for found in one.values:
        apart = found.reshape(forward.rows, nt_samples, *found.shape[1:]).astype(np.float64)
        made = apart if nt_type == "smoothgrad" else apart**2
        mean = made.mean(1) if nt_type != "vargrad" else made.mean(1) - apart.mean(1) ** 2
        values.append(mean)
        errors.append(made.std(1, ddof=1) / np.sqrt(nt_samples) if nt_samples > 1 else mean * 0)
    return forward.explanation(
        f"{nt_type} of {one.method}",
        values,
        kind=one.kind if nt_type == "smoothgrad" else "map",
        standard_error=tuple(errors) if nt_samples > 1 else None,
        seeds=(seed,),
        settings={"nt_samples": nt_samples, "stdevs": stdevs, **settings},
    )


def _repeated(value: Any, rows: int, copies: int) -> Any:
    """A setting that has a line for each row, with its lines repeated."""
    if isinstance(value, tuple):
        return tuple(_repeated(v, rows, copies) for v in value)
    if hasattr(value, "shape") and len(value.shape) and value.shape[0] == rows and rows > 1:
        return np.repeat(plain(value), copies, axis=0)
    return value


def smooth_grad(
    model: Model,
    inputs: Inputs,
    target: Any = None,
    nt_samples: int = 25,
    stdevs: float | tuple[float, ...] = 0.1,
    seed: int = 0,
) -> Explanation:
    """:func:`saliency` averaged over noisy inputs; see :func:`noise_tunnel`."""
    return noise_tunnel(
        model, inputs, saliency, "smoothgrad", nt_samples, stdevs, target=target, seed=seed
    )


def var_grad(
    model: Model,
    inputs: Inputs,
    target: Any = None,
    nt_samples: int = 25,
    stdevs: float | tuple[float, ...] = 0.1,
    seed: int = 0,
) -> Explanation:
    """The variance of :func:`saliency` over noisy inputs; see :func:`noise_tunnel`."""
    return noise_tunnel(
        model, inputs, saliency, "vargrad", nt_samples, stdevs, target=target, seed=seed
    )

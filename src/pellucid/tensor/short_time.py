"""Short-time Fourier transforms: the spectra of frames of a signal, and the signal of such."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DTypeUnsupportedError, ShapeError, UnsupportedError
from pellucid.ops import complex as ops_complex
from pellucid.ops import elementwise, structure
from pellucid.ops import fourier as ops
from pellucid.tensor.arithmetic import ArithmeticMethods
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import together
from pellucid.tensor.state import is_tracing

LEAST_OVERLAP = 1e-11
"""Where windows add up to less, a sample cannot be told from its spectra."""


class ShortTimeMethods(ArithmeticMethods):
    """Mixed into :class:`pellucid.Tensor`."""

    __slots__ = ()

    def stft(
        self,
        n_fft: int,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Tensor | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        normalized: bool = False,
        onesided: bool | None = None,
        return_complex: bool | None = None,
        align_to_window: bool | None = None,
    ) -> Tensor:
        """Spectra of the frames of a signal: (B?, L) → (B?, frequencies, frames), complex.

        X[k, t] = Σ_n w[n] x[t · hop_length + n] e^(−2πikn / n_fft), times n_fft^(−½) if
        ``normalized``.  ``window`` has ``win_length`` (n_fft) samples, set in the middle of a
        frame; None means ones, with a warning.  ``hop_length`` is n_fft // 4 by default.  With
        ``center`` frames are centred at their time: the signal is continued by n_fft // 2 samples
        at both ends, "reflect"ed or by another mode of ``pad``.  Otherwise ``align_to_window``
        lets the first window, not the first frame, begin with the signal.

        ``onesided`` gives the n_fft // 2 + 1 frequencies that a real signal needs (the default
        for one), else n_fft.  ``return_complex`` must be given for real input; False gives real
        and imaginary parts as a last axis.  Raises ``ArgumentError`` (a ``RuntimeError``) for
        lengths that do not fit each other.  (Allen and Rabiner, 1977.)
        """
        if center and align_to_window is not None:
            raise ArgumentError(
                "stft align_to_window should only be set when center = false", "leave it out"
            )
        hop = n_fft // 4 if hop_length is None else hop_length
        length = n_fft if win_length is None else win_length
        is_complex = self.dtype.is_complex or (window is not None and window.dtype.is_complex)
        if return_complex is None:
            if not is_complex:
                raise ArgumentError(
                    "stft requires the return_complex parameter be given for real inputs",
                    "pass return_complex=True",
                )
            return_complex = True
        _check(self, n_fft, hop, length, window, center, bool(align_to_window))
        if onesided and is_complex:
            raise ArgumentError(
                "Cannot have onesided output if window or input is complex", "pass onesided=False"
            )
        half = not is_complex if onesided is None else onesided
        lines = structure.reshape(self, (-1, self.shape[-1]))
        if center:
            lines = _continued(lines, n_fft // 2, pad_mode)
        elif align_to_window:
            left = (n_fft - length) // 2
            lines = structure.pad(lines, [0, left], [0, n_fft - length - left])
        if window is None:
            warnings.warn(
                "A window was not provided: a rectangular window is applied, whose spectrum leaks. "
                "Pass window=hann_window(win_length), or ones(win_length) to say that it is meant",
                UserWarning,
                stacklevel=3,
            )
        frames: Any = lines.unfold(-1, n_fft, hop)  # (B, frames, n_fft)
        if window is not None or length < n_fft:
            frames = frames * _framed(window, n_fft, length, self)
        scale = n_fft**-0.5 if normalized else 1.0
        if half:
            found = ops.rfft(frames, 2, scale)
        else:
            found = ops.fft(elementwise.cast(frames, frames.dtype.to_complex()), (2,), False, scale)
        found = structure.transpose(found, (0, 2, 1))
        found = structure.reshape(found, (*self.shape[:-1], *found.shape[1:]))
        return found if return_complex else ops_complex.view_as_real(found)

    def istft(
        self,
        n_fft: int,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Tensor | None = None,
        center: bool = True,
        normalized: bool = False,
        onesided: bool | None = None,
        length: int | None = None,
        return_complex: bool = False,
    ) -> Tensor:
        """The signal of these spectra: (B?, frequencies, frames) → (B?, L); inverse of ``stft``.

        Σ_t w · frame_t / Σ_t w², which is the signal whose spectra come closest to the given ones.
        ``length`` cuts the signal, or continues it by zeros; with ``center`` the n_fft // 2
        samples that were added at both ends go.  ``return_complex`` gives complex samples, for
        spectra that are not one-sided.  Raises ``ArgumentError`` (a ``RuntimeError``) where the
        windows leave a gap.  (Griffin and Lim, 1984.)
        """
        hop = n_fft // 4 if hop_length is None else hop_length
        width = n_fft if win_length is None else win_length
        half = _check_spectra(self, n_fft, hop, width, window, onesided, return_complex)
        spectra = structure.reshape(self, (-1, *self.shape[-2:]))
        spectra = structure.transpose(spectra, (0, 2, 1))  # (B, frames, frequencies)
        scale = n_fft**-0.5 if normalized else 1.0 / n_fft
        if return_complex:
            frames = ops.fft(spectra, (2,), True, scale)
        else:
            kept = spectra if half else spectra.narrow(2, 0, n_fft // 2 + 1)
            frames = ops.irfft(kept, 2, n_fft, scale)
        weights = _framed(window, n_fft, width, frames)
        total = _overlapped(frames * weights, hop)
        count = frames.shape[1]
        squares = structure.broadcast_to(weights * weights, (1, count, n_fft))
        envelope = _overlapped(squares, hop)
        expected = n_fft + hop * (count - 1)
        start = n_fft // 2 if center else 0
        stop = expected - (n_fft // 2 if center else 0) if length is None else start + length
        total, envelope = (
            t.narrow(1, start, max(0, min(stop, expected) - start)) for t in (total, envelope)
        )
        _check_overlap(envelope)
        signal = total / envelope
        if stop > expected:
            warnings.warn(
                "The length of signal is shorter than the length parameter. Result is being "
                "padded with zeros in the tail",
                UserWarning,
                stacklevel=3,
            )
            signal = structure.pad(signal, [0, 0], [0, stop - max(expected, start)])
        return structure.reshape(signal, (*self.shape[:-2], signal.shape[1]))


def _refuse(name: str, tensor: Any, what: str) -> None:
    raise ArgumentError(
        f"{name} of {tensor.dtype.name}{list(tensor.shape)}: {what}",
        "see the help of Tensor.stft for what the lengths mean",
    )


def _check(
    x: Any, n_fft: int, hop: int, length: int, window: Any, center: bool, aligned: bool
) -> None:
    if not x.dtype.is_differentiable:
        raise DTypeUnsupportedError(
            f"stft got {x.dtype.name}: expected a tensor of floating point or complex values",
            "convert first: x.float()",
        )
    if len(x.shape) not in (1, 2):
        _refuse("stft", x, "expected a 1D or 2D tensor")
    extent = x.shape[-1] + (2 * (n_fft // 2) if center else n_fft - length if aligned else 0)
    if not 0 < n_fft <= extent:
        _refuse("stft", x, f"expected 0 < n_fft <= {extent}, but got n_fft={n_fft}")
    if hop <= 0:
        _refuse("stft", x, f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        _refuse("stft", x, f"expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and tuple(window.shape) != (length,):
        _refuse(
            "stft",
            x,
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.shape)}",
        )


def _check_spectra(
    x: Any,
    n_fft: int,
    hop: int,
    width: int,
    window: Any,
    onesided: bool | None,
    return_complex: bool,
) -> bool:
    """Raise for spectra that no signal has; whether they are one-sided."""
    if not x.dtype.is_complex:
        raise DTypeUnsupportedError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            f"return_complex=True, and got {x.dtype.name}",
            "convert with view_as_complex",
        )
    if len(x.shape) not in (2, 3):
        raise ShapeError(
            f"istft got shape {tuple(x.shape)}: expected 2 or 3 axes",
            "give (frequencies, frames), or a batch of them",
        )
    if 0 in x.shape:
        _refuse("istft", x, "input tensor cannot be empty")
    frequencies = x.shape[-2]
    half = frequencies != n_fft if onesided is None else onesided
    if frequencies != (n_fft // 2 + 1 if half else n_fft):
        _refuse(
            "istft",
            x,
            f"expected the frequency dimension to have {n_fft // 2 + 1 if half else n_fft} entries "
            f"for n_fft={n_fft} and onesided={half}, but got {frequencies}",
        )
    if not 0 < hop <= width:
        _refuse("istft", x, f"expected 0 < hop_length <= win_length, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        _refuse("istft", x, f"expected 0 < win_length <= n_fft, but got win_length={width}")
    if window is not None and tuple(window.shape) != (width,):
        _refuse("istft", x, f"Invalid window shape: it has to be 1D and of length {width}")
    if return_complex and half:
        raise ArgumentError(
            "Cannot have onesided output if window or input is complex", "pass all frequencies"
        )
    if window is not None and window.dtype.is_complex and not return_complex:
        raise ArgumentError(
            "Complex windows are incompatible with return_complex=False",
            "pass True, or window.real",
        )
    return half


def _framed(window: Any, n_fft: int, length: int, like: Any) -> Any:
    """The window in the middle of a frame, of the precision of ``like``."""
    if window is None:
        window = lift(like.dtype.to_real().array(np.ones(length)))
    window = together(window, like)[0] if window.dtype.is_complex else window
    left = (n_fft - length) // 2
    return structure.pad(window, [left], [n_fft - length - left])


def _continued(x: Any, count: int, mode: str) -> Any:
    """Lines (B, L) with ``count`` more elements at both ends, made of those that are there."""
    extent = x.shape[1]
    if mode == "constant":
        return structure.pad(x, [0, count], [0, count])
    if mode == "replicate":
        ends = [
            structure.broadcast_to(x.narrow(1, i, 1), (x.shape[0], count)) for i in (0, extent - 1)
        ]
        return structure.concatenate([ends[0], x, ends[1]], 1)
    if mode not in ("reflect", "circular"):
        raise UnsupportedError(
            f"Unrecognised padding mode {mode}",
            'use "reflect", "constant", "replicate", "circular"',
        )
    if count >= extent + (mode == "circular"):
        raise ArgumentError(
            f"Padding size should be less than the corresponding input dimension, but got: padding "
            f"({count}, {count}) for {extent} samples",
            'use a shorter frame, or pad_mode="constant"',
        )
    if mode == "circular":
        return structure.concatenate(
            [x.narrow(1, extent - count, count), x, x.narrow(1, 0, count)], 1
        )
    left = structure.flip(x.narrow(1, 1, count), (1,))
    right = structure.flip(x.narrow(1, extent - 1 - count, count), (1,))
    return structure.concatenate([left, x, right], 1)


def _overlapped(frames: Any, hop: int) -> Any:
    """Frames (B, T, n) ``hop`` samples apart, added up: (B, n + hop · (T − 1)).

    Each is cut into pieces of ``hop`` samples; pieces of one number lie side by side.
    """
    batch, count, n = frames.shape
    pieces = -(-n // hop)
    frames = structure.pad(frames, [0, 0, 0], [0, 0, pieces * hop - n])
    total = None
    for i in range(pieces):
        line = structure.reshape(frames.narrow(2, i * hop, hop), (batch, count * hop))
        shifted = structure.pad(line, [0, i * hop], [0, (pieces - 1 - i) * hop])
        total = shifted if total is None else total + shifted
    return total.narrow(1, 0, n + hop * (count - 1))  # type: ignore[union-attr]


def _check_overlap(envelope: Any) -> None:
    """Raise where the windows leave a gap, if their values are known."""
    if is_tracing() or not envelope.shape[1]:
        return
    if float(np.abs(envelope.array()).min()) <= LEAST_OVERLAP:
        raise ArgumentError(
            "istft: window overlap add min: 1: the windows add up to 0 at some sample",
            "use a smaller hop_length, or another window",
        )

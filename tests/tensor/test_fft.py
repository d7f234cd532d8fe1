"""Fourier transforms against NumPy's and the sums that define them, their gradients, and compiled
programs of every kind of length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.fft
from helpers import assert_close, assert_same
from pellucid.base.errors import DTypeUnsupportedError

ALONG_ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
ALONG_SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"]
LENGTHS = [1, 2, 5, 12, 31, 33, 65, 97, 263, 300, 1024]
"""Short ones, products of small factors, primes that are one product, and long primes."""


def made(name: str, rng: np.random.Generator, *shape: int) -> np.ndarray:
    """A signal that the transform takes."""
    x = rng.standard_normal(shape)
    return x if name in ("rfft", "ihfft", "rfftn", "rfft2") else x + 1j * rng.standard_normal(shape)


def tensor(array: Any) -> Any:
    return pellucid.tensor(array)


@pytest.mark.parametrize("norm", [None, "backward", "forward", "ortho"])
@pytest.mark.parametrize("name", ALONG_ONE)
def test_along_one_axis(name: str, norm: Any, rng: np.random.Generator) -> None:
    x = made(name, rng, 3, 6, 4)
    ours, numpys = getattr(pellucid.fft, name), getattr(np.fft, name)
    for n in (None, 4, 5, 9):
        for dim in (-1, 1, 0):
            assert_close(ours(tensor(x), n, dim, norm), numpys(x, n, dim, norm), 1e-10, 1e-12)
    single = x.astype("f4") if x.dtype.kind == "f" else x.astype("c8")
    found = ours(tensor(single), norm=norm)
    assert found.dtype in (pellucid.float32, pellucid.complex64)
    assert_close(found, numpys(x, norm=norm), 1e-5, 1e-5)


@pytest.mark.parametrize("name", ALONG_SEVERAL)
def test_along_several_axes(name: str, rng: np.random.Generator) -> None:
    x = made(name, rng, 3, 6, 4)
    ours, numpys = getattr(pellucid.fft, name), getattr(np.fft, name)
    for norm in (None, "ortho", "forward"):
        assert_close(ours(tensor(x), norm=norm), numpys(x, norm=norm), 1e-10, 1e-12)
        for s, dim in (((4, 5), (0, 2)), ((7, 3), (-1, 0))):
            found, expected = ours(tensor(x), s, dim, norm), numpys(x, s, dim, norm)
            assert_close(found, expected, 1e-10, 1e-12)


def test_hermitian_transforms_of_several_axes(rng: np.random.Generator) -> None:
    x = made("hfft", rng, 4, 5)
    whole = pellucid.fft.hfft2(tensor(x))
    direct = np.fft.irfft2(x.conj(), norm="forward")
    assert_close(whole, direct)
    assert_close(pellucid.fft.ihfft2(whole), np.fft.rfft2(direct, norm="forward").conj())
    assert_close(
        pellucid.fft.hfftn(tensor(x), dim=(1, 0)),
        np.fft.irfftn(x.conj(), axes=(1, 0), norm="forward"),
    )


def test_frequencies_and_shifts() -> None:
    for n in (1, 4, 7):
        assert_close(pellucid.fft.fftfreq(n, 0.5), np.fft.fftfreq(n, 0.5), 1e-6)
        assert_close(pellucid.fft.rfftfreq(n, dtype=pellucid.float64), np.fft.rfftfreq(n))
    x = np.arange(20.0).reshape(4, 5)
    for dim in (None, 0, (0, 1)):
        shifted = pellucid.fft.fftshift(tensor(x), dim)
        assert_same(shifted, np.fft.fftshift(x, dim))
        assert_same(pellucid.fft.ifftshift(shifted, dim), x)


@pytest.mark.parametrize("name", [*ALONG_ONE, "fftn", "rfftn", "irfftn", "hfftn", "ihfftn"])
def test_gradients(name: str, rng: np.random.Generator) -> None:
    x = pellucid.tensor(made(name.rstrip("n"), rng, 3, 4), requires_grad=True)
    function = getattr(pellucid.fft, name)
    for norm in (None, "ortho"):
        assert pellucid.gradcheck(lambda z, n=norm: function(z, norm=n), x)
        assert pellucid.gradgradcheck(lambda z, n=norm: function(z, norm=n).abs().square(), x)
    if name in ALONG_ONE:
        assert pellucid.gradcheck(lambda z: function(z, n=7, dim=0), x)
        assert pellucid.gradcheck(lambda z: function(z, n=3, dim=0), x)


def test_integers_and_single_numbers() -> None:
    assert_same(pellucid.fft.fft(tensor([1, 2, 3, 4])), np.fft.fft([1, 2, 3, 4]).astype("c8"))
    assert pellucid.fft.rfft(tensor([True, False])).dtype is pellucid.complex64
    assert pellucid.fft.fftn(tensor(2.0)).item() == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x: f.fft(x, 0), r"Invalid number of data points \(0\)"),
        (lambda f, x: f.fft(x[:, :0]), r"Invalid number of data points \(0\)"),
        (lambda f, x: f.irfft(x[:, :1]), r"Invalid number of data points \(0\)"),
        (lambda f, x: f.fft(x, norm="x"), 'Invalid normalization mode: "x"'),
        (lambda f, x: f.rfft(x + 0j), "rfft expects a real input tensor"),
        (lambda f, x: f.fftn(x, dim=(0, 0)), "FFT dims must be unique"),
        (lambda f, x: f.fftn(x, (2,), (0, 1)), "must have the same length"),
        (lambda f, x: f.fftn(x, (2, 2, 2)), "only has 2 dimensions"),
        (lambda f, x: f.rfftn(x, dim=()), "rfftn must transform at least one axis"),
        (lambda f, x: f.fft(x.half()), "Unsupported dtype float16"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(pellucid.fft, pellucid.ones(2, 3))


def test_axes_that_do_not_exist() -> None:
    for x, dim in ((pellucid.ones(2), 1), (tensor(1.0), -1)):
        with pytest.raises(IndexError):
            pellucid.fft.fft(x, dim=dim)


# ---- compiled -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", LENGTHS)
def test_compiled_transforms_of_every_length(n: int, rng: np.random.Generator) -> None:
    x, half = made("fft", rng, 3, n), made("fft", rng, 3, n // 2 + 1)

    def function(z: Any, h: Any) -> Any:
        return (
            pellucid.fft.fft(z),
            pellucid.fft.ifft(z, norm="ortho"),
            pellucid.fft.rfft(z.real),
            pellucid.fft.irfft(h, n),
        )

    found = pellucid.compile(function)(tensor(x), tensor(half))
    expected = (
        np.fft.fft(x),
        np.fft.ifft(x, norm="ortho"),
        np.fft.rfft(x.real),
        np.fft.irfft(half, n),
    )
    for left, right in zip(found, expected, strict=True):
        assert_close(left, right, 1e-10, 1e-11)


def spectral(x: Any, weight: Any) -> Any:
    """A layer that multiplies the spectrum of its input."""
    spectrum = pellucid.fft.rfft2(x, dim=(1, 2), norm="ortho") * weight
    return pellucid.fft.irfft2(spectrum, x.shape[1:3], dim=(1, 2), norm="ortho")


def test_a_spectral_layer_trains_the_same_compiled(rng: np.random.Generator) -> None:
    images = tensor(rng.standard_normal((4, 6, 6, 3)).astype("f4"))
    goal = tensor(rng.standard_normal((4, 6, 6, 3)).astype("f4"))
    start = (made("fft", rng, 6, 4, 3) * 0.1).astype("c8")
    losses = []
    for wrap in (lambda f: f, pellucid.compile):
        weight = pellucid.nn.Parameter(tensor(start))
        optimizer = pellucid.optim.Adam([weight], lr=0.05)

        def step(weight: Any = weight, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (spectral(images, weight) - goal).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = wrap(step)
        losses.append([run().item() for _ in range(5)])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-5)


def test_mixing_by_transforms_and_long_convolutions(rng: np.random.Generator) -> None:
    """FNet's mixing, and a convolution as long as its signal, with gradients and compiled."""
    x, kernel = (tensor(rng.standard_normal((2, 24, 8)).astype("f4")) for _ in range(2))

    def mixed(x: Any) -> Any:
        return pellucid.fft.fft(pellucid.fft.fft(x, dim=-1), dim=-2).real

    def convolved(x: Any, kernel: Any) -> Any:
        n = 2 * x.shape[1]
        product = pellucid.fft.rfft(x, n, 1) * pellucid.fft.rfft(kernel, n, 1)
        return pellucid.fft.irfft(product, n, 1)[:, : x.shape[1]]

    assert_close(mixed(x), np.fft.fft2(x.numpy(), axes=(1, 2)).real, 1e-4, 1e-4)
    direct = sum(
        np.pad(x.numpy(), ((0, 0), (k, 0), (0, 0)))[:, :24] * kernel.numpy()[:, k : k + 1]
        for k in range(24)
    )
    assert_close(convolved(x, kernel), direct, 1e-4, 1e-4)

    def slopes(x: Any, kernel: Any) -> Any:
        x, kernel = (t.detach().requires_grad_() for t in (x, kernel))
        loss = mixed(x).square().mean() + convolved(x, kernel).square().mean()
        return pellucid.grad(loss, (x, kernel))

    for left, right in zip(pellucid.compile(slopes)(x, kernel), slopes(x, kernel), strict=True):
        assert_close(left, right, 1e-4, 1e-5)


# ---- short-time transforms ------------------------------------------------------------------


def test_frames_by_their_definition(rng: np.random.Generator) -> None:
    x, window = rng.standard_normal((2, 30)), rng.uniform(0.5, 1, 6)
    found = tensor(x).stft(
        8, 3, 6, tensor(window), center=False, return_complex=True, onesided=False, normalized=True
    )
    weights = np.pad(window, 1)
    expected = np.stack(
        [np.fft.fft(x[:, t : t + 8] * weights, norm="ortho") for t in range(0, 23, 3)], -1
    )
    assert_close(found, expected)
    half = pellucid.stft(tensor(x), 8, 3, 6, tensor(window), center=False, return_complex=False)
    assert tuple(half.shape) == (2, 5, 8, 2)
    assert_close(pellucid.view_as_complex(half), expected[:, :5] * np.sqrt(8))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hop_length": 3},
        {"win_length": 6, "hop_length": 2},
        {"normalized": True},
        {"onesided": False},
        {"pad_mode": "constant"},
    ],
)
def test_a_signal_comes_back(settings: dict[str, Any], rng: np.random.Generator) -> None:
    x = rng.standard_normal(40)
    window = pellucid.hann_window(settings.get("win_length", 8), dtype=pellucid.float64)
    back = {k: v for k, v in settings.items() if k != "pad_mode"}

    def there_and_back(signal: Any) -> Any:
        spectra = signal.stft(8, window=window, return_complex=True, **settings)
        return pellucid.istft(spectra, 8, window=window, length=36, **back)

    for function in (there_and_back, pellucid.compile(there_and_back)):
        assert_close(function(tensor(x)), x[:36], 1e-10, 1e-12)
    assert pellucid.gradcheck(there_and_back, pellucid.tensor(x, requires_grad=True))


def test_refusals_of_short_time_transforms() -> None:
    x, window = pellucid.ones(20), pellucid.hann_window(8)
    spectra = x.stft(8, window=window, return_complex=True)
    for call, message in (
        (lambda: x.stft(8, window=window), "return_complex parameter be given"),
        (lambda: x.stft(60, return_complex=True), "expected 0 < n_fft|Padding size"),
        (lambda: x.stft(8, 0, window=window, return_complex=True), "hop_length > 0"),
        (lambda: x.stft(8, 2, 9, window=window, return_complex=True), "win_length <= n_fft"),
        (lambda: x.stft(8, 2, 4, window=window, return_complex=True), "1D window tensor of size"),
        (lambda: (x + 0j).stft(8, window=window, onesided=True), "Cannot have onesided"),
        (lambda: spectra.istft(8, 8, window=window), "window overlap add min"),
        (lambda: spectra.istft(10, window=window), "frequency dimension"),
        (lambda: spectra.real.istft(8, window=window), "requires a complex-valued input"),
    ):
        with pytest.raises(RuntimeError, match=message):
            call()
    with pytest.raises(DTypeUnsupportedError, match="floating point or complex"):
        x.long().stft(8, window=window, return_complex=True)
    with pytest.warns(UserWarning, match="rectangular window"):
        x.stft(8, return_complex=True)


# ---- PyTorch --------------------------------------------------------------------------------


@pytest.mark.parity
def test_short_time_transforms_are_pytorchs(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    for signal in (rng.standard_normal((2, 41)), made("fft", rng, 41)):
        for settings in (
            {"n_fft": 8},
            {"n_fft": 9, "hop_length": 3, "win_length": 6},
            {
                "n_fft": 10,
                "hop_length": 5,
                "win_length": 4,
                "center": False,
                "align_to_window": True,
            },
            {"n_fft": 8, "pad_mode": "replicate", "normalized": True},
            {"n_fft": 8, "pad_mode": "circular", "onesided": False},
        ):
            results = []
            for library in (pellucid, torch):
                x = library.tensor(signal, requires_grad=True)
                window = library.hann_window(
                    settings.get("win_length", settings["n_fft"]), dtype=library.float64
                )
                spectra = library.stft(x, window=window, return_complex=True, **settings)
                library.view_as_real(spectra * spectra).sum().backward()
                results.append((spectra.detach().numpy(), x.grad.numpy()))
            for left, right in zip(*results, strict=True):
                assert_close(left, right, 1e-9, 1e-11)


@pytest.mark.parity
@pytest.mark.parametrize("name", [*ALONG_ONE, *ALONG_SEVERAL, "hfft2", "ihfft2", "hfftn", "ihfftn"])
def test_transforms_are_pytorchs(name: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    real = name.startswith(("rfft", "ihfft"))
    signal = made("rfft" if real else "fft", rng, 3, 5, 4)
    for settings in ({}, {"norm": "ortho"}, {"norm": "forward"}):
        results = []
        for library in (pellucid, torch):
            x = library.tensor(signal, requires_grad=True)
            found = getattr(library.fft, name)(x, **settings)
            (found.abs() ** 3).sum().backward()
            results.append((found.detach().resolve_conj().numpy(), x.grad.resolve_conj().numpy()))
        for left, right in zip(*results, strict=True):
            assert_close(left, right, 1e-9, 1e-10)

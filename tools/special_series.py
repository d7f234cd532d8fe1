"""Computes the Chebyshev coefficients of ``src/pellucid/tensor/special_series.py``.

Run ``python tools/special_series.py`` with mpmath installed.  Each function is interpolated at
Chebyshev's points in 40 digits; what is below 1e-17 of the largest coefficient is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp

FILE = Path(__file__).parents[1] / "src" / "pellucid" / "tensor" / "special_series.py"
mp.mp.dps = 40


def coefficients(function: Callable[[Any], Any], low: Any, high: Any, size: int = 60) -> list[Any]:
    """c with f(x) = Σ c_k T_k(t), t from −1 to 1 as x goes from ``low`` to ``high``."""
    turns = [mp.pi * (mp.mpf(j) + 0.5) / size for j in range(size)]
    values = [function(low + (high - low) * (mp.cos(t) + 1) / 2) for t in turns]
    found = [
        2 * mp.fsum(v * mp.cos(k * t) for v, t in zip(values, turns, strict=True)) / size
        for k in range(size)
    ]
    found[0] /= 2
    largest = max(abs(c) for c in found)
    while abs(found[-1]) < largest * mp.mpf("1e-17"):
        found.pop()
    return found


def waves(order: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """P and x·Q of J = √(2/πx) (P cos u − Q sin u), u = x − (2·order + 1)π/4, by s = 64/x²."""

    def parts(s: Any) -> tuple[Any, Any]:
        x = 8 / mp.sqrt(s)
        u = x - (2 * order + 1) * mp.pi / 4
        scale = mp.sqrt(mp.pi * x / 2)
        j, y = scale * mp.besselj(order, x), scale * mp.bessely(order, x)
        return j * mp.cos(u) + y * mp.sin(u), (y * mp.cos(u) - j * mp.sin(u)) * x

    return lambda s: parts(s)[0], lambda s: parts(s)[1]


def airy_waves() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """P and ζ·Q of Ai(−z) = (P cos(ζ − π/4) + Q sin(ζ − π/4)) / (√π z^¼), by s = (ζ₀/ζ)²."""

    def parts(s: Any) -> tuple[Any, Any]:
        zeta = ZETA / mp.sqrt(s)
        z = (3 * zeta / 2) ** (mp.mpf(2) / 3)
        scale = mp.sqrt(mp.pi) * z ** mp.mpf("0.25")
        a, b = scale * mp.airyai(-z), scale * mp.airybi(-z)
        c, d = mp.cos(zeta - mp.pi / 4), mp.sin(zeta - mp.pi / 4)
        return a * c - b * d, (a * d + b * c) * zeta

    return lambda s: parts(s)[0], lambda s: parts(s)[1]


ZETA = 2 * mp.mpf(6) ** mp.mpf("1.5") / 3
FAR = 2 * mp.mpf("2.5") ** mp.mpf("1.5") / 3


def tail(t: Any) -> Any:
    """erfcx(x) (1 + 2x) at t = (x − 3.75) / (x + 3.75)."""
    x = mp.mpf("3.75") * (1 + t) / (1 - t)
    scaled = (
        mp.exp(x * x) * mp.erfc(x) if x < 60 else mp.hyp2f0(0.5, 1, -1 / x**2) / x / mp.sqrt(mp.pi)
    )
    return scaled * (1 + 2 * x)


def series() -> dict[str, tuple[str, list[Any]]]:
    """Name → what it is, and its coefficients."""
    made: dict[str, tuple[str, list[Any]]] = {}

    def add(name: str, text: str, function: Callable[[Any], Any], low: Any, high: Any) -> None:
        made[name] = (text, coefficients(function, mp.mpf(low), mp.mpf(high)))

    add("ERFCX", "erfcx(x) (1 + 2x) in (x − 3.75) / (x + 3.75)", tail, -1, 1)

    def bessel(k: int) -> None:
        name = str(k)
        add(
            f"I{name}_NEAR",
            f"e^−x I{name}(x) / x^{k}, x from 0 to 8",
            lambda x: mp.exp(-x) * mp.besseli(k, x) / x**k,
            0,
            8,
        )
        add(
            f"I{name}_FAR",
            f"√x e^−x I{name}(x) in 8/x",
            lambda s: mp.sqrt(8 / s) * mp.exp(-8 / s) * mp.besseli(k, 8 / s),
            0,
            1,
        )
        add(
            f"J{name}_NEAR",
            f"J{name}(x) / x^{k} in x², x from 0 to 8",
            lambda s: mp.besselj(k, mp.sqrt(s)) / mp.sqrt(s) ** k,
            0,
            64,
        )
        add(
            f"Y{name}_NEAR",
            f"x^{k} (Y{name} − 2/π ln(x) J{name}){' + 2/π' if k else ''} "
            f"{'by x² ' if k else ''}in x², x from 0 to 8",
            (lambda s: mp.bessely(0, mp.sqrt(s)) - mp.log(s) / mp.pi * mp.besselj(0, mp.sqrt(s)))
            if k == 0
            else (
                lambda s: (
                    (
                        mp.sqrt(s)
                        * (
                            mp.bessely(1, mp.sqrt(s))
                            - mp.log(s) / mp.pi * mp.besselj(1, mp.sqrt(s))
                        )
                        + 2 / mp.pi
                    )
                    / s
                )
            ),
            0,
            64,
        )
        even, odd = waves(k)
        add(f"P{name}_FAR", f"P of order {k} in 64/x²", even, 0, 1)
        add(f"Q{name}_FAR", f"x Q of order {k} in 64/x²", odd, 0, 1)
        add(
            f"K{name}_NEAR",
            f"x^{k} (K{name} {'+' if k == 0 else '−'} ln(x) I{name})"
            f"{' − 1, by x²,' if k else ''} in x², x from 0 to 2",
            (lambda s: mp.besselk(0, mp.sqrt(s)) + mp.log(s) / 2 * mp.besseli(0, mp.sqrt(s)))
            if k == 0
            else (
                lambda s: (
                    (
                        mp.sqrt(s)
                        * (mp.besselk(1, mp.sqrt(s)) - mp.log(s) / 2 * mp.besseli(1, mp.sqrt(s)))
                        - 1
                    )
                    / s
                )
            ),
            0,
            4,
        )
        add(
            f"K{name}_FAR",
            f"√x e^x K{name}(x) in 2/x",
            lambda s: mp.sqrt(2 / s) * mp.exp(2 / s) * mp.besselk(k, 2 / s),
            0,
            1,
        )

    bessel(0)
    bessel(1)
    add("AIRY_LEFT", "Ai(x), x from −6 to 0", mp.airyai, -6, 0)
    add("AIRY_RIGHT", "Ai(x), x from 0 to 2.5", mp.airyai, 0, "2.5")

    def far(s: Any) -> Any:
        zeta = FAR / s
        x = (3 * zeta / 2) ** (mp.mpf(2) / 3)
        return mp.airyai(x) * mp.exp(zeta) * 2 * mp.sqrt(mp.pi) * x ** mp.mpf("0.25")

    add("AIRY_FAR", "2√π x^¼ e^ζ Ai(x), ζ = ⅔ x^1.5, in ζ(2.5)/ζ", far, 0, 1)
    even, odd = airy_waves()
    add("AIRY_P", "P of Ai(−z) in (ζ(6)/ζ)²", even, 0, 1)
    add("AIRY_Q", "ζ Q of Ai(−z) in (ζ(6)/ζ)²", odd, 0, 1)
    return made


def main() -> None:
    """Write the file."""
    lines = [
        '"""Chebyshev coefficients of special functions; written by ``tools/special_series.py``.',
        "",
        "Each is a tuple c with f = Σ c_k T_k(t), t from −1 to 1 over the interval that is named.",
        '"""',
        "",
    ]
    for name, (text, found) in series().items():
        lines.append(f"{name} = (")
        lines += [f"    {float(c)!r}," for c in found]
        lines += [")", f'"""{text}."""', ""]
    FILE.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

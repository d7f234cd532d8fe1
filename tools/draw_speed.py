"""Draws docs/images/speed.svg from the tables of docs/performance.md.

    python tools/draw_speed.py

How many times as long PyTorch and JAX take for a step, on a logarithmic axis.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "speed.svg"
OURS, TORCH, JAX = "#2f6f4f", "#dd6b20", "#2b6cb0"
TICKS = (0.5, 1, 2, 5, 10, 20, 50)


def ratios() -> list[tuple[str, float, float]]:
    """(workload, times PyTorch's, times JAX's) of both tables, in their order."""
    text = TEXT.read_text(encoding="utf-8")
    found = []
    for name in ("speed", "network"):
        table = text.split(f"<!-- {name} table -->")[1].split("<!-- end")[0]
        for line in table.splitlines():
            cells = [c.strip() for c in line.strip("|").split("|")]
            factors = [re.match(r"([\d.]+)×", c) for c in cells[-2:]]
            if all(factors):
                torch, jax = (float(f[1]) for f in factors if f)
                found.append((cells[0].split(":")[0], torch, jax))
    return found


def main() -> None:
    """Write the picture."""
    rows = ratios()[::-1]
    matplotlib.rcParams.update({"font.size": 10, "svg.hashsalt": "speed", "svg.fonttype": "none"})
    figure = pyplot.figure(figsize=(8, 0.36 * len(rows) + 1), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, torch, jax) in enumerate(rows):
        axes.barh(place + 0.18, torch, 0.34, color=TORCH, label="PyTorch" if not place else None)
        axes.barh(place - 0.18, jax, 0.34, color=JAX, label="JAX" if not place else None)
        axes.text(torch * 1.03, place + 0.18, f"{torch:.1f}×", va="center", fontsize=8)
        axes.text(jax * 1.03, place - 0.18, f"{jax:.1f}×", va="center", fontsize=8)
    axes.axvline(1, color=OURS, linewidth=2, label="Pellucid = 1")
    axes.set_xscale("log")
    axes.set_xlim(0.5, 140)
    axes.xaxis.set_major_locator(FixedLocator(list(TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_xlabel("time of a training step (or a prediction), as a multiple of Pellucid's")
    axes.legend(loc="lower right", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()

"""What PyTorch has and Pellucid has: writes ``docs/coverage.md``.

Run ``python tools/coverage.py`` with PyTorch installed; ``--check`` only says whether the file is
up to date (status 1 if not).  A name is *covered* if it exists here under the same name and takes
the same arguments, *partly* if arguments are missing or a limit is known, and *not* otherwise.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "docs" / "coverage.md"

IGNORED_ARGUMENTS = {
    "args", "kwargs", "self", "out", "device", "dtype", "layout", "generator", "foreach", "fused",
    "capturable", "differentiable", "size_average", "reduce", "memory_format", "requires_grad",
    "pin_memory", "_stacklevel", "_freeze", "_weight", "check_reduction", "min_value", "max_value",
}  # fmt: skip
"""Arguments about devices, memory layouts or that PyTorch itself has deprecated."""

LIMITS = {
    ("torch.nn", "Embedding"): "gradients are dense (`sparse=False`)",
    ("torch.nn", "EmbeddingBag"): "gradients are dense (`sparse=False`)",
    ("torch.nn.functional", "embedding"): "gradients are dense (`sparse=False`)",
    ("torch.nn.functional", "embedding_bag"): "gradients are dense (`sparse=False`)",
}
"""Known limits of what exists here."""

REASONS = [
    ("with_indices", "the same with `return_indices=True`"),
    ("quant qint q_ =int_repr =qscheme =scaled_mm =scaled_grouped_mm", "quantization"),
    ("DataParallel SyncBatchNorm", "more than one device"),
    (
        "cuda =xpu =hpu =ipu =mtia pinned pin_memory record_stream share_memory =is_shared mkldnn "
        "xla vulkan maia =module_load",
        "devices and memory other than the process's own",
    ),
    (
        "sparse coalesce crow_ col_indices row_indices =to_dense =dense_dim =values =indices "
        "=smm =sspaddmm =hspmm",
        "sparse tensors",
    ),
    ("nested =to_padded_tensor", "nested tensors"),
    (
        "complex =imag =real conj =angle =adjoint =mH =H =cfloat =cdouble =chalf =is_neg stft "
        "resolve_",
        "complex numbers",
    ),
    ("=names align_ rename refine_names has_names", "named axes"),
    (
        "storage =set_ strided resize =is_set_to =dim_order =is_contiguous",
        "layouts are the compiler's business",
    ),
    ("Uninitialized", "sizes are given when a layer is made"),
    (
        "=Container =CrossMapLRN2d =NLLLoss2d =upsample_nearest =upsample_bilinear "
        "native_channel_shuffle =swap_in_optimizer_params_and_state =hash_tensor =slice_inverse",
        "old or internal in PyTorch itself",
    ),
    ("=LinearCrossEntropyOptions", "settings of PyTorch's kernels"),
    ("=reinforce =solve =symeig =eig =lstsq", "removed from PyTorch; only raises there"),
    ("=index", "dimensions as objects"),
    (
        "=lu lu_solve =qr =svd =ormqr =orgqr =geqrf ldl_",
        "factors of matrices that are not unique; NumPy and SciPy have them",
    ),
]
"""Parts of names (after =, whole names) → why there is nothing of that kind."""


def public(space: Any) -> list[str]:
    """Names of a PyTorch namespace that users call."""
    names = getattr(space, "__all__", None) or dir(space)
    found = {n for n in names if not n.startswith("_") and callable(getattr(space, n, None))}
    return sorted(n for n in found if not inspect.ismodule(getattr(space, n)))


def optimizers(space: Any) -> list[str]:
    """Optimizers and, with their module's name, schedules."""
    schedules = public(space.lr_scheduler)
    return public(space) + [f"lr_scheduler.{n}" for n in schedules if n[0].isupper()]


def found(space: Any, name: str) -> Any:
    """What ``space`` has under a dotted name, or None."""
    for part in name.split("."):
        space = getattr(space, part, None)
    return space


def arguments(thing: Any) -> set[str] | None:
    """Names of the arguments, or None where they are not known or open."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def is_open(thing: Any) -> bool:
    """Whether any arguments are taken, so that names say nothing."""
    try:
        kinds = {p.kind for p in inspect.signature(thing).parameters.values()}
    except (TypeError, ValueError):
        return True
    return bool(kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL})


def reason(name: str) -> str:
    """Why a name is not there."""
    for parts, why in REASONS:
        if any(part[1:] == name if part[0] == "=" else part in name for part in parts.split()):
            return why
    if name.endswith("_") and not name.endswith("__"):
        return "in-place form; write `x.copy_(...)`"
    return "not written yet"


def row(title: str, name: str, theirs: Any, ours: Any) -> tuple[str, str, str]:
    """(name, state, remark)."""
    mine = found(ours, name)
    if mine is None:
        return name, "not", reason(name)
    if (title, name) in LIMITS:
        return name, "partly", LIMITS[title, name]
    wanted, given = arguments(found(theirs, name)), arguments(mine)
    if wanted is None or given is None or is_open(mine):
        return name, "covered", ""
    missing = sorted(wanted - given - IGNORED_ARGUMENTS)
    if title == "torch.Tensor":
        missing = []  # methods name their arguments in many ways; the tests compare calls
    return (name, "partly", "without " + ", ".join(missing)) if missing else (name, "covered", "")


def page() -> str:
    """The whole document."""
    import torch

    import pellucid
    from pellucid import nn, optim

    spaces = [
        ("torch.nn", torch.nn, nn, [n for n in public(torch.nn) if n[0].isupper()]),
        ("torch.nn.functional", torch.nn.functional, nn.functional, _functions(torch)),
        ("torch.nn.init", torch.nn.init, nn.init, _initializers(torch)),
        ("torch.nn.utils.rnn", torch.nn.utils.rnn, nn.utils.rnn, public(torch.nn.utils.rnn)),
        ("torch.optim", torch.optim, optim, optimizers(torch.optim)),
        ("torch.Tensor", torch.Tensor, pellucid.Tensor, public(torch.Tensor)),
        ("torch.func", torch.func, pellucid.func, public(torch.func)),
        (
            "torch.autograd.functional",
            torch.autograd.functional,
            pellucid.autograd.functional,
            "hessian hvp jacobian jvp vhp vjp".split(),
        ),
    ]
    version = ".".join(torch.__version__.split("+")[0].split(".")[:2])
    tables = [
        (title, [row(title, name, theirs, ours) for name in names])
        for title, theirs, ours, names in spaces
    ]
    lines = [
        "# Coverage of PyTorch's names",
        "",
        f"Compared with PyTorch {version}; written by `tools/coverage.py`.",
        "",
        "| namespace | covered | partly | not |",
        "|---|---|---|---|",
    ]
    for title, rows in tables:
        counts = [sum(state == s for _, state, _ in rows) for s in ("covered", "partly", "not")]
        lines.append(f"| `{title}` | " + " | ".join(map(str, counts)) + " |")
    for title, rows in tables:
        lines += ["", f"## {title}", ""]
        covered = ", ".join(f"`{n}`" for n, state, _ in rows if state == "covered")
        lines.append(f"Covered: {covered}.")
        others = [f"| `{n}` | {state} | {why} |" for n, state, why in rows if state != "covered"]
        if others:
            lines += ["", "| name | | reason |", "|---|---|---|", *others]
    return "\n".join(lines) + "\n"


def _functions(torch: Any) -> list[str]:
    """Functions of layers, not what their module imports for itself."""
    skipped = {"boolean_dispatch", "has_torch_function", "handle_torch_function"}
    names = []
    for name in dir(torch.nn.functional):
        thing = getattr(torch.nn.functional, name)
        own = callable(thing) and not inspect.isclass(thing) and name[0].islower()
        home = str(getattr(thing, "__module__", "") or "torch")
        if own and home.startswith("torch") and "has_torch" not in name and name not in skipped:
            names.append(name)
    return [n for n in names if not n.endswith("_") and not n.startswith("assert")]


def _initializers(torch: Any) -> list[str]:
    return [n for n in dir(torch.nn.init) if n.endswith("_") and n[0] != "_"] + ["calculate_gain"]


def main() -> int:
    """Write the file, or check it with ``--check``."""
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if FILE.exists() and FILE.read_text(encoding="utf-8") == text else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What PyTorch has and Pellucid has: writes ``docs/coverage.md``.

Run ``python tools/coverage.py`` with PyTorch installed; ``--check`` only says whether the file is
up to date (status 1 if not).  A name is *covered* if it exists here under the same name and takes
the same arguments, *partly* if arguments are missing or a limit is known, and *not* otherwise.
"""

from __future__ import annotations

import importlib
import inspect
import json
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
    (
        "quant qint q_ =int_repr =qscheme =scaled_mm =scaled_grouped_mm fbgemm =_choose "
        "weight_int4pack =dequantize",
        "quantization",
    ),
    (
        "cuda =xpu =hpu =ipu =mtia pinned pin_memory record_stream mkldnn "
        "xla vulkan maia =module_load cudnn miopen =Stream =Event =SymInt =SymFloat =SymBool "
        "privateuse mps",
        "devices and memory other than the process's own",
    ),
    (
        "sparse Sparse coalesce crow_ col_indices row_indices =to_dense =dense_dim =values "
        "=indices =smm =sspaddmm =hspmm =values_copy =indices_copy =ccol_indices_copy "
        "=row_indices_copy =hsmm =spmm =dsmm =saddmm",
        "seldom used with sparse tensors",
    ),
    ("nested =to_padded_tensor", "nested tensors"),
    ("=chalf", "complex numbers of 16 bits a part"),
    ("=view_as_complex_copy =view_as_real_copy", "an older or second name"),
    ("masked_tensor MaskedTensor", "a class of tensors with a mask: use the functions' `mask=`"),
    ("=names align_ rename refine_names has_names", "named axes"),
    (
        "storage Storage =set_ =is_set_to =dim_order =is_contiguous =memory_format =layout",
        "layouts are the compiler's business",
    ),
    (
        "=CrossMapLRN2d native_channel_shuffle =swap_in_optimizer_params_and_state =hash_tensor "
        "=slice_inverse =channel_shuffle =clone_model =no_init",
        "old or internal in PyTorch itself",
    ),
    ("=LinearCrossEntropyOptions", "settings of PyTorch's kernels"),
    ("=reinforce =solve =symeig =eig =lstsq", "removed from PyTorch; only raises there"),
    ("=index", "dimensions as objects"),
    (
        "=lu lu_ =qr =svd svd_ pca_ =ormqr =orgqr =geqrf ldl_ eig householder =svdvals cholesky_ex "
        "inv_ex solve_ =cond =matrix_rank =tensorinv =tensorsolve =diagonal lstsq",
        "factors of matrices",
    ),
    (
        "jit script =fork =wait compiled_with =export =vmap =cond parse_ =merge_type =unify "
        "=freeze =init_num_threads =read_vitals vital =cpp =import_ir",
        "PyTorch's own compiler and its types",
    ),
    (
        "batch_norm_ =native_norm =norm_except_dim choose_qparams =feature_dropout =frobenius_norm "
        "=nuclear_norm =lobpcg =affine_grid_generator =typename =thread_safe_generator",
        "parts of PyTorch's other functions",
    ),
    ("autocast", "`autocast` alone switches it"),
    ("sym_ =import_ir_module =import_ir_module_from_buffer type_comment unify_type", "tracing"),
    ("=lstm =lstm_cell =gru =gru_cell rnn_", "the layers of that name in `nn`"),
    (
        "deterministic anomaly warn_always interop_threads inference_mode_enabled =from_file "
        "matmul_precision default_device device_module default_tensor_type multithreading "
        "grad_layout NestedIOFunction",
        "settings of PyTorch's process",
    ),
    (
        "=Variable =asarray =range =frombuffer =seed =poisson =binomial =LinAlgError =matmul "
        "=resize =resize_as =view_as_real =view_as_real_copy "
        "=view_as_complex_copy",
        "an older or second name",
    ),
    (
        "DataPipe DataChunk =argument_validation datapipe =runtime_validation "
        "=runtime_validation_disabled =non_deterministic",
        "pipes of data, which PyTorch has given up",
    ),
]
"""Parts of names (after =, whole names) → why there is nothing of that kind."""


DIFFERENCES = [
    (
        "`nonzero`, `argwhere`, `where(condition)`, `unique`, `unique_consecutive`, "
        "`masked_select`, `repeat_interleave` without `output_size`, `tensor_split` and `one_hot` "
        "with counts or positions in a tensor, `bincount`, `item`, `equal`, `allclose` in a "
        "compiled function, of values that depend on its arguments or on state",
        "shapes or Python values would depend on data; raises `TraceError` with the line (values "
        "that follow from constants are known, and shapes that arguments decide)",
    ),
    (
        "`resize_`, `as_strided_`, `squeeze_`, `unsqueeze_`, `t_`, `transpose_` and a resized "
        "`out=` of an argument of a compiled function",
        "the caller's tensor gets the shape, so that such a call runs eagerly; `TraceError` for "
        "tensors from outside that are no arguments",
    ),
    (
        "`out=` of a higher precision than the result, or sharing memory with an operand in part "
        "(functions that take elements from elsewhere, as `gather` and `cat`, refuse both)",
        "written all the same, and right: the result is complete before it is written",
    ),
    (
        "a number where PyTorch insists on a tensor, as in `maximum(x, 2)`; integers where it "
        "insists on fractions, as in `softmax` and `std`; a condition that is not bool in `where`",
        "mean what they say",
    ),
    (
        "`cholesky_inverse`, `cholesky_solve`: the gradient above the diagonal of the factor",
        "0, for what is never read; PyTorch gives that of a formula for symmetric matrices",
    ),
    (
        "`cholesky` of complex matrices: the gradient",
        "Hermitian, as the matrix is; PyTorch's is not, with the same effect on such matrices",
    ),
    (
        "`matrix_exp` of bfloat16 and float16 whose scaled matrix overflows",
        "computed in float32 and rounded once; PyTorch gives NaN",
    ),
    (
        "`interpolate` of uint8 in the modes bilinear and bicubic, `upsample_bilinear` of uint8",
        "rounded once; PyTorch rounds after each axis with weights of 16 bits, so that elements "
        "may differ by 1",
    ),
    (
        "`linear_cross_entropy(options=)`",
        "accepted without effect: how the work is divided is the compiler's business",
    ),
    (
        "`eigh`: signs (of complex matrices, phases) of vectors, and gradients of functions that "
        "depend on them",
        "those of NumPy's LAPACK; any are right, and PyTorch's library iterates in another way on "
        "matrices of fewer than 26 rows",
    ),
    (
        "`svd`, `svd_lowrank`, `pca_lowrank` of float32: signs of vectors; `svd(some=False)`: the "
        "vectors beyond the singular values",
        "in float64 signs are PyTorch's (built with MKL); in float32 nearly always, as NumPy "
        "iterates in float64. `svd_lowrank` and `pca_lowrank` begin with random numbers, which may "
        "decide them. Beyond the singular values any orthogonal vectors are right",
    ),
    (
        "`as_strided_scatter`: the gradient of its first argument",
        "goes to the elements that stay, as difference quotients confirm; PyTorch gives it to "
        "those that are overwritten",
    ),
    (
        "random numbers after the same seed (`randn`, `normal`, `bernoulli`, `multinomial`, …), "
        "and elements of `empty`, `empty_strided`, `new_empty_strided`, `empty_permuted`",
        "come from another generator (Philox, counted), and are 0",
    ),
    (
        "second derivatives of norms at 0 and of `masked.logaddexp` where nothing is let through",
        "0; PyTorch gives NaN",
    ),
    (
        "`special.bessel_j0`, `special.bessel_y1` of float64 around 5",
        "agree with SciPy to the last digits; PyTorch's are off by up to 3e-7",
    ),
    (
        "`masked.logsumexp` of uint8",
        "an element kept back adds nothing; PyTorch counts it as the number 0, that is as e⁰",
    ),
    ("`polygamma(n, inf)`", "0, the limit; PyTorch gives NaN"),
    (
        "a second `backward()` through `x * 2`, `x / 2`, `x ** 1` or `lerp` with a number",
        "works: nothing that the gradient needs was given up; PyTorch raises",
    ),
    (
        "`embedding` and `embedding_bag` with `sparse=True`",
        "refused: gradients are dense",
    ),
]
"""What exists and answers otherwise than PyTorch does → why."""


RATES = Path(__file__).with_name("agreement.json")
"""How many calls of PyTorch's own test databases give what PyTorch gives, by namespace."""

CHECKS = {
    "values": "values",
    "gradients": "gradients",
    "second gradients": "second gradients",
    "compiled": "compiled",
    "compiled gradients": "compiled, gradients",
    "in-place": "in place",
    "method": "methods",
    "out=": "`out=`",
    "state_dict": "`state_dict`",
    "resume": "resumed",
    "error inputs": "errors",
}
"""What was compared → the column's title."""

FURTHER = (
    "linalg fft special masked signal.windows func distributions autograd utils.data amp nn.utils "
    "nn.utils.parametrize nn.utils.parametrizations nn.utils.prune nn.utils.rnn nn.utils.stateless"
)
"""Further namespaces, where they are here at all."""

PASSING = {
    "Tensor",
    "common_args",
    "multi_dim_common",
    "variable",
    "rearrange",
    "debug_unwrap",
    "ABC",
    "abstractmethod",
}
"""Names that a namespace imports for itself."""


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


def reason(title: str, name: str) -> str:
    """Why a name is not there."""
    if title == "torch":
        from pellucid import Tensor, nn

        if hasattr(nn.functional, name.removesuffix("_")):
            return f"`nn.functional.{name.removesuffix('_')}`"
        if hasattr(Tensor, name):
            return "a method of tensors"
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
        return name, "not", reason(title, name)
    if (title, name) in LIMITS:
        return name, "partly", LIMITS[title, name]
    wanted, given = arguments(found(theirs, name)), arguments(mine)
    if wanted is None or given is None or is_open(mine):
        return name, "covered", ""
    missing = sorted(wanted - given - IGNORED_ARGUMENTS)
    if title == "torch.Tensor":
        missing = []  # methods name their arguments in many ways; the tests compare calls
    return (name, "partly", "without " + ", ".join(missing)) if missing else (name, "covered", "")


def rates() -> list[str]:
    """The section on how often results agree."""
    found = json.loads(RATES.read_text(encoding="utf-8"))
    lines = ["", "## How often results agree", "", found["how"], ""]
    for title, spaces in found["tables"].items():
        shown = [c for c in CHECKS if any(c in space["checks"] for space in spaces)]
        heads = [title, "covered", *(CHECKS[c] for c in shown)]
        lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for space in spaces:
            cells = [f"{space['covered']} of {space['all']}"]
            for check in shown:
                count, good = space["checks"].get(check, (0, 0))
                cells.append(f"{good:,} of {count:,}" if count else "")
            lines.append("| " + " | ".join([space["name"], *cells]) + " |")
        lines.append("")
    return [*lines, *_by_nature(found)]


def _by_nature(found: dict[str, Any]) -> list[str]:
    """What is left where calls are set aside whose results nobody can compare."""
    whole = found["tables"]["operations"][-1]["checks"]
    parts: list[str] = []
    for check, aside in found["by nature"].items():
        count, good = whole[check]
        rate = f"{100 * good / count:.1f} %"
        parts.append(
            f"{CHECKS[check]} {rate} ({100 * good / (count - aside):.1f} % without {aside})"
        )
    others = [
        f"{CHECKS[check]} {100 * good / count:.1f} %"
        for check, (count, good) in whole.items()
        if check not in found["by nature"]
    ]
    return [
        "Some of these calls can have no answer to compare: programs whose shapes or Python values "
        "would depend on data, and results of chance or of memory that was never written. Of all "
        f"operations' calls agree: {', '.join([*parts, *others])}.",
    ]


def page() -> str:
    """The whole document."""
    import torch

    import pellucid
    from pellucid import nn, optim

    spaces = [
        ("torch.nn", torch.nn, nn, [n for n in public(torch.nn) if n[0].isupper()]),
        ("torch.nn.functional", torch.nn.functional, nn.functional, _functions(torch)),
        ("torch.nn.init", torch.nn.init, nn.init, _initializers(torch)),
        ("torch.optim", torch.optim, optim, optimizers(torch.optim)),
        ("torch.Tensor", torch.Tensor, pellucid.Tensor, public(torch.Tensor)),
        ("torch", torch, pellucid, [n for n in public(torch) if n[0].islower()]),
        (
            "torch.autograd.functional",
            torch.autograd.functional,
            pellucid.autograd.functional,
            "hessian hvp jacobian jvp vhp vjp".split(),
        ),
    ]
    for name in FURTHER.split():
        theirs, ours = importlib.import_module(f"torch.{name}"), found(pellucid, name)
        if ours is not None:
            listed = [n for n in public(theirs) if n not in PASSING]
            spaces.append((f"torch.{name}", theirs, ours, listed))
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
    lines += rates()
    lines += ["", "## Where results differ", "", "| what | why |", "|---|---|"]
    lines += [f"| {what} | {why} |" for what, why in DIFFERENCES]
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

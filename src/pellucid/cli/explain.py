"""``pellucid explain``: why a run says what it says of one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError, OutOfRangeError
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import about, complain, fact, say, say_json, told
from pellucid.insight.effects.runs import RowExplanation, explain_run
from pellucid.insight.effects.tables import METHODS
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.grouped import GroupedExplanation
from pellucid.insight.explain.verdicts import Verdict
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.training.run_folder import load_description
from pellucid.training.saved_system import SavedSystem
from pellucid.training.summary import text_table

_LINES, _BAR = 20, 24
_CONTEXT, _SAMPLES, _OTHERS = 40, 64, 16


def explain(
    run: Path,
    file: str,
    row: int,
    output: str | None,
    method: str,
    background: str | None,
    picture: Path | None,
    encoding: str,
    seed: int,
    as_json: bool,
) -> None:
    """Prints a table, bars and a sentence about the prediction for a row; draws ``picture``."""
    described = load_description(run)
    if isinstance(described, SavedSystem):
        _next_token(run, described, file, row, picture, encoding, seed, as_json)
        return
    found = explain_run(
        run, file, row, output, method=method, background=background, encoding=encoding, seed=seed
    )
    sentence = _sentence(found)
    verdict = found.found.verdict()
    if picture is not None:
        _draw(found, picture)
    if as_json:
        say_json(_facts(run, file, found, sentence, verdict, picture))
        return
    fact("Run", Shown(f"{described.name}, {described.created}"))
    fact("Row", Shown(_answer(found)))
    fact("Method", Shown(_method(found)))
    say()
    say(_table(found.found, found.kind))
    if found.kind == "image":
        say()
        say(Shown(_shaded(found)))
    for column, words in found.words.items():
        say()
        say(about(column, "the words"))
        say(_table(words, "text"))
    say()
    say(Shown(sentence), bold=True)
    _say_verdict(verdict)
    if picture is not None:
        fact("Written", Shown(picture))


# ---- words -------------------------------------------------------------------------------------


def _number(value: float, probability: bool) -> str:
    return f"{100 * value:.3g} %" if probability else f"{value:.4g}"


def _answer(found: RowExplanation) -> str:
    """The row, what is predicted for it, and how sure that is."""
    value = _number(found.answer, found.probability)
    if not found.probability:
        return f"{found.row}: {found.output} = {value}"
    return f"{found.row}: {found.target} = {found.output} ({value})"


def _method(found: RowExplanation) -> str:
    texts = {
        "rows": "absent columns take the values of other rows",
        "means": "absent columns take the mean of the training data",
        "grey": "absent pixels are grey",
    }
    return f"{found.found.method}; {translated(texts[found.background])}"


def _sentence(found: RowExplanation) -> str:
    """What speaks for the answer and what against it."""
    value = _number(found.answer, found.probability)
    several = not found.probability or found.task == "multilabel"
    name = found.output if several else f"{found.target} = {found.output}"
    parts = [told(f"{name}: {value}")]
    if found.base is not None:
        parts[0] = told(
            f"The run says {name} with {value}; knowing nothing of the row it would say "
            f"{_number(found.base, found.probability)}."
        )
    shown = found.found.strongest(0, 3)
    upward = [f"{name} ({value:+.3g})" for name, value, _ in shown if value > 0]
    downward = [f"{name} ({value:+.3g})" for name, value, _ in shown if value < 0]
    if upward:
        parts.append(about(translated("Most speaks for it"), Shown(f"{', '.join(upward)}.")))
    if downward:
        parts.append(about(translated("Against it"), Shown(f"{', '.join(downward)}.")))
    return " ".join(parts)


def _say_verdict(verdict: Verdict) -> None:
    fact("Verdict", "trust" if verdict.trusted else "do not trust")
    for reason in verdict.reasons:
        say(Shown(f"  {translated(reason)}"), fg="green" if verdict.trusted else "yellow")


# ---- tables and bars ---------------------------------------------------------------------------


def _table(found: GroupedExplanation, kind: str) -> str:
    """The largest shares with their intervals, and a bar for each."""
    players = found.players
    names = players.names if players is not None else ()
    shares = found.shares[0]
    low, high = found.share_interval or (None, None)
    order = np.argsort(-np.abs(shares), kind="stable")[:_LINES]
    largest = float(np.abs(shares).max()) or 1.0
    first = {"table": "column", "image": "region"}.get(kind, "word")
    head = [translated(first)]
    head += [translated("value")] if found.cells is not None else []
    head += [translated("share")] + ([translated("95 % interval")] if low is not None else [])
    rows: list[list[str]] = [[*head, ""]]
    for i in order:
        line = [_short(names[i])]
        line += [_short(found.cells[0][i])] if found.cells is not None else []
        line.append(f"{shares[i]:+.4g}")
        if low is not None and high is not None:
            line.append(f"{low[0, i]:+.3g} … {high[0, i]:+.3g}")
        rows.append([*line, _bar(float(shares[i]) / largest)])
    width = max(len(row[-1]) for row in rows)
    for line in rows:
        line[-1] = line[-1].ljust(width)
    text = text_table(rows)
    if len(shares) > len(order):
        rest = float(shares.sum() - shares[order].sum())
        text = Shown(f"{text}\n{told(f'and {len(shares) - len(order)} more with {rest:+.4g}')}")
    return text


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 32 else f"{line[:31]}…"


def _bar(size: float) -> str:
    """A bar to the right of the middle for, to the left against."""
    length = round(abs(size) * _BAR / 2)
    blocks = "█" * length
    half = _BAR // 2
    return " " * half + "│" + blocks if size >= 0 else blocks.rjust(half) + "│"


def _shaded(found: RowExplanation) -> str:
    """The picture's map in characters: + and its like for, - and its like against."""
    _, labels = found.picture
    shares = np.bincount(labels.ravel(), minlength=len(found.found.shares[0]))
    each = found.found.shares[0] / np.maximum(shares, 1)
    strength = each[labels] / (float(np.abs(each).max()) or 1.0)
    step = max(1, -(-labels.shape[0] // 28))
    lines = []
    for line in strength[::step, ::step]:
        cells = (("." if v > -0.5 else "-") if v < -0.12 else
                 (" " if v < 0.12 else ("+" if v < 0.5 else "#")) for v in line)  # fmt: skip
        lines.append("".join(f"{cell}{cell}" for cell in cells))
    head = translated("# and + speak for it, - and . against it")
    return "\n".join([str(head), *lines])


def _draw(found: RowExplanation, path: Path) -> None:
    from pellucid.insight.effects.drawing import draw_map, draw_shares

    if found.kind == "image":
        pixels, labels = found.picture
        draw_map(pixels, labels, found.found.shares[0], path, title=_answer(found))
    else:
        words = next(iter(found.words.values()), None)
        shown = words if found.kind == "text" and words is not None else found.found
        draw_shares(shown, path, title=_answer(found))


def _facts(
    run: Path,
    file: str,
    found: RowExplanation,
    sentence: str,
    verdict: Verdict,
    picture: Path | None,
) -> dict[str, Any]:
    return {
        "run": str(run),
        "file": file,
        "row": found.row,
        "kind": found.kind,
        "target": found.target,
        "output": found.output,
        "answer": found.answer,
        "base": found.base,
        "method": found.found.method,
        "background": found.background,
        "shares": _shares(found.found),
        "words": {column: _shares(words) for column, words in found.words.items()},
        "gap": found.found.relative_gap,
        "sentence": sentence,
        "verdict": {"trusted": verdict.trusted, "reasons": list(verdict.reasons)},
        "picture": None if picture is None else str(picture),
    }


def _shares(found: GroupedExplanation) -> list[dict[str, Any]]:
    low, high = found.share_interval or (None, None)
    names = () if found.players is None else found.players.names
    listed = []
    for i, name in enumerate(names):
        one: dict[str, Any] = {"name": name, "share": float(found.shares[0, i])}
        if found.cells is not None:
            one["value"] = found.cells[0][i]
        if low is not None and high is not None:
            one |= {"low": float(low[0, i]), "high": float(high[0, i])}
        listed.append(one)
    return listed


# ---- language models ---------------------------------------------------------------------------


def _next_token(
    run: Path,
    saved: SavedSystem,
    file: str,
    row: int,
    picture: Path | None,
    encoding: str,
    seed: int,
    as_json: bool,
) -> None:
    """Which tokens before it make a language model expect the next one."""
    from pellucid.text.language_run import KIND, load_language_model, read_text

    if saved.kind != KIND:
        raise ArgumentError(
            f"{run} holds a {saved.kind}", "See at what it looks: pellucid generate --alignment."
        )
    lines = read_text(Path(file), encoding).splitlines()
    if not 0 <= row < len(lines):
        raise OutOfRangeError(f"Row {row} of {len(lines)}", f"Use 0 to {len(lines) - 1}.")
    model = load_language_model(run)
    ids = model.tokenizer.encode(lines[row])[-min(_CONTEXT, model.config.context) :]
    if not len(ids):
        raise DataError(f"Line {row} of {file} is empty", "Choose a line that holds text.")
    names = [_visible(model.tokenizer.decode([int(i)])) for i in ids]
    scores = _last_scores(model.network, ids[None])
    best = int(plain(scores)[0].argmax())
    random = np.random.default_rng(seed)
    others = np.stack([random.permutation(ids) for _ in range(_OTHERS)])
    found = METHODS["shapley_sampling"](
        lambda rows: _last_scores(model.network, plain(rows)), ids[None], others, best,
        samples=_SAMPLES, names=names, seed=seed, compile=False,
    )  # fmt: skip
    token, chance = model.tokenizer.decode([best]), float(np.exp(plain(scores)[0, best]))
    verdict = found.verdict()
    if picture is not None:
        from pellucid.insight.effects.drawing import draw_shares

        draw_shares(found, picture, title=repr(token))
    if as_json:
        say_json(
            {
                "run": str(run), "file": file, "row": row, "kind": "language model",
                "output": token, "answer": chance,
                "base": float(np.exp(found.baseline_output[0])), "method": found.method,
                "shares": _shares(found),
                "verdict": {"trusted": verdict.trusted, "reasons": list(verdict.reasons)},
                "picture": None if picture is None else str(picture),
            }
        )  # fmt: skip
        return
    fact("Run", Shown(f"{saved.name}, {saved.created}"))
    fact("Next token", Shown(f"{token!r} ({100 * chance:.3g} %)"))
    complain("Shares are in ln P of the next token; absent tokens are others of the line.")
    say()
    say(_table(found, "text"))
    say()
    _say_verdict(verdict)
    if picture is not None:
        fact("Written", Shown(picture))


def _visible(token: str) -> str:
    """A token whose blanks can be seen."""
    return token.replace(" ", "␣").replace("\n", "⏎") or "·"


def _last_scores(network: Any, ids: Any) -> Any:
    """ln P (rows, tokens) after rows of tokens (rows, time)."""
    from pellucid.models.lstm_language_model import RecurrentLanguageModel

    given = as_tensor(np.ascontiguousarray(np.asarray(ids, np.int64)))
    with no_grad():
        if isinstance(network, RecurrentLanguageModel):
            scores = network(given.t())[0][-1]
        else:
            scores = network(given)[:, -1]
    return scores.log_softmax(-1)

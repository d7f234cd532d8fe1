"""How often the doctor is right, on the development exam of ``tests/doctor/exam``.

    python benchmarks/doctor.py [--half tuning|measuring] [--only WORDS] [--jobs 1] [--every 1]
                                [--phase before|end] [--rivals] [--misses FILE]

Sick programs, made from healthy ones by changing one thing, and clean ones; the halves are fixed by
a hash of each program's name.  Thresholds are tuned on the tuning half alone.  Figures stand with
their 95 % Wilson intervals.  ``--rivals`` puts the published rules of other tools beside it
(``rivals.py``).  Remedies are tried by ``treating.py``, the cost of watching by ``watching.py``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measuring import table

from doctor.exam.judging import Said, Verdict, judge, known_by, named, placed
from doctor.exam.program import PHASES, Program, programs
from pellucid.insight.thresholds import wilson as interval


def wilson(right: int, number: int) -> str:
    """A share with its 95 % interval (Wilson, 1927)."""
    if not number:
        return "–"
    low, high = interval(right, number)
    return (
        f"{100 * right / number:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {right} of {number})"
    )


def chosen(options: argparse.Namespace) -> list[Program]:
    """The programs of a half, or those that are named."""
    found = [p for p in programs() if options.half in ("both", p.half)]
    if options.phase == "before":
        found = [p for p in found if not p.script]
    if options.only:
        found = [p for p in found if any(word in p.name for word in options.only)]
    return found[:: options.every]


def tell(text: str) -> None:
    """Where the benchmark is, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{text:75.75}", end="\n" * (not text), file=sys.stderr)


# ---- the doctor


def figures(verdicts: list[tuple[Program, Verdict]]) -> list[tuple[str, str]]:
    """The rows of the table for the doctor."""
    sick = [(p, v) for p, v in verdicts if not p.is_clean]
    clean = [(p, v) for p, v in verdicts if p.is_clean]
    every = [(p, f) for p, v in verdicts for f in v.findings]
    asked = [(p, v) for p, v in sick if p.places and named(v.findings, p)]
    rows = [
        ("right cause first", _share(named(v.findings, p, 1) for p, v in sick)),
        ("right cause among three", _share(named(v.findings, p) for p, v in sick)),
        ("reported causes that are right", _share(f.cause in p.causes for p, f in every)),
        ("clean programs with a finding", _share(bool(v.findings) for _, v in clean)),
        ("place right, where the cause is", _share(placed(v.findings, p) for p, v in asked)),
    ]
    titles = ("before step 1, in 2 s", "by step 10", "within a tenth")
    for title, phase in zip(titles, PHASES[:3], strict=True):
        of_phase = [(p, v) for p, v in sick if p.known == phase]
        rows.append((f"named {title}, where it can be", _share(
            known_by(v, p, phase) and (phase != "before" or v.seconds.get("before", 0) <= 2)
            for p, v in of_phase
        )))  # fmt: skip
    for phase in ("before", "end"):
        taken = [v.seconds[phase] for _, v in verdicts if phase in v.seconds]
        if taken:
            slow = sorted(taken)[int(0.95 * (len(taken) - 1))]
            middle = statistics.median(taken)
            rows.append((f"seconds to the verdict, {phase}", f"{middle:.2f} (95 %: {slow:.2f})"))
    rows.append(("judged at all", _share(not v.error for _, v in verdicts)))
    return rows


def _share(answers: Iterable[bool]) -> str:
    listed = list(answers)
    return wilson(sum(listed), len(listed))


def misses(verdicts: list[tuple[Program, Verdict]]) -> Iterator[str]:
    """A line for each program that was judged wrong, the sick ones by cause."""
    key = lambda pair: (pair[0].is_clean, sorted(pair[0].causes), pair[0].name)  # noqa: E731
    for program, verdict in sorted(verdicts, key=key):
        found = " > ".join(f"{f.cause}@{f.place or '-'}({f.confidence:.2f})"
                           for f in verdict.findings[:4])  # fmt: skip
        wanted = "|".join(sorted(program.causes))
        if verdict.error:
            yield f"ERROR {program.name}: {verdict.error}"
        elif program.is_clean and verdict.findings:
            yield f"ALARM {program.name}: {found}"
        elif not program.is_clean and not named(verdict.findings, program, 1):
            kind = "third" if named(verdict.findings, program) else "MISS "
            yield f"{kind} {program.name}: wanted {wanted}; said {found or 'nothing'}"
        elif not program.is_clean and program.places and not placed(verdict.findings, program):
            yield f"place {program.name}: wanted {'/'.join(program.places)}; said {found}"
        elif not program.is_clean and not known_by(verdict, program, program.known):
            yield f"late  {program.name}: known {program.known}; said {found} at step {[f.step for f in verdict.findings[:1]]}"  # noqa: E501


def _judged(name: str, phases: tuple[str, ...]) -> Verdict:
    program = next(p for p in programs() if p.name == name)
    return judge(program, phases=phases)


def run(options: argparse.Namespace) -> list[tuple[Program, Verdict]]:
    """The verdicts on all chosen programs; each is written down as soon as it is there."""
    phases = ("before",) if options.phase == "before" else PHASES
    found, listed = [], chosen(options)
    written = open(options.write, "w") if options.write else None
    pool = multiprocessing.get_context("spawn").Pool(options.jobs) if options.jobs > 1 else None
    verdicts: Iterable[Verdict]
    if pool is None:
        verdicts = (judge(program, phases=phases) for program in listed)
    else:
        tasks = [pool.apply_async(_judged, (p.name, phases)) for p in listed]
        verdicts = (task.get() for task in tasks)
    for number, (program, verdict) in enumerate(zip(listed, verdicts, strict=True), 1):
        found.append((program, verdict))
        tell(f"{number} of {len(listed)} {program.name}")
        if written is not None:
            written.write(json.dumps(asdict(verdict)) + "\n")
            written.flush()
    tell("")
    if pool is not None:
        pool.terminate()
    return found


def read(path: str, options: argparse.Namespace) -> list[tuple[Program, Verdict]]:
    """Verdicts that were written down."""
    known = {p.name: p for p in chosen(options)}
    found = []
    for line in Path(path).read_text().splitlines():
        facts = json.loads(line)
        facts["said"] = {k: [Said(**f) for f in v] for k, v in facts["said"].items()}
        if facts["program"] in known:
            found.append((known[facts["program"]], Verdict(**facts)))
    return found


# ---- the others


def beside(listed: list[Program]) -> list[tuple[str, ...]]:
    """A row for each of the other tools, on the programs that are not script files."""
    import rivals

    counts: dict[str, Counter[str]] = {tool: Counter() for tool in rivals.TOOLS}
    for number, program in enumerate(listed, 1):
        tell(f"{number} {program.name}")
        if program.make is None:
            continue
        setup = program.make(0).ready(0)
        found = rivals.trace(setup)
        for tool, count in counts.items():
            if not rivals.judged(tool, setup):
                count["unjudged"] += 1
                count["clean" if program.is_clean else "sick"] += 1
                continue
            causes = [c for _, c in rivals.say(tool, found)]
            count["clean" if program.is_clean else "sick"] += 1
            count["alarms"] += program.is_clean and bool(causes)
            count["said"] += len(causes)
            count["right"] += sum(bool(c & program.causes) for c in causes)
            count["first"] += any(c & program.causes for c in causes[:1])
            count["three"] += any(c & program.causes for c in causes[:3])
    tell("")
    return [_row(tool, count) for tool, count in counts.items()]


def _row(tool: str, count: Counter[str]) -> tuple[str, ...]:
    number = count["sick"] + count["clean"]
    return (tool, wilson(count["first"], count["sick"]), wilson(count["three"], count["sick"]),
            wilson(count["right"], count["said"]), wilson(count["alarms"], count["clean"]),
            wilson(number - count["unjudged"], number))  # fmt: skip


def _own_row(verdicts: list[tuple[Program, Verdict]]) -> tuple[str, ...]:
    rows = dict(figures(verdicts))
    return ("this doctor", rows["right cause first"], rows["right cause among three"],
            rows["reported causes that are right"], rows["clean programs with a finding"],
            rows["judged at all"])  # fmt: skip


def main() -> None:
    """Judges, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("tuning", "measuring", "both"), default="tuning")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--phase", choices=("before", "end"), default="end")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--write", help="verdicts as lines of JSON")
    parser.add_argument("--read", help="verdicts that --write wrote, instead of judging")
    parser.add_argument("--misses", help="what was judged wrong, as lines of text")
    options = parser.parse_args()
    started = time.perf_counter()
    verdicts = read(options.read, options) if options.read else run(options)
    sick = sum(not p.is_clean for p, _ in verdicts)
    print(f"{sick} sick and {len(verdicts) - sick} clean programs, half: {options.half}, "
          f"{time.perf_counter() - started:.0f} s\n")  # fmt: skip
    print(table(["doctor", ""], figures(verdicts), options.markdown))
    lines = list(misses(verdicts))
    if options.misses:
        Path(options.misses).write_text("\n".join(lines) + "\n")
    elif options.only:
        print("\n" + "\n".join(lines))
    if options.rivals:
        head = ["", "first", "among three", "said and right", "alarms on clean", "judged"]
        print("\n" + table(head, [_own_row(verdicts), *beside([p for p, _ in verdicts])],
                           options.markdown))  # fmt: skip


if __name__ == "__main__":
    main()

"""What the doctor says of a run: causes with their evidence, experiments and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.base.language import language
from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.report.markup import number, safe, said
from pellucid.training.stored_run import StoredRun


def findings_section(run: StoredRun) -> str:
    """The findings in order, a sentence where there are none; empty for runs without a doctor."""
    found = run.examination
    if found is None:
        return ""
    listed = found.get("findings") or []
    if not listed:
        return (
            f"<p>{said('Nothing is wrong as far as the doctor can see.', 200)}</p>{_facts(found)}"
        )
    entries = "".join(f"<li>{_finding(one)}</li>" for one in listed)
    return f'<ol class="findings">{entries}</ol>{_facts(found)}'


def _finding(found: Mapping[str, Any]) -> str:
    """A cause: where, how sure, why, what was tried, and what to do."""
    code = str(found.get("cause", ""))
    title = said(str(found.get("title", code)), 200)
    place = _place(found.get("place") or {})
    sure = float(found.get("confidence") or 0.0)
    head = (
        f"<h3>{title[:1].upper()}{title[1:]}"
        f"{f' <code>{place}</code>' if place else ''} "
        f'<span class="sure" title="{said("confidence")} {sure:.0%}">'
        f'<i style="width:{100 * sure:.0f}%"></i></span></h3>'
    )
    if code in CAUSES:
        head += f'<p class="note">{said(CAUSES[code].means, 400)}.</p>'
    lines = [_evidence(item) for item in found.get("evidence") or []]
    lines += [
        f"{said('Tried')}: {said(str(probe.get('text') or probe.get('question')), 400)}"
        for probe in found.get("probes") or []
    ]
    lines += [
        f"{said('Follows from it')}: {said(str(symptom.get('title')), 200)}"
        for symptom in found.get("symptoms") or []
    ]
    body = f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""
    return head + body + _remedies(found.get("remedies") or [], str(found.get("unchanged") or ""))


def _place(place: Mapping[str, Any]) -> str:
    parts = [safe(place[name], 80) for name in ("setting", "line") if place.get(name)]
    if place.get("layer"):
        parts.insert(0, f"{said('layer')} {safe(place['layer'], 80)}")
    if place.get("column"):
        name = str(place["column"])
        shown = said(name, 60) if " " in name else safe(name, 60)
        parts.append(f"{said('column')} {shown}")
    rows = place.get("rows") or []
    if rows:
        listed = ", ".join(str(row) for row in rows[:8])
        parts.append(f"{said('rows')} {listed}{' …' if len(rows) > 8 else ''}")
    return ", ".join(parts)


def _evidence(item: Mapping[str, Any]) -> str:
    text = said(str(item.get("text")), 300)
    value, expected = item.get("value"), str(item.get("expected") or "")
    if isinstance(value, int | float):
        text += f"{'：' if language() == 'zh' else ': '}<b>{number(float(value), 3)}</b>"
    if expected:
        shown = said(f"expected {expected}", 200)
        shown = f"（{shown}）" if language() == "zh" else f" ({shown})"
        text += f'<span class="dim">{shown}</span>'
    return text


def _remedies(listed: list[Mapping[str, Any]], unchanged: str) -> str:
    """What to do, the first remedy as a difference."""
    if not listed:
        return ""
    texts = [said(str(one.get("text")), 400) for one in listed]
    more = "".join(f"<li>{text}</li>" for text in texts[1:])
    first, name = listed[0], str(listed[0].get("name") or "")
    diff = ""
    if name and first.get("kind") == "setting" and first.get("new") is not None:
        old, new = safe(first.get("old"), 60), safe(first.get("new"), 60)
        diff = (
            f'<pre class="diff"><del>- {safe(name)} = {old}</del>\n'
            f"<ins>+ {safe(name)} = {new}</ins></pre>"
        )
    kept = f'<p class="dim">{said(unchanged, 300)}</p>' if unchanged else ""
    rest = f"<ul>{more}</ul>" if more else ""
    return f'<p class="do"><b>{said("What to do")}:</b> {texts[0]}</p>{diff}{rest}{kept}'


def _facts(found: Mapping[str, Any]) -> str:
    """Figures beside the findings, as a line."""
    facts = found.get("facts") or {}
    shown = [
        f"{said(str(name)[:1].upper() + str(name)[1:], 80)} {number(float(value), 3)}"
        for name, value in facts.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return f'<p class="note">{" · ".join(shown)}</p>' if shown else ""

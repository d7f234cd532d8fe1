"""Numbers as people write them: ``1,234.50``, ``1.234,56``, ``$12``, ``5 %``, ``(12)``, ``7 kg``.

One sign decides how a number is read: whether its decimal sign is a point or a comma.  The other
of the two, blanks and apostrophes then stand between groups of three digits (in India, of two).
``1.200`` alone does not tell; the other cells of the column and of the file do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.data.readings import Reading

# From this share of numbers on, a column is taken for numbers with slips in them.
STRAY_SHARE = 0.9
_SAME = {
    **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    **dict.fromkeys("\u00a0\u202f\u2009\u2007\u2002\u2003\u3000\t", " "),
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\uff0d\ufe63", "-"),
    **dict.fromkeys("\u2019\u02bc\u00b4\u2018\uff07", "'"),
    "\uff0c": ",",
    "\uff0e": ".",
    "\uff05": "%",
    "\uffe5": "¥",
    "\uff04": "$",
    "\uff0b": "+",
    "\uff08": "(",
    "\uff09": ")",
}
_PLAIN = str.maketrans(_SAME)
_SIGNS = "$€£¥₹₽₩₺₫฿₴₦₪₱₡₲₵₸₿"
_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES "
    "KRW MXN MYR NGN NOK NZD PEN PHP PKR PLN RMB RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
).split()
_CURRENCY = rf"(?:[A-Z]{{1,3}}[{_SIGNS}]|[{_SIGNS}]|(?:{'|'.join(_CODES)})(?![A-Za-z])|Rs\.?|Fr\.?)"
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-])?\s*(?P<before>{_CURRENCY})?\s*(?P<sign2>[+-])?\s*"
    r"(?P<body>(?:\d(?:[\d.,' ]*\d)?[.,]?|[.,]\d+))(?P<power>[eE][+-]?\d{1,3})?"
    r"(?P<minus>-)?\s*(?P<after>[^\d\s.,()+'-](?:[^\d()]{0,14}[^\d\s()])?[²³]?)?\s*(?P<close>\))?"
)
_GROUPED = re.compile(r"\d{1,3}(?:([,.' ])\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}")
_CODE = re.compile(r"[+-]?0\d+(?![\d:/年月日]|[.-]\d+[.-])")
_LARGE = {
    "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "G": 1e9,
    "千": 1e3, "万": 1e4, "萬": 1e4, "百万": 1e6, "亿": 1e8, "億": 1e8,
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A number taken apart: ``body`` holds digits and separators, ``unit`` the text beside it."""

    negative: bool
    body: str
    power: str
    unit: str


def take_apart(text: str) -> Written | None:
    """The parts of a text that writes a number, or None."""
    plain = text.translate(_PLAIN).strip()
    found = _NUMBER.fullmatch(plain)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [s for s in (found["sign"], found["sign2"], found["minus"]) if s]
    if len(signs) + bool(found["open"]) > 1 and "+" not in signs:
        return None
    body = found["body"]
    before, after = found["before"] or "", (found["after"] or "").strip()
    if before and after:
        return None
    return Written(bool(found["open"]) or "-" in signs, body, found["power"] or "", before or after)


def value_of(written: Written, decimal: str, units: dict[str, float]) -> float | None:
    """The number that a text writes, or None where it does not follow the rules."""
    whole, point, fraction = written.body.partition(decimal)
    if decimal in fraction or not (not fraction or fraction.isdecimal()):
        return None
    if whole and not whole.isdecimal():
        grouped = _GROUPED.fullmatch(whole)
        if grouped is None or decimal in whole or len(set(whole) - set("0123456789")) > 1:
            return None
        whole = re.sub(r"\D", "", whole)
    if written.unit and written.unit not in units:
        return None
    factor = units.get(written.unit, 1.0)
    number = float(f"{whole or '0'}{'.' if point else ''}{fraction}{written.power}")
    return (-number if written.negative else number) * factor


@dataclass(frozen=True)
class Evidence:
    """What the numbers of a column say about its decimal sign, in numbers of cells.

    ``point`` and ``comma`` count cells that can be read in one way only; ``either_point`` and
    ``either_comma`` those such as ``1.200`` and ``1,200``; ``bare`` those without separators,
    ``bare_large`` those of them with more than three digits.
    """

    point: int = 0
    comma: int = 0
    either_point: int = 0
    either_comma: int = 0
    bare: int = 0
    bare_large: int = 0

    @property
    def decimal(self) -> str:
        """The sign that the column itself proves, or an empty text."""
        if self.point and self.point >= 9 * self.comma:
            return "."
        return "," if self.comma and self.comma >= 9 * self.point else ""


def evidence_of(parts: Iterable[tuple[Written, int]]) -> Evidence:
    """The evidence of numbers with how often each occurs."""
    counts = dict.fromkeys(Evidence.__dataclass_fields__, 0)
    for written, count in parts:
        counts[_proof(written.body)] += count
        if written.body.isdecimal() and len(written.body) > 3:
            counts["bare_large"] += count
    return Evidence(**counts)


def _proof(body: str) -> str:
    """Which count of ``Evidence`` a number adds to."""
    points, commas = body.count("."), body.count(",")
    if not points and not commas:
        return "bare"
    if points and commas:
        return "point" if body.rindex(".") > body.rindex(",") else "comma"
    sign = "." if points else ","
    if points + commas > 1:  # only separators of groups come more than once
        return "comma" if sign == "." else "point"
    whole, _, fraction = body.partition(sign)
    either = len(fraction) == 3 and 1 <= len(whole) <= 3 and whole != "0"
    if either:
        return "either_point" if sign == "." else "either_comma"
    return "point" if sign == "." else "comma"


def decide_decimal(
    own: Evidence, file_decimal: str, prior: str, separator: str
) -> tuple[str, bool]:
    """The decimal sign of a column, and whether that is known (False: a guess to be told).

    In this order: what the column proves; what the file's other columns prove; how training read
    it; and then the usual.  Points followed by three digits everywhere are decimal points.
    Commas followed by three digits everywhere are thousands, unless the column also has bare
    numbers of more than three digits, or cells are separated by semicolons (which people do
    because the comma is their decimal sign) and there are no bare numbers.
    """
    if own.decimal:
        return own.decimal, True
    if not own.either_point and not own.either_comma:
        return file_decimal or prior or ".", True
    if file_decimal:
        return file_decimal, True
    if prior:
        return prior, True
    if own.either_comma:
        european = separator == ";" and not own.bare
        return ("," if own.bare_large or european else "."), False
    return ".", bool(own.bare_large)


@dataclass(frozen=True)
class NumberRule:
    """How the numbers of a column are read; ``known`` is False for a guess."""

    decimal: str
    units: tuple[tuple[str, float], ...]
    known: bool

    def read(self, texts: Sequence[str]) -> list[float | None]:
        """The number that each text writes, None for other texts."""
        factors = dict(self.units)
        parts = map(take_apart, texts)
        return [p if p is None else value_of(p, self.decimal, factors) for p in parts]


def decide_units(parts: Sequence[tuple[Written | None, int]]) -> dict[str, float] | None:
    """The texts beside the numbers with their factors; None where they contradict each other.

    One text beside the numbers is a unit and changes nothing: a currency or a percent sign may be
    left out, a word stands at nine in ten of them at least (``1``, ``2A``, ``2B`` are codes).
    Several are read where all of them are words for large numbers (``1.2k``, ``3M``, ``5万``) and
    at least ten numbers differ.
    """
    counts: dict[str, int] = {}
    total = bare = 0
    for written, count in parts:
        if written is not None:
            total += count
            if written.unit:
                counts[written.unit] = counts.get(written.unit, 0) + count
            else:
                bare += count
    if not counts:
        return {}
    if all(unit in _LARGE for unit in counts) and (len(counts) > 1 or bare):
        many = len({w.body for w, _ in parts if w is not None}) >= 10
        return {unit: _LARGE[unit] for unit in counts} if many else None
    first = max(counts, key=lambda unit: counts[unit])
    same = [unit for unit in counts if unit.lower().rstrip(".") == first.lower().rstrip(".")]
    marked = sum(counts[unit] for unit in same)
    sign = first == "%" or re.fullmatch(_CURRENCY, first) is not None
    enough = marked + bare if sign else marked
    return dict.fromkeys(same, 1.0) if enough >= STRAY_SHARE * total else None


def decide_numbers(
    texts: Sequence[str],
    counts: Sequence[int],
    file_decimal: str,
    prior: Reading | None,
    separator: str,
) -> NumberRule | None:
    """How a column of these distinct texts is to be read as numbers, or None where it is not
    numbers: fewer than nine in ten cells are."""
    if any(_CODE.match(text) for text in texts):
        return None  # codes such as 007 stay text, whatever the others are
    parts = [(take_apart(text), count) for text, count in zip(texts, counts, strict=True)]
    total = sum(counts)
    numbers = [(written, count) for written, count in parts if written is not None]
    wanted = (0.5 if prior is not None else STRAY_SHARE) * total
    if not numbers or sum(count for _, count in numbers) < wanted:
        return None
    units = decide_units(parts)
    if units is None:
        return None
    if prior is not None and prior.units:
        units = {unit: dict(prior.units).get(unit, factor) for unit, factor in units.items()}
        units |= {unit: factor for unit, factor in prior.units if unit not in units}
    known = prior.decimal if prior is not None else ""
    decimal, sure = decide_decimal(evidence_of(numbers), file_decimal, known, separator)
    rule = NumberRule(decimal, tuple(units.items()), sure)
    values = rule.read(texts)
    read = sum(count for value, count in zip(values, counts, strict=True) if value is not None)
    return rule if read >= wanted else None

"""What is wrong in the typography of Chinese prose, and in the choice of its words."""

from __future__ import annotations

import re
from collections.abc import Iterator

CJK = "\u3400-\u9fff"
WIDE = "，。；：？！（）“”‘’、《》…—"
CODE = "C"  # stands where a piece of code, a formula or an address was

RULES = (
    (rf"[{CJK}][,;:?!]|[{CJK}]\.(?!\w)|[,;:?!](?=[{CJK}])", "half-width punctuation"),
    (rf"[{CJK}{WIDE}] ?\(|\) ?[{CJK}{WIDE}]|\([^()]*[{CJK}][^()]*\)", "half-width brackets"),
    (rf"[{CJK}][A-Za-z0-9$%#+=<>]|[A-Za-z0-9$%#+=<>][{CJK}]", "no space between CJK and Latin"),
    (rf"[{CJK}{WIDE}][\"']|[\"'][{CJK}{WIDE}]", "straight quotes"),
    (rf" [{WIDE.replace('“', '').replace('‘', '').replace('…', '').replace('—', '')}]",
     "a space before full-width punctuation"),
    (r"[，。；：？！（“、《] ", "a space behind full-width punctuation"),
    (rf"[{CJK}] [{CJK}]", "a space between Chinese characters"),
    (r"\.\.\.|。。|(?<!…)…(?!…)", "an ellipsis is ……"),
    (r"(?<!-)--(?!-)|(?<!—)—(?!—)", "a dash is ——"),
    (r"[「」『』]", "quotation marks are “ ”"),
)  # fmt: skip


def plain(line: str) -> str:
    """A line of Markdown as it is read: without marks, code and formulas as one letter."""
    line = re.sub(r"^\s*(?:[-*+] |\d+\. |#+ (?:第 \d+ 课 )?|> ?)", "", line)
    line = re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"(`+)(?:(?!\1).)+\1", CODE, line)
    line = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", CODE, line)
    line = re.sub(r"<[^<>]+>", "", line)
    line = re.sub(r"https?://\S+", CODE, line)
    line = re.sub(r"(?<=[。！？：])\*\* (?=\S)", "", line)  # a paragraph's own heading
    line = re.sub(r"\*{1,3}|(?<!\w)_|_(?!\w)", "", line)
    return line.rstrip()


def paragraphs(prose: str) -> Iterator[tuple[int, list[str]]]:
    """Paragraphs: the number of the first line, and the lines; formulas of several lines out."""
    prose = re.sub(r"^\$\$.*?\$\$", lambda m: "\n" * m[0].count("\n"), prose, flags=re.M | re.S)
    start, lines = 0, []
    for number, line in enumerate([*prose.splitlines(), ""], 1):
        ends = not line.strip() or re.match(r"\s*(?:[-*+] |\d+\. |#|> |\||<)", line)
        if lines and ends:
            yield start, lines
            lines = []
        if line.strip():
            start, lines = (number if not lines else start), [*lines, line]


def faults(prose: str) -> list[str]:
    """Everything that is wrong in the typography of Chinese prose."""
    found = []
    for start, lines in paragraphs(prose):
        # Code and formulas may run over a line's end.
        whole = "\n".join(lines)
        whole = re.sub(r"(?<!\$)\$[^$]+\$(?!\$)|`[^`]+`", lambda m: m[0].replace("\n", " "), whole)
        read = [plain(line) for line in whole.split("\n")]
        for offset, line in enumerate(read):
            cells = line.strip("|").split("|") if line.startswith("|") else [line]
            for cell in cells:
                for rule, name in RULES:
                    for match in re.finditer(rule, cell.strip()):
                        near = cell.strip()[max(0, match.start() - 8) : match.end() + 8]
                        found.append(f"line {start + offset}: {name}: {near!r}")
        for offset, (one, two) in enumerate(zip(read, read[1:], strict=False)):
            if re.search(rf"[{CJK}]$", one) and re.match(rf"[{CJK}“（《]", two):
                found.append(f"line {start + offset}: a line break within words: {one[-8:]!r}")
    return found

"""Links inside the site: each must lead to a page that is there, and to an anchor on it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """What a page links to, and what can be linked to on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects href, src, id and name."""
        for name, value in attrs:
            if not value:
                continue
            if name in ("href", "src") and tag != "use":
                self.links.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)


@cache
def _read(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def broken(site: Path, languages: Iterable[str]) -> list[tuple[str, str]]:
    """Page and link of all that lead nowhere, but those to a language that was not built."""
    found = []
    known = tuple(languages)
    for page in sorted(site.rglob("*.html")):
        for link in _read(page).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if target != site and site not in target.parents:
                found.append((str(page.relative_to(site)), link))
                continue
            top = target.relative_to(site).parts[:1]
            if top and top[0] in ("en", "zh") and top[0] not in known:
                continue
            if target.is_dir():
                target /= "index.html"
            anchor = unquote(parts.fragment)
            if not target.exists() or (
                anchor and target.suffix == ".html" and anchor not in _read(target).anchors
            ):
                found.append((str(page.relative_to(site)), link))
    return found

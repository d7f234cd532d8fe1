"""What pages in Chinese need: lines joined without a space, and search.

Search is by pairs of Chinese characters and stems of English words.  A dictionary cuts
the text of a page one way and the words of a question another; pairs of neighbouring characters are
the same on both sides, so a page that holds the words is found.
"""

from __future__ import annotations

import re

import snowballstemmer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage
from sphinx.transforms import SphinxTransform

_PIECES = re.compile(r"[\u3400-\u9fff]+|[A-Za-z0-9_]+")

_SPLIT_QUERY = r"""
function splitQuery(query) {
  const pieces = query.match(/[\u3400-\u9fff]+|[A-Za-z0-9_]+/g) || [];
  return pieces.flatMap(function (piece) {
    if (!/[\u3400-\u9fff]{3}/.test(piece)) return [piece];
    return Array.from({ length: piece.length - 1 }, function (_, i) {
      return piece.slice(i, i + 2);
    });
  });
}
"""
"""As :meth:`PairsOfCharacters.split`.  Sphinx escapes it like HTML: no quotes, no < > &."""


class PairsOfCharacters(SearchLanguage):
    """The words of a text: pairs of Chinese characters, and stems of English words."""

    lang = "zh"
    language_name = "English"  # Sphinx makes the name of the stemmer in the browser of it
    js_stemmer_rawcode = "english-stemmer.js"
    js_splitter_code = _SPLIT_QUERY

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self._stemmer = snowballstemmer.stemmer("english")

    def split(self, input: str) -> list[str]:
        """All pairs of neighbouring characters, single characters alone, and Latin words."""
        words: list[str] = []
        for piece in _PIECES.findall(input):
            if piece[0] < "\u3400" or len(piece) < 3:
                words.append(piece)
            else:
                words += (piece[i : i + 2] for i in range(len(piece) - 1))
        return words

    def word_filter(self, word: str) -> bool:
        """Numbers and single Latin letters are not found."""
        return not word.isdigit() and (len(word) > 1 or word >= "\u3400")

    def stem(self, word: str) -> str:
        """The stem of an English word; Chinese stays as it is."""
        return self._stemmer.stemWord(word.lower())


_CHINESE = "\u3000-\u9fff\uff00-\uffef"
_BROKEN = re.compile(rf"(?<=[，。；：？！、）》”’…])\n|(?<=[{_CHINESE}])\n(?=[{_CHINESE}“‘])")


class JoinedLines(SphinxTransform):
    """A line that ends in Chinese goes on without the space that a line break stands for."""

    default_priority = 600

    def apply(self, **kwargs: object) -> None:
        """Joins the lines of all text but that of programs."""
        for element in list(self.document.findall(nodes.TextElement)):
            if isinstance(element, nodes.FixedTextElement | nodes.raw | nodes.literal):
                continue
            children: list[nodes.Node] = []
            for child in element.children:  # a line break is a text of its own
                if children and isinstance(child, nodes.Text):
                    if isinstance(children[-1], nodes.Text):
                        child = nodes.Text(children.pop() + child)
                children.append(child)
            element.children = []
            element.extend(
                nodes.Text(_BROKEN.sub("", child)) if isinstance(child, nodes.Text) else child
                for child in children
            )


def setup(app: Sphinx) -> dict[str, bool]:
    """Takes the place of Sphinx's search for Chinese, and joins lines."""
    app.add_search_language(PairsOfCharacters)
    app.add_transform(JoinedLines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

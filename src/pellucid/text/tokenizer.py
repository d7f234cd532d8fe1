"""Texts as ids and back: by characters, by words, or by parts of words learned from the text.

====================  =========================================================================
``char``              every character is a token
``word``              words and punctuation marks; Chinese by character or by word
``bpe``               byte-pair encoding: the pair of neighbouring tokens that is most frequent
                      becomes a token, again and again, beginning with single bytes (Sennrich,
                      Haddow and Birch, 2016; on bytes as in GPT-2, Radford et al., 2019)
``wordpiece``         parts of words, learned by pairs as well; a word is cut into the longest parts
                      there are, from its beginning, and ``##`` marks what continues it (Schuster
                      and Nakajima, 2012; as in BERT, Devlin et al., 2018)
====================  =========================================================================

``char`` and ``bpe`` give a text back exactly as it was; ``word`` and ``wordpiece`` forget how many
blanks there were, and ``wordpiece`` capitals and accents, too.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.json_checks import (
    json_bool,
    json_error,
    json_integer,
    json_list,
    json_names,
    json_object,
    json_text,
)
from pellucid.data.sequences import pad_sequences
from pellucid.text.vocabulary import CHINESE, HAN, split_words

PAD, UNKNOWN, START, END = SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
"""Tokens that are no part of a text: what fills up, what is not known, a text's two ends."""
LEVELS = ("char", "word", "bpe", "wordpiece")
SUBWORDS = 4_000
"""Tokens that byte-pair encoding and WordPiece learn unless told otherwise."""
_VERSION = 1
_MOST = 2_000_000
_KEYS = ("kind", "version", "level", "tokens", "merges", "lower", "chinese")
_LINES = re.compile(r"(\n)")
_TIGHT_BEFORE = re.compile(rf"[,.;:!?%)\]}}\u2019\n\u3000-\u303f\uff00-\uffef{HAN}]")
_TIGHT_AFTER = re.compile(rf"[(\[{{$\u2018\n\u3000-\u303f\uff00-\uffef{HAN}]$")
_ENDINGS = {"s", "t", "d", "m", "re", "ve", "ll"}


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """Turns texts into ids and ids into texts; made by :meth:`fit`.

    ``tokens`` are those that it knows, in the order of their ids; ``merges`` the pairs that
    byte-pair encoding joins, in their order.

    >>> tokenizer = Tokenizer.fit("the cat saw the dog", level="word")
    >>> tokenizer.encode("the dog sat").tolist(), tokenizer.decode([4, 5])
    ([4, 6, 1], 'the cat')
    """

    level: str
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    lower: bool = False
    chinese: str = "characters"

    @classmethod
    def fit(
        cls,
        texts: str | Iterable[str],
        level: str = "word",
        *,
        size: int | None = None,
        min_count: int = 1,
        lower: bool = False,
        chinese: str = "characters",
        special: Sequence[str] = SPECIAL,
    ) -> Tokenizer:
        """Learns the tokens of texts.

        ``size`` bounds their number (unless given, all for ``char`` and ``word``, 4,000 for
        ``bpe`` and ``wordpiece``), ``min_count`` leaves out rarer ones.  ``chinese`` ("characters"
        or "words") says how level ``word`` cuts Chinese.  ``special`` come first; ``<unk>`` among
        them stands for what is not known.  The same texts give the same tokens, in the same order.

        Raises ``ArgumentError`` for settings that are not allowed, ``DataError`` for no text.
        """
        listed = [texts] if isinstance(texts, str) else list(texts)
        _check(level, size, min_count, chinese, special)
        if not any(text.strip() for text in listed):
            raise DataError("There is no text to learn tokens from", "Give texts that hold words.")
        if lower:
            listed = [text.lower() for text in listed]
        if level in ("bpe", "wordpiece"):
            tokens, merges = _TRAINERS[level](listed, size or SUBWORDS, min_count, special)
            return cls(level, tokens, merges, lower, chinese)
        empty = cls(level, (), (), lower, chinese)
        counts = Counter(token for text in listed for token in empty.split(text))
        kept = sorted((t for t, n in counts.items() if n >= min_count and t not in special))
        if level == "word":  # frequent ones first, as in the subwords' lists
            kept.sort(key=lambda token: -counts[token])
        elif size is not None and len(kept) + len(special) > size:
            best = sorted(kept, key=lambda token: -counts[token])[: size - len(special)]
            kept = sorted(best)
        kept = kept[: None if size is None else max(0, size - len(special))]
        return cls(level, (*special, *kept), (), lower, chinese)

    # ---- what it knows ---------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """Token → id."""
        return {token: number for number, token in enumerate(self.tokens)}

    def id_of(self, token: str) -> int:
        """The id of a token, such as ``"<pad>"``; ``DataError`` where it is not known."""
        if token not in self.ids:
            raise DataError(
                f"the tokenizer has no token {token!r} among {len(self)}",
                "Name it in special= when the tokenizer is made.",
            )
        return self.ids[token]

    # ---- to and fro ------------------------------------------------------------------------

    def split(self, text: str) -> list[str]:
        """The tokens of a text, before it is asked which of them are known."""
        if self.lower:
            text = text.lower()
        if self.level == "char":
            return list(text)
        if self.level == "word":
            parts = _LINES.split(text)
            words = functools.partial(split_words, chinese=self.chinese, lower=False)
            return [w for part in parts for w in (["\n"] if part == "\n" else words(part))]
        found: list[str] = self._subwords.encode(text, add_special_tokens=False).tokens
        return found

    def encode(self, text: str, *, ends: bool = False) -> npt.NDArray[np.int64]:
        """Ids int64 (n,) of a text; between ``<s>`` and ``</s>`` with ``ends``.

        What is not known becomes ``<unk>``; without that token, raises ``DataError``.
        """
        tokens, ids = self.split(text), self.ids
        other = ids.get(UNKNOWN)
        if other is None:
            unknown = next((token for token in tokens if token not in ids), None)
            if unknown is not None:
                raise DataError(
                    f"the token {unknown!r} is not among the {len(self)} known ones",
                    "Learn the tokens from all texts, or with <unk> among the special ones.",
                )
            other = -1
        found = [ids.get(token, other) for token in tokens]
        if ends:
            found = [self.id_of(START), *found, self.id_of(END)]
        return np.array(found, np.int64)

    def encode_all(
        self,
        texts: Iterable[str],
        max_len: int | None = None,
        *,
        ends: bool = False,
        keep: str = "start",
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Ids int64 (texts, length) of several texts, filled up with ``<pad>`` or cut to
        ``max_len`` (unless given, that of the longest), and a mask, True where an id is real."""
        listed = [self.encode(text, ends=ends).tolist() for text in texts]
        return pad_sequences(listed, max_len, self.id_of(PAD), keep)

    def decode(self, ids: Iterable[int] | npt.NDArray[Any]) -> str:
        """The text of ids; ``<pad>``, ``<s>`` and ``</s>`` are left out."""
        hidden = {self.ids[t] for t in (PAD, START, END) if t in self.ids}
        numbers = [int(number) for number in ids]
        wrong = next((n for n in numbers if not 0 <= n < len(self)), None)
        if wrong is not None:
            raise DataError(f"there is no token {wrong}", f"Ids are 0 to {len(self) - 1}.")
        tokens = [self.tokens[number] for number in numbers if number not in hidden]
        if self.level == "char":
            return "".join(tokens)
        if self.level == "bpe":
            found: str = self._subwords.decoder.decode(tokens)
            return found
        return _joined(tokens)

    # ---- stored ----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The tokenizer as JSON values."""
        return {
            "kind": "tokenizer",
            "version": _VERSION,
            "level": self.level,
            "tokens": list(self.tokens),
            "merges": [list(pair) for pair in self.merges],
            "lower": self.lower,
            "chinese": self.chinese,
        }

    @classmethod
    def from_json(cls, data: object) -> Tokenizer:
        """The tokenizer from ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "tokenizer", _KEYS)
        json_text(fields["kind"], "tokenizer kind", ("tokenizer",))
        json_integer(fields["version"], "tokenizer version", _VERSION, _VERSION)
        level = json_text(fields["level"], "tokenizer level", LEVELS)
        tokens = json_names(fields["tokens"], "tokens", _MOST)
        merges = []
        for pair in json_list(fields["merges"], "merges", _MOST):
            left, right = (json_text(t, "merges") for t in json_list(pair, "merges", 2))
            if {left, right, left + right} - set(tokens):
                raise json_error("merges", "tokens that are known", [left, right])
            merges.append((left, right))
        if not tokens or (merges and level != "bpe"):
            raise json_error("tokenizer", "tokens, and merges for bpe alone", level)
        chinese = json_text(fields["chinese"], "tokenizer chinese", CHINESE)
        lower = json_bool(fields["lower"], "tokenizer lower")
        return cls(level, tokens, tuple(merges), lower, chinese)

    @functools.cached_property
    def _subwords(self) -> Any:
        """The tokenizer of the ``tokenizers`` library."""
        pipeline = _pipeline(self.level)
        with needs("text", "Cutting words into parts"):
            from tokenizers import models
        if self.level == "bpe":
            pipeline.model = models.BPE(dict(self.ids), list(self.merges))
        else:
            pipeline.model = models.WordPiece(dict(self.ids), unk_token=UNKNOWN)
        return pipeline


def _check(
    level: str, size: int | None, min_count: int, chinese: str, special: Sequence[str]
) -> None:
    if level not in LEVELS:
        raise ArgumentError(f"Tokenizer got level={level!r}", f"Levels: {', '.join(LEVELS)}.")
    if chinese not in CHINESE:
        raise ArgumentError(f"Tokenizer got chinese={chinese!r}", f"Use {' or '.join(CHINESE)}.")
    least = len(special) + 1
    if (size is not None and size < least) or min_count < 1:
        raise ArgumentError(
            f"Tokenizer got size={size}, min_count={min_count}",
            f"Use a size of at least {least}, and a min_count of at least 1.",
        )
    if len(set(special)) != len(special):
        raise ArgumentError(f"Tokenizer got special={list(special)}", "Name each token once.")


def _joined(tokens: Sequence[str]) -> str:
    """Words as a text: blanks between words, none before a full stop or between Chinese."""
    text, before = "", ""
    for place, token in enumerate(tokens):
        if token.startswith("##") and len(token) > 2:
            text += token[2:]
            continue
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        tight = not text or _TIGHT_BEFORE.match(token) or _TIGHT_AFTER.search(text)
        ending = before == "'" and text[:-1] and token.lower() in _ENDINGS
        joins = token == "'" and after.lower() in _ENDINGS
        text += token if tight or ending or joins else f" {token}"
        before = token
    return text


# ---- parts of words ------------------------------------------------------------------------------

Trained = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


def _pipeline(level: str) -> Any:
    """What comes before and after the parts are looked up, as GPT-2 and BERT have it."""
    with needs("text", "Cutting words into parts"):
        import tokenizers as parts
    if level == "bpe":
        made = parts.Tokenizer(parts.models.BPE())
        made.pre_tokenizer = parts.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = parts.decoders.ByteLevel()
        return made
    made = parts.Tokenizer(parts.models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = parts.normalizers.BertNormalizer()
    made.pre_tokenizer = parts.pre_tokenizers.BertPreTokenizer()
    return made


def _train_bpe(texts: Sequence[str], size: int, least: int, special: Sequence[str]) -> Trained:
    pipeline = _pipeline("bpe")
    with needs("text", "Cutting words into parts"):
        from tokenizers import pre_tokenizers, trainers
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if size < len(alphabet) + len(special):
        raise ArgumentError(
            f"Tokenizer got size={size} for byte-pair encoding",
            f"It needs {len(alphabet)} bytes and {len(special)} special tokens at least.",
        )
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(special),
        min_frequency=max(2, least),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    pipeline.train_from_iterator(texts, trainer)
    tokens = (*special, *_in_order(pipeline))
    return tokens, _merges_of(pipeline)


def _train_wordpiece(
    texts: Sequence[str], size: int, least: int, special: Sequence[str]
) -> Trained:
    if UNKNOWN not in special:
        raise ArgumentError(
            f"Tokenizer got special={list(special)} for WordPiece",
            f"It needs {UNKNOWN} among them.",
        )
    pipeline = _pipeline("wordpiece")
    room = size - len(special)
    letters = [token for token in _letters(pipeline, texts, room) if token not in special]
    with needs("text", "Cutting words into parts"):
        from tokenizers import trainers
    # The library numbers what it meets in the order of a hash table, which decides between pairs
    # that are equally frequent; letters that are known before have the same numbers every time.
    trainer = trainers.WordPieceTrainer(
        vocab_size=room,
        min_frequency=max(2, least),
        special_tokens=letters,
        limit_alphabet=0,
        show_progress=False,
    )
    pipeline.train_from_iterator(texts, trainer)
    found = [token for token in _in_order(pipeline) if token not in special]
    return (*special, *found), ()


def _letters(pipeline: Any, texts: Sequence[str], room: int) -> list[str]:
    """The characters of words, as they begin one and as they continue one, frequent ones first;
    they take at most half of the room."""
    begin: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for text in texts:
        for word, _ in pipeline.pre_tokenizer.pre_tokenize_str(
            pipeline.normalizer.normalize_str(text)
        ):
            begin[word[0]] += 1
            inside.update(word[1:])
    counts = begin + inside
    found: list[str] = []
    for letter in sorted(counts, key=lambda c: (-counts[c], c)):
        own = [letter, f"##{letter}"] if letter in inside else [letter]
        if len(found) + len(own) > max(2, room // 2):
            break
        found += own
    return found


_TRAINERS: dict[str, Callable[..., Trained]] = {"bpe": _train_bpe, "wordpiece": _train_wordpiece}


def _in_order(pipeline: Any) -> list[str]:
    """The tokens by their ids."""
    known: dict[str, int] = pipeline.get_vocab()
    return sorted(known, key=lambda token: known[token])


def _merges_of(pipeline: Any) -> tuple[tuple[str, str], ...]:
    """The pairs that were joined, in their order; the library tells them in its own JSON alone."""
    listed = json.loads(pipeline.to_str())["model"]["merges"]
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in listed)
    return tuple((left, right) for left, right in pairs)

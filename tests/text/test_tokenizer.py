"""Tokenizers: what they give back, what they do not know, and that they are stored whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.text import Tokenizer, Vocabulary, by_length, split_words, streams, windows_of
from pellucid.text.tokenizer import END, LEVELS, PAD, START, UNKNOWN

MIXED = [
    "The quick brown fox (a red one) isn't lazy: it jumps, and jumps again!",
    "我喜欢深度学习，PyTorch也不错。送餐很快，味道很好！",
    "The fox jumps.\nThe dog sleeps.",
] * 3


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_learned_comes_back_and_is_stored_whole(level: str) -> None:
    made = Tokenizer.fit(MIXED, level, size=500)
    read = Tokenizer.from_json(json.loads(json.dumps(made.to_json())))
    for text in MIXED[:3]:
        ids = made.encode(text)
        assert UNKNOWN not in made.split(text) and ids.dtype == np.int64
        assert read.encode(text).tolist() == ids.tolist()
        expected = text.lower().replace("\n", " ") if level == "wordpiece" else text
        assert made.decode(ids) == read.decode(ids) == expected
    assert made.tokens[:4] == (PAD, UNKNOWN, START, END) and len(set(made.tokens)) == len(made)


def test_the_same_texts_give_the_same_tokens() -> None:
    for level in LEVELS:
        made = [Tokenizer.fit(texts, level, size=320).tokens for texts in (MIXED, MIXED)]
        assert made[0] == made[1] and len(made[0]) <= 320


def test_levels_cut_as_they_say() -> None:
    text = "今天 good 很好。"
    words = {"characters": ["今", "天", "good", "很", "好", "。"]}
    words["words"] = ["今天", "good", "很", "好", "。"]
    for chinese, expected in words.items():
        assert Tokenizer.fit(text, "word", chinese=chinese).split(text) == expected
    assert Tokenizer.fit(text, "char").split("今天 g") == ["今", "天", " ", "g"]
    # The pair that occurs most often is joined first (Sennrich and others, 2016).
    made = Tokenizer.fit(["ab ab ab ac"], "bpe", size=4 + 256 + 1)
    assert made.merges == (("a", "b"),) and made.tokens[-1] == "ab"
    greedy = Tokenizer("wordpiece", (UNKNOWN, "un", "una", "##ffable", "##able", "##ff", "u"))
    assert greedy.split("unaffable") == ["una", "##ffable"] and greedy.split("xyz") == [UNKNOWN]


def test_F6_chinese_texts_become_words_and_unknown_ones_have_a_token() -> None:
    assert split_words("我喜欢深度学习") == list("我喜欢深度学习")
    assert split_words("我喜欢深度学习", chinese="words") == ["我", "喜欢", "深度", "学习"]
    assert split_words("用GPU训练 Model_2吧!") == ["用", "gpu", "训", "练", "model_2", "吧", "!"]
    words = Vocabulary(["a", "b", "a", "c"], unknown="<unk>", most=2)
    assert words.tokens == ["<unk>", "a"] and words.encode(["c", "a", "z"]).tolist() == [0, 1, 0]
    assert Vocabulary("aabbbc", min_count=2).tokens == ["a", "b"]
    assert Vocabulary("aabbbc", most=1).tokens == ["b"]
    with pytest.raises(DataError, match="'z' is not in the vocabulary"):
        Vocabulary("ab").encode("z")


def test_what_is_not_known_becomes_the_token_for_it() -> None:
    made = Tokenizer.fit("a b", "char")
    assert made.encode("z").tolist() == [made.id_of(UNKNOWN)]
    bare = Tokenizer.fit("a b", "char", special=())
    assert bare.tokens == (" ", "a", "b")
    with pytest.raises(DataError, match="'z' is not among the 3"):
        bare.encode("z")
    with pytest.raises(DataError, match="no token '<pad>'"):
        bare.encode_all(["a"])
    # Bytes are always known: no text is foreign to byte-pair encoding.
    assert Tokenizer.fit("abc", "bpe", size=300).decode(
        Tokenizer.fit("abc", "bpe", size=300).encode("Ж 🙂 <s>")
    ) == "Ж 🙂 <s>"  # fmt: skip


def test_D34_texts_are_filled_up_and_cut() -> None:
    made = Tokenizer.fit("abcdef", "char")
    ids, mask = made.encode_all(["abc", "d"], ends=True)
    names = [[made.tokens[i] for i in row] for row in ids]
    assert names == [[START, "a", "b", "c", END], [START, "d", END, PAD, PAD]]
    assert mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert made.decode(ids[1]) == "d"
    assert made.encode_all(["abc"], 2, keep="end")[0].tolist() == made.encode("bc")[None].tolist()


def test_frequent_tokens_are_kept() -> None:
    made = Tokenizer.fit("the cat the dog the cat a", "word", size=6)
    assert made.tokens[4:] == ("the", "cat")
    assert Tokenizer.fit("aaabbc", "char", size=6).tokens[4:] == ("a", "b")
    assert Tokenizer.fit("the The", "word", lower=True).tokens[4:] == ("the",)
    assert Tokenizer.fit("a b b", "word", min_count=2).tokens[4:] == ("b",)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Tokenizer.fit("a", "letter"), "level='letter'"),
    (lambda: Tokenizer.fit("a", chinese="no"), "chinese='no'"),
    (lambda: Tokenizer.fit("a", size=3), "size=3"),
    (lambda: Tokenizer.fit("a", min_count=0), "min_count=0"),
    (lambda: Tokenizer.fit(" "), "no text"),
    (lambda: Tokenizer.fit("a", "bpe", size=100), "256 bytes"),
    (lambda: Tokenizer.fit("a", "wordpiece", special=()), "needs <unk>"),
    (lambda: Tokenizer.fit("a", special=("<s>", "<s>")), "special"),
    (lambda: Tokenizer.fit("a").decode([9]), "no token 9"),
    (lambda: split_words("a", chinese="jieba"), "chinese='jieba'"),
    (lambda: Vocabulary("a", most=0), "most=0"),
    (lambda: streams([1, 2], 2, 2), "too short for 2 streams of 2"),
    (lambda: streams([1, 2], 0, 2), "batch=0"),
    (lambda: streams([[1, 2]], 1, 1), r"shape \(1, 2\)"),
    (lambda: windows_of([1, 2], 2), "no runs of 2"),
    (lambda: list(by_length([1], 0)), "batch_size=0"),
])  # fmt: skip
def test_errors_say_what_was_received(call: Any, message: str) -> None:
    with pytest.raises((ArgumentError, DataError), match=message):
        call()


@pytest.mark.parametrize("change", [
    {"level": "letter"}, {"tokens": []}, {"tokens": ["a", "a"]}, {"merges": [["a", "q"]]},
    {"lower": 1}, {"version": 2}, {"chinese": "x"}, {"more": 1}, {"merges": [["a"]]},
])  # fmt: skip
def test_damaged_files_are_refused(change: dict[str, Any]) -> None:
    data = Tokenizer.fit("ab", "char").to_json()
    with pytest.raises((RunFolderError, ValueError)):
        Tokenizer.from_json({**data, **change})


def test_streams_go_on_where_they_ended() -> None:
    text = np.arange(101)
    inputs, targets = streams(text, batch=4, length=5)
    assert inputs.shape == targets.shape == (5, 4, 5)
    assert np.array_equal(targets, inputs + 1)
    assert np.array_equal(inputs[1:, :, 0], inputs[:-1, :, -1] + 1)
    assert sorted(inputs.ravel()) == list(range(100))  # every token once
    runs, after = windows_of(text, 7)
    assert len(runs) == 94 and np.array_equal(after, runs + 1) and runs.base is not None


def test_rows_of_similar_length_share_a_batch(rng: np.random.Generator) -> None:
    lengths = rng.integers(1, 50, 200)
    batches = list(by_length(lengths, 16, seed=3))
    assert sorted(np.concatenate(batches)) == list(range(200))
    spread = [int(np.ptp(lengths[rows])) for rows in batches]
    assert max(spread) < 12 and [len(b) for b in batches].count(16) == 12
    again = list(by_length(lengths, 16, seed=3))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    plain = list(by_length(lengths, 16))
    assert all(lengths[a].max() <= lengths[b].min() for a, b in zip(plain, plain[1:], strict=False))


def test_a_real_text_by_every_level(data_folder: Path) -> None:
    """Shakespeare: characters, and how far parts of words shorten it."""
    text = (data_folder / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")[:100_000]
    sizes = {}
    for level in ("char", "bpe"):
        made = Tokenizer.fit(text, level, size=1000)
        ids = made.encode(text)
        assert made.decode(ids) == text
        sizes[level] = len(ids)
    assert sizes["char"] == 100_000 and sizes["bpe"] < 45_000

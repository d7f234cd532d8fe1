"""Graders of lesson 20: sequences to sequences."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise

Chances = dict[str, float]

_NEXT: dict[str, Chances] = {
    "": {"a": 0.6, "b": 0.4},
    "a": {"x": 0.4, "y": 0.35, "z": 0.25},
    "b": {"x": 0.9, "y": 0.1},
}

_LIKELY: dict[str, Chances] = {
    "": {"a": 0.9, "b": 0.1},
    "a": {"x": 0.6, "y": 0.4},
    "b": {"x": 0.95, "y": 0.05},
}


def _chances(written: list[str]) -> Chances:
    """Two letters and the end, for beginnings that start with "<"."""
    done = "".join(written[1:])
    return _NEXT.get(done, {".": 1.0})


def _ending(written: list[str]) -> Chances:
    """To stop at once is likeliest; who asks on after the end is led astray."""
    return {"a": 1.0} if "." in written else {".": 0.6, "b": 0.4}


@exercise("20.1", asks="exact_match")
def exact_match(answer: Answer, judge: Judge) -> None:
    """Whole texts count."""
    found = answer(["1922", "1923", "19", "2001"], ["1922", "1924", "1900", "2001"])
    judge.that(
        not np.isclose(found, 13 / 14),
        Hint(en="A text with one wrong character is wrong.", zh="错一个字符，整个就算错。"),
    )
    judge.that(
        found != 2,
        Hint(en="A share is asked for, between 0 and 1.", zh="要的是比例，在 0 与 1 之间。"),
    )
    judge.close(
        found,
        0.5,
        Hint(
            en="Compare each text with its own goal, as a whole.", zh="每个与各自的目标整个相比。"
        ),
    )


@exercise("20.2", asks="decoder_inputs")
def decoder_inputs(answer: Answer, judge: Judge) -> None:
    """Moved on by one, with the start in front; the targets stay as they are."""
    goals = np.array([[5, 6, 7], [8, 9, 4]])
    given = goals.copy()
    found = answer(given, 1)
    judge.shape(
        found,
        (2, 3),
        Hint(
            en="As many inputs as targets: the last character is never an input.",
            zh="输入与目标一样多：最后一个字符从不作为输入。",
        ),
    )
    judge.that(
        not np.array_equal(found, goals),
        Hint(
            en="So the decoder sees the very character that it should write.",
            zh="这样一来，解码器看见的正是它该写的那个字符。",
        ),
    )
    judge.that(
        not np.array_equal(np.asarray(found)[:, :2], goals[:, 1:]),
        Hint(
            en="This shows the decoder the future. Later, not earlier.",
            zh="这样解码器就看见了未来。应当往后移，不是往前。",
        ),
    )
    judge.equal(
        np.asarray(found).tolist(),
        [[1, 5, 6], [1, 8, 9]],
        Hint(
            en="START first, then the targets one place later.", zh="先是 START，然后目标后移一位。"
        ),
    )
    judge.equal(
        given.tolist(),
        goals.tolist(),
        Hint(
            en="The targets themselves must not change: they are still needed for the loss.",
            zh="不能改动目标本身：算损失还要用。",
        ),
    )


@exercise("20.3", asks="greedy")
def greedy(answer: Answer, judge: Judge) -> None:
    """The likeliest token at each step, fed back, until the end or the limit."""
    asked: list[list[str]] = []

    def chances(written: list[str]) -> Chances:
        asked.append(list(written))
        return _chances(written)

    found = answer(chances, "<", ".", 10)
    judge.that(
        bool(asked) and asked[0] == ["<"],
        Hint(en="The first question is chances([start]).", zh="第一次问的时候，列表里只有 start。"),
    )
    judge.that(
        len(asked) < 2 or asked[1] == ["<", "a"],
        Hint(
            en="Ask again with what has been written so far, the new token included.",
            zh="再问时，要带上已经写出的全部词元，包括刚写的。",
        ),
    )
    judge.that(
        "<" not in found and "." not in found,
        Hint(en="Return neither start nor end.", zh="返回值里不要有开始和结束。"),
    )
    judge.equal(
        list(found),
        ["a", "x"],
        Hint(
            en="Take the token with the largest probability each time.", zh="每次取概率最大的词元。"
        ),
    )
    endless = answer(lambda written: {"a": 1.0}, "<", ".", 4)
    judge.equal(
        list(endless),
        ["a"] * 4,
        Hint(
            en="Where no end comes, exactly `longest` tokens are written.",
            zh="等不到结束时，正好写 longest 个词元。",
        ),
    )


@exercise("20.4", asks="beam")
def beam(answer: Answer, judge: Judge) -> None:
    """Sums of logarithms, the largest wins, ended sequences wait."""
    judge.equal(
        list(answer(_chances, "<", ".", 1, 3)),
        ["a", "x"],
        Hint(
            en="With width 1 the likeliest token must win at each step. Which end of the sorted "
            "list is kept?",
            zh="束宽为 1 时，每一步都应当是最可能的词元胜出。排序之后留下的是哪一头？",
        ),
    )
    judge.equal(
        list(answer(_chances, "<", ".", 2, 3)),
        ["b", "x"],
        Hint(
            en="Probabilities are multiplied. What happens to their logarithms?",
            zh="概率相乘，它们的对数该怎样？",
        ),
    )
    judge.equal(
        list(answer(lambda written: _LIKELY.get("".join(written[1:]), {".": 1.0}), "<", ".", 2, 3)),
        ["a", "x"],
        Hint(
            en="A beginning is judged by all its factors: the logarithms of all of them are added.",
            zh="评价一个开头要看它的全部因子：所有因子的对数都要加起来。",
        ),
    )
    judge.that(
        list(answer(_ending, "<", ".", 3, 6)) == [],
        Hint(
            en="Nothing is written after the end: a finished sequence keeps its probability "
            "and waits.",
            zh="结束之后不再写任何东西：写完的序列带着自己的概率等着。",
        ),
    )

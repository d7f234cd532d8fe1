"""Graders of lesson 18: words as vectors."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("18.1", asks="neighbours")
def neighbours(answer: Answer, judge: Judge) -> None:
    """Both sides, within the text, every occurrence, without the word's own place."""
    tokens = "a b c a d".split()
    found = answer(tokens, "c", 1)
    judge.that(
        isinstance(found, dict),
        Hint(en="Return a dict from word to count.", zh="请返回字典：词 → 次数。"),
    )
    judge.that(
        found != {"b": 1} and found != {"a": 1},
        Hint(
            en="A word has neighbours on both sides: before it and after it.",
            zh="邻居在两边都有：前面的和后面的。",
        ),
    )
    judge.that(
        "c" not in found,
        Hint(
            en="The place of the word itself is not one of its neighbours.",
            zh="词自己所在的位置不算邻居。",
        ),
    )
    judge.equal(
        found,
        {"b": 1, "a": 1},
        Hint(en="Count one place before and one after.", zh="前一个位置、后一个位置，各数一次。"),
    )
    judge.equal(
        answer(tokens, "a", 2),
        {"b": 2, "c": 2, "d": 1},
        Hint(
            en="Go over every occurrence of the word, and stop at both ends of the text: a "
            "negative index would count from the end.",
            zh="这个词每次出现都要数；到文章两头为止，负的下标会从末尾倒着取。",
        ),
    )
    judge.equal(
        answer("a a b".split(), "a", 1),
        {"a": 2, "b": 1},
        Hint(
            en="The same word at another place is a neighbour like any other; only the place "
            "itself is left out.",
            zh="别的位置上出现的同一个词也是邻居，只有自己所在的那个位置不算。",
        ),
    )


@exercise("18.2", asks="ppmi")
def ppmi(answer: Answer, judge: Judge) -> None:
    """Bits, the positive part, 0 where nothing was counted."""
    counts = np.array([[0, 4, 1], [4, 0, 1], [1, 1, 2]])
    each = counts.sum(axis=0)
    ratio = counts * counts.sum() / np.outer(each, each)
    wanted = np.log2(np.maximum(ratio, 1.0))
    found = answer(counts)
    judge.shape(
        found, (3, 3), Hint(en="One value for each pair of words.", zh="每一对词都要有一个值。")
    )
    found = np.asarray(found, float)
    judge.that(
        np.isfinite(found).all(),
        Hint(
            en="Words that never meet must not give infinity: their logarithm is never needed.",
            zh="从不相遇的两个词不应当得到无穷：它们的对数根本不必算。",
        ),
    )
    judge.that(
        found.min() >= 0,
        Hint(
            en="The first P of PPMI says: keep the positive part.",
            zh="PPMI 的第一个 P：只留正的部分。",
        ),
    )
    judge.that(
        not np.allclose(found, wanted * np.log(2)),
        Hint(
            en="Bits are wanted: which logarithm gives bits?", zh="单位是比特：该用哪个底的对数？"
        ),
    )
    judge.close(
        found,
        wanted,
        Hint(
            en="Compare the count with what chance alone explains: row sum times column sum over "
            "the total.",
            zh="把次数与“碰巧”能解释的部分相比：行和乘列和，再除以总和。",
        ),
    )


@exercise("18.3", asks="most_similar")
def most_similar(answer: Answer, judge: Judge) -> None:
    """By angle, not by length or distance, and never the word itself."""
    words = ["one", "two", "three", "four"]
    vectors = np.array([[1.0, 0.2], [9.0, 9.0], [0.3, 0.05], [1.0, -0.6]])
    found = answer("one", words, vectors.copy())
    judge.that(
        found != "one",
        Hint(en="Every word is most like itself: leave it out.", zh="最像自己的总是自己：要排除。"),
    )
    judge.that(
        found != "two",
        Hint(
            en="A long vector has large dot products with everything. Compare directions.",
            zh="长向量和谁的点积都大。要比的是方向。",
        ),
    )
    judge.equal(
        found,
        "three",
        Hint(en="Return the word with the largest cosine.", zh="返回余弦最大的那个词。"),
    )
    judge.equal(
        answer("two", ["one", "two"], np.array([[-1.0, 0.0], [1.0, 0.1]])),
        "one",
        Hint(
            en="Cosines may be negative; then the word itself must not win by a 0 in its place.",
            zh="余弦可能是负数；这时给自己填 0，自己反而会赢。",
        ),
    )


@exercise("18.4", asks="negative_sampling_loss")
def negative_sampling_loss(answer: Answer, judge: Judge) -> None:
    """The noise words' scores come with a minus sign, and all of them count."""
    centre, right = np.array([1.0, 0.5]), np.array([0.8, 0.4])
    wrong = np.array([[-0.5, 0.2], [0.3, 1.0]])
    scores = wrong @ centre
    true = np.log1p(np.exp(-(centre @ right)))
    found = answer(centre, right, wrong)
    judge.shape(found, (), Hint(en="The loss is one number.", zh="损失是一个数。"))
    judge.that(
        not np.isclose(found, true + np.log1p(np.exp(-scores)).sum()),
        Hint(
            en="The loss falls when noise words get high scores. Is that what we want?",
            zh="噪声词得分越高，损失就越小。这是我们想要的吗？",
        ),
    )
    judge.that(
        not np.isclose(found, true + np.log1p(np.exp(scores)).mean()),
        Hint(
            en="The noise words' parts are added up, not averaged.",
            zh="各个噪声词的部分是相加，不是取平均。",
        ),
    )
    judge.close(
        found,
        true + np.log1p(np.exp(scores)).sum(),
        Hint(
            en="Follow the formula term by term with the numbers of the lesson.",
            zh="用课文里的数，照公式一项一项核对。",
        ),
    )

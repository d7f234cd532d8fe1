"""Graders of lesson 14: hyper-parameters and an honest search."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("14.1", asks="log_uniform")
def log_uniform(answer: Answer, judge: Judge) -> None:
    """Half of the draws below the geometric mean."""
    random = np.random.default_rng(1)
    drawn = np.array([float(answer(1e-4, 1.0, random)) for _ in range(2000)])
    judge.that(
        drawn.min() > 0,
        Hint(
            en="Some numbers are not positive. A logarithm has to be turned back into a number.",
            zh="有些数不是正数。抽到的是对数，还要变回原来的数。",
        ),
    )
    judge.that(
        drawn.min() >= 1e-4 * (1 - 1e-9) and drawn.max() <= 1 + 1e-9,
        Hint(
            en="All numbers should lie between low and high. Did you go back with the same base?",
            zh="所有的数都应在 low 与 high 之间。去和回用的是同一个底吗？",
        ),
    )
    below = float((drawn < 0.01).mean())
    judge.that(
        below > 0.05,
        Hint(
            en="Nearly all are large: the numbers themselves are evenly spread, not their logs.",
            zh="几乎都是大的数：均匀分布的是数本身，不是它的对数。",
        ),
    )
    judge.that(
        abs(below - 0.5) < 0.06,
        Hint(
            en="Between 0.0001 and 1, half of the numbers should be below 0.01.",
            zh="在 0.0001 到 1 之间，应该有一半的数小于 0.01。",
        ),
    )


@exercise("14.2", asks="all_settings")
def all_settings(answer: Answer, judge: Judge) -> None:
    """The product of the lists, as dicts."""
    found = answer({"rate": [0.1, 0.01], "width": [16, 32, 64]})
    judge.that(
        isinstance(found, list) and all(isinstance(each, dict) for each in found),
        Hint(en="Return a list of dicts.", zh="返回字典的列表。"),
    )
    judge.that(
        len(found) not in (2, 3),
        Hint(
            en="This pairs the values one by one. Every rate should meet every width.",
            zh="这样是把值一一配对。每个 rate 都要和每个 width 碰面。",
        ),
    )
    wanted = [{"rate": r, "width": w} for r in (0.1, 0.01) for w in (16, 32, 64)]
    judge.that(
        len(found) == 6 and all(each in found for each in wanted),
        Hint(
            en="Two rates and three widths make six different combinations.",
            zh="两个 rate 和三个 width，一共六种不同的组合。",
        ),
    )
    one = answer({"a": [1, 2], "b": [3], "c": ["x", "y"]})
    judge.that(
        len(one) == 4 and {"a": 2, "b": 3, "c": "y"} in one,
        Hint(
            en="It should work for any names and any number of settings.",
            zh="名称和设置的个数可以是任意的。",
        ),
    )


@exercise("14.3", asks=("standard_error", "rows_needed"))
def errors(answer: Answer, judge: Judge) -> None:
    """The root of p(1 − p)/n, and its inverse."""
    found = answer.standard_error(0.8, 400)
    judge.that(
        not np.isclose(found, 0.0004),
        Hint(
            en="That is the variance; the standard error is its root.",
            zh="这是方差，标准误差还要开方。",
        ),
    )
    judge.that(
        not np.isclose(found, 0.4),
        Hint(
            en="That is the deviation of a single answer. How do many rows change it?",
            zh="这是单独一个答案的标准差。行数多了会怎样？",
        ),
    )
    judge.close(
        found,
        0.02,
        Hint(
            en="Put p = 0.8 and n = 400 into the formula of the lesson.",
            zh="把 p = 0.8 和 n = 400 代进课文的公式。",
        ),
    )
    rows = answer.rows_needed(0.8, 0.02)
    judge.that(
        rows == int(rows),
        Hint(en="Rows are whole numbers: round up.", zh="行数是整数：要向上取整。"),
    )
    judge.equal(
        int(rows),
        400,
        Hint(
            en="Solve the formula for n. With exactly 400 rows the error is 0.02.",
            zh="从公式里解出 n。恰好 400 行时，误差就是 0.02。",
        ),
    )
    judge.equal(
        int(answer.rows_needed(0.9, 0.02)),
        225,
        Hint(en="Does it depend on the accuracy?", zh="它跟准确率有关吗？"),
    )
    judge.equal(
        int(answer.rows_needed(0.8, 0.03)),
        178,
        Hint(
            en="Rounding down leaves the error a little too large.",
            zh="向下取整，误差就会超出一点。",
        ),
    )


@exercise("14.4", asks="report")
def report(answer: Answer, judge: Judge) -> None:
    """Chosen by validation, told by test."""
    trials = [
        {"settings": {"rate": 0.1}, "validation": 0.90, "test": 0.93},
        {"settings": {"rate": 0.01}, "validation": 0.95, "test": 0.91},
        {"settings": {"rate": 0.001}, "validation": 0.80, "test": 0.82},
    ]
    found = answer(trials)
    judge.that(
        isinstance(found, (tuple, list)) and len(found) == 2,
        Hint(en="Return two things: settings and accuracy.", zh="返回两样东西：设置和准确率。"),
    )
    judge.that(
        found[0] != {"rate": 0.1},
        Hint(
            en="The test rows have chosen. Which rows may choose?",
            zh="这是测试集挑的。谁才可以挑？",
        ),
    )
    judge.equal(
        found[0],
        {"rate": 0.01},
        Hint(
            en="Keep the settings with the highest validation accuracy.",
            zh="留下验证准确率最高的设置。",
        ),
    )
    judge.that(
        not np.isclose(found[1], 0.95),
        Hint(
            en="This number won the competition, so it is flattered. Which one is not?",
            zh="这个数是比赛的赢家，有水分。哪个数没有？",
        ),
    )
    judge.close(
        found[1],
        0.91,
        Hint(
            en="Publish the test accuracy of the settings that you keep, not the best of all.",
            zh="公布的是所留设置的测试准确率，不是所有里面最好的。",
        ),
    )


@exercise("14.5", asks="flattery")
def flattery(answer: Answer, judge: Judge) -> None:
    """The mean of the maximum, above the truth."""
    alone = answer(1, 100, 0.8, np.random.default_rng(0))
    judge.that(
        not abs(alone - 0.8) < 0.05,
        Hint(
            en="That is the accuracy that was measured. By how much is it above the true one?",
            zh="这是量出来的准确率。它比真实值高多少？",
        ),
    )
    judge.that(
        np.ndim(alone) == 0 and abs(alone) < 0.006,
        Hint(
            en="A single model is not flattered on average: it should be near 0.",
            zh="只有一个模型时，平均没有水分，应该接近 0。",
        ),
    )
    ten = answer(10, 100, 0.8, np.random.default_rng(1))
    judge.that(
        ten > 0.02,
        Hint(
            en="The best of ten should look better. Do you take the maximum in each repeat?",
            zh="十个里最好的应该显得更好。每次重复都取了最大值吗？",
        ),
    )
    judge.that(
        ten < 0.09,
        Hint(
            en="That is too much. Is it the maximum of all repeats? Take the mean over repeats.",
            zh="太多了：是不是对所有重复取了最大值，或者求了和？要对重复求平均。",
        ),
    )
    judge.that(
        0.05 < ten < 0.07,
        Hint(
            en="With ten models and 100 rows it should be about one and a half standard errors.",
            zh="十个模型、100 行时，应该大约是一个半标准误差。",
        ),
    )
    judge.that(
        abs(answer(10, 2500, 0.8, np.random.default_rng(2)) - 0.0123) < 0.003,
        Hint(
            en="More rows should flatter less. Is rows used?",
            zh="行数多了，水分应该少。用到 rows 了吗？",
        ),
    )

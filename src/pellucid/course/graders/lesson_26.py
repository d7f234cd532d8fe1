"""Graders of lesson 26: clusters and maps."""

from __future__ import annotations

import warnings

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("26.1", asks="assign")
def assign(answer: Answer, judge: Judge) -> None:
    """The nearest centre of each point."""
    points = np.array([[0.0, 0.0], [5.0, 1.0], [1.0, 6.0], [2.0, 0.0]])
    centres = np.array([[0.0, 1.0], [6.0, 0.0], [0.0, 6.0]])
    found = answer(points, centres)
    judge.shape(
        found,
        (4,),
        Hint(en="Return one number for each point.", zh="每个点返回一个编号。"),
    )
    judge.that(
        list(np.asarray(found)) != [1, 2, 1, 2],
        Hint(en="These are the farthest centres.", zh="这些是最远的中心。"),
    )
    tricky = answer(np.array([[0.0, 0.0]]), np.array([[-1.0, -1.0], [-3.0, 3.0]]))
    judge.equal(
        tricky,
        [0],
        Hint(
            en="Differences of opposite sign must not cancel: square them before adding.",
            zh="一正一负的差不能互相抵消：先平方，再相加。",
        ),
    )
    judge.equal(
        found,
        [0, 1, 2, 0],
        Hint(
            en="Add up the squared differences over the features, then take the smallest.",
            zh="把各特征之差的平方加起来，再取最小的。",
        ),
    )


@exercise("26.2", asks="new_centres")
def new_centres(answer: Answer, judge: Judge) -> None:
    """Means along the points; a lonely centre stays."""
    points = np.array([[0.0, 10.0], [2.0, 20.0], [8.0, 0.0]])
    centres = np.array([[1.0, 1.0], [7.0, 7.0]])
    found = answer(points, np.array([0, 0, 1]), centres)
    judge.shape(
        found,
        (2, 2),
        Hint(
            en="A centre has as many numbers as a point. Along which axis is the mean?",
            zh="中心的数和点一样多。沿着哪个轴求平均？",
        ),
    )
    judge.close(
        found,
        [[1.0, 15.0], [8.0, 0.0]],
        Hint(
            en="Each centre is the mean of its own points, feature by feature.",
            zh="每个中心是自己那些点的平均，各个特征分别算。",
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lonely = np.asarray(answer(points, np.array([0, 0, 0]), centres), float)
    judge.that(
        np.isfinite(lonely).all(),
        Hint(
            en="The second centre has no points: what is the mean of nothing?",
            zh="第二个中心没有点：一个点也没有，平均值是什么？",
        ),
    )
    judge.close(
        lonely[1],
        [7.0, 7.0],
        Hint(en="A centre without points stays where it is.", zh="没有点的中心留在原地。"),
    )
    judge.close(
        centres,
        [[1.0, 1.0], [7.0, 7.0]],
        Hint(
            en="The centres that were given have changed. Work on a copy.",
            zh="传进来的 centres 变了。请在副本上改。",
        ),
    )


@exercise("26.3", asks="purity")
def purity(answer: Answer, judge: Judge) -> None:
    """The commonest class of each group, counted."""
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    classes = np.array([5, 5, 2, 2, 2, 2, 5])
    found = answer(labels, classes)
    judge.that(
        not np.isclose(found, 0.0),
        Hint(
            en="A group's number is not a class: look for the commonest class in each group.",
            zh="组的编号不是类别：要找每组里最常见的类。",
        ),
    )
    judge.that(
        not np.isclose(found, (2 / 3 + 3 / 4) / 2),
        Hint(
            en="This averages over groups. Large groups should count more: divide by all rows.",
            zh="这是对各组求平均。大的组应该更有分量：要除以总行数。",
        ),
    )
    judge.close(
        found,
        5 / 7,
        Hint(
            en="Two of the first group and three of the second fit, of seven rows.",
            zh="第一组有两行对得上，第二组有三行，一共七行。",
        ),
    )
    judge.close(
        answer(np.array([3, 3, 9]), np.array([1, 1, 1])),
        1.0,
        Hint(
            en="Numbers of groups need not be 0, 1, 2, …",
            zh="组的编号不一定是 0、1、2……",
        ),
    )


@exercise("26.4", asks="first_direction")
def first_direction(answer: Answer, judge: Judge) -> None:
    """The last eigenvector, of centred data."""
    random = np.random.default_rng(4)
    along = random.normal(0, 3, 200)
    across = random.normal(0, 0.3, 200)
    centred = np.stack([0.6 * along - 0.8 * across, 0.8 * along + 0.6 * across], axis=1)
    far = centred + np.array([50.0, 0.0])
    found = np.asarray(answer(far), float)
    judge.shape(
        found,
        (2,),
        Hint(
            en="A direction has one number for each feature.",
            zh="方向里，每个特征有一个数。",
        ),
    )
    judge.that(
        np.isclose(np.linalg.norm(found), 1.0),
        Hint(en="The direction should have length 1.", zh="方向的长度应该是 1。"),
    )
    judge.that(
        abs(found[0]) < 0.98 and abs(found[1]) < 0.98,
        Hint(
            en="It depends on where the origin is. Which step comes before the covariance?",
            zh="结果跟原点在哪里有关。求协方差之前，少了哪一步？",
        ),
    )
    judge.that(
        abs(found @ np.array([0.8, -0.6])) < 0.99,
        Hint(
            en="Along this direction the points differ least. In which order does eigh sort?",
            zh="点在这个方向上差别最小。eigh 是按什么次序排的？",
        ),
    )
    judge.that(
        abs(found @ np.array([0.6, 0.8])) > 0.99,
        Hint(
            en="An eigenvector is a column of the matrix that eigh returns, not a row.",
            zh="特征向量是 eigh 返回的矩阵的一列，不是一行。",
        ),
    )

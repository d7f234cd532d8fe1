"""Graders of lesson 15: convolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.course.grading import Answer, Hint, Judge, exercise

Array = npt.NDArray[np.float64]


def _slide(image: Array, kernel: Array, stride: int = 1) -> Array:
    """The lesson's convolution of one picture with one kernel, without padding."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    moved: Array = (windows[::stride, ::stride] * kernel).sum(axis=(2, 3))
    return moved


@exercise("15.1", asks="output_size")
def output_size(answer: Answer, judge: Judge) -> None:
    """The size formula, with its rounding down."""
    plain = answer(4, 2)
    judge.that(
        plain != 2,
        Hint(
            en="Count on paper: a kernel of 2 on 4 pixels. Mind the place where it starts.",
            zh="在纸上数一数：4 个像素、大小为 2 的核能停几处？别漏了起点那一处。",
        ),
    )
    judge.equal(
        plain,
        3,
        Hint(
            en="Without padding and with stride 1, how many places has a kernel of 2 on 4 pixels?",
            zh="不填充、步幅为 1，4 个像素上大小为 2 的核能停几处？",
        ),
    )
    padded = answer(8, 3, padding=1)
    judge.that(
        padded != 7,
        Hint(
            en="Padding adds zeros on both sides of the row.",
            zh="填充在一行的两头都要补零。",
        ),
    )
    judge.equal(
        padded,
        8,
        Hint(
            en="With padding, the row is longer before the kernel starts.",
            zh="有了填充，核开始滑动之前这一行就已经变长了。",
        ),
    )
    judge.equal(
        answer(8, 3, stride=2),
        3,
        Hint(
            en="A window that does not fit any more is not counted: the answer is a whole number.",
            zh="放不下的窗口不算数，答案是整数。",
        ),
    )
    judge.equal(
        answer(11, 3, stride=3, padding=2),
        5,
        Hint(
            en="Check the order: padding first, then the kernel, then the stride, then the start.",
            zh="检查次序：先填充，再减去核，再除以步幅，最后加上起点。",
        ),
    )


@exercise("15.2", asks="kernel")
def kernel(answer: Answer, judge: Judge) -> None:
    """Everything one pixel to the left."""
    weights = np.asarray(answer.value, dtype=float)
    judge.shape(weights, (3, 3), Hint(en="The kernel has 3 × 3 numbers.", zh="核有 3 × 3 个数。"))
    image = np.arange(30.0).reshape(5, 6) ** 1.5
    moved = _slide(np.pad(image, 1), weights)
    wanted = np.pad(image, ((0, 0), (0, 1)))[:, 1:]
    right = np.pad(image, ((0, 0), (1, 0)))[:, :-1]
    judge.that(
        not np.allclose(moved, right),
        Hint(
            en="Yours moves the picture to the right. From which neighbour must a place take its "
            "number, if all go left?",
            zh="你的核把图移到了右边。大家都往左走，每个位置的数该从哪个邻居那里取？",
        ),
    )
    judge.that(
        not np.allclose(moved, image),
        Hint(
            en="Yours leaves the picture as it is. Which weight looks at the neighbour?",
            zh="你的核让图原样不动。哪个权重看的是邻居？",
        ),
    )
    judge.close(
        moved,
        wanted,
        Hint(
            en="One weight is enough: which of the nine looks at the pixel that should come here?",
            zh="一个权重就够了：九个里面，哪个正看着应当搬到这里来的像素？",
        ),
    )


@exercise("15.3", asks="max_pool")
def max_pool(answer: Answer, judge: Judge) -> None:
    """The maximum of each square; what is left over is left off."""
    image = np.array([[1.0, 3, 0, 0], [2, 1, 0, 5], [-7, -2, 1, 1], [-1, -9, 1, 8]])
    found = answer(image, 2)
    judge.shape(
        found,
        (2, 2),
        Hint(
            en="Squares do not overlap: 4 × 4 pixels give 2 × 2 numbers.",
            zh="方块互不重叠：4 × 4 个像素得到 2 × 2 个数。",
        ),
    )
    judge.that(
        not np.allclose(found, image.reshape(2, 2, 2, 2).mean(axis=(1, 3))),
        Hint(en="That is the mean; ask for the largest.", zh="这是平均值，题目要的是最大值。"),
    )
    judge.close(
        found,
        [[3, 5], [-1, 8]],
        Hint(
            en="Look at the square at the lower left: all its numbers are negative.",
            zh="看看左下角的方块：里面的数全是负的。",
        ),
    )
    tall = np.arange(35.0).reshape(5, 7)
    judge.close(
        answer(tall, 3),
        [[16, 19]],
        Hint(
            en="5 rows hold one square of 3 and 7 columns hold two; leave the others off.",
            zh="5 行只够一个 3，7 列够两个，多出来的舍去。",
        ),
    )


@exercise("15.4", asks="parameters")
def parameters(answer: Answer, judge: Judge) -> None:
    """Weights of all channels, and a bias for each output."""
    found = answer(3, 8, 3)
    judge.that(
        found != 216,
        Hint(
            en="These are the weights. What else does each kernel have?",
            zh="这只是权重。每个核还有什么？",
        ),
    )
    judge.that(
        found != 80,
        Hint(
            en="A kernel looks at all input channels, with weights for each.",
            zh="核要看所有输入通道，每个通道各有权重。",
        ),
    )
    judge.that(
        found != 240,
        Hint(
            en="A bias belongs to a kernel, not to each of its channels.",
            zh="偏置属于整个核，并非每个通道一个。",
        ),
    )
    judge.equal(
        found,
        224,
        Hint(
            en="Count for one kernel first; then there are as many of these as outputs.",
            zh="先数一个核，再乘以输出通道数。",
        ),
    )
    judge.equal(
        answer(16, 5, 1),
        85,
        Hint(en="Try kernels of 1 × 1 on paper as well.", zh="在纸上也算算 1 × 1 的核。"),
    )


@exercise("15.5", asks="convolve")
def convolve(answer: Answer, judge: Judge) -> None:
    """The stride moves the window; the kernel is not turned."""
    image = np.arange(30.0).reshape(5, 6) ** 1.5
    lopsided = np.array([[1.0, 2.0], [3.0, 5.0]])
    judge.close(
        answer(image, lopsided, 1),
        _slide(image, lopsided),
        Hint(
            en="Stride 1, a kernel with four different numbers: which weight meets the window's "
            "top left pixel?",
            zh="步幅为 1，核里四个数各不相同：窗口左上角的像素碰到的是哪个权重？",
        ),
    )
    judge.close(
        answer(image, lopsided, 2),
        _slide(image, lopsided, 2),
        Hint(
            en="Stride 2: where in the picture does the window of result [1, 0] start?",
            zh="步幅为 2：结果 [1, 0] 的窗口从图像的哪里开始？",
        ),
    )

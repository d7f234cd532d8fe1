"""Rows that are statements: the guide makes them, in both of its languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.nn.advice import HEADS, HIDDEN

DOCS = Path(__file__).resolve().parents[2] / "docs"


def text_of(name: str) -> str:
    """A page without emphasis and line breaks."""
    plain = (DOCS / name).read_text(encoding="utf-8").replace("*", "").replace("`", "")
    return re.sub(r"\s+", " ", plain)


ENGLISH, CHINESE = text_of("guide.md"), text_of("guide.zh-CN.md")


def squeezed(text: str) -> str:
    """Without spaces: in Chinese a line may break anywhere."""
    return text.replace(" ", "")


def says(english: str, chinese: str) -> None:
    assert english in ENGLISH, f"docs/guide.md does not say: {english}"
    assert squeezed(chinese) in squeezed(CHINESE), f"docs/guide.zh-CN.md does not say: {chinese}"


def test_B3_the_three_circles_of_artificial_intelligence() -> None:
    says(
        "artificial intelligence ⊃ machine learning ⊃ deep learning",
        "人工智能 ⊃ 机器学习 ⊃ 深度学习",
    )


def test_B6_the_biology_of_neurons() -> None:
    for english, chinese in (
        ("| synapse | passes a signal on, more or less strongly | weight", "| 突触 | 或强或弱"),
        ("| axon | carries the result to other cells | output", "| 轴突 | 把结果送往其他细胞 |"),
        ("dendrite", "树突"),
        ("an analogy and no more", "这只是类比"),
    ):
        says(english, chinese)


def test_B18_E8_the_loop_and_where_backward_ends() -> None:
    says("3. backward pass: computes gradients, changes no parameter", "只计算梯度，不改变任何参数")
    says("Back-propagation does not optimize", "反向传播不是优化算法")
    says(
        "structure, initial weights, forward pass, backward pass, update",
        "结构、初始权重、前向传播、反向传播、更新",
    )


def test_B26_the_common_example_is_not_a_small_value() -> None:
    says(
        "A normal distribution with mean 4 and deviation 2 is not",
        "均值为 4、标准差为 2 的正态分布不小",
    )


def test_B46_leaky_relu_passes_small_negative_values() -> None:
    says("Leaky ReLU lets small negative values through", "Leaky ReLU 会保留小的负激活值")


def test_A13_absolute_error_is_usable() -> None:
    says("Absolute error is usable", "绝对误差可以用")
    says("the slope there is taken to be 0", "那里的斜率约定为 0")


def test_D4_the_step_is_the_bridge() -> None:
    says("the bridge from the one to the other", "从感知机通向神经网络的桥梁")


def test_D30_activations_are_what_makes_networks_possible() -> None:
    says("what makes a network possible, not a refinement", "激活函数是神经网络成立的前提")


def test_D48_optimizers_by_aim() -> None:
    says("| works without much tuning | AdamW", "| 不怎么调也好用 | AdamW")
    says(
        "| best generalization, with time to tune | SGD with momentum", "追求泛化，有时间调 | 动量"
    )


def test_D49_what_deep_learning_is() -> None:
    says(
        "gradient-driven, iterative optimization in a space of non-linear functions",
        "深度学习是在非线性函数空间中由梯度驱动的迭代优化",
    )


def test_D50_a_unit_is_a_weighted_sum_a_bias_and_an_activation() -> None:
    says("a unit is a weighted sum, a bias and an activation", "神经元是加权和、偏置加激活函数")


def test_E1_history_with_its_dates() -> None:
    for year, english, chinese in (
        ("1958", "Rosenblatt", "Rosenblatt"),
        ("1969", "one layer cannot compute XOR", "单层不能计算 XOR"),
        ("1986", "back-propagation becomes known", "反向传播广为人知"),
        ("1997", "LSTM", "LSTM"),
        ("2012", "AlexNet", "AlexNet"),
    ):
        for page, words in ((ENGLISH, english), (CHINESE, chinese)):
            assert re.search(rf"\| {year}[^|]*\| [^|]*{words}", page), (year, words)
    says("a different method, not a network", "另一种方法，不是神经网络")
    says("Recurrent networks (loops over time) and recursive ones", "递归网络（recursive")


def test_E7_regularization_cures_overfitting_only() -> None:
    says("Regularization cures over-fitting only", "正则化只治过拟合")
    says("under-fitting | more units or layers", "欠拟合 | 更多神经元或层")


def test_D8_what_language_processing_is_for() -> None:
    says(
        "letting a computer understand what people say and write",
        "让计算机理解人说的话、写的文字",
    )


def test_E15_data_need_consent_and_care() -> None:
    says("Data about people need a reason, consent and care", "涉及人的数据需要理由、同意和谨慎")


SET_RIGHT = {
    "G1": ('"MSE" is not one thing', "“MSE”不止一种意思"),
    "G2": ("Values flow forward, gradients flow backward", "数值向前流，梯度向后流"),
    "G3": ("Do not update layer by layer", "不要一边往回走一边逐层更新"),
    "G4": ("Training does not promise the smallest loss", "训练并不保证损失达到最小"),
    "G5": ("Absolute error is usable", "绝对误差可以用"),
    "G6": ("wx + b is affine", "wx + b 是仿射变换"),
    "G7": ("convex bowl only for linear and logistic", "只有线性回归和逻辑回归的损失才是凸的"),
    "G8": ("derivative of the loss with respect to the weights", "是损失对权重的导数"),
    "G9": ("Weights do not simply shrink", "权重不是一步步变小"),
    "G10": ("z, a, L and J are four things", "z、a、L、J 是四样东西"),
    "G11": ("The derivative is not the step", "导数不是步长"),
    "G12": ("Back-propagation does not optimize", "反向传播不是优化算法"),
    "G13": (
        "Equal weights do not destroy symmetry, they keep it",
        "不是破坏对称性，而是保持对称性",
    ),
    "G14": ("Under-fitting wants capacity, features, training", "欠拟合需要的是容量、特征和训练"),
    "G15": (
        "A perceptron in the classic sense has a step function",
        "经典意义上的感知机用阶跃函数",
    ),
    "G16": ("| synapse |", "| 突触 |"),
    "G17": ("nn.Softmax(x) builds a layer", "nn.Softmax(x) 建立的是"),
    "G18": ("children of the years 1980 to 1997", "诞生于 1980 至 1997 年之间"),
    "G19": ("ReLU saturates too", "ReLU 也会饱和"),
    "G20": ("GELU", "GELU"),
    "G21": ("gradient depends on the layers after it", "梯度取决于它后面的层"),
    "G22": ("is for two classes", "是二分类的公式"),
}


@pytest.mark.parametrize("mistake", SET_RIGHT)
def test_mistakes_of_the_texts_are_set_right(mistake: str) -> None:
    says(*SET_RIGHT[mistake])


def test_B54_B55_B58_E11_the_guide_and_the_tables_in_the_code_agree() -> None:
    def row(page: str, start: str) -> list[str]:
        found = re.finditer(rf"\| {start}[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|", page)
        full = next((f for f in found if f[1].strip()), None)  # a glossary's rows are shorter
        assert full, start
        return [cell.replace(" ", "").replace("，", ",").lower() for cell in full.groups()]

    for page, hidden in ((ENGLISH, "hidden layers"), (CHINESE, "隐藏层")):
        first, second, avoid = row(page, hidden)
        advice = HIDDEN["hidden"]
        assert first.startswith(advice.choice.lower())
        for name, _ in advice.instead:
            assert name.lower() in second, name
        assert advice.avoid[0][0].lower() in avoid
    losses = {
        "MSELoss": "mse_loss",
        "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
        "CrossEntropyLoss": "cross_entropy",
    }
    names = {
        "regression": ("regression", "回归"),
        "binary": ("two classes", "二分类"),
        "multiclass": ("several classes", "多分类"),
        "multilabel": ("several labels", "多标签"),
    }
    for task, head in HEADS.items():
        for page, name in zip((ENGLISH, CHINESE), names[task], strict=True):
            assert row(page, f"{name} \\| Linear")[0].startswith(losses[head.loss]), (task, name)

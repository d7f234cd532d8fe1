"""Both guides name what a learner needs, hold the formulas, and say what each part is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    "en": ("guide.md", "doctor.md", "explanations.md", "effects.md"),
    "zh": ("guide.zh-CN.md", "doctor.zh-CN.md", "explanations.zh-CN.md", "effects.zh-CN.md"),
}
TEXTS = {
    language: "\n".join((DOCS / name).read_text(encoding="utf-8") for name in names)
    for language, names in PAGES.items()
}

LEFT_OUT = {
    "pellucid.nn": r".*[13]d|Lazy.*|Upsampling.*|Softmax2d|NLLLoss2d|FeatureAlphaDropout|Container|"
    r"RNNBase|RNNCellBase|Uninitialized.*",
    "pellucid.optim": "ParameterGroup|Optimizer",
    "pellucid.text": "",
    "pellucid.rl": "Agent|AgentFacts|Batch|Evaluation|Finding|Progress|Simulated|Simulations|Step|"
    "Transition|VectorEnvironment|VectorStep|A2CLoss|Course",
    "pellucid.insight.explain": ".*Rule|Check|ConceptTest|Counterfactuals|Effect|Explanation|"
    "GroupedExplanation|Importance|Influence|Interaction|Prototypes|Pruned|Verdict|Ablation|"
    "baselines_of|Forward|curves",
    "pellucid.insight.pictures": "Curve|GraphPicture|LearningCurve|LossSurface|Regions|SERIES|Step",
    "pellucid.training": "Baselines?|Comparison|EpochRecord|Event|LayerSummary|RunResult|RunState|"
    "SearchResult|Trial|run_folder|streaming|train_network|job",
}
"""Names that need no mention: variants of one that is named, what functions return, inner parts."""


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("module", LEFT_OUT)
def test_every_name_that_a_learner_needs_is_in_the_guides(language: str, module: str) -> None:
    named = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", TEXTS[language]))
    public = importlib.import_module(module).__all__
    needed = {name for name in public if not re.fullmatch(LEFT_OUT[module], name)}
    assert sorted(needed - named) == []


FORMULAS = (
    "v ← μv + g",  # momentum
    "w ← w − η(g + μv)",  # Nesterov
    "s ← s + g²",  # Adagrad
    "w ← w − ηg/(√s + ε)",  # the root, not the sum, is divided by
    "s ← αs + (1 − α)g²",  # RMSprop
    "m̂ = m/(1 − β₁ᵗ)",  # Adam
    "w ← w − ηm̂/(√v̂ + ε)",
    "λ/2 Σw²",
    "λ·sign(w)",
    "x·m/(1 − p)",  # dropout
    "γ(x − μ)/√(σ² + ε) + β",  # normalization
    "⌊(n + 2p − k)/s⌋ + 1",  # size after a convolution
    "c ← f·c + i·g",  # LSTM
    "softmax(QKᵀ/√d) V",
    "log₂ (p(x, y)/(p(x)·p(y)))",  # PPMI
    "x·y/(‖x‖·‖y‖)",
    "r + γV(s′)",  # Bellman
    "r + γ maxₐ′ Q(s′, a′)",
    "(v(S ∪ {i}) − v(S))",  # Shapley
)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_are_in_both_guides(language: str, formula: str) -> None:
    assert formula.replace(" ", "") in TEXTS[language].replace(" ", "")


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("slides one small set of weights, the kernel", "用一小组权重（卷积核）扫过图像"),
        ("the kernel is not turned round", "卷积核没有翻转"),
        ("joins neighbouring places into one value", "把相邻位置合成一个值"),
        ("a number between 0 and 1 (a sigmoid of input and state)", "0 到 1 之间的数"),
        ("*key* to be compared with and a *value* to be handed over", "*值*（value）供取用"),
        ("which action an agent takes in each state", "智能体在每个状态采取哪个动作"),
        ("the discounted sum of rewards to be expected", "以后奖励打折后的期望总和"),
    ],
)
def test_parts_are_explained(english: str, chinese: str) -> None:
    def squeezed(text: str) -> str:
        return re.sub(r"\s", "", text)

    assert squeezed(english) in squeezed(TEXTS["en"])
    assert squeezed(chinese) in squeezed(TEXTS["zh"])

"""Typical wrong answers to lesson 10, and the hint that each must get."""

from course.wrong import Wrong

HE = """def he_std(inputs):
    return {he}


def xavier_std(inputs, outputs):
    return {xavier}
"""
LOOP = """import numpy as np


def layer_gains(activation, std, layers=5, width=200, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (500, width))
    gains = []
    for layer in range(layers):
        {line}
        gains.append(float({size}))
    return gains
"""
STEP = "x = activation(x @ random.normal(0, std, (width, width)))"

WRONG = [
    Wrong("10.1", HE.format(he="2 / inputs", xavier="0.1"), "He's variance"),
    Wrong("10.1", HE.format(he="(1 / inputs) ** 0.5", xavier="0.1"), "What does ReLU do"),
    Wrong("10.1", HE.format(he="(2 / inputs) ** 0.5", xavier="(1 / inputs) ** 0.5"), "both ends"),
    Wrong("10.1", HE.format(he="(2 / inputs) ** 0.5", xavier="2 / (inputs + outputs)"), "root"),
    Wrong(
        "10.2",
        "def pre_activation_std(x, weight_std, bias_std=0.0):\n"
        "    return weight_std * abs(x).sum() + bias_std",
        "You added deviations",
    ),
    Wrong(
        "10.2",
        "def pre_activation_std(x, weight_std, bias_std=0.0):\n"
        "    return weight_std**2 * (x**2).sum() + bias_std**2",
        "variance of z",
    ),
    Wrong(
        "10.2",
        "def pre_activation_std(x, weight_std, bias_std=0.0):\n"
        "    return weight_std * (x**2).sum() ** 0.5 + bias_std",
        "one more variance",
    ),
    Wrong(
        "10.3",
        "def layer_weights(inputs, outputs, random):\n"
        "    return random.random((outputs, inputs)) * (2 / outputs) ** 0.5",
        "inputs first",
    ),
    Wrong(
        "10.3",
        "def layer_weights(inputs, outputs, random):\n"
        "    return random.random((inputs, outputs)) * (2 / inputs) ** 0.5",
        "random.random",
    ),
    Wrong(
        "10.3",
        "def layer_weights(inputs, outputs, random):\n"
        "    return random.normal(0, (2 / outputs) ** 0.5, (inputs, outputs))",
        "He count",
    ),
    Wrong(
        "10.3",
        "def layer_weights(inputs, outputs, random):\n"
        "    return random.normal(0, 2 / inputs, (inputs, outputs))",
        "not He's",
    ),
    Wrong(
        "10.4",
        "import numpy as np\n\n\ndef distinct_units(weight, bias):\n"
        "    return len(np.unique(weight, axis=0))",
        "a column",
    ),
    Wrong(
        "10.4",
        "import numpy as np\n\n\ndef distinct_units(weight, bias):\n"
        "    return len(np.unique(weight, axis=1).T)",
        "count the bias in",
    ),
    Wrong("10.5", LOOP.format(line=STEP, size="x.std()"), "around the mean"),
    Wrong(
        "10.5",
        LOOP.format(
            line="x = np.maximum(x @ random.normal(0, std, (width, width)), 0)",
            size="np.sqrt(np.mean(x**2))",
        ),
        "not always ReLU",
    ),
    Wrong(
        "10.5",
        LOOP.format(line=STEP.replace("x = ", "y = "), size="np.sqrt(np.mean(y**2))"),
        "output of the one before",
    ),
]

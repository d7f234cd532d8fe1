"""Typical wrong answers to lesson 11, and the hint that each must get."""

from course.wrong import Wrong

MOMENTUM = """def momentum_step(weight, gradient, buffer, rate, mu=0.9):
    {first}
    {second}
"""
FIRST = """def first_step(name, gradient, rate):
    if name == "SGD":
        return {sgd}
    if name == "RMSProp":
        return {rmsprop}
    return {others}
"""
ADAM = """import numpy as np


def adam_step(weight, gradient, memory, rate=0.001):
    {count}
    memory["m"] = 0.9 * memory["m"] + 0.1 * gradient
    memory["s"] = 0.999 * memory["s"] + 0.001 * {square}
    m = memory["m"] / (1 - 0.9 ** memory["t"])
    s = memory["s"] / (1 - {beta} ** memory["t"])
    return weight - rate * m / (np.sqrt(s) + 1e-8)
"""
BEST = """def best_rates(results):
    best, lowest = {{}}, {{}}
    for (optimizer, rate), loss in results.items():
        if {condition}:
            lowest[optimizer] = loss
            best[optimizer] = {kept}
    return best
"""
COUNT = 'memory["t"] += 1'

WRONG = [
    Wrong(
        "11.1",
        MOMENTUM.format(
            first="buffer = mu * buffer + (1 - mu) * gradient",
            second="return weight - rate * buffer, buffer",
        ),
        "takes a mean",
    ),
    Wrong(
        "11.1",
        MOMENTUM.format(
            first="weight = weight - rate * buffer",
            second="return weight, mu * buffer + gradient",
        ),
        "old buffer",
    ),
    Wrong(
        "11.1",
        MOMENTUM.format(
            first="buffer = mu * buffer + gradient",
            second="return weight - rate * buffer",
        ),
        "two things",
    ),
    Wrong(
        "11.2",
        FIRST.format(sgd="rate * gradient", rmsprop="rate", others="rate"),
        "against the gradient",
    ),
    Wrong(
        "11.2",
        FIRST.format(sgd="-rate * gradient", rmsprop="-rate", others="-rate"),
        "a hundredth",
    ),
    Wrong(
        "11.2",
        FIRST.format(sgd="-rate * gradient", rmsprop="-10 * rate", others="-rate"),
        "loses the sign",
    ),
    Wrong(
        "11.2",
        FIRST.format(sgd="-rate * gradient", rmsprop="-10 * rate", others="-rate * gradient"),
        "what is s",
    ),
    Wrong("11.3", ADAM.format(count=COUNT, square="gradient", beta="0.999"), "gradient's sign"),
    Wrong("11.3", ADAM.format(count=COUNT, square="gradient**2", beta="0.9"), "their own"),
    Wrong(
        "11.3",
        ADAM.format(count="", square="gradient**2", beta="0.999").replace(
            'memory["t"])', '(memory["t"] + 1))'
        ),
        "counts the steps",
    ),
    Wrong(
        "11.4",
        "def still_weight(rate, decay, steps):\n    return (1 - decay) ** steps",
        "multiplied by the learning rate",
    ),
    Wrong(
        "11.4",
        "def still_weight(rate, decay, steps):\n    return 1 - rate * decay * steps",
        "of what is left",
    ),
    Wrong(
        "11.5",
        BEST.format(condition="optimizer not in best or loss < lowest[optimizer]", kept="rate"),
        "NaN is False",
    ),
    Wrong(
        "11.5",
        BEST.format(condition="optimizer not in best or loss < lowest[optimizer]", kept="loss"),
        "lowest losses",
    ),
    Wrong(
        "11.5",
        BEST.format(condition="optimizer not in best or loss > lowest[optimizer]", kept="rate"),
        "highest losses",
    ),
]

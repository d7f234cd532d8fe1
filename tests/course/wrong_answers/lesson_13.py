"""Typical wrong answers to lesson 13, and the hint that each must get."""

from tests.course.wrong import Wrong

RATES = """def noise_for(noise, batch, new_batch):
    return {noise}


def scaled_rate(rate, batch, new_batch):
    return {rate}
"""
STANDARD = """import numpy as np


def standardized(train, test):
    mean, deviation = {source}.mean(axis=0), {source}.std(axis=0)
    {guard}
    return (train - train.mean(axis=0)) / train.std(axis=0), (test - mean) / deviation
"""
NORM = """import numpy as np


class BatchNorm:
    def __init__(self, features):
        self.mean, self.variance = np.zeros(features), np.ones(features)

    def __call__(self, x, training):
        mean, variance = {evaluated}
        if training:
            mean, variance = x.mean(axis={axis}, keepdims=True), x.var(axis={axis}, keepdims=True)
            self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
            self.variance = 0.9 * self.variance + 0.1 * x.var(axis=0, ddof=1)
        return (x - mean) / {by}
"""
RATE = """import math


def rate_at(step, steps, top, warm):
    if step < warm:
        return top * {up}
    return top * (1 + math.cos(math.pi * {done})) / 2
"""
FOLD = """def fold(weight, bias, mean, variance, gamma, beta):
    scale = gamma / {by}
    return weight * scale, {bias}
"""
ROOT, RUNNING = "np.sqrt(variance + 1e-5)", "self.mean, self.variance"
GOOD = "noise * (batch / new_batch) ** 0.5"

WRONG = [
    Wrong("13.1", RATES.format(noise="noise * batch / new_batch", rate="rate"), "variance falls"),
    Wrong("13.1", RATES.format(noise="noise * (new_batch / batch) ** 0.5", rate="rate"), "less"),
    Wrong("13.1", RATES.format(noise=GOOD, rate="rate * batch / new_batch"), "shorter or longer"),
    Wrong("13.1", RATES.format(noise=GOOD, rate="rate * (new_batch / batch) ** 0.5"), "linear"),
    Wrong("13.2", STANDARD.format(source="test", guard=""), "by themselves"),
    Wrong("13.2", STANDARD.format(source="train", guard=""), "deviation 0"),
    Wrong("13.3", NORM.format(evaluated=RUNNING, axis=1, by=ROOT), "layer normalization"),
    Wrong("13.3", NORM.format(evaluated=RUNNING, axis=0, by="(variance + 1e-5)"), "deviation 1"),
    Wrong(
        "13.3",
        NORM.format(evaluated="x.mean(axis=0), x.var(axis=0)", axis=0, by=ROOT),
        "compared with itself",
    ),
    Wrong("13.4", RATE.format(up="step / warm", done="(step - warm) / (steps - warm)"), "wasted"),
    Wrong("13.4", RATE.format(up="(step + 1) / warm", done="step / steps"), "are left"),
    Wrong("13.4", RATE.format(up="(step + 1) / warm", done="(step - warm) / steps"), "at the end"),
    Wrong("13.5", FOLD.format(by="(variance + 1e-5)", bias="bias"), "by its root"),
    Wrong("13.5", FOLD.format(by="(variance + 1e-5) ** 0.5", bias="bias * scale + beta"), "mean"),
    Wrong("13.5", FOLD.format(by="(variance + 1e-5) ** 0.5", bias="bias"), "x = 0"),
]

"""Layers that behave differently in training and evaluation."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

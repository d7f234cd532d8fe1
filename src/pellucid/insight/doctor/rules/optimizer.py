"""The optimizer and the settings of the training."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

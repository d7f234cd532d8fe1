"""The metric and the penalty beside the loss."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

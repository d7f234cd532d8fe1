"""Signals and gradients at the start, against those of a usual start."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

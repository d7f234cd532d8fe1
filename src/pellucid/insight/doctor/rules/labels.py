"""Targets: labels and numbers."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

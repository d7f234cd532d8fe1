"""Training and validation rows beside each other."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

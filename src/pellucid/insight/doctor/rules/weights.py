"""The first weights."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

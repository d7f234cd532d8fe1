"""Features before they enter the network."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

"""The network as a graph: what follows what."""

from pellucid.insight.doctor.rules import Rule

RULES: tuple[Rule, ...] = ()

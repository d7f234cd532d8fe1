"""Probes: experiments on a case's bench, each of which leaves everything as it was.

A probe is a function ``(case, suspicion) -> ProbeResult``; ``PROBES`` holds them by name.
"""

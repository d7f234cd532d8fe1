"""Rules: each looks at a case and gives suspicions; one file for each thing that is looked at.

A rule is a function ``(case) -> Iterator[Suspicion]`` that is silent where what it needs is not
known.  ``RULES`` lists them by the phase in which they make sense.
"""

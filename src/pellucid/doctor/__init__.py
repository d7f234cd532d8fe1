"""What is wrong with a training, why one may believe it, and what helps.

>>> from pellucid import doctor
>>> report = doctor.examine(model, (x, y), loss="cross_entropy", optimizer=adam)  # doctest: +SKIP
>>> print(report)                                                                 # doctest: +SKIP
"""

from pellucid.insight.doctor import *  # noqa: F403  (the same names, which stand there)
from pellucid.insight.doctor import __all__ as __all__


def __dir__() -> list[str]:
    return sorted(__all__)

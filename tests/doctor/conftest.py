"""In tests an error of a rule is an error: for users it is noted in the report, and no more."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
import pytest

from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.examine import examined
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.rules import Rule


@pytest.fixture(autouse=True)
def _errors_of_rules_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(rules: Iterable[Rule], case: Case) -> list[Suspicion]:
        with np.errstate(all="ignore"):
            return [suspicion for rule in rules for suspicion in rule(case)]

    module = sys.modules[examined.__module__]  # its name is also that of a function
    monkeypatch.setattr(module, "_asked", asked)

"""The doctor: what is wrong with a training, why one may believe it, and what helps.

:func:`examine` looks before the first step, :func:`examine_data` at data alone, :func:`watch`
follows a loop, :func:`examine_agent` asks an agent that learns from rewards.  Causes are in
:mod:`.causes`, what is said in :mod:`.findings` and :mod:`.report`, what is known of a training in
:mod:`.case`.
"""

from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.causes import CAUSES, Cause
from pellucid.insight.doctor.data import examine_data
from pellucid.insight.doctor.examine import examine
from pellucid.insight.doctor.findings import Evidence, Finding, Place, ProbeResult, Suspicion
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.rules.rewards import examine_agent, examine_rewards
from pellucid.insight.doctor.scripts import ScriptRun, run_script
from pellucid.insight.doctor.timeline import Timeline, TrainerTimeline
from pellucid.insight.doctor.watching import Watch, watch

__all__ = [
    "CAUSES",
    "Case",
    "Cause",
    "Evidence",
    "Finding",
    "Patch",
    "Place",
    "ProbeResult",
    "Report",
    "Rows",
    "ScriptRun",
    "Suspicion",
    "Timeline",
    "TrainerTimeline",
    "examine",
    "examine_agent",
    "examine_data",
    "examine_rewards",
    "run_script",
    "Watch",
    "watch",
]


def __dir__() -> list[str]:
    return sorted(__all__)

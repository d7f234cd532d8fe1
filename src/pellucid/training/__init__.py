"""Training: the Trainer, its settings, metrics, baselines and run folders."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.training import baselines as baselines
    from pellucid.training import config as config
    from pellucid.training import history as history
    from pellucid.training import job as job
    from pellucid.training import metrics as metrics
    from pellucid.training import network as network
    from pellucid.training import observe as observe
    from pellucid.training import run_folder as run_folder
    from pellucid.training import search as search
    from pellucid.training import summary as summary
    from pellucid.training import trainer as trainer
    from pellucid.training import verdict as verdict
    from pellucid.training.baselines import Baseline as Baseline
    from pellucid.training.baselines import Baselines as Baselines
    from pellucid.training.checkpoints import Checkpoints as Checkpoints
    from pellucid.training.config import TrainingConfig as TrainingConfig
    from pellucid.training.history import EpochRecord as EpochRecord
    from pellucid.training.history import Event as Event
    from pellucid.training.history import History as History
    from pellucid.training.history import StopTraining as StopTraining
    from pellucid.training.job import RunResult as RunResult
    from pellucid.training.job import train_network as train_network
    from pellucid.training.metrics import Metrics as Metrics
    from pellucid.training.metrics import roc_auc as roc_auc
    from pellucid.training.run_folder import load_run as load_run
    from pellucid.training.run_state import RunState as RunState
    from pellucid.training.saved_model import SavedModel as SavedModel
    from pellucid.training.search import Choice as Choice
    from pellucid.training.search import LogUniform as LogUniform
    from pellucid.training.search import SearchResult as SearchResult
    from pellucid.training.search import Trial as Trial
    from pellucid.training.search import Uniform as Uniform
    from pellucid.training.search import grid_search as grid_search
    from pellucid.training.summary import LayerSummary as LayerSummary
    from pellucid.training.summary import Summary as Summary
    from pellucid.training.trainer import Trainer as Trainer
    from pellucid.training.verdict import Comparison as Comparison
    from pellucid.training.verdict import compare as compare

__all__ = [
    "Baseline",
    "Baselines",
    "Checkpoints",
    "Choice",
    "Comparison",
    "EpochRecord",
    "Event",
    "History",
    "LayerSummary",
    "LogUniform",
    "Metrics",
    "RunResult",
    "RunState",
    "SavedModel",
    "SearchResult",
    "StopTraining",
    "Summary",
    "Trainer",
    "TrainingConfig",
    "Trial",
    "Uniform",
    "baselines",
    "compare",
    "config",
    "grid_search",
    "history",
    "job",
    "load_run",
    "metrics",
    "network",
    "observe",
    "roc_auc",
    "run_folder",
    "search",
    "summary",
    "train_network",
    "trainer",
    "verdict",
]

_PLACES = {
    "Baseline": "pellucid.training.baselines",
    "Baselines": "pellucid.training.baselines",
    "Checkpoints": "pellucid.training.checkpoints",
    "Choice": "pellucid.training.search",
    "Comparison": "pellucid.training.verdict",
    "EpochRecord": "pellucid.training.history",
    "Event": "pellucid.training.history",
    "History": "pellucid.training.history",
    "LayerSummary": "pellucid.training.summary",
    "LogUniform": "pellucid.training.search",
    "Metrics": "pellucid.training.metrics",
    "RunResult": "pellucid.training.job",
    "RunState": "pellucid.training.run_state",
    "SavedModel": "pellucid.training.saved_model",
    "SearchResult": "pellucid.training.search",
    "StopTraining": "pellucid.training.history",
    "Summary": "pellucid.training.summary",
    "Trainer": "pellucid.training.trainer",
    "TrainingConfig": "pellucid.training.config",
    "Trial": "pellucid.training.search",
    "Uniform": "pellucid.training.search",
    "baselines": "pellucid.training.baselines",
    "compare": "pellucid.training.verdict",
    "config": "pellucid.training.config",
    "grid_search": "pellucid.training.search",
    "history": "pellucid.training.history",
    "job": "pellucid.training.job",
    "load_run": "pellucid.training.run_folder",
    "metrics": "pellucid.training.metrics",
    "network": "pellucid.training.network",
    "observe": "pellucid.training.observe",
    "roc_auc": "pellucid.training.metrics",
    "run_folder": "pellucid.training.run_folder",
    "search": "pellucid.training.search",
    "summary": "pellucid.training.summary",
    "train_network": "pellucid.training.job",
    "trainer": "pellucid.training.trainer",
    "verdict": "pellucid.training.verdict",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)

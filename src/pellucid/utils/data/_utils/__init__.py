"""How a loader makes batches: rows into one batch, and the processes that do it."""

from pellucid.utils.data._utils import collate, worker

__all__ = ["collate", "worker"]

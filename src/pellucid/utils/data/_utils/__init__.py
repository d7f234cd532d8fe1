"""How a loader makes batches: rows into one batch, and the processes that do it."""

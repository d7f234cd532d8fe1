"""Floor 0: errors, dtypes, shape algebra, the event sink. Imports nothing of ours."""

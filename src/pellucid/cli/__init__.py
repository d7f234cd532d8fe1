"""The command line: ``pellucid train``, ``predict``, ``evaluate``, ``summary`` and ``doctor``."""

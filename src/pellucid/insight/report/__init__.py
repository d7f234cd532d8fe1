"""The report of a training run: one HTML file that needs nothing else and asks for nothing."""

from pellucid.insight.report.comparison import render_comparison
from pellucid.insight.report.page import render_report

__all__ = ["render_comparison", "render_report"]

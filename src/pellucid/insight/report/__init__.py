"""The report of a training run: one HTML file that needs nothing else and asks for nothing."""

from pellucid.insight.report.comparison import render_comparison
from pellucid.insight.report.page import render_report
from pellucid.insight.report.record import report_data, report_files, report_json
from pellucid.insight.report.shown import Report, report

__all__ = [
    "Report",
    "render_comparison",
    "render_report",
    "report",
    "report_data",
    "report_files",
    "report_json",
]

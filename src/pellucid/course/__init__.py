"""The course: lessons to read, exercises to solve, and who judges the answers.

``chinese_labels()`` is for programs in Chinese lessons, ``check("2.1")`` for notebooks.  Texts
are found by :mod:`pellucid.course.lessons`, answers are judged by :mod:`pellucid.course.checking`
with the graders of :mod:`pellucid.course.graders`; the command line offers both.
"""

from pellucid.course.inside import check
from pellucid.course.labels import chinese_labels

__all__ = ["check", "chinese_labels"]

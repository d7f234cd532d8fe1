"""The page's one script: values under the pointer, and zooming into a chart.

It reads what a chart was drawn from (the attribute ``data-chart``) and draws it again when a part
is chosen; without it every chart is complete and stands still.  The page's policy allows this
script alone, by its hash, so that nothing in a name or a value can run.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")

HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""SHA-256 of the script, as a content security policy names it."""

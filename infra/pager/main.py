"""The pager as `uvicorn infra.pager.main:app --port 9099` starts it: wiring only."""

import os
from pathlib import Path

from infra.pager.app import create

app = create(Path(os.environ.get("PAGER_DATA", ".local/data/pager")))

"""Silences alerts of the running platform for a while, for a drill or a deployment, with Alertmanager's own amtool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.setup.installation import BIN


def silence(data: DataFolder, matchers: Sequence[str], duration: str, reason: str, by: str) -> int:
    """Silences what all matchers select, such as `job=orchestrator`. Without matchers: lists what is silenced.

    Returns amtool's exit code. Raises `Failure` when nothing runs, or when a silence says neither why nor by whom.
    """
    try:
        addresses = json.loads((data.run / "addresses.json").read_text())
    except FileNotFoundError:
        raise Failure(f"Nothing runs in {data.run.parent}, or nothing ever did: nothing can be silenced.") from None
    amtool = [str(BIN / "amtool"), f"--alertmanager.url={addresses['alertmanager']}", "silence"]
    if not matchers:
        return subprocess.run([*amtool, "query", "--output=extended"], check=False).returncode
    if not reason or not by:
        raise Failure("A silence says why and by whom, or nobody dares to end it: REASON='we deploy' BY=me")
    told = [f"--duration={duration}", f"--comment={reason}", f"--author={by}"]
    done = subprocess.run([*amtool, "add", *told, *matchers], check=False)
    if done.returncode == 0:
        print(f"Silenced for {duration}. `make silence` lists the silences.")
    return done.returncode

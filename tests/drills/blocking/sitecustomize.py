"""Blocks an event loop: SIGUSR1 has the main thread of a Python process, where its loop runs, wait for 0.6 s.

Python runs this by itself, at the start of each process that has this folder in PYTHONPATH.
"""

import signal
import time

signal.signal(signal.SIGUSR1, lambda *_: time.sleep(0.6))

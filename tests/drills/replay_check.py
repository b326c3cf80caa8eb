"""make replay-check: the crash of 2020 pages on the days it must, and 2017 on none. About 35 minutes, both at once."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.drills.replay import LIMIT, Verdict, replay

REPLAYS = {
    "crash-2020.csv": ("2020-03-06", "2020-06-12"),
    "calm-2017.csv": ("2017-01-04", "2017-06-30"),
}


def main() -> int:
    """Runs both replays and prints what paged against what should have; 1 when they differ."""
    parser = argparse.ArgumentParser(prog="make replay-check", description=__doc__)
    parser.add_argument("--day-seconds", type=int, default=16, help="how long a trading date takes (%(default)s)")
    arguments = parser.parse_args()
    with ThreadPoolExecutor(len(REPLAYS)) as pool:
        running = {
            file: pool.submit(replay, file, start, end, arguments.day_seconds, partial(_say, file))
            for file, (start, end) in REPLAYS.items()
        }
        verdicts = {file: future.result() for file, future in running.items()}
    for file, verdict in verdicts.items():
        print(report(file, verdict))
    return 0 if all(verdict.good for verdict in verdicts.values()) else 1


def _say(file: str, text: str) -> None:
    print(f"{file}  {text}", flush=True)


def report(file: str, verdict: Verdict) -> str:
    """The verdict for a person."""
    near = sorted(verdict.losses.items(), key=lambda item: -item[1])[:8]
    return "\n".join(
        [
            "",
            f"{file}: {'good' if verdict.good else 'NOT GOOD'}",
            f"  trading dates:                 {len(verdict.losses)}, {verdict.traded_dates} of them with fills",
            f"  DailyLossExceeded paged for:   {', '.join(verdict.paged) or 'none'}",
            f"  recomputed losses over {float(LIMIT):.0%}:    {', '.join(verdict.expected) or 'none'}",
            f"  the worst dates, recomputed:   {', '.join(f'{date} {float(loss):.3%}' for date, loss in near)}",
            f"  DrawdownExceeded paged:        {verdict.drawdown_paged}",
            f"  the worst drawdown, recomputed: {float(verdict.drawdown):.1%}",
            f"  other pages:                   {verdict.other_pages or 'none'}",
            f"  P&L of the gateway:            {verdict.pnl}",
            f"  P&L recomputed from the fills: {verdict.recomputed}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

"""The public names of the library, which must not change by mistake."""

import telemetry


def test_the_public_names_are_these_and_sorted() -> None:
    assert telemetry.__all__ == [
        "Counter",
        "DatabaseProbe",
        "Gauge",
        "Histogram",
        "Open",
        "RedisProbe",
        "UpDownCounter",
        "init",
        "set_up_logging",
        "shutdown",
    ]
    assert telemetry.__all__ == sorted(telemetry.__all__)
    assert all(hasattr(telemetry, name) for name in telemetry.__all__)

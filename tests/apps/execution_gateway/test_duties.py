"""A duty that fails or hangs is ended, counted and named, and goes on when it can."""

from __future__ import annotations

import asyncio
import time

import pytest

from apps.background import background
from apps.catalogue import duty_failures_total, duty_last_success_timestamp_seconds
from apps.execution_gateway.duties import Wake, WatchedDuty
from apps.labels import DutyLabels
from apps.vocabulary import DeskDuty
from telemetry.testing import Recorded
from tests.waiting import until


async def nothing() -> None:
    pass


async def fail() -> None:
    raise ValueError("broken")


async def hang() -> None:
    await asyncio.Event().wait()


async def test_a_success_has_a_time_and_no_error(recorded: Recorded) -> None:
    duty = WatchedDuty(DeskDuty.FETCH, 5)
    duty_last_success_timestamp_seconds.set(1, {"duty": DeskDuty.FETCH})

    assert await duty.attempt(nothing)

    assert recorded(duty_last_success_timestamp_seconds, DutyLabels(duty=DeskDuty.FETCH)) == pytest.approx(
        time.time(), abs=5
    )
    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.FETCH)) == 0
    assert duty.error is None


async def test_a_failure_is_counted_and_said_and_does_not_move_the_last_success(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    duty = WatchedDuty(DeskDuty.SEND, 5)
    duty_last_success_timestamp_seconds.set(1, {"duty": DeskDuty.SEND})

    assert not await duty.attempt(fail)

    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.SEND)) == 1
    assert recorded(duty_last_success_timestamp_seconds, DutyLabels(duty=DeskDuty.SEND)) == 1
    assert str(duty.error) == "broken"
    assert "sending to the venue fails: ValueError: broken" in caplog.text
    assert await duty.attempt(nothing)
    assert duty.error is None


async def test_a_duty_that_hangs_is_ended_after_its_time_and_counts_as_failed(recorded: Recorded) -> None:
    duty = WatchedDuty(DeskDuty.RECONCILE, 0.01)

    assert not await asyncio.wait_for(duty.attempt(hang), 5)

    assert isinstance(duty.error, TimeoutError)
    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.RECONCILE)) == 1


async def test_the_age_of_a_duty_grows_from_its_start_until_it_succeeds() -> None:
    duty = WatchedDuty(DeskDuty.FETCH, 5)
    await until(lambda: duty.age > 0.05, "time has passed")
    await duty.attempt(fail)
    before = duty.age
    assert before > 0.05

    await duty.attempt(nothing)

    assert duty.age < before


async def test_a_cancellation_ends_a_duty_and_is_no_failure(recorded: Recorded) -> None:
    duty = WatchedDuty(DeskDuty.SEND, 5)
    task = asyncio.create_task(duty.attempt(hang))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.SEND)) == 0


async def test_a_cancellation_from_within_is_a_failure_and_ends_no_duty(recorded: Recorded) -> None:
    calls = 0

    async def cancel_itself() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise asyncio.CancelledError

    duty = WatchedDuty(DeskDuty.SEND, 5)
    async with background(duty.repeat(cancel_itself, lambda: asyncio.sleep(0))):
        await until(lambda: duty.error is not None, "it fails")
        assert str(duty.error) == "the work was cancelled from within"
        await until(lambda: calls >= 3, "it goes on")

    assert duty.error is None
    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.SEND)) == 2


async def test_one_duty_that_fails_and_one_that_hangs_leave_another_alone() -> None:
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1

    failing, hanging, working = (
        WatchedDuty(duty, seconds)
        for duty, seconds in ((DeskDuty.SEND, 5.0), (DeskDuty.RECONCILE, 60.0), (DeskDuty.FETCH, 5.0))
    )
    async with background(
        failing.repeat(fail, nothing),
        hanging.repeat(hang, nothing),
        working.repeat(work, lambda: asyncio.sleep(0)),
    ):
        await until(lambda: done > 20, "the third one works")

    assert str(failing.error) == "broken"
    assert working.error is None


async def test_a_duty_that_wakes_itself_again_and_again_leaves_another_alone() -> None:
    wake = Wake()
    done = 0

    async def wake_again() -> None:
        wake()

    async def work() -> None:
        nonlocal done
        done += 1

    restless, working = WatchedDuty(DeskDuty.SEND, 5), WatchedDuty(DeskDuty.FETCH, 5)
    async with background(
        restless.repeat(wake_again, lambda: wake.wait(60)), working.repeat(work, lambda: asyncio.sleep(0))
    ):
        await until(lambda: done > 20, "the other one works")


async def test_a_wake_that_came_before_counts_once() -> None:
    wake = Wake()
    wake()

    await asyncio.wait_for(wake.wait(60), 5)
    began = time.monotonic()
    await wake.wait(0.05)

    assert time.monotonic() - began >= 0.04


async def test_a_wake_ends_the_pause() -> None:
    wake = Wake()
    pause = asyncio.create_task(wake.wait(60))
    await asyncio.sleep(0)
    assert not pause.done()

    wake()

    await asyncio.wait_for(pause, 5)

"""Cells: each change happens at once, whatever interrupts it, and nobody waits for anybody."""

from __future__ import annotations

import dis
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import CodeType, FrameType
from typing import Annotated, Any

import pytest

from telemetry import Counter, Gauge, Histogram, Open, amounts, attributes, drops, recording, store, synchronous
from telemetry.attributes import OTHER, Label
from telemetry.registry import declared
from telemetry.store import Cell, Key, Store
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySymbol, labels
from tests.waiting import wait_until

# What lets nothing else run: it neither calls, nor jumps back, nor makes a container.
HARMLESS = (
    "CACHE", "COMPARE_OP", "CONTAINS_OP", "COPY", "COPY_FREE_VARS", "EXTENDED_ARG", "IS_OP", "JUMP_FORWARD", "NOP",
    "NOT_TAKEN", "POP_TOP", "SWAP", "TO_BOOL", "UNARY_NOT", "PUSH_NULL",
)  # fmt: skip
HARMLESS_BEGINNINGS = (
    "BINARY_OP", "BINARY_SUBSCR", "DELETE_SUBSCR", "LOAD_", "POP_JUMP_FORWARD", "POP_JUMP_IF", "RETURN_", "STORE_",
)  # fmt: skip


def nested(function: Callable[..., Any]) -> CodeType:
    """The function that another one makes."""
    [code] = [constant for constant in function.__code__.co_consts if isinstance(constant, CodeType)]
    return code


def changes(code: CodeType) -> list[dis.Instruction]:
    """From the first instruction that reads a cell which is then changed, to the last that changes one."""
    found = list(dis.get_instructions(code))
    stores = [at for at, one in enumerate(found) if one.opname == "STORE_SUBSCR"]
    last = stores[-1]
    line = found[stores[0]].positions
    assert line is not None
    first = next(at for at, one in enumerate(found) if one.positions and one.positions.lineno == line.lineno)
    return found[first : last + 1]


def body(function: Callable[..., Any]) -> list[dis.Instruction]:
    found = list(dis.get_instructions(function))
    begin = next(at for at, one in enumerate(found) if one.opname == "RESUME")
    return found[begin + 1 :]


CHANGES = {
    "adder": changes(nested(recording.adder)),
    "setter": changes(nested(recording.setter)),
    "recorder": changes(nested(recording.recorder)),
    "bound_adder": changes(nested(recording.bound_adder)),
    "bound_recorder": changes(nested(recording.bound_recorder)),
    "made adder": changes(nested(synchronous._Sum._quick_add)),
    "made recorder": changes(nested(synchronous.MadeHistogram._quick_record)),
    "added": body(amounts.added),
    "counted": body(amounts.counted),
    "raised": body(amounts.raised),
    "take": body(store.Room.take),
    "leave": body(store.Room.leave),
    "let_go": body(store.Room._let_go),
    "is_due": body(drops._is_due),
    "put": body(attributes.Open._put),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_else_can_run_in_the_middle_of_a_change(name: str) -> None:
    instructions = CHANGES[name]
    assert any(one.opname.startswith("STORE_") for one in instructions)

    harmful = [
        f"{one.opname} in line {one.positions.lineno if one.positions else '?'}"
        for one in instructions
        if one.opname not in HARMLESS and not one.opname.startswith(HARMLESS_BEGINNINGS)
    ]

    assert harmful == []


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(number: int, work: Callable[[int], None]) -> None:
    """Runs the work in so many threads, which begin together."""
    together = threading.Barrier(number)

    def run(own: int) -> None:
        together.wait()
        work(own)

    threads = [threading.Thread(target=run, args=(own,)) for own in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_record_of_any_thread_is_lost(switching: None) -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", BySymbol, unit="s", buckets=(1, 2))

    def work(own: int) -> None:
        bound, timed = counter.bind({"symbol": "A"}), histogram.bind({"symbol": "A"})
        for number in range(3000):
            counter.add(1, {"symbol": "A"})
            counter.add(0.5, {"symbol": f"S{number % 50}"})
            bound.add(1)
            histogram.record(number % 3 + 0.5, {"symbol": "A"})
            timed.record(0.5)

    in_threads(8, work)

    assert counter.values() == {("A",): 48_000, **{(f"S{number}",): 8 * 30.0 for number in range(50)}}
    assert histogram.values() == {("A",): ([8 * 4000, 8 * 1000, 8 * 1000], 8 * (1000 * 4.5 + 3000 * 0.5))}


def test_a_reader_sees_each_histogram_in_one_moment(switching: None) -> None:
    histogram = Histogram("things_seconds", "Things.", unit="s", buckets=range(1, 100))
    stop = threading.Event()

    def record() -> None:
        while not stop.is_set():
            histogram.record(0.5)

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    totals: set[float] = set()
    while len(totals) < 300:
        [(counts, total)] = histogram.values().values()
        totals.add(total)
        assert sum(counts) * 0.5 == total
    stop.set()
    for thread in threads:
        thread.join()


def test_threads_that_bring_new_values_at_once_never_exceed_the_limit(switching: None) -> None:
    for _ in range(30):
        gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=10)]), unit="{thing}")
        counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, Open(limit=10)]), unit="{thing}")

        def work(own: int, counter: Counter[Any] = counter, gauge: Gauge[Any] = gauge) -> None:
            for number in range(20):
                counter.add(1, {"symbol": f"S{(own * 7 + number) % 20}"})
                gauge.set(1, {"symbol": f"S{own}-{number}"})
                gauge.remove({"symbol": f"S{own}-{number}"})

        in_threads(4, work)

        values = counter.values()
        assert len(values) == 11
        assert sum(values.values()) == 80
        assert (OTHER,) in values
        gauge.remove({"symbol": OTHER})
        for number in range(10):
            gauge.set(number, {"symbol": f"N{number}"})
        assert gauge.values() == {(f"N{number}",): number for number in range(10)}, "room was lost"
        del declared[gauge.name], declared[counter.name]


def test_a_thread_that_is_slower_than_another_one_uses_up_no_room() -> None:
    calls = 0

    def make(key: Key) -> Cell:
        nonlocal calls
        calls += 1
        if calls == 1:
            made.cell(key)  # as a faster thread does it now
        return [calls, ""]

    made = Store((Label("symbol", open=Open(limit=1)),), make)

    assert made.cell(("A",)) is made.cell(("A",))
    assert (calls, made.cells) == (2, {("A",): [2, ""]})
    made.remove(("A",))
    assert made.shown_as(("B",)) == ("B",)


def test_a_signal_handler_may_record_what_the_main_thread_records() -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", unit="s")
    handled = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal handled
        handled += 1
        counter.add(1, {"symbol": "A"})
        counter.add(1, {"symbol": f"N{handled}"})
        counter.add(-1, {"symbol": "A"})  # it is dropped and said
        histogram.record(1)

    before = signal.signal(signal.SIGVTALRM, handle)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0001, 0.0001)
    recorded = 0
    try:
        while handled < 300:
            recorded += 1
            counter.add(1, {"symbol": "A"})
            counter.add(1, {"symbol": f"M{recorded}"})
            histogram.record(1)
            histogram.values()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

    assert sum(counter.values().values()) == 2 * (recorded + handled)
    assert counter.values()["A",] == recorded + handled
    assert sum(histogram.values()[()][0]) == recorded + handled


class Recording:
    """Records when it is collected as garbage."""

    def __init__(self, record: Callable[[], None]) -> None:
        self.record = record
        self.itself = self

    def __del__(self) -> None:
        self.record()


def test_an_object_may_record_while_it_is_collected_as_garbage() -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", BySymbol, unit="s")
    gauge = Gauge("things_current", "Things.", BySymbol, unit="{thing}")
    made = collected = 0

    def record() -> None:
        nonlocal collected
        collected += 1
        counter.add(1, {"symbol": f"D{collected % 200}"})
        histogram.record(1, {"symbol": f"D{collected % 50}"})
        gauge.replace({"A": collected})

    steps: list[Callable[[], object]] = [
        lambda: counter.add(1, {"symbol": f"M{made % 200}"}),
        lambda: histogram.record(1, {"symbol": f"M{made % 50}"}),
        histogram.values,
        lambda: histogram.write(histogram.snapshot().values()),
        counter.values,
        lambda: gauge.set(made, {"symbol": "B"}),
    ]
    before = gc.get_threshold()
    try:
        while made < 6000:
            made += 1
            gc.disable()
            gc.collect(0)
            Recording(record)
            gc.set_threshold(1 + made % 50)  # so that the collection begins anywhere in the step
            gc.enable()
            steps[made % len(steps)]()
    finally:
        gc.set_threshold(*before)
        gc.enable()
    gc.collect()

    assert collected == made
    assert sum(counter.values().values()) == made + made / len(steps)
    assert sum(histogram.readings().values()) == made + made / len(steps)


class ReadMeanwhile(dict[Key, Cell]):
    """Cells into which another thread records in the middle of each reading."""

    def __init__(self, cells: dict[Key, Cell], record: Callable[[], None]) -> None:
        super().__init__(cells)
        self._record = record
        self.records = 0

    def _meanwhile(self) -> None:
        thread = threading.Thread(target=self._record, daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive(), "the record waits for the reader"
        self.records += 1

    def copy(self) -> ReadMeanwhile:
        self._meanwhile()
        return self

    def values(self) -> Any:
        for cell in super().values():
            self._meanwhile()
            yield cell


@pytest.mark.parametrize(
    ("metric", "method", "times", "amount"),
    [(Counter, "add", 3, 16), (Gauge, "set", 1, 2), (Histogram, "record", 3, 8)],
)
def test_a_record_waits_for_no_reader(metric: type[Any], method: str, times: int, amount: int) -> None:
    things = metric("things_total" if metric is Counter else "things", "Things.", BySymbol)

    def records() -> None:
        record = getattr(things, method)
        record(2, {"symbol": "A"})
        record(Decimal(2), {"symbol": "A"})  # not the quick way
        record(2, {"symbol": "B"})

    records()
    cells = things.store.cells
    things.store.cells = read = ReadMeanwhile(cells, records)
    things.write(things.snapshot().values())
    things.store.cells = cells

    assert read.records == times
    assert things.read(("A",)) == amount


def test_a_child_of_a_process_whose_threads_record_begins_at_zero_and_cannot_hang(switching: None) -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    bound = counter.bind({"symbol": "A"})
    bound.add(1)
    stop = threading.Event()

    def record() -> None:
        sys.settrace(None)  # coverage's tracer takes a lock, which would stay locked in the child
        number = 0
        while not stop.is_set():
            number += 1
            counter.add(1, {"symbol": f"S{number % 300}"})
            counter.add(-1, {"symbol": "A"})

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            child = os.fork()
            if child == 0:
                counter.begin_again()
                bound.add(2)
                counter.add(3, {"symbol": "A"})
                counter.add(1, {"symbol": "New"})
                right = counter.values() == {("A",): 5, ("New",): 1}
                os._exit(0 if right else 1)
            assert ended(child) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ended(child: int) -> int:
    """How a child ended, within 10 s."""
    statuses: list[int] = []

    def has_ended() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            statuses.append(status)
        return bool(pid)

    try:
        wait_until(has_ended, 10, "the child ends")
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(statuses[0])


def test_threads_that_have_ended_leave_nothing_behind() -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    counter.add(1, {"symbol": "A"})
    before = sys.getsizeof(counter.store.cells) + sys.getsizeof(counter.store.cell(("A",)))

    for _ in range(2000):
        thread = threading.Thread(target=counter.add, args=(1, {"symbol": "A"}))
        thread.start()
        thread.join()

    assert counter.values() == {("A",): 2001}
    assert sys.getsizeof(counter.store.cells) + sys.getsizeof(counter.store.cell(("A",))) == before


def test_hostile_values_take_no_more_room_than_the_limit(dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, Open(limit=50)]), unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", labels(symbol=Annotated[str, Open(limit=50)]), unit="s")

    for number in range(50_000):
        counter.add(1, {"symbol": f"X{number}"})
        histogram.record(1, {"symbol": f"X{number}"})

    assert len(counter.store.cells) == len(histogram.store.cells) == 51
    assert counter.values()[OTHER,] == 49_950
    assert dropped("things_total") == {}

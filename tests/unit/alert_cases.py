"""What the alerts have to say in each case: what is changed in a system that is well, and who is told what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.unit.alert_series import (
    ARCHIVE_LAG,
    ARCHIVED,
    ARCHIVER,
    CLOCK,
    CONTROL_AGE,
    FAILED,
    GAP,
    GAP_BORN,
    LAG,
    NIGHT,
    NOT_SAVED,
    OVERDUE,
    OWNED,
    PROCESSED,
    READY,
    REFUSED,
    SAVED_AGE,
    STORED,
    WORKER,
    A,
    G,
    W,
    of_demo,
)


class Fired(NamedTuple):
    """An alert that somebody gets.

    Attributes:
        name: of the alert, without Hotbasket.
        said: its description, as it is read.
        labels: beside its severity; `over` tells those on one budget apart.
    """

    name: str
    said: str
    labels: Mapping[str, str] = {}


class Case(NamedTuple):
    """One case.

    Attributes:
        about: the alert that it is about, without Hotbasket.
        what: happens.
        changed: series of the system that is well; an empty one is not there.
        at_min: half a minute after it is looked; far from the edges of windows, where releases of Prometheus differ.
        fires: all that fires then.
        looks: how often rules are evaluated until then, if that is more than half an hour.
    """

    about: str
    what: str
    changed: Mapping[str, str]
    at_min: int
    fires: tuple[Fired, ...] = ()
    looks: int = 10

    def __str__(self) -> str:
        """Names the test."""
        return f"{self.about}: {self.what}"


def cases() -> list[Case]:
    """Gives every case on the live path but those of budgets: each alert fires in one and just does not in another."""
    return [*_OF_GATEWAYS, *_OF_WORKERS, *_OF_ARCHIVERS]


_SEEN_WORKER = f"hotbasket_streams_open{{{W}}}"
_BROKEN_DEMO = {
    of_demo(series): values
    for series, values in {
        f"up{{{G}}}": "0xN",
        READY: "0xN",
        LAG: "90xN",
        PROCESSED: "0xN",
        ARCHIVED: "0xN",
        GAP: "0x20 700xN",
        FAILED: "0+50xN",
        REFUSED: "0+6000xN",
        NIGHT: "1xN",
        OVERDUE: "1xN",
    }.items()
}
_NO_GATEWAY = Fired("NoGatewayReady", "For a minute no gateway has been ready, or none could be scraped.")
_OF_GATEWAYS = (
    Case("NoGatewayReady", "none is", {READY: "0xN"}, 3, (_NO_GATEWAY,)),
    Case("NoGatewayReady", "none is there", {READY: ""}, 3, (_NO_GATEWAY,)),
    Case("NoGatewayReady", "half a minute", {READY: "1x3 0xN"}, 4),
    Case("NoGatewayReady", "the demo is not, and nothing else of it is in order", _BROKEN_DEMO, 31),
    Case(
        "ProcessDown",
        "dead for six minutes",
        {f"up{{{W}}}": "1x5 0xN"},
        12,
        (Fired("ProcessDown", "worker-0 of job hotbasket has not answered for five minutes.", WORKER),),
    ),
    Case(
        "ProcessDown",
        "dead for three days",
        {f"up{{{W}}}": "1x5 0xN", _SEEN_WORKER: "0x5 _xN"},
        4_320,
        (Fired("ProcessDown", "worker-0 of job hotbasket has not answered for five minutes.", WORKER),),
    ),
    Case("ProcessDown", "taken out of the targets", {f"up{{{W}}}": "1x5 _xN", _SEEN_WORKER: "0x5 _xN"}, 30),
    Case("ProcessDown", "restarted", {f"up{{{W}}}": "1x5 0x2 1xN"}, 12),
    Case(
        "ControlDataOld",
        "Postgres is away",
        {CONTROL_AGE: "32xN"},
        6,
        (Fired("ControlDataOld", "worker-0 last saw the control data 32s ago.", WORKER),),
    ),
    Case("ControlDataOld", "Postgres is slow", {CONTROL_AGE: "29xN"}, 6),
    *(
        Case(
            "ClockWrong",
            f"by an hour, {way}",
            {CLOCK: f"{start}+60xN"},
            7,
            (Fired("ClockWrong", "worker-0 and Prometheus disagree by 1h 0m 0s.", WORKER),),
        )
        for way, start in (("ahead", 3_600), ("behind", -3_600))
    ),
    Case("ClockWrong", "by a little", {CLOCK: "4+60xN"}, 7),
    Case("ClockWrong", "and put right", {CLOCK: "3600+60x3 240+60xN"}, 8),
)
_UNREADABLE = FAILED.replace("not_processed", "undecodable")
_OF_WORKERS = (
    Case(
        "WorkerLags",
        "for five minutes",
        {LAG: "6xN"},
        5,
        (Fired("WorkerLags", "The oldest event in hand at worker-0 was 6s old.", WORKER),),
    ),
    Case(
        "WorkerLags",
        "for five minutes, and every other scrape finds it between two batches",
        {LAG: "6 0 6 0 6 0xN"},
        5,
        (Fired("WorkerLags", "The oldest event in hand at worker-0 was 6s old.", WORKER),),
    ),
    Case("WorkerLags", "a little", {LAG: "4xN"}, 4),
    Case("WorkerLags", "for a moment", {LAG: "0 0 90 0xN"}, 6),
    Case("WorkerLags", "for a minute", {LAG: "0x2 90xN"}, 4),
    Case("WorkerLags", "for longer than a minute, and it is over", {LAG: "0 90 90 0xN"}, 4),
    Case("WorkerLags", "for longer than a minute, and it was over long ago", {LAG: "0 90 90 0xN"}, 5),
    Case(
        "NothingProcessed",
        "workers stand still",
        {PROCESSED: "0+600x10 6000xN"},
        24,
        (Fired("NothingProcessed", "10 events a second are stored, and no worker processes any."),),
    ),
    Case("NothingProcessed", "nobody shops", {PROCESSED: "0+600x10 6000xN", STORED: "0+600x10 6000xN"}, 24),
    Case(
        "PartitionWithoutOwner",
        "a worker has left",
        {OWNED: "62xN"},
        3,
        (Fired("PartitionWithoutOwner", "Of 64 partitions 2 belong to no worker: their shoppers get no experiences."),),
    ),
    Case("PartitionWithoutOwner", "two share", {OWNED: "32xN", OWNED.replace("worker-0", "worker-1"): "32xN"}, 3),
    Case(
        "EventsFail",
        "a burst",
        {FAILED: "2x20 16xN"},
        25,
        (
            Fired(
                "EventsFail",
                "About 15 events failed in a quarter of an hour: not_processed.",
                {"reason": "not_processed"},
            ),
        ),
    ),
    Case(
        "EventsFail",
        "a burst before the first scrape",
        {_UNREADABLE: "_x20 50xN", _UNREADABLE.replace("_total", "_created"): "_x20 1200xN"},
        25,
        (
            Fired(
                "EventsFail", "About 50 events failed in a quarter of an hour: undecodable.", {"reason": "undecodable"}
            ),
        ),
    ),
    Case("EventsFail", "a few", {FAILED: "2x20 10xN"}, 25),
    Case(
        "CheckpointsFail",
        "all of them",
        {NOT_SAVED: "0x3 0+2xN"},
        20,
        (Fired("CheckpointsFail", "About 10 checkpoints of worker-0 failed in five minutes.", WORKER),),
    ),
    Case("CheckpointsFail", "some", {NOT_SAVED: "0x3 0+2x3 8xN"}, 12),
    Case(
        "CheckpointsOld",
        "none is begun",
        {SAVED_AGE: "70xN"},
        6,
        (Fired("CheckpointsOld", "worker-0 last began a checkpoint 1m 10s ago.", WORKER),),
    ),
    Case("CheckpointsOld", "one takes long", {SAVED_AGE: "59xN"}, 6),
)
_LAGS, _TOO_LATE = (
    f"The oldest event that a-0 has to copy is {age} old; Kafka keeps 7 days."
    for age in ("1d 18h 0m 1s", "5d 6h 0m 1s")
)
_DEAD_ARCHIVER = {f"up{{{A}}}": "1x10 0xN", ARCHIVED: "0+600x10 _xN", ARCHIVE_LAG: "30x10 _xN"}
_OF_ARCHIVERS = (
    Case(
        "LogGap",
        "at a restart",
        {GAP: "_x5 700xN", GAP_BORN: "_x5 240xN"},
        7,
        (Fired("LogGap", "About 700 records were gone when a-0 came for them.", ARCHIVER),),
    ),
    Case(
        "LogGap",
        "while it runs",
        {GAP: "0x100 700xN"},
        103,
        (Fired("LogGap", "About 705.9 records were gone when a-0 came for them.", ARCHIVER),),
    ),
    Case("LogGap", "an hour ago", {GAP: "0x20 700xN"}, 90),
    Case("LogGap", "days ago, and Prometheus was away", {GAP: "700x60 _x90 700xN"}, 155),
    Case("LogGap", "days ago, and Prometheus is new", {GAP: "_x5 700xN"}, 7),
    Case(
        "LogGap",
        "while Prometheus was away",
        {GAP: "0x60 _x90 700xN"},
        155,
        (Fired("LogGap", "About 700 records were gone when a-0 came for them.", ARCHIVER),),
    ),
    Case("ArchiverLags", "by a quarter", {ARCHIVE_LAG: "151201xN"}, 16, (Fired("ArchiverLags", _LAGS, ARCHIVER),)),
    Case("ArchiverLags", "by less", {ARCHIVE_LAG: "151199xN"}, 16),
    Case(
        "ArchiverLags",
        "by a quarter, between two batches",
        {ARCHIVE_LAG: "151201x13 0xN"},
        17,
        (Fired("ArchiverLags", _LAGS, ARCHIVER),),
    ),
    Case(
        "ArchiverNearlyTooLate",
        "by three quarters",
        {ARCHIVE_LAG: "453601xN"},
        16,
        (Fired("ArchiverLags", _TOO_LATE, ARCHIVER), Fired("ArchiverNearlyTooLate", _TOO_LATE, ARCHIVER)),
    ),
    Case(
        "ArchiverNearlyTooLate",
        "by less",
        {ARCHIVE_LAG: "151201xN"},
        16,
        (Fired("ArchiverLags", _LAGS, ARCHIVER),),
    ),
    Case(
        "ArchiverNearlyTooLate",
        "dead for six days and a half",
        _DEAD_ARCHIVER,
        9_600,
        (
            Fired("NothingArchived", "Events have been stored for 6d 0h 0m 27s, and no archiver copies any."),
            Fired(
                "ArchiverNearlyTooLate",
                "The oldest event that no archiver has to copy is 6d 0h 0m 27s old; Kafka keeps 7 days.",
            ),
        ),
    ),
    Case(
        "NothingArchived",
        "dead for an hour",
        _DEAD_ARCHIVER,
        110,
        (Fired("NothingArchived", "Events have been stored for 1h 6m 18s, and no archiver copies any."),),
    ),
    Case(
        "NothingArchived",
        "dead for three days, and nobody shops any more",
        {**_DEAD_ARCHIVER, STORED: "0+600x500 300000xN"},
        4_320,
        (Fired("NothingArchived", "Events have been stored for 2d 16h 48m 27s, and no archiver copies any."),),
    ),
    Case("NothingArchived", "half an hour", {ARCHIVED: "0+600x10 6000xN"}, 45),
    Case("NothingArchived", "dead, and back", {ARCHIVED: "0+600x10 _x120 0+600xN"}, 150),
    Case(
        "NothingArchived",
        "dead, and back: between two scrapes it had copied everything, and nobody shops any more",
        {
            ARCHIVED: "0+600x10 _x120 79000xN",
            ARCHIVED.replace("_total", "_created"): "0x10 _x120 7850xN",
            STORED: "0+600x120 72000xN",
        },
        400,
    ),
    Case(
        "NothingArchived",
        "dead, of a shop with an event in ten minutes",
        {ARCHIVED: "0 1xN", STORED: "0+0.1xN"},
        110,
        (Fired("NothingArchived", "Events have been stored for 1h 17m 21s, and no archiver copies any."),),
    ),
    Case("NothingArchived", "nobody shops", {ARCHIVED: "0+600x10 6000xN", STORED: "0+600x10 6000xN"}, 200),
)

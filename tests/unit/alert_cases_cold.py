"""What the alerts on nights and on promises about shoppers' data have to say in each case."""

from __future__ import annotations

from monitoring.alerts.objectives import BURNS, Burn
from monitoring.alerts.rules import duration
from tests.unit.alert_cases import Case, Fired
from tests.unit.alert_series import (
    CHECKED,
    COOLED,
    MISSING,
    NIGHT,
    OBJECTIONS,
    OLDEST,
    OVERDUE,
    PRIVACY_ERRORS,
    PUSHED,
    STORED,
    TOO_OLD,
)


def cold_cases() -> list[Case]:
    """Gives every case: of each alert one in which it fires and one in which it just does not."""
    return [*_OF_NIGHTS, *_OF_PRIVACY]


NO_END = "no night of shop had come to its end for 30 hours"
NOT_COOLED = "no cooling for shop had succeeded for 26 hours"


def late(name: str, what: str, day: str, three_days: str) -> tuple[Fired, ...]:
    """Gives what is said of something that is late for these shares of a day and of three; empty = nothing."""
    return tuple(
        Fired(
            name,
            f"For {share} of the last {over} {what}; 5.0% of 30 days may be so.",
            {"retailer": "shop", "over": over},
        )
        for share, over in ((day, "1d"), (three_days, "3d"))
        if share
    )


def overdue(share: str, burn: Burn) -> Fired:
    """Gives what is said of a request that was overdue for a share of a window."""
    over = duration(burn.long_s * 1_000)
    said = f"For {share} of the last {over} a privacy request was past its deadline; 0.1% of 30 days may be so."
    return Fired("PrivacyOverdue", said, {"over": over})


_ENDED = PUSHED.replace("push", "night")
_NO_NIGHT = Fired("NoNight", "Shoppers came days ago, and no night has ever told that it came to its end.")
_OF_NIGHTS = (
    Case("TreesOld", "all the time", {PUSHED: "-108100+60xN"}, 11, late("TreesOld", NO_END, "100%", "100%")),
    Case("TreesOld", "not quite", {PUSHED: "-107900+60xN"}, 11),
    Case("TreesOld", "for an hour", {PUSHED: "0xN"}, 30 * 60 + 60, looks=200),
    Case(
        "TreesOld", "for two hours", {PUSHED: "0xN"}, 30 * 60 + 130, late("TreesOld", NO_END, "", "6.965%"), looks=200
    ),
    Case("TreesOld", "nights end, and push nothing", {PUSHED: "-999700+60xN", _ENDED: "0xN"}, 11),
    Case("NoNight", "for three days", {PUSHED: ""}, 4_320, (_NO_NIGHT,)),
    Case("NoNight", "for three days, but for cooling by hand", {PUSHED: "", COOLED: "0+60xN"}, 4_320, (_NO_NIGHT,)),
    Case("NoNight", "the shop opened this morning", {PUSHED: "", STORED: "_x1200 0+600xN"}, 1_900),
    Case("NoNight", "nobody shops", {PUSHED: "", STORED: ""}, 4_320),
    Case("CoolingLate", "all the time", {COOLED: "-93700+60xN"}, 11, late("CoolingLate", NOT_COOLED, "100%", "100%")),
    Case("CoolingLate", "not quite", {COOLED: "-93500+60xN"}, 11),
    Case(
        "CoolingIncomplete",
        "three are missing",
        {MISSING: "3xN"},
        1,
        (
            Fired(
                "CoolingIncomplete",
                "3 events of shop are not in the warehouse after cooling.",
                {"retailer": "shop", "fate": "missing"},
            ),
        ),
    ),
    Case("CoolingIncomplete", "some failed", {MISSING.replace("missing", "failed"): "900xN"}, 1),
    Case(
        "NightFailed",
        "and nobody ran it again",
        {NIGHT: "1xN"},
        31,
        (Fired("NightFailed", "The last run of step grow for shop failed.", {"retailer": "shop", "step": "grow"}),),
    ),
    Case("NightFailed", "and was run again", {NIGHT: "1x20 0xN"}, 31),
    Case(
        "NightFailed",
        "of one shop, and another's went well",
        {NIGHT: "1xN", NIGHT.replace("shop", "corner"): "0xN"},
        31,
        (Fired("NightFailed", "The last run of step grow for shop failed.", {"retailer": "shop", "step": "grow"}),),
    ),
    Case(
        "TreesOld",
        "of one shop, and another's are new",
        {PUSHED: "-108100+60xN", PUSHED.replace("shop", "corner"): "0+60xN"},
        11,
        late("TreesOld", NO_END, "100%", "100%"),
    ),
)
_OF_PRIVACY = (
    Case("PrivacyOverdue", "one is", {OVERDUE: "1xN"}, 2, tuple(overdue("100%", burn) for burn in BURNS)),
    Case("PrivacyOverdue", "was, an hour ago", {OVERDUE: "0x60 1x2 0xN"}, 140),
    Case(
        "PrivacyDueSoon",
        "after 24 days",
        {OLDEST: "2073660xN"},
        2,
        (Fired("PrivacyDueSoon", "The oldest open privacy request was made 24d 0h 1m 0s ago; 30 days are allowed."),),
    ),
    Case("PrivacyDueSoon", "before", {OLDEST: "2073540xN"}, 2),
    Case(
        "PrivacyRequestsFail",
        "a store is away, asked every ten minutes",
        {PRIVACY_ERRORS: " ".join(f"{attempts}x9" for attempts in range(12))},
        105,
        (
            Fired(
                "PrivacyRequestsFail",
                "About 3.103 attempts at privacy requests failed in half an hour: a store or the log is away.",
            ),
        ),
    ),
    Case("PrivacyRequestsFail", "a store was away", {PRIVACY_ERRORS: "0x9 5xN"}, 105),
    Case(
        "ObjectionsWait",
        "a gateway does not confirm",
        {OBJECTIONS: "2xN"},
        21,
        (Fired("ObjectionsWait", "2 requests to suppress shoppers or to end that have been open for 20 minutes."),),
    ),
    Case(
        "DataTooOld",
        "in a store",
        {TOO_OLD: "129600xN"},
        2,
        (
            Fired(
                "DataTooOld",
                "The oldest record of warehouse is 1d 12h 0m 0s beyond what its retailer allows.",
                {"store": "warehouse"},
            ),
        ),
    ),
    Case("DataTooOld", "until a minute ago", {TOO_OLD: "2x4 0xN"}, 5),
    Case(
        "RetentionUnchecked",
        "since the first of January",
        {CHECKED: "3600xN"},
        3_300,
        (
            Fired(
                "RetentionUnchecked",
                "All stores were last searched for it at 1970-01-01 01:00:00 +0000 UTC; 1970 is never.",
            ),
        ),
    ),
    Case("RetentionUnchecked", "for less than two days", {CHECKED: "3600xN"}, 2_930),
    Case("ObjectionsWait", "until a dead one is given up", {OBJECTIONS: "2x12 0xN"}, 21),
)

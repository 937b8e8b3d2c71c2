"""What the alerts on nights and on promises about shoppers' data have to say in each case."""

from __future__ import annotations

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


_ENDED = PUSHED.replace("push", "night")
_NO_NIGHT = Fired("NoNight", "Shoppers came days ago, and no night has ever told that it came to its end.")
_OF_NIGHTS = (
    Case(
        "TreesOld",
        "two nights without",
        {PUSHED: "-129700+60xN"},
        11,
        (
            Fired(
                "TreesOld",
                "A night of shop last came to its end, or pushed trees, 1d 12h 2m 10s ago.",
                {"retailer": "shop"},
            ),
        ),
    ),
    Case("TreesOld", "not quite", {PUSHED: "-129500+60xN"}, 11),
    Case(
        "TreesOld", "nights end, and push nothing", {PUSHED: "-999700+60xN", PUSHED.replace("push", "night"): "0xN"}, 11
    ),
    Case("NoNight", "for three days", {PUSHED: ""}, 4_320, (_NO_NIGHT,)),
    Case("NoNight", "for three days, but for cooling by hand", {PUSHED: "", COOLED: "0+60xN"}, 4_320, (_NO_NIGHT,)),
    Case("NoNight", "the shop opened this morning", {PUSHED: "", STORED: "_x1200 0+600xN"}, 1_900),
    Case("NoNight", "nobody shops", {PUSHED: "", STORED: ""}, 4_320),
    Case(
        "CoolingLate",
        "a night without",
        {COOLED: "-108100+60xN"},
        11,
        (
            Fired(
                "CoolingLate",
                "The last cooling for shop that succeeded is 1d 6h 2m 10s old.",
                {"retailer": "shop", "step": "cool"},
            ),
        ),
    ),
    Case("CoolingLate", "not quite", {COOLED: "-107900+60xN"}, 11),
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
        {PUSHED: "-129700+60xN", PUSHED.replace("shop", "corner"): "0+60xN"},
        11,
        (
            Fired(
                "TreesOld",
                "A night of shop last came to its end, or pushed trees, 1d 12h 2m 10s ago.",
                {"retailer": "shop"},
            ),
        ),
    ),
)
_OF_PRIVACY = (
    Case(
        "PrivacyOverdue",
        "one is",
        {OVERDUE: "1xN"},
        2,
        (Fired("PrivacyOverdue", "1 privacy requests are past their deadline."),),
    ),
    Case("PrivacyOverdue", "half a minute", {OVERDUE: "0x2 1xN"}, 3),
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

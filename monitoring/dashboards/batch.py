"""Dashboard *Batch & models*: did the night go well, what did it learn, and what of it is in force?"""

from __future__ import annotations

from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row
from monitoring.dashboards.promql import else_zero, most, of

_HOUR_S = 3_600
_STALE = Limits(warn=30 * _HOUR_S, bad=36 * _HOUR_S)
_NEWEST = most("hotbasket_tree_generation_in_force", by="retailer")
_BEHIND = f"{of('hotbasket_tree_generation_in_force')} < on (retailer) group_left () {_NEWEST}"

_IN = of("hotbasket_cooled_rows", 'fate="in"')
_ACCOUNTED = of("hotbasket_cooled_rows", 'fate=~"merged|repeated|failed"')
_MISSING = of("hotbasket_cooled_rows", 'fate="missing"')

_NIGHT = Row(
    title="The last night",
    width=8,
    panels=(
        Chart(
            title="Since the last success",
            description="Time since each step last succeeded; a day is in order, 36 hours are a night without it.",
            unit="s",
            queries=(
                Query(
                    f"time() - {most('hotbasket_job_last_success_timestamp_seconds', by='retailer, step')}",
                    "{{retailer}}: {{step}}",
                ),
            ),
            limits=_STALE,
        ),
        Chart(
            title="Duration of each step",
            description="Time that the last run of each step took; a night that grows longer every day will meet the "
            "morning.",
            unit="s",
            queries=(Query(most("hotbasket_job_seconds", by="retailer, step"), "{{retailer}}: {{step}}"),),
            stacked=True,
        ),
        Chart(
            title="Failed steps",
            description="Steps whose last run failed, at 1; the trees in force stay, and hotbasket batch nightly goes "
            "on where it stopped.",
            unit="none",
            queries=(Query(most("hotbasket_job_failed", by="retailer, step"), "{{retailer}}: {{step}}"),),
            limits=Limits(warn=1, bad=1),
        ),
    ),
)

_OUTCOME = Row(
    title="What came of it",
    width=6,
    panels=(
        Chart(
            title="Cooled rows",
            description="Rows of the last cooling by their fate; merged alone are new in the warehouse, repeated are "
            "of days that were cooled before, and failed can't be read.",
            unit="none",
            queries=(Query(most("hotbasket_cooled_rows", by="fate"), "{{fate}}"),),
        ),
        Chart(
            title="Cooling, not accounted for",
            description="Rows that went into the last cooling and are neither merged, repeated nor failed, and events "
            "of the store that are not in the warehouse; anything but 0 is lost data.",
            unit="none",
            queries=(
                Query(
                    f"abs(sum({_IN}) - sum({_ACCOUNTED}))",
                    "unaccounted for",
                ),
                Query(f"sum({_MISSING})", "missing"),
            ),
            limits=Limits(warn=1, bad=1),
        ),
        Chart(
            title="Model quality",
            description="Measures of the last evaluation, by model; a model below the best baseline is not promoted, "
            "and the trees in force stay.",
            unit="percentunit",
            queries=(Query(most("hotbasket_model_quality", by="model, measure"), "{{model}} {{measure}}"),),
        ),
        Chart(
            title="Trees of the last run",
            description="Trees that the last run grew and pushed; fewer pushed than grown is bad where the push was "
            "no canary.",
            unit="none",
            queries=(Query(most("hotbasket_batch_trees", by="fate"), "{{fate}}"),),
        ),
    ),
)

_IN_FORCE = Row(
    title="What is in force",
    width=8,
    panels=(
        Chart(
            title="Generation of trees",
            description="Newest generation that workers follow, and the one that the night pushed last; in force "
            "below pushed is a rollback, or workers that hear nothing.",
            unit="none",
            queries=(
                Query(_NEWEST, "{{retailer}} in force"),
                Query(most("hotbasket_tree_generation", by="retailer"), "{{retailer}} pushed"),
            ),
        ),
        Chart(
            title="Age of trees",
            description="Time since the generation in force became visible; a day is in order, 36 hours are a night "
            "without new trees.",
            unit="s",
            queries=(
                Query(f"time() - {most('hotbasket_tree_release_timestamp_seconds', by='retailer')}", "{{retailer}}"),
            ),
            limits=_STALE,
        ),
        Chart(
            title="Workers behind",
            description="Workers that follow an older generation than another one does, of any retailer; more than 0 "
            "for longer than a minute is bad: they do not see the control data.",
            unit="none",
            queries=(Query(else_zero(f"count({_BEHIND})"), "behind"),),
            limits=Limits(warn=1, bad=1),
        ),
    ),
)

BATCH = Board(
    uid="hotbasket-batch",
    title="hotbasket: batch & models",
    description="Did the night go well, what did it learn, and what of it is in force?",
    rows=(_NIGHT, _OUTCOME, _IN_FORCE),
    told_by="up",
)

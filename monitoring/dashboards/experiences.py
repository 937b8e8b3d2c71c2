"""Dashboard *Shoppers & experiences*: what the shop's pages are given, and what campaigns promise and keep."""

from __future__ import annotations

from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row
from monitoring.dashboards.promql import else_zero, most, of, rate

_SHOPPERS = Row(
    title="Shoppers",
    width=8,
    panels=(
        Chart(
            title="In memory",
            description="Shoppers whose state workers hold; at HOTBASKET_RESIDENTS_MAX a worker puts out the longest "
            "idle, and many of them come back.",
            unit="none",
            queries=(Query(of("hotbasket_residents"), "{{instance}}"),),
            stacked=True,
        ),
        Chart(
            title="Experiences decided",
            description="Experiences a second, by kind; a kind that stops while events go on has lost its trees or "
            "its campaigns.",
            unit="cps",
            queries=(Query(rate("hotbasket_decided_experiences_total", by="kind"), "{{kind}}"),),
            stacked=True,
        ),
        Chart(
            title="What became of them",
            description="Experiences a second by kind and fate, those that held-out shoppers were not given too; many "
            "dismissed or replaced before they were shown are bad, and the next night's trees can do better.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_experience_fates_total", by="kind, fate"), "{{kind}} {{fate}}"),
                Query(rate("hotbasket_held_out_experiences_total", by="kind"), "{{kind}} held out"),
            ),
        ),
    ),
)

_CAMPAIGNS = Row(
    title="Campaigns",
    width=8,
    panels=(
        Chart(
            title="Shown and held out",
            description="Experiences a second that pages were given and that held-out shoppers were not; without a "
            "share held out nobody can say what a campaign brings.",
            unit="cps",
            queries=(
                Query(else_zero(rate("hotbasket_decided_experiences_total")), "decided"),
                Query(else_zero(rate("hotbasket_held_out_experiences_total")), "held out"),
            ),
        ),
        Chart(
            title="Why campaigns lose",
            description="Campaigns a second that a tree proposed and that lost, by reason; much budget means that a "
            "campaign has spent its own, or that the ledger does not answer.",
            unit="cps",
            queries=(Query(rate("hotbasket_campaigns_lost_total", by="reason"), "{{reason}}"),),
        ),
        Chart(
            title="Promises",
            description="Promises a second made against budgets, and what became of earlier ones, by cause; orders "
            "far below promises means that few are redeemed.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_reservations_total"), "made"),
                Query(rate("hotbasket_settlements_total", by="cause"), "{{cause}}"),
            ),
        ),
        Chart(
            title="Promised money",
            description="Minor units of money a second that promises may cost at most; a jump that nobody planned is "
            "worth a look at the newest campaign.",
            unit="none",
            queries=(Query(rate("hotbasket_reserved_minor_units_total"), "reserved"),),
        ),
        Chart(
            title="Failed dealings with the ledger",
            description="Times a second that a worker could not reach the ledger; while it lasts, campaigns lose for "
            "want of budget.",
            unit="cps",
            queries=(Query(else_zero(rate("hotbasket_worker_errors_total", 'what="leases"')), "failed"),),
        ),
        Chart(
            title="Drawn into bounds",
            description="Experiences a second whose generosity a tree put outside its campaign's bounds; above 0 "
            "trees and campaigns disagree until the next night.",
            unit="cps",
            queries=(Query(rate("hotbasket_clamped_experiences_total"), "clamped"),),
        ),
    ),
)

_BUDGET = most("hotbasket_budget_minor_units", by="retailer")
_LEFT = most("hotbasket_budget_left_minor_units", by="retailer")
_BUDGETS = Row(
    title="Budgets",
    width=12,
    panels=(
        Chart(
            title="Budget left",
            description="Share of the budgets of a retailer's open campaigns that is neither promised nor redeemed; "
            "at 0 campaigns lose for want of budget.",
            unit="percentunit",
            queries=(Query(f"{_LEFT} / ({_BUDGET} > 0)", "{{retailer}}"),),
            limits=Limits(warn=0.2, bad=0.05),
        ),
        Chart(
            title="Budget reserved",
            description="Minor units of money that the open promises of a retailer's open campaigns may still cost; "
            "one that only grows is bad: nobody redeems them, and they do not end.",
            unit="none",
            queries=(Query(most("hotbasket_budget_reserved_minor_units", by="retailer"), "{{retailer}}"),),
        ),
    ),
)

EXPERIENCES = Board(
    uid="hotbasket-experiences",
    title="hotbasket: shoppers & experiences",
    description="What are shoppers given, and what do campaigns promise and keep?",
    rows=(_SHOPPERS, _CAMPAIGNS, _BUDGETS),
)

"""Turns boards into Grafana's JSON: the one place that knows Grafana's library."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import Final, NamedTuple

from monitoring.dashboards.batch import BATCH
from monitoring.dashboards.experiences import EXPERIENCES
from monitoring.dashboards.live_path import LIVE_PATH
from monitoring.dashboards.overview import OVERVIEW
from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row, Stat
from monitoring.dashboards.privacy import PRIVACY
from monitoring.dashboards.servers import SERVERS

with warnings.catch_warnings():
    # It warns of parts of its own that nobody here uses, whoever imports it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
    from grafana_foundation_sdk.builders import dashboard as grafana
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
    from grafana_foundation_sdk.models import common as shapes
    from grafana_foundation_sdk.models import dashboard as model

BOARDS: Final = (OVERVIEW, LIVE_PATH, EXPERIENCES, BATCH, PRIVACY, SERVERS)
TAG: Final = "hotbasket"
_SOURCE: Final = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
_STAT_HEIGHT, _CHART_HEIGHT = 5, 8
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


class Options(NamedTuple):
    """What differs between installations.

    Attributes:
        partitions: of the event log; what the dashboard's variable says until somebody changes it there.
        scrape_s: seconds between two scrapes; no query takes smaller steps.
    """

    partitions: int = 64
    scrape_s: int = 15


def build(options: Options) -> dict[str, str]:
    """Gives the dashboards' JSON by file name; the same options give the same bytes."""
    encode = JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).encode
    return {f"{board.uid}.json": encode(_dashboard(board, options)) + "\n" for board in BOARDS}


def _dashboard(board: Board, options: Options) -> model.Dashboard:
    built = (
        grafana.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables(board.told_by, options))
        .link(
            grafana.DashboardLink("hotbasket")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    number = 0
    for row in board.rows:
        number += 1
        built = built.with_row(grafana.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built = built.with_panel(_panel(panel, row, options).id(number))
    return built.build()


def _variables(told_by: str, options: Options) -> list[Builder[model.VariableModel]]:
    return [
        grafana.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _labels("job", f"label_values({told_by}, job)"),
        _labels("instance", f'label_values({told_by}{{job=~"$job"}}, instance)'),
        grafana.TextBoxVariable("partitions")
        .label("Partitions")
        .description("Of the event log; 1 embedded.")
        .default_value(str(options.partitions))
        .current(model.VariableOption(text=str(options.partitions), value=str(options.partitions))),
    ]


def _labels(name: str, query: str) -> grafana.QueryVariable:
    return (
        grafana.QueryVariable(name)
        .label(name.title())
        .datasource(_SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _panel(panel: Stat | Chart, row: Row, options: Options) -> stat.Panel | timeseries.Panel:
    match panel:
        case Stat():
            return _stat(panel, options).span(row.width).height(_STAT_HEIGHT)
        case Chart():
            return _chart(panel, options).span(row.width).height(_CHART_HEIGHT)


def _stat(panel: Stat, options: Options) -> stat.Panel:
    built = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .interval(f"{options.scrape_s}s")
        .unit(panel.unit)
        .no_value(panel.empty)
        .thresholds(_thresholds(panel.limits))
        .color_scheme(grafana.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .color_mode(shapes.BigValueColorMode.BACKGROUND)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        # Of now: a range's last value would stay green long after its process died.
        .targets(_targets(panel.queries, lambda target: target.instant()))
    )
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    for beside in panel.queries[1:]:
        plain = model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "semi-dark-blue"})
        built = built.override_by_name(beside.legend, [plain])
    return built


def _chart(panel: Chart, options: Options) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .interval(f"{options.scrape_s}s")
        .unit(panel.unit)
        .min(0)
        .color_scheme(grafana.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(25 if panel.stacked else 5)
        .show_points(shapes.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .targets(_targets(panel.queries, lambda target: target.range()))
    )
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if panel.limits is not None:
        lines = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        built = built.thresholds(_thresholds(panel.limits)).thresholds_style(lines)
    return built


def _targets(
    queries: Sequence[Query], kind: Callable[[prometheus.Dataquery], prometheus.Dataquery]
) -> list[Builder[AnyQuery]]:
    return [
        kind(
            prometheus.Dataquery().ref_id(letter).datasource(_SOURCE).expr(query.expression).legend_format(query.legend)
        )
        for letter, query in zip(ascii_uppercase, queries, strict=False)
    ]


def _thresholds(limits: Limits) -> grafana.ThresholdsConfig:
    """Gives the colours: each holds from its value upwards, the first from below everything."""
    if limits.bad < limits.warn:
        steps = [(None, _RED), (limits.bad, _YELLOW), (limits.warn, _GREEN)]
    else:
        steps = [(None, _GREEN), (limits.warn, _YELLOW), (limits.bad, _RED)]
    if limits.bad == limits.warn:
        del steps[1]
    return (
        grafana.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )

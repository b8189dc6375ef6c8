"""The inside of a `data_visualization` block: a pie of segments, or series over the categories of one axis.

Limits: docs.slack.dev/reference/block-kit/blocks/data-visualization-block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.rehearsal.blockkit_elements import IdSeen
    from bot.rehearsal.options import Json

MAX_TITLE_CHARS = 50
MAX_LABEL_CHARS = 20
MAX_SERIES = 6
MAX_POINTS = 20


def check_chart(block: Json, place: str, errors: list[str], seen: IdSeen) -> None:
    _text(block.get("title"), f"{place}/title", errors, most=MAX_TITLE_CHARS)
    chart, at = block.get("chart"), f"{place}/chart"
    kind = chart.get("type") if isinstance(chart, dict) else None
    if kind == "pie":
        _pie(block["chart"], at, errors)
    elif kind in ("bar", "area", "line"):
        _series(block["chart"], at, errors)
    else:
        errors.append(f"chart type must be pie, bar, area or line [json-pointer:{at}/type]")


def _pie(chart: Json, at: str, errors: list[str]) -> None:
    for n, segment in enumerate(_items(chart.get("segments"), f"{at}/segments", errors, most=MAX_SERIES)):
        value = _point(segment, f"{at}/segments/{n}", errors)
        if value is not None and value <= 0:
            errors.append(f"value must be greater than 0 [json-pointer:{at}/segments/{n}/value]")


def _series(chart: Json, at: str, errors: list[str]) -> None:
    axis = chart.get("axis_config")
    axis = axis if isinstance(axis, dict) else {}
    categories = _items(axis.get("categories"), f"{at}/axis_config/categories", errors, most=MAX_POINTS)
    for n, category in enumerate(categories):
        _text(category, f"{at}/axis_config/categories/{n}", errors, most=MAX_LABEL_CHARS)
    if len({str(one) for one in categories}) != len(categories):
        errors.append(f"categories must be unique [json-pointer:{at}/axis_config/categories]")
    for name in ("x_label", "y_label"):
        if axis.get(name) is not None:
            _text(axis[name], f"{at}/axis_config/{name}", errors, most=MAX_TITLE_CHARS)
    names = []
    for n, one in enumerate(_items(chart.get("series"), f"{at}/series", errors, most=MAX_SERIES)):
        one = one if isinstance(one, dict) else {}
        names.append(one.get("name"))
        _text(one.get("name"), f"{at}/series/{n}/name", errors, most=MAX_LABEL_CHARS)
        points = _items(one.get("data"), f"{at}/series/{n}/data", errors, most=MAX_POINTS)
        for m, point in enumerate(points):
            _point(point, f"{at}/series/{n}/data/{m}", errors)
        labels = [point.get("label") for point in points if isinstance(point, dict)]
        if sorted(map(str, labels)) != sorted(map(str, categories)):
            errors.append(f"labels must match the categories [json-pointer:{at}/series/{n}/data]")
    if len({str(name) for name in names}) != len(names):
        errors.append(f"series names must be unique [json-pointer:{at}/series]")


def _point(point: Any, at: str, errors: list[str]) -> float | None:
    """A label with a finite number; returns the number."""
    point = point if isinstance(point, dict) else {}
    _text(point.get("label"), f"{at}/label", errors, most=MAX_LABEL_CHARS)
    value = point.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        errors.append(f"value must be a number [json-pointer:{at}/value]")
        return None
    return float(value)


def _items(value: Any, at: str, errors: list[str], *, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        errors.append(f"must have 1 to {most} items [json-pointer:{at}]")
        return []
    return value


def _text(value: Any, at: str, errors: list[str], *, most: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        errors.append(f"must be 1 to {most} characters [json-pointer:{at}]")

"""Draws the demo shop's products: one package shape, two colours and a motif make one picture, served to the pages."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from xml.etree import ElementTree as ET

from deploy.demo.goods import TABLES, Good

PALETTE: Mapping[str, str] = {
    "red": "#cf4235",
    "brick": "#a8402f",
    "orange": "#e8853a",
    "amber": "#e0a63f",
    "yellow": "#f2cf58",
    "lime": "#a9c65a",
    "green": "#5b9a57",
    "forest": "#2f6b4d",
    "teal": "#2f8285",
    "sky": "#86bfd9",
    "blue": "#3f79b5",
    "navy": "#2b4a7c",
    "violet": "#7b62b3",
    "plum": "#7d3b62",
    "pink": "#eb9db0",
    "rose": "#e58b86",
    "brown": "#8d5f3c",
    "cocoa": "#5e3a29",
    "sand": "#d9bd93",
    "cream": "#f6e8cb",
    "grey": "#9aa3ab",
    "black": "#33363b",
    "white": "#f7f7f4",
}
_NAMESPACE = "{http://www.w3.org/2000/svg}"
# Three loose pieces: the two behind first, then the one in front, as x, y and scale.
_LOOSE = ((52, 78, 1.35), (110, 76, 1.35), (80, 104, 1.75))


class Studio:
    """Holds the drawings and composes pictures from them."""

    def __init__(self) -> None:
        """Reads both drawing files."""
        self._shapes = _groups("shapes.svg")
        self._motifs = _groups("motifs.svg")

    def draw(self, good: Good) -> str:
        """Gives a product's picture as SVG, 160 x 160, without a background."""
        if good.shape == "loose":
            body = "".join(self._motif(good.motif, *place) for place in _LOOSE)
        else:
            body, label = self._shapes[good.shape]
            body = Template(body).substitute(_colours(good))
            if good.motif and label:
                x, y, scale = (float(number) for number in label.split())
                body += self._motif(good.motif, x, y, scale)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 160" width="160" height="160">'
            f'<ellipse cx="80" cy="141" rx="52" ry="7" fill="#2b2116" opacity=".13"/>{body}</svg>'
        )

    def _motif(self, name: str, x: float, y: float, scale: float) -> str:
        return f'<g transform="translate({x:g} {y:g}) scale({scale:g})">{self._motifs[name][0]}</g>'


def _groups(drawing: str) -> dict[str, tuple[str, str]]:
    """Gives each group's content and where its motif stands, by id."""
    # The drawings are files of this package, not input.
    root = ET.fromstring((TABLES / drawing).read_text(encoding="utf-8"))  # noqa: S314
    groups = {}
    for group in root.iter(f"{_NAMESPACE}g"):
        if name := group.get("id"):
            content = "".join(ET.tostring(part, encoding="unicode") for part in group)
            content = content.replace(' xmlns:ns0="http://www.w3.org/2000/svg"', "").replace("ns0:", "")
            groups[name] = (content, group.get("data-motif", ""))
    return groups


def _colours(good: Good) -> dict[str, str]:
    main = PALETTE[good.colour]
    return {"a": main, "d": _mixed(main, 0, 0.22), "l": _mixed(main, 255, 0.32), "b": PALETTE[good.accent]}


def _mixed(colour: str, towards: int, share: float) -> str:
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (towards - part) * share):02x}" for part in parts)

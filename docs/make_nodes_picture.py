"""Draw docs/pictures/nodes.svg: the value node, its topics and services, and its threads."""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 980, 470
NODE, TOPIC, SERVICE, INSIDE = "#cfd8f2", "#d6e8c9", "#f4e6b8", "#fffdf9"
# name, kind, left, top, width, height, lines of text
BOXES = (
    ("cameras", NODE, 24, 90, 140, 56, ("camera drivers", "or robovalue bag play")),
    ("image", TOPIC, 204, 60, 150, 44, ("image", "raw or compressed")),
    ("image_2", TOPIC, 204, 132, 150, 44, ("image_2", "raw or compressed")),
    ("node", NODE, 396, 36, 330, 330, ()),
    ("callback", INSIDE, 416, 90, 130, 60, ("callbacks", "main thread")),
    ("pairing", INSIDE, 416, 178, 130, 60, ("pairing", "by stamp")),
    ("mailbox", INSIDE, 416, 266, 130, 60, ("mailbox", "newest only, counted")),
    ("worker", INSIDE, 576, 266, 130, 60, ("convert", "worker thread")),
    ("stream", INSIDE, 576, 178, 130, 60, ("ValueStream", "the one of every door")),
    ("publish", INSIDE, 576, 90, 130, 60, ("publish", "stamped as the image")),
    ("value", TOPIC, 768, 44, 188, 44, ("~/value", "Float32, 0..1")),
    ("state", TOPIC, 768, 100, 188, 44, ("~/state", "DiagnosticArray, stamped")),
    ("event", TOPIC, 768, 156, 188, 44, ("~/event", "String, JSON")),
    ("diagnostics", TOPIC, 768, 212, 188, 44, ("/diagnostics", "once a second")),
    ("reset", SERVICE, 768, 268, 188, 44, ("~/reset", "Trigger: a new try")),
    ("snapshot", SERVICE, 768, 324, 188, 44, ("~/snapshot", "Trigger: the last minute")),
    ("manager", NODE, 24, 250, 140, 56, ("lifecycle", "manager, or autostart")),
    ("lifecycle", SERVICE, 204, 256, 150, 44, ("~/change_state", "configure, activate")),
)
ARROWS = (
    ("cameras", "image"), ("cameras", "image_2"), ("image", "callback"), ("image_2", "callback"),
    ("callback", "pairing"), ("pairing", "mailbox"), ("mailbox", "worker"), ("worker", "stream"),
    ("stream", "publish"), ("publish", "value"), ("publish", "state"), ("publish", "event"),
    ("manager", "lifecycle"), ("lifecycle", "node"), ("node", "diagnostics"), ("reset", "node"),
    ("snapshot", "node"),
)  # fmt: skip
LEGEND = ((NODE, "node"), (TOPIC, "topic"), (SERVICE, "service"), (INSIDE, "inside the node"))


def draw() -> str:
    """Return the picture as SVG text."""
    places = {name: (x, y, w, h) for name, _, x, y, w, h, _ in BOXES}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#777"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#fffdf9"/>',
    ]
    for name, colour, x, y, w, h, lines in BOXES:
        parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{colour}" '
            'stroke="#00000033"/>'
        )
        if name == "node":
            parts.append(_text(x + w / 2, y + 30, "value_node", 16, "600"))
        for row, line in enumerate(lines):
            size, weight = (14, "600") if row == 0 else (11, "400")
            parts.append(_text(x + w / 2, y + h / 2 - 3 + 17 * row, line, size, weight))
    parts += [_arrow(places[begin], places[end]) for begin, end in ARROWS]
    for place, (colour, text) in enumerate(LEGEND):
        x = 24 + 190 * place
        parts.append(
            f'<rect x="{x}" y="{HEIGHT - 48}" width="22" height="18" rx="4" fill="{colour}" '
            f'stroke="#00000033"/><text x="{x + 32}" y="{HEIGHT - 34}" fill="#333">{text}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, size: int, weight: str) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" fill="#222" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _arrow(begin: tuple[int, ...], end: tuple[int, ...]) -> str:
    """Return a line between the nearest sides of two boxes."""
    (x, y, w, h), (u, v, p, q) = begin, end
    if x + w <= u:
        line = x + w, y + h / 2, u, _level(y + h / 2, v, q)
    elif u + p <= x:
        line = x, y + h / 2, u + p, _level(y + h / 2, v, q)
    elif y + h <= v:
        line = x + w / 2, y + h, u + p / 2, v
    else:
        line = x + w / 2, y, u + p / 2, v + q
    if begin[2] > 200:  # out of the node itself: at the height of what it goes to
        line = line[0], v + q / 2, line[2], v + q / 2
    a, b, c, d = line
    return (
        f'<path d="M{a:.0f} {b:.0f} L{c:.0f} {d:.0f}" stroke="#777" stroke-width="1.5" '
        'fill="none" marker-end="url(#tip)"/>'
    )


def _level(wanted: float, top: int, height: int) -> float:
    """Return a height on the side of a large box that keeps an arrow level."""
    return min(max(wanted, top + 12), top + height - 12) if height > 100 else top + height / 2


if __name__ == "__main__":
    (Path(__file__).parent / "pictures" / "nodes.svg").write_text(draw(), encoding="utf-8")

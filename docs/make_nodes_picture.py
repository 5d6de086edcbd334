"""Draw docs/pictures/nodes.svg: the nodes, their topics and services, and what is inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 980, 870
NODE, TOPIC, SERVICE, INSIDE = "#cfd8f2", "#d6e8c9", "#f4e6b8", "#fffdf9"
WIDE, TALL = 200, 80  # boxes that hold boxes, and boxes that arrows meet at any height
# name, kind, left, top, width, height, lines of text
BOXES = (
    ("cameras", NODE, 24, 36, 140, 56, ("camera drivers", "or robovalue bag play")),
    ("sim", NODE, 24, 120, 140, 674, ("sim_node", "a Gymnasium", "environment as a robot")),
    ("image", TOPIC, 204, 60, 150, 44, ("image", "raw or compressed")),
    ("image_2", TOPIC, 204, 132, 150, 44, ("image_2", "raw or compressed")),
    ("joints", TOPIC, 204, 566, 150, 44, ("joint_states", "where the robot is")),
    ("command", TOPIC, 204, 626, 150, 44, ("command", "where it shall be")),
    ("told", TOPIC, 204, 686, 150, 44, ("/clock, task", "~/episode, ~/progress")),
    ("sim_services", SERVICE, 204, 746, 150, 44, ("~/reset, ~/pause", "Trigger, SetBool")),
    ("node", NODE, 396, 36, 330, 330, ("value_node",)),
    ("callback", INSIDE, 416, 90, 130, 60, ("callbacks", "main thread")),
    ("pairing", INSIDE, 416, 178, 130, 60, ("pairing", "by stamp")),
    ("mailbox", INSIDE, 416, 266, 130, 60, ("mailbox", "newest only, counted")),
    ("worker", INSIDE, 576, 266, 130, 60, ("convert", "worker thread")),
    ("stream", INSIDE, 576, 178, 130, 60, ("ValueStream", "the one of every door")),
    ("publish", INSIDE, 576, 90, 130, 60, ("publish", "stamped as the image")),
    ("cutter", NODE, 396, 396, 330, 110, ("segmenter_node",)),
    ("windows", INSIDE, 416, 440, 130, 52, ("windows", "main thread, by slots")),
    ("actions", INSIDE, 568, 440, 146, 52, ("SegmentStream", "worker thread")),
    ("energy", TOPIC, 768, 392, 188, 44, ("~/energy, ~/state", "of every window, stamped")),
    ("segment", TOPIC, 768, 444, 188, 44, ("~/segment", "String, JSON: begin and end")),
    ("arm", NODE, 396, 546, 330, 180, ("robovalue/RealArm-v0",)),
    ("link", INSIDE, 416, 606, 130, 84, ("RosArm", "the link: newest of", "everything, targets")),
    ("guard", INSIDE, 576, 606, 130, 84, ("guard", "speed, limits, age;", "else hold")),
    ("value", TOPIC, 768, 44, 188, 44, ("~/value", "Float32, 0..1")),
    ("state", TOPIC, 768, 100, 188, 44, ("~/state", "DiagnosticArray, stamped")),
    ("event", TOPIC, 768, 156, 188, 44, ("~/event", "String, JSON")),
    ("diagnostics", TOPIC, 768, 212, 188, 44, ("/diagnostics", "once a second, of every node")),
    ("reset", SERVICE, 768, 268, 188, 44, ("~/reset, ~/snapshot", "a new try; the last minute")),
    ("lifecycle", SERVICE, 768, 324, 188, 44, ("~/change_state", "of every node, or autostart")),
    ("policy", NODE, 768, 614, 188, 68, ("your policy", "reset() and step(), or a script")),
)  # fmt: skip
ARROWS = (
    ("cameras", "image"), ("cameras", "image_2"), ("image", "callback"), ("image_2", "callback"),
    ("callback", "pairing"), ("pairing", "mailbox"), ("mailbox", "worker"), ("worker", "stream"),
    ("stream", "publish"), ("publish", "value"), ("publish", "state"), ("publish", "event"),
    ("node", "diagnostics"), ("reset", "node"), ("lifecycle", "node"), ("sim", "image"),
    ("sim", "image_2"), ("sim", "joints"), ("joints", "link"), ("link", "command"),
    ("command", "sim"), ("sim", "told"), ("sim_services", "sim"), ("guard", "link"),
    ("policy", "guard"), ("windows", "actions"), ("actions", "energy"), ("actions", "segment"),
)  # fmt: skip
# Ways around what lies between, as corners: pictures for the windows and for the link, observations
# for the policy.
WAYS = (
    ((279, 176), (279, 466), (416, 466)),
    ((279, 466), (279, 524), (440, 524), (440, 606)),
    ((481, 690), (481, 708), (862, 708), (862, 682)),
)
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
    for _, colour, x, y, w, h, lines in BOXES:
        parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{colour}" '
            'stroke="#00000033"/>'
        )
        first = y + 30 if w > WIDE else y + h / 2 - 3 - 8.5 * (len(lines) - 2)
        for row, line in enumerate(lines):
            size, weight = (14, "600") if row == 0 else (11, "400")
            parts.append(_text(x + w / 2, first + 17 * row, line, size, weight))
    parts += [_path(_line(places[begin], places[end])) for begin, end in ARROWS]
    parts += [_path(way) for way in WAYS]
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


def _line(begin: tuple[int, ...], end: tuple[int, ...]) -> tuple[tuple[float, float], ...]:
    """Return a line between the nearest sides of two boxes."""
    (x, y, w, h), (u, v, p, q) = begin, end
    if w > WIDE or h > TALL:  # out of a large box: at the height of what it goes to
        level = _level(v + q / 2, y, h)
        side = (x + w, u) if x + w <= u else (x, u + p)
        return (side[0], level), (side[1], v + q / 2)
    if x + w <= u:
        return (x + w, y + h / 2), (u, _level(y + h / 2, v, q))
    if u + p <= x:
        return (x, y + h / 2), (u + p, _level(y + h / 2, v, q))
    if y + h <= v:
        return (x + w / 2, y + h), (u + p / 2, v)
    return (x + w / 2, y), (u + p / 2, v + q)


def _path(points: Sequence[tuple[float, float]]) -> str:
    line = " L".join(f"{x:.0f} {y:.0f}" for x, y in points)
    return (
        f'<path d="M{line}" stroke="#777" stroke-width="1.5" fill="none" marker-end="url(#tip)"/>'
    )


def _level(wanted: float, top: int, height: int) -> float:
    """Return a height on the side of a large box that keeps an arrow level."""
    return min(max(wanted, top + 12), top + height - 12) if height > TALL else top + height / 2


if __name__ == "__main__":
    (Path(__file__).parent / "pictures" / "nodes.svg").write_text(draw(), encoding="utf-8")

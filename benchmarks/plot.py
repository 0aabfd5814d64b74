"""docs/benchmarks.svg: bars for (a) and (b), lines for (c)."""

import math
from html import escape
from typing import Final

from .claims import RATE, Medians
from .peers import PEERS
from .scenarios import WITH_QUEUE

WIDTH: Final = 860
_LEFT: Final = 200  # of the bars; names are left of it
_COLOURS: Final = dict(zip(WITH_QUEUE, ("#c2410c", "#1d4ed8", "#0f766e", "#a16207", "#7e22ce", "#64748b"), strict=True))


def svg(medians: Medians) -> str:
    """Return the picture, without figures that were not measured."""
    parts: list[str] = []
    top = 20
    for letter, title in (("a", "2 workers, main process idle"), ("b", "1 worker, main process computing in Python")):
        bars = {peer: figures[RATE] for peer, figures in medians.get(letter, {}).items() if RATE in figures}
        if bars:
            parts += _bars(top, f"({letter}) {title}: records a second", bars)
            top += 50 + 26 * len(bars)
    lines = {peer: _points(medians, peer) for peer in WITH_QUEUE}
    if any(lines.values()):
        parts += _lines(top, "(c) more and more workers: records a second", lines)
        top += 330
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}"'
    head += ' font-family="sans-serif" font-size="13">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="white"/>', *parts, "</svg>", ""])


def _short(peer: str) -> str:
    return PEERS[peer].title.partition(" (")[0].partition(",")[0]


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="#111" {more}>{escape(text)}</text>'


def _bars(top: int, title: str, bars: dict[str, float]) -> list[str]:
    parts = [_text(20, top + 16, title, 'font-weight="bold"')]
    scale = (WIDTH - _LEFT - 100) / max(bars.values())
    for index, (peer, rate) in enumerate(bars.items()):
        y = top + 30 + 26 * index
        length = max(1.0, rate * scale)
        parts += [
            _text(_LEFT - 8, y + 14, _short(peer), 'text-anchor="end"'),
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="19" fill="{_COLOURS[peer]}"/>',
            _text(_LEFT + length + 6, y + 14, f"{rate:,.0f}"),
        ]
    return parts


def _points(medians: Medians, peer: str) -> list[tuple[int, float]]:
    found = medians.get("c", {})
    names = [name for name in found if name.startswith(f"{peer}/") and "x" not in name and RATE in found[name]]
    return [(int(name.split("/")[1]), found[name][RATE]) for name in names]


def _lines(top: int, title: str, lines: dict[str, list[tuple[int, float]]]) -> list[str]:
    parts = [_text(20, top + 16, title, 'font-weight="bold"')]
    left, right, low, high = 80, WIDTH - 200, top + 280, top + 40
    counts = sorted({count for points in lines.values() for count, _ in points})
    most = max(rate for points in lines.values() for _, rate in points)
    widest = math.log2(max(counts)) or 1

    def place(count: int, rate: float) -> tuple[float, float]:
        return left + math.log2(count) / widest * (right - left), low - rate / most * (low - high)

    parts += [_text(place(count, 0)[0], low + 18, str(count), 'text-anchor="middle"') for count in counts]
    for share in (0.0, 0.5, 1.0):
        y = place(1, most * share)[1]
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/>')
        parts.append(_text(left - 8, y + 4, f"{most * share:,.0f}", 'text-anchor="end"'))
    parts.append(_text((left + right) / 2, low + 36, "workers", 'text-anchor="middle"'))
    for index, (peer, points) in enumerate(lines.items()):
        colour = _COLOURS[peer]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(f'<rect x="{right + 20}" y="{high + 24 * index}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(right + 38, high + 11 + 24 * index, _short(peer)))
    return parts

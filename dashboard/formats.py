"""How numbers and times are written on all screens: template filters that accept None."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup, escape

from dashboard.ansi import ansi, plain
from dashboard.failing_line import marked_log
from data.number_text import percent_number

NONE = "–"
THIN = "\u202f"


def number(value: float | None) -> str:
    """12 731: groups of three, separated by narrow no-break spaces."""
    return NONE if value is None else f"{value:,.0f}".replace(",", THIN)


def percent(rate: float | None) -> str:
    """Two decimals, rounded; only a full pass reads 100, and only none 0."""
    return NONE if rate is None else percent_number(rate)


def points(delta: float | None) -> str:
    """A difference of two rates in percentage points, signed."""
    return NONE if delta is None else signed(delta * 100, 2)


def signed(value: float | None, decimals: int = 0) -> str:
    if value is None:
        return NONE
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN)
    if not float(text.replace(THIN, "")):
        return "0"
    return ("+" if value > 0 else "−") + text


def duration(seconds: float | None) -> str:
    """1 h 05 min, 4 min 20 s, 12.3 s, 85 ms."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f}{THIN}ms"
    if seconds < 60:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest:02d}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60:02d}{THIN}min"


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def when(moment: str | None, style: str = "full") -> Markup | str:
    """A time element: UTC without scripts, local time with them (assets/local-times.js), UTC in its tooltip. `style` is
    full, ago or clock."""
    if not moment:
        return NONE
    at = datetime.fromisoformat(moment.rstrip("Z"))
    return Markup('<time datetime="{}" data-time="{}">{}</time>').format(moment, style, f"{at:%d %b %H:%M} UTC")


def shorten(text: str | None, length: int = 160) -> str:
    """The first line that is not blank."""
    for line in plain(text or "").splitlines():
        if line.strip():
            return line.strip() if len(line.strip()) <= length else line.strip()[: length - 1] + "…"
    return ""


def breakable(name: str) -> Markup:
    """A long identifier that may wrap after its separators, so that it fits a phone."""
    text = str(escape(name))
    for separator in ("/", "::", "_", "."):
        text = text.replace(separator, separator + "<wbr>")
    return Markup(text)


def web(url: str | None) -> str:
    """The URL if it is a web address, else "": links never lead to a script or a file."""
    return url if url and url.startswith(("https://", "http://")) else ""


FILTERS = {
    "web": web,
    "ansi": ansi,
    "log": marked_log,
    "number": number,
    "percent": percent,
    "points": points,
    "signed": signed,
    "duration": duration,
    "plural": plural,
    "when": when,
    "shorten": shorten,
    "breakable": breakable,
}

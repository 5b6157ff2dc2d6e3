"""The status icons: one shape per meaning, so that colour is never the only sign. 16 by 16, in currentColor."""

from __future__ import annotations

_OCTAGON = '<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/>'
_BODY = "M8 4.3c1.9 0 3.3 2 3.3 4.7S9.9 14 8 14s-3.3-2.3-3.3-5S6.1 4.3 8 4.3z"
_LEGS = "M6 4L4.6 2M10 4l1.4-2M4.6 7.4L1.8 6.6M11.4 7.4l2.8-.8M4.8 11l-2.6 1.6M11.2 11l2.6 1.6"
_SHAPES = {
    "ok": '<circle cx="8" cy="8" r="7"/><path class="ink" d="M4.6 8.3l2.3 2.3 4.5-5"/>',
    "failing": _OCTAGON + '<path class="ink" d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2"/>',
    "broken": '<rect x="1" y="1" width="14" height="14" rx="1.5"/><path class="ink" d="M3.5 9.5l3-2.5 2.5 2.5 3.5-4"/>',
    "running": '<path class="line" d="M8 2a6 6 0 1 1-6 6"/>',
    "stale": '<circle class="line" cx="8" cy="8" r="6"/><path class="line" d="M8 4.5V8l2.5 2"/>',
    "missing": '<rect class="line" stroke-dasharray="2.6 2" x="2" y="2" width="12" height="12" rx="1.5"/>',
    "incomplete": '<rect class="line" stroke-dasharray="2.6 2" x="2" y="2" width="12" height="12" rx="1.5"/>'
    '<path d="M2 3.5A1.5 1.5 0 0 1 3.5 2H8v12H3.5A1.5 1.5 0 0 1 2 12.5z"/>',
    "skipped": '<circle class="line" cx="8" cy="8" r="6"/><path class="line" d="M5.2 8h5.6"/>',
    "flaky": '<path d="M8 1l7 13.5H1z"/><path class="ink" d="M5 11.6l1.5-1.8 1.5 1.8 1.5-1.8 1.5 1.8"/>',
    "regression": '<path d="M1 2h14L8 15z"/><path class="ink" d="M8 4.2v4.4M8 10.6v.6"/>',
    "new_failure": '<path d="M8 .8l2 3.1 3.6-.9-.8 3.6L15.2 8l-2.4 1.4.8 3.6-3.6-.9-2 3.1'
    '-2-3.1-3.6.9.8-3.6L.8 8l2.4-1.4L2.4 3l3.6.9z"/>'
    '<path class="ink" d="M8 5v3.4m0 1.9v.5"/>',
    "always_failing": _OCTAGON + '<path class="ink" d="M4.5 6.2h7m-7 3.6h7"/>',
    "fixed": '<path d="M8 1l7 7-7 7-7-7z"/><path class="ink" d="M5.2 8.2l2 2 3.6-4"/>',
    "unjudged": '<path class="line" d="M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4l-3.6-3.6V5.4z"/>'
    '<path class="line" d="M6.2 6.4c0-2.4 3.7-2.4 3.7-.1 0 1.5-1.8 1.5-1.8 3M8.1 11.2v.7"/>',
    "up": '<path d="M8 3l5.5 9h-11z"/>',
    "down": '<path d="M8 13L2.5 4h11z"/>',
    "out": '<path class="line" d="M6 3H3v10h10v-3M9 2.5h4.5V7M13 3L7.5 8.5"/>',
    "left": '<path class="line" d="M10 3L5 8l5 5"/>',
    "right": '<path class="line" d="M6 3l5 5-5 5"/>',
    "bug-open": f'<path d="{_BODY}"/><path class="line" d="{_LEGS}"/>',
    "bug-closed": f'<path class="line" d="{_BODY} {_LEGS}"/>',
    "bug-gone": f'<path class="line" stroke-dasharray="2 1.8" d="{_BODY}"/>',
    "close": '<path class="line" d="M4 4l8 8m0-8l-8 8"/>',
}
SPRITE = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true" focusable="false">'
    + "".join(f'<symbol id="i-{name}" viewBox="0 0 16 16">{shape}</symbol>' for name, shape in _SHAPES.items())
    + "</svg>"
)

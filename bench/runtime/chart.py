"""The bench's figures as bars, and its workers' curve."""
from bars import BAR, GAP, LABEL, OURS, ROW, THEIRS, TOP, begin, names, panel, text

CURVE_HEIGHT = 130
PANELS = (("p50, µs", "echo", "p50_us", 1), ("CPU, µs", "echo", "cpu_us", 1), ("{stream} stream, ms", "stream", "took_us", 1e3),
          ("{event} event, ms", "big", "took_us", 1e3))


def bars(functions, options):
    sizes = {"stream": f"{options.stream_bytes / 1e6:g} MB", "event": f"{options.event_bytes / 1e6:g} MB"}
    rows = {f.name: TOP + i * ROW for i, f in enumerate(functions)}
    out = names(rows)
    for column, (title, kind, key, by) in enumerate(PANELS):
        values = {f.name: f.median(kind, key) for f in functions}
        out += panel(column, title.format(**sizes), {name: value / by for name, value in values.items() if value is not None}, rows)
    return out


def line(points, color):
    return f"<polyline points='{' '.join(f'{x:.1f},{y:.1f}' for x, y in points)}' fill='none' stroke='{color}' stroke-width='2'/>"


def curve(curves, top, width):
    """Throughput by workers: each doubling is a step to the right, and the height is in proportion."""
    counts, most = list(curves["wait"]), max(max(curve.values()) for curve in curves.values())
    step, floor = (width - LABEL - 2 * GAP) / max(1, len(counts) - 1), top + CURVE_HEIGHT
    out = [text(0, top - 24, "Latch’s invocations a second by AWS_LAMBDA_MAX_CONCURRENCY", weight="bold"),
           text(LABEL - 10, top + 6, f"{most:.0f}/s", "end"), text(LABEL - 10, floor + 4, "0", "end"),
           f"<line x1='{LABEL}' y1='{floor}' x2='{width - 2 * GAP}' y2='{floor}' stroke='{THEIRS}'/>"]
    for handler, color in (("wait", OURS), ("echo", THEIRS)):
        points = [(LABEL + i * step, floor - CURVE_HEIGHT * curves[handler][n] / most) for i, n in enumerate(counts)]
        out.append(line(points, color))
        out += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{color}'/>" for x, y in points]
    out += [text(LABEL + i * step, floor + 18, str(n), "middle") for i, n in enumerate(counts)]
    out.append(text(LABEL, floor + 38, "green: a handler that waits 2 ms; grey: one that doesn’t wait"))
    return out


def chart(functions, curves, options):
    measured = [f for f in functions if not f.fault]
    width, top = LABEL + len(PANELS) * (BAR + GAP), TOP + len(measured) * ROW + 60
    height = top + CURVE_HEIGHT + 50 if curves else top - 40
    return "\n".join([
        begin(width, height, "Latch beside other runtimes: time and CPU of an invocation, streams, workers"),
        text(0, 18, "What the runtime adds to an invocation: Latch beside AWS’s runtimes", weight="bold"),
        *bars(measured, options), *(curve(curves, top, width) if curves else []), "</svg>"]) + "\n"

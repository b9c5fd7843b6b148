"""The bench's figures as bars: one SVG, no library, the same bytes for the same figures."""
from xml.sax.saxutils import escape

LABEL, BAR, GAP, ROW, TOP = 140, 120, 30, 20, 56
BETWEEN = 10  # functions that do different things
FACE = "font-family='ui-sans-serif, Helvetica, Arial, sans-serif'"
OURS, THEIRS, WORDS = "#0a7f5a", "#9aa5b1", "#69737d"  # to be read on white and on black


def text(x, y, words, anchor="start", weight="normal"):
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}' font-weight='{weight}'>{escape(words)}</text>"


def bar(x, y, value, most, is_ours):
    width = max(1.0, (BAR - 36) * value / most)
    color = OURS if is_ours else THEIRS
    return f"<rect x='{x}' y='{y + 4}' width='{width:.1f}' height='{ROW - 8}' fill='{color}'/>" + text(x + width + 4, y + 14, f"{value:.2f}" if value < 1 else f"{value:.1f}")


def panels_of(functions):
    """(title, {name: value}) of each that has values."""
    panels = [
        ("exec to /next, ms", {f.name: f.median("next_ms") for f in functions}),
        ("to first answer, ms", {f.name: f.median("answered_ms") for f in functions}),
        ("file, MB", {f.name: f.file.stat().st_size / 1e6 for f in functions}),
        ("resident, MB", {f.name: f.median("rss_mb") for f in functions}),
    ]
    return [(title, {name: v for name, v in values.items() if v is not None}) for title, values in panels]


def rows_of(measured):
    """{name: y}."""
    rows, y = {}, TOP
    for before, f in zip([None, *measured], measured):
        y += BETWEEN if before is not None and before.what != f.what else 0
        rows[f.name] = y
        y += ROW
    return rows


def plot(functions):
    measured = [f for f in functions if not f.fault]
    panels, rows = panels_of(measured), rows_of(measured)
    width, height = LABEL + len(panels) * (BAR + GAP), max(rows.values(), default=TOP) + ROW + 12
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' {FACE} font-size='12' "
           f"fill='{WORDS}' role='img' aria-label='Latch beside Rust and Go: start, size, memory'>",
           text(0, 18, "A function’s cold start, file and memory: Latch beside AWS’s runtimes for Rust and Go", weight="bold")]
    for name, y in rows.items():
        out.append(text(LABEL - 10, y + 14, name, "end", "bold" if name.startswith("Latch") else "normal"))
    for column, (title, values) in enumerate(panels):
        x, most = LABEL + column * (BAR + GAP), max(values.values(), default=1)
        out.append(text(x, TOP - 8, title))
        out += [bar(x, rows[name], value, most, name.startswith("Latch")) for name, value in values.items()]
    return "\n".join([*out, "</svg>"]) + "\n"

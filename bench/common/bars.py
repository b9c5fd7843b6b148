"""What the benches draw with: bars and words of an SVG, no library, the same bytes for the same figures."""
from xml.sax.saxutils import escape

LABEL, BAR, GAP, ROW, TOP = 140, 120, 30, 20, 56
FACE = "font-family='ui-sans-serif, Helvetica, Arial, sans-serif'"
OURS, THEIRS, WORDS = "#0a7f5a", "#9aa5b1", "#69737d"  # to be read on white and on black


def begin(width, height, label):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' {FACE} font-size='12' "
            f"fill='{WORDS}' role='img' aria-label='{label}'>")


def text(x, y, words, anchor="start", weight="normal"):
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}' font-weight='{weight}'>{escape(words)}</text>"


def bar(x, y, value, most, is_ours):
    width = max(1.0, (BAR - 36) * value / most)
    color = OURS if is_ours else THEIRS
    return f"<rect x='{x}' y='{y + 4}' width='{width:.1f}' height='{ROW - 8}' fill='{color}'/>" + text(x + width + 4, y + 14, f"{value:.2f}" if value < 1 else f"{value:.1f}")


def names(rows):
    """{name: y} at the left."""
    return [text(LABEL - 10, y + 14, name, "end", "bold" if name.startswith("Latch") else "normal") for name, y in rows.items()]


def panel(column, title, values, rows):
    """A column of bars: {name: value}, beside the names that `rows` has."""
    x = LABEL + column * (BAR + GAP)
    return [text(x, TOP - 8, title), *(bar(x, rows[name], value, max(values.values()), name.startswith("Latch")) for name, value in values.items())]

"""The bench's figures as bars."""
from bars import BAR, GAP, LABEL, ROW, TOP, begin, names, panel, text

BETWEEN = 10  # functions that do different things


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
    return "\n".join([
        begin(width, height, "Latch beside Rust and Go: start, size, memory"),
        text(0, 18, "A function’s cold start, file and memory: Latch beside AWS’s runtimes for Rust and Go", weight="bold"), *names(rows),
        *(line for column, (title, values) in enumerate(panels) for line in panel(column, title, values, rows)), "</svg>"]) + "\n"

"""The figures as a table."""

import json

HEADS = ["scenario", "candidate", "wall ms", "min–max", "a second", "CPU ms each", "peak MiB", "× rate", "× CPU"]


def table(rows, notes):
    lines = [HEADS, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    for number, line in enumerate(lines):
        if number > 1 and line[0] != lines[number - 1][0]:
            print()
        print("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for baseline in {row["scenario"]: row["baseline"] for row in rows}.items():
        notes = [f"{baseline[0]}: × is to {baseline[1]}", *notes]
    for note in sorted(notes):
        print(note)
    for row in rows:
        if row["reported"]:
            print(f"{row['scenario']}: {row['candidate']} reports {json.dumps(row['reported'])}")


def cells(row):
    wall = row["wall_s"]
    return [
        row["scenario"], row["candidate"], f"{1000 * wall['median']:.1f}",
        f"{1000 * wall['min']:.1f}–{1000 * wall['max']:.1f}", figure(row["per_second"]),
        f"{row['cpu_ms_a_unit']:.4g}", f"{row['peak_kib']['median'] / 1024:.1f}",
        figure(row["times_rate"]), figure(row["times_cpu"]),
    ]


def figure(number):
    """Three significant digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

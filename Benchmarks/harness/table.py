"""The figures as a person reads them."""

import json

HEADS = ["race", "contender", "wall ms", "min–max", "a second", "CPU ms each", "peak MiB", "× rate", "× CPU"]


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
    for yardstick in {row["race"]: row["yardstick"] for row in rows}.items():
        notes = [f"{yardstick[0]}: × is to {yardstick[1]}", *notes]
    for note in sorted(notes):
        print(note)
    for row in rows:
        if row["own"]:
            print(f"{row['race']}: {row['contender']} says {json.dumps(row['own'])}")


def cells(row):
    wall = row["wall_s"]
    return [
        row["race"], row["contender"], f"{1000 * wall['median']:.1f}",
        f"{1000 * wall['min']:.1f}–{1000 * wall['max']:.1f}", figure(row["per_second"]),
        f"{row['cpu_ms_a_unit']:.4g}", f"{row['peak_kib']['median'] / 1024:.1f}",
        figure(row["times_rate"]), figure(row["times_cpu"]),
    ]


def figure(number):
    """Three digits that count."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

"""Makes tests/fixtures/change_points.json with Apache Otava; its pins do not fit those of requirements.txt.

    python3 -m venv .tools/otava && .tools/otava/bin/pip install apache-otava==0.8.0
    .tools/otava/bin/python tools/fixtures_change_points.py
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
import scipy
from otava.analysis import TTestSignificanceTester, compute_change_points

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "change_points.json"


def series():
    """Name and values; the first two are the published examples of Hunter's and Otava's own `series_test.py`."""
    yield "published: step at 6", [1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55]
    yield "published: step at 4", [2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78]
    rng = np.random.default_rng(20230103)
    for name, levels in (
        ("no change", [(3.0, 90)]),
        ("one step, longer than a window", [(3.0, 70), (3.06, 60)]),
        ("three levels", [(1.0, 25), (1.1, 40), (0.97, 35)]),
        ("a short dip", [(1.0, 40), (0.8, 6), (1.0, 40)]),
        ("a late step", [(1.0, 60), (1.05, 4)]),
        ("few points", [(2.0, 3), (2.5, 3)]),
    ):
        values = np.concatenate([rng.normal(level, 0.01 * level, n) for level, n in levels])
        yield name, np.round(values, 4).tolist()
    yield "constant", [1.5] * 12
    yield "one point", [1.5]


def found(values, max_pvalue, window):
    # A list: with an array Otava 0.8.0 does not cut the window out.
    points, _ = compute_change_points(list(values), window_len=window, max_pvalue=max_pvalue)
    # Otava 0.8.0 leaves the statistics of a dropped point's left neighbour as they were; its own test says what they are
    # between the final neighbours.
    tester = TTestSignificanceTester(max_pvalue)
    intervals = tester.get_intervals(points)
    points = [tester.change_point(point.to_candidate(), list(values), intervals) for point in points]
    return [
        {
            "index": int(point.index),
            "before": float(point.stats.mean_1),
            "after": float(point.stats.mean_2),
            "p": float(point.stats.pvalue),
        }
        for point in points
    ]


cases = [
    {"name": name, "series": values, "window": window, "max_p": max_p, "points": found(values, max_p, window)}
    for name, values in series()
    for window, max_p in ((50, 0.001), (30, 0.01))
]
about = f"Apache Otava {version('apache-otava')}, SciPy {scipy.__version__}, NumPy {np.__version__}"
rows = ",\n    ".join(json.dumps(case) for case in cases)
FIXTURE.write_text(
    f'{{\n  "about": {json.dumps(about)},\n  "cases": [\n    {rows}\n  ]\n}}\n'
)
print(f"{FIXTURE.name}: {FIXTURE.stat().st_size} bytes")

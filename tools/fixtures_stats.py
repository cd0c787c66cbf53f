"""Statistics by SciPy, statsmodels and brute force, with their inputs."""

import itertools
import math

import numpy as np
import scipy
import statsmodels
from scipy import stats as st
from statsmodels.stats.multitest import multipletests


def paired(before, after):
    """The mean difference with its t interval and its bootstrap percentile interval."""
    differences = np.array(after) - np.array(before)
    n = len(differences)
    mean, error = differences.mean(), st.sem(differences)
    low, high = st.t.interval(0.95, n - 1, loc=mean, scale=error)
    draws = []
    for seed in range(20):
        interval = st.bootstrap(
            (differences,), np.mean, n_resamples=10_000, confidence_level=0.95, method="percentile", rng=seed
        ).confidence_interval
        draws.append((interval.low, interval.high))
    lows, highs = np.array(draws).T
    return {
        "before": list(before),
        "after": list(after),
        "mean": float(mean),
        "standard_deviation": float(differences.std(ddof=1)),
        "standard_error": float(error),
        "t_interval": [float(low), float(high)],
        "bootstrap_interval": [float(lows.mean()), float(highs.mean())],
        # Another generator draws other resamples: five standard deviations over 20 seeds, at least 1e-9.
        "bootstrap_tolerance": float(max(1e-9, 5 * max(lows.std(ddof=1), highs.std(ddof=1)))),
        "confidence": 0.95,
        "resamples": 10_000,
    }


def paired_cases():
    rng = np.random.default_rng(20230905)
    for n, shift in ((8, 0.3), (16, 0.0), (50, 0.02)):
        before = np.round(rng.normal(3.0, 0.4, n), 4)
        after = np.round(before + rng.normal(shift, 0.1, n), 4)
        yield paired(before.tolist(), after.tolist())
    # Recall by document: many ties.
    yield paired([1.0, 1.0, 0.75, 1.0, 0.5, 1.0], [0.5, 0.75, 0.75, 1.0, 0.0, 0.5])
    # No spread at all: the interval is the point.
    yield constant([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])


def constant(before, after):
    return {
        "before": before,
        "after": after,
        "mean": 0.5,
        "standard_deviation": 0.0,
        "standard_error": 0.0,
        "t_interval": [0.5, 0.5],
        "bootstrap_interval": [0.5, 0.5],
        "bootstrap_tolerance": 1e-12,
        "confidence": 0.95,
        "resamples": 10_000,
    }


def holm_cases():
    for p in (
        [0.01, 0.04, 0.03, 0.005],
        [0.2],
        [0.05, 0.05, 0.05],
        [0.9, 0.001, 0.4, 0.012, 0.013, 1.0],
        [0.0, 0.5, 0.6],
    ):
        reject, adjusted, _, _ = multipletests(p, alpha=0.05, method="holm")
        yield {"p": p, "alpha": 0.05, "adjusted": adjusted.tolist(), "reject": reject.tolist()}


def mcnemar_cases():
    """The one-sided exact test: were more items lost than gained?"""
    for lost, gained in ((0, 0), (5, 0), (9, 2), (3, 3), (2, 9), (40, 20), (120, 80)):
        total = lost + gained
        p = 1.0 if total == 0 else st.binomtest(lost, total, 0.5, alternative="greater").pvalue
        yield {"lost": lost, "gained": gained, "p": float(p)}


def two_way(table):
    cells = np.array(table)
    grand = cells.mean()
    rows, columns = cells.mean(axis=1) - grand, cells.mean(axis=0) - grand
    return {
        "table": table,
        "grand": float(grand),
        "rows": rows.tolist(),
        "columns": columns.tolist(),
        "interaction": (cells - grand - rows[:, None] - columns[None, :]).tolist(),
    }


def shapley(values):
    """Each player's mean marginal contribution over all orders; `values[mask]`, player i is bit i."""
    players = int(math.log2(len(values)))
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        mask = 0
        for player in order:
            shares[player] += values[mask | 1 << player] - values[mask]
            mask |= 1 << player
    return {"values": values, "shares": (shares / math.factorial(players)).tolist()}


def stats():
    degrees = (1, 2, 3, 5, 7, 10, 15, 30, 100, 1000)
    probabilities = (0.0005, 0.005, 0.025, 0.05, 0.5, 0.9, 0.95, 0.975, 0.995, 0.9995)
    return {
        "about": f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {np.__version__}",
        "paired": list(paired_cases()),
        "t_quantiles": [
            {"df": df, "p": p, "quantile": float(st.t.ppf(p, df)) if p != 0.5 else 0.0}
            for df in degrees
            for p in probabilities
        ],
        "t_tails": [
            {"df": df, "t": t, "above": float(st.t.sf(t, df))} for df in degrees for t in (-3.0, -0.5, 0.0, 1.0, 2.5, 6.0)
        ],
        "normal_quantiles": [
            {"p": p, "quantile": float(st.norm.ppf(p))}
            for p in (1e-9, 1e-5, 0.001, 0.02425, 0.025, 0.3, 0.5, 0.8, 0.97575, 0.975, 0.999, 0.9999999)
        ],
        "normal_cdf": [
            {"z": z, "below": float(st.norm.cdf(z))} for z in (-8.0, -5.0, -3.0, -1.96, -1.0, -0.1, 0.0, 0.5, 1.0, 2.0, 4.0)
        ],
        "holm": list(holm_cases()),
        "mcnemar": list(mcnemar_cases()),
        "two_way": [
            two_way([[3.2, 3.1, 3.6, 4.4], [3.2, 3.0, 3.1, 3.3], [3.2, 2.9, 2.9, 3.0]]),
            two_way([[1.0, 2.0], [3.0, 8.0]]),
        ],
        "shapley": [
            shapley([2.9, 3.4, 3.0, 3.3]),
            shapley([0.0, 1.0, 1.0, 0.0]),
            shapley([0.0, 0.3, 0.1, 0.9, -0.2, 0.5, 0.05, 1.4]),
        ],
    }

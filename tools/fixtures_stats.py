"""Statistics by SciPy, statsmodels and brute force, with their inputs."""

import itertools
import math

import numpy as np
import scipy
import statsmodels
from scipy import integrate, optimize
from scipy import stats as st
from statsmodels.stats.multitest import multipletests


def student_cases():
    """Too few documents for resamples: the mean difference with Student's interval, and its one-sided test."""
    rng = np.random.default_rng(20230905)
    for n, bound in ((2, 0.0), (3, 0.1), (5, 0.2)):
        before = np.round(rng.normal(3.0, 0.4, n), 4)
        after = np.round(before + rng.normal(0.3, 0.1, n), 4)
        differences = after - before
        low, high = st.t.interval(0.95, n - 1, loc=differences.mean(), scale=st.sem(differences))
        yield {
            "before": before.tolist(),
            "after": after.tolist(),
            "mean": float(differences.mean()),
            "interval": [float(low), float(high)],
            "bound": bound,
            "p_above": float(st.ttest_1samp(differences, bound, alternative="greater").pvalue),
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


def benjamini_hochberg_cases():
    for p in (
        [0.01, 0.04, 0.03, 0.005],
        [0.2],
        [0.05, 0.05, 0.05],
        [0.9, 0.001, 0.4, 0.012, 0.013, 1.0],
        [0.0, 0.5, 0.6],
    ):
        reject, adjusted, _, _ = multipletests(p, alpha=0.05, method="fdr_bh")
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


def ratio_cases():
    """Fieller's interval of a ratio of means: where the mean of `above - r * below` is tested at exactly 95 %."""
    rng = np.random.default_rng(17)
    for n, level, own in ((6, 0.4, 0.1), (8, 0.9, 0.3), (16, 0.1, 0.2), (50, 0.5, 0.5)):
        below = np.round(rng.normal(1.2, 0.3, n), 4)
        above = np.round(level * below + rng.normal(0.0, own, n), 4)
        point = above.mean() / below.mean()

        def excess(r):
            return abs(st.ttest_1samp(above - r * below, 0.0).statistic) - st.t.ppf(0.975, n - 1)

        low = optimize.brentq(excess, point - 20.0, point - 1e-9)
        high = optimize.brentq(excess, point + 1e-9, point + 20.0)
        yield {"above": above.tolist(), "below": below.tolist(), "point": point, "low": low, "high": high}


def studentised_cases():
    """The quantiles of the bootstrap-t by a generator of its own: 400,000 draws."""
    rng = np.random.default_rng(5)
    for n, draw in ((8, rng.normal), (12, rng.exponential), (50, rng.exponential)):
        values = np.round(draw(size=n), 4)
        mean, error = values.mean(), st.sem(values)
        picks = rng.integers(0, n, (400_000, n))
        drawn = values[picks]
        errors = np.maximum(drawn.std(axis=1, ddof=1) / np.sqrt(n), 0.25 * error)
        reached = (drawn.mean(axis=1) - mean) / errors
        low, high = np.quantile(reached, [0.025, 0.975])
        light = st.t.ppf(1 - 0.035, n - 1)
        yield {
            "values": values.tolist(),
            "low": float(mean - max(high, light) * error),
            "high": float(mean + max(-low, light) * error),
            # A quantile of 10,000 draws moves by this much: five deviations of its probability, on the slope there.
            "tolerance": float(
                error
                * max(
                    abs(np.quantile(reached, p + d) - np.quantile(reached, p))
                    for p in (0.025, 0.975)
                    for d in (-0.008, 0.008)
                )
            ),
        }


def step_mean(bin, place):
    return integrate.quad(lambda x: float(x >= place), *bin, points=[np.clip(place, *bin)])[0] / (bin[1] - bin[0])


def bend_mean(bin, place):
    return integrate.quad(lambda x: max(0.0, x - place), *bin, points=[np.clip(place, *bin)])[0] / (bin[1] - bin[0])


def course(bins, documents, allowance, landmark):
    """The four courses by numpy's least squares at every place within reach, and the one that Schwarz's criterion takes."""
    values = np.array(documents)
    means = values.mean(axis=0)
    root = 1 / np.sqrt((values.std(axis=0, ddof=1) ** 2) / len(values) + allowance**2)

    def fit(column):
        design = np.column_stack([np.ones(len(bins))] + ([] if column is None else [column]))
        solution = np.linalg.lstsq(design * root[:, None], means * root, rcond=None)[0]
        return solution, float((((means - design @ solution) * root) ** 2).sum())

    edges = [bin[0] for bin in bins]
    within = [bin[0] + (bin[1] - bin[0]) * part / 8 for bin in bins for part in range(1, 8)]
    found = []
    solution, misfit = fit(None)
    found.append(("constant", None, 1, solution, misfit))
    solution, misfit = fit(np.array([sum(bin) / 2 for bin in bins]))
    found.append(("growing", None, 2, solution, misfit))
    for name, basis, last in (("step", step_mean, bins[-1][0]), ("bend", bend_mean, bins[-2][0])):
        for place in [landmark] + edges + within:
            if not bins[0][1] <= place <= last:
                continue
            column = np.array([basis(bin, place) for bin in bins])
            found.append((name, place, 2 if place == landmark else 3, *fit(column)))
    criterion = [misfit + numbers * math.log(len(bins)) for *_, numbers, _, misfit in found]
    name, place, numbers, solution, misfit = found[int(np.argmin(np.round(criterion, 9)))]
    return {
        "bins": bins,
        "documents": documents,
        "allowance": allowance,
        "landmark": landmark,
        "course": name,
        "place": place,
        "level": float(solution[0]),
        "rise": float(solution[1]) if len(solution) > 1 else None,
        "misfit": misfit / max(1, len(bins) - numbers),
    }


def course_cases():
    rng = np.random.default_rng(8)
    coarse = [[0, 64], [64, 256], [256, 1024], [1024, 2048], [2048, 4096], [4096, 8192]]
    even = [[512 * i, 512 * (i + 1)] for i in range(16)]
    for bins, truth in (
        (coarse, lambda bin: 1.2),
        (coarse, lambda bin: 0.0002 * sum(bin) / 2),
        (coarse, lambda bin: 0.5 * step_mean(bin, 4096)),
        (coarse, lambda bin: 0.0003 * bend_mean(bin, 2048)),
        (even, lambda bin: 0.05 + 0.3 * step_mean(bin, 3000)),
        (even, lambda bin: 0.0001 * bend_mean(bin, 2048)),
        (even, lambda bin: 0.0002 * bend_mean(bin, 5500)),
    ):
        documents = [[round(truth(bin) + own + rng.normal(0, 0.03), 4) for bin in bins] for own in rng.normal(0, 0.05, 8)]
        yield course(bins, documents, 0.02, 2048)


def stats():
    return {
        "about": f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {np.__version__}",
        "student": list(student_cases()),
        "holm": list(holm_cases()),
        "benjamini_hochberg": list(benjamini_hochberg_cases()),
        "mcnemar": list(mcnemar_cases()),
        "ratio": list(ratio_cases()),
        "studentised": list(studentised_cases()),
        "courses": list(course_cases()),
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

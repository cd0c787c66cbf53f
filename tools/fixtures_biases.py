"""Biases and added vectors: transformers where it has them, else the papers' formulas in NumPy's float64."""

import numpy as np
import torch
import transformers
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.t5.modeling_t5 import T5Attention

HEADS = range(1, 65)
FARTHEST = 10_000
DISTANCES = [0, 1, 2, 7, 31, 32, 100, 127, 128, 129, 511, 512, 2047, 8191]
FLOAT32_TOLERANCE = 3e-6


def digits(values):
    """float32 as the fewest digits that tell its values apart."""
    return [float(f"{x:.9g}") for x in values]


def alibi():
    """One slope a head: what a step of one position costs."""
    rows = []
    for heads in HEADS:
        bloom = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)[:, 0, 1].double().numpy()
        mpt = -build_mpt_alibi_tensor(heads, 2)[:, 0, 0].double().numpy()
        assert np.max(np.abs(mpt / bloom - 1.0)) < FLOAT32_TOLERANCE, heads
        rows.append({"heads": heads, "slopes": [float(f"{x:.7g}") for x in bloom]})
    return rows


def runs(offsets, buckets):
    """The first offset of each run of equal buckets, with its bucket; offsets go outwards from 0."""
    steps = np.flatnonzero(np.diff(buckets)) + 1
    return [[int(offsets[at]), int(buckets[at])] for at in (0, *steps)]


def t5():
    outwards = torch.arange(FARTHEST + 1)
    rows = []
    for buckets, max_distance in ((32, 128), (32, 256), (16, 64), (8, 1000)):
        for bidirectional, sign in ((False, -1), (True, -1), (True, 1)):
            got = T5Attention._relative_position_bucket(
                sign * outwards, bidirectional=bidirectional, num_buckets=buckets, max_distance=max_distance
            )
            rows.append(
                {
                    "buckets": buckets,
                    "max_distance": max_distance,
                    "bidirectional": bidirectional,
                    "farthest": sign * FARTHEST,
                    "runs": runs((sign * outwards).numpy(), got.numpy()),
                }
            )
    return rows


def sinusoidal():
    positions = [0, 1, 5, 127, 1000]
    rows = []
    for width in (16, 64):
        table = create_sinusoidal_embeddings(positions[-1] + 1, width, torch.empty(positions[-1] + 1, width))
        rows += [{"width": width, "position": p, "vector": digits(table[p].double().numpy())} for p in positions]
    return rows


def kerple():
    """arXiv 2205.09921, the power and the logarithmic variant."""
    distances = np.array(DISTANCES, dtype=np.float64)
    rows = []
    for factor in (1.0, 4.0):
        for r1, r2 in ((0.5, 1.0), (0.01, 2.0), (1.3, 0.4), (2.0, 0.01)):
            shared = {"factor": factor, "r1": r1, "r2": r2, "distances": DISTANCES}
            power = -r1 * np.power(distances / factor, r2)
            log = -r1 * np.log(1.0 + r2 * (distances / factor))
            rows.append({"method": "kerple_power", **shared, "bias": [float(x) for x in power]})
            rows.append({"method": "kerple_log", **shared, "bias": [float(x) for x in log]})
    return rows


def offsets():
    """Clipped distances: arXiv 1803.02155, section 3.2."""
    rows = []
    for factor in (1.0, 2.0, 4.0):
        for largest in (1, 128, 2047):
            index = np.minimum(np.floor(np.array(DISTANCES) / factor), largest)
            rows.append(
                {"largest": largest, "factor": factor, "distances": DISTANCES, "index": [int(x) for x in index]}
            )
    return rows


def absolute():
    """Rows between rows: NumPy's linear interpolation, which holds the last value beyond the end."""
    rows = 32
    table = np.sqrt(np.arange(rows, dtype=np.float64))
    cases = []
    for factor in (1.0, 2.0, 3.5, 4.0):
        positions = [p for p in range(int(rows * factor)) if p % 5 == 0 or p >= rows * factor - 5]
        values = np.interp(np.array(positions) / factor, np.arange(rows), table)
        cases.append(
            {"rows": rows, "factor": factor, "positions": positions, "values": [float(x) for x in values]}
        )
    return cases


def biases():
    return {
        "about": f"transformers {transformers.__version__} in float32 (Bloom's and MPT's slopes, which agree; T5's "
        "buckets as the first offset of each run; DistilBERT's sinusoidal vectors, sines at even and cosines at odd "
        f"dimensions); NumPy {np.__version__} in float64 for KERPLE, clipped offsets and interpolated rows of the "
        "table sqrt(row)",
        "float32_tolerance": FLOAT32_TOLERANCE,
        "alibi": alibi(),
        "t5": t5(),
        "sinusoidal": sinusoidal(),
        "kerple": kerple(),
        "offsets": offsets(),
        "absolute": absolute(),
    }

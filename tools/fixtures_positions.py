"""Inverse frequencies and attention factors: transformers in float32, and the papers' formulas in float64.

The float64 transcriptions are written from the formulas alone; each is checked here against transformers, whose
float32 powers cost up to about 2e-6 relative at a base of 1e6.
"""

import json

import numpy as np
import torch
import transformers
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

FLOAT32_TOLERANCE = 3e-6


def default64(d, theta):
    return 1.0 / theta ** (np.arange(0, d, 2, dtype=np.float64) / d)


def linear64(d, theta, factor):
    """arXiv 2306.15595, equation 4."""
    return default64(d, theta) / factor


def ntk64(d, theta, factor):
    """arXiv 2309.00071, equation 16."""
    return default64(d, theta * factor ** (d / (d - 2)))


def yarn64(d, theta, factor, trained, beta_fast=32.0, beta_slow=1.0, truncate=True):
    """The ramp over the pair's index, as in the authors' code (jquesnelle/yarn) and in transformers."""
    ends = [d * np.log(trained / (turns * 2 * np.pi)) / (2 * np.log(theta)) for turns in (beta_fast, beta_slow)]
    if truncate:
        ends = [np.floor(ends[0]), np.ceil(ends[1])]
    low, high = max(ends[0], 0.0), min(ends[1], d - 1.0)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(d // 2, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    frequencies = default64(d, theta)
    return frequencies / factor * ramp + frequencies * (1.0 - ramp)


def temperature64(factor, m=1.0):
    """arXiv 2309.00071, equation 22, with DeepSeek's multiplier."""
    return 1.0 if factor <= 1.0 else 0.1 * m * np.log(factor) + 1.0


def raised64(d, theta, alpha):
    """bloc97's base for a slowest pair that is stretched by alpha."""
    return default64(d, theta * alpha ** (d / (d - 2)))


def dynamic_alpha64(factor, length, trained):
    """transformers' `dynamic`: written out from its documentation, not from its code."""
    return factor * max(length, trained) / trained - (factor - 1)


def step_alpha64(length, trained):
    """Qwen-7B's `get_ntk_alpha`."""
    return max(1.0, 2.0 ** np.ceil(np.log2(length / trained) + 1.0) - 1.0)


def by_parts64(d, theta, factor, trained, alpha=1.0, beta=32.0):
    """arXiv 2309.00071, equations 17 to 19, with a case for each side of the ramp as printed there."""
    frequencies = default64(d, theta)
    out = []
    for frequency in frequencies:
        r = trained / (2 * np.pi / frequency)
        gamma = 0.0 if r < alpha else 1.0 if r > beta else (r - alpha) / (beta - alpha)
        out.append((1 - gamma) * frequency / factor + gamma * frequency)
    return np.array(out)


def llama3_64(d, theta, factor, trained, low=1.0, high=4.0):
    """Meta's `apply_scaling`, by wavelengths as written there."""
    out = []
    for frequency in default64(d, theta):
        wavelength = 2 * np.pi / frequency
        if wavelength < trained / high:
            out.append(frequency)
        elif wavelength > trained / low:
            out.append(frequency / factor)
        else:
            smooth = (trained / wavelength - low) / (high - low)
            out.append((1 - smooth) * frequency / factor + smooth * frequency)
    return np.array(out)


def proportional64(head_dim, theta, factor, share):
    rotated = int(share * head_dim // 2)
    frequencies = default64(head_dim, theta) / factor
    frequencies[rotated:] = 0.0
    return frequencies


def longrope_attention64(factor, trained):
    """arXiv 2402.13753, section 3.2, as in transformers."""
    return 1.0 if factor <= 1.0 else float(np.sqrt(1 + np.log(factor) / np.log(trained)))


def zeta64(d):
    """arXiv 2212.10554: (i / (d / 2) + 0.4) / 1.4."""
    return (np.arange(0, d // 2) / (d / 2) + 0.4) / 1.4


def yarn_attention64(factor, attention_factor=None, mscale=None, mscale_all_dim=None):
    if attention_factor is not None:
        return attention_factor
    if mscale and mscale_all_dim:
        return temperature64(factor, mscale) / temperature64(factor, mscale_all_dim)
    return temperature64(factor)


def from_transformers(head_dim, trained, parameters, length=None):
    """transformers' own numbers for one set of rope parameters."""
    config = LlamaConfig(
        hidden_size=4 * head_dim,
        num_attention_heads=4,
        head_dim=head_dim,
        max_position_embeddings=trained,
        rope_parameters=dict(parameters),
    )
    if parameters["rope_type"] == "default":
        return LlamaRotaryEmbedding(config).inv_freq, 1.0
    return ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, seq_len=length)


def case(method, head_dim, theta, factor, trained, exact, attention, float32=None, rotary_dim=None, **more):
    """One row; `float32` is transformers' pair of frequencies and attention factor, where it has the type."""
    row = {
        "method": method,
        "head_dim": head_dim,
        "rotary_dim": rotary_dim or head_dim,
        "theta": theta,
        "trained": trained,
        "factor": factor,
        "attention_factor": float(attention),
        "float64": [float(x) for x in exact],
    } | more
    if float32 is None:
        return row
    frequencies, scaling = float32
    got = frequencies.double().numpy()
    assert got.shape == exact.shape, (method, got.shape, exact.shape)
    turning = exact != 0.0
    assert np.array_equal(got != 0.0, turning), method
    worst = np.max(np.abs(got[turning] / exact[turning] - 1.0))
    assert worst < FLOAT32_TOLERANCE, (method, head_dim, theta, factor, worst)
    assert abs(scaling - attention) < 1e-12, (method, scaling, attention)
    return row | {"transformers": [float(f"{x:.9g}") for x in got]}


def simple_cases(head_dim, theta, factor, trained):
    """Every method with its defaults at one head width, base, factor and trained length."""
    base = {"rope_theta": theta}
    unscaled = from_transformers(head_dim, trained, base | {"rope_type": "default"})
    shape = (head_dim, theta, factor, trained)
    yield case({"none": {}}, *shape, default64(head_dim, theta), 1.0, unscaled)
    linear = from_transformers(head_dim, trained, base | {"rope_type": "linear", "factor": factor})
    yield case({"linear": {}}, *shape, linear64(head_dim, theta, factor), 1.0, linear)
    # Static NTK is no type of its own; transformers' dynamic form with factor 1 at `factor` times the trained
    # length has the same base, b * (l / L)^(d / (d - 2)).
    length = int(trained * factor)
    ntk = from_transformers(head_dim, trained, base | {"rope_type": "dynamic", "factor": 1.0}, length)
    yield case({"ntk": {}}, *shape, ntk64(head_dim, theta, factor), 1.0, ntk)
    yield yarn_case(*shape, {})


def yarn_case(head_dim, theta, factor, trained, parameters, rotary_dim=None):
    d = rotary_dim or head_dim
    rope = {"rope_type": "yarn", "rope_theta": theta, "factor": factor, "original_max_position_embeddings": trained}
    if rotary_dim:
        rope["partial_rotary_factor"] = rotary_dim / head_dim
    ramp = {key: parameters[key] for key in ("beta_fast", "beta_slow", "truncate") if key in parameters}
    scaling = {key: value for key, value in parameters.items() if key not in ramp}
    return case(
        {"yarn": parameters},
        head_dim,
        theta,
        factor,
        trained,
        yarn64(d, theta, factor, trained, **ramp),
        yarn_attention64(factor, **scaling),
        from_transformers(head_dim, trained, rope | parameters),
        rotary_dim,
    )


def dynamic_cases(d, theta, trained):
    """The four dynamic forms below, at and beyond the trained length."""
    for length in (trained // 2, trained, trained + 1, 2 * trained, 3 * trained, 4 * trained):
        for factor in (1.0, 2.0, 4.0):
            rope = {"rope_type": "dynamic", "rope_theta": theta, "factor": factor}
            exact = raised64(d, theta, dynamic_alpha64(factor, length, trained))
            shipped = from_transformers(d, trained, rope, length)
            yield case({"dynamic": {}}, d, theta, factor, trained, exact, 1.0, shipped, length=length)
        step = raised64(d, theta, step_alpha64(length, trained))
        yield case({"dynamic_step": {}}, d, theta, 4.0, trained, step, 1.0, length=length)
        paper = raised64(d, theta, max(1.0, length / trained))
        # Its base is that of transformers' form at factor 1.
        shipped = from_transformers(d, trained, {"rope_type": "dynamic", "rope_theta": theta, "factor": 1.0}, length)
        yield case({"dynamic_paper": {}}, d, theta, 4.0, trained, paper, 1.0, shipped, length=length)
    for factor in (1.0, 2.0, 4.0):
        # vLLM freezes transformers' form at the target length.
        rope = {"rope_type": "dynamic", "rope_theta": theta, "factor": factor}
        shipped = from_transformers(d, trained, rope, int(factor * trained))
        exact = raised64(d, theta, factor * (trained * factor) / trained - (factor - 1))
        yield case({"dynamic_vllm": {}}, d, theta, factor, trained, exact, 1.0, shipped)


def ramp_cases(d, theta, factor, trained):
    """Ramps over turns: the paper's, and Llama 3's."""
    shape = (d, theta, factor, trained)
    for parameters in ({}, {"alpha": 0.5, "beta": 8.0}):
        exact = by_parts64(*shape, **parameters)
        yield case({"by_parts": parameters}, *shape, exact, 1.0)
        yield case({"yarn_paper": parameters}, *shape, exact, temperature64(factor))
    for low, high in ((1.0, 4.0), (2.0, 8.0)):
        parameters = {"low_freq_factor": low, "high_freq_factor": high}
        rope = {"rope_type": "llama3", "rope_theta": theta, "factor": factor}
        shipped = from_transformers(d, trained, rope | parameters | {"original_max_position_embeddings": trained})
        yield case({"llama3": parameters}, *shape, llama3_64(*shape, low, high), 1.0, shipped)


def longrope_cases(d, theta, factor, trained):
    random = np.random.default_rng(d)
    short, long = 1 + random.random(d // 2), 1 + 7 * random.random(d // 2)
    shape = (d, theta, factor, trained)
    for parameters in ({}, {"attention_factor": 1.3}):
        lists = {"short_factor": short.tolist(), "long_factor": long.tolist()} | parameters
        rope = {"rope_type": "longrope", "rope_theta": theta, "factor": factor}
        rope |= {"original_max_position_embeddings": trained}
        attention = parameters.get("attention_factor", longrope_attention64(factor, trained))
        for length in (trained // 2, trained, trained + 1, 4 * trained):
            exact = default64(d, theta) / (long if length > trained else short)
            shipped = from_transformers(d, trained, rope | lists, length)
            yield case({"longrope": lists}, *shape, exact, attention, shipped, length=length)
    # Without lists: NTK's stretch beyond the trained length, which transformers is given as a list.
    ntk = factor ** (2 * np.arange(d // 2) / (d - 2))
    rope |= {"short_factor": [1.0] * (d // 2), "long_factor": ntk.tolist()}
    for length in (trained, trained + 1):
        exact = ntk64(d, theta, factor) if length > trained else default64(d, theta)
        shipped = from_transformers(d, trained, rope, length)
        yield case({"longrope": {}}, *shape, exact, longrope_attention64(factor, trained), shipped, length=length)


def share_cases(head_dim, theta, trained):
    """Rotations of a part of the head, and of other pairs."""
    for share in (0.25, 0.3, 0.5, 1.0):
        rope = {"rope_type": "proportional", "rope_theta": theta, "partial_rotary_factor": share, "factor": 2.0}
        shipped = from_transformers(head_dim, trained, rope)
        exact = proportional64(head_dim, theta, 2.0, share)
        method = {"proportional": {"partial_rotary_factor": share}}
        yield case(method, head_dim, theta, 2.0, trained, exact, 1.0, shipped)
    for share in (0.25, 0.5, 1.0):
        d = int(head_dim * share)
        # The frequencies of transformers' default type, which are those of `linear` at factor 1.
        rope = {"rope_type": "linear", "rope_theta": theta, "partial_rotary_factor": share, "factor": 1.0}
        shipped = from_transformers(head_dim, trained, rope)
        yield case({"partial": {"share": share}}, head_dim, theta, 4.0, trained, default64(d, theta), 1.0, shipped)
    for name in ("half_split", "interleaved"):
        shipped = from_transformers(head_dim, trained, {"rope_type": "default", "rope_theta": theta})
        exact = default64(head_dim, theta)
        yield case({name: {}}, head_dim, theta, 4.0, trained, exact, 1.0, shipped, pairing=name)


def xpos_cases(d, theta, trained):
    for factor, base in ((1.0, 512.0), (4.0, 512.0), (1.0, 128.0)):
        decay = {"zeta": zeta64(d).tolist(), "scale_base": base * factor}
        exact = linear64(d, theta, factor)
        yield case({"xpos": {"scale_base": base}}, d, theta, factor, trained, exact, 1.0, decay=decay)


def self_extend_cases(d, theta):
    """The smallest group whose reach (L - W) G + W covers the target, by search; LongLM's README has the rule."""
    for trained, factor, given in (
        (4096, 4.0, {}),
        (2048, 2.0, {}),
        (2048, 8.0, {"window": 1024}),
        (2048, 3.5, {"window": 300}),
        (2048, 4.0, {"group": 8}),
        (2048, 4.0, {"group": 8, "window": 256}),
    ):
        window = given.get("window", trained // 4)
        reach = [(trained - window) * group + window for group in range(1, 100)]
        group = given.get("group", next(g for g, tokens in enumerate(reach, 1) if tokens >= factor * trained))
        # Positions of a query and a key beyond the window, as the paper writes them.
        rows = [[t, t // group + window - window // group, t // group] for t in (0, 5, window, 3 * trained + 1)]
        exact = default64(d, theta)
        extend = {"group": group, "window": window, "positions": rows}
        yield case({"self_extend": given}, d, theta, factor, trained, exact, 1.0, extend=extend)


def positions():
    rows = []
    for head_dim in (32, 64):
        rows += dynamic_cases(head_dim, 1e4, 2048)
    for head_dim, theta, factor, trained in ((64, 1e4, 4.0, 2048), (128, 5e5, 8.0, 8192), (64, 1e4, 2.0, 64)):
        rows += ramp_cases(head_dim, theta, factor, trained)
    rows += longrope_cases(32, 1e4, 4.0, 2048)
    rows += longrope_cases(64, 1e4, 32.0, 4096)
    rows += share_cases(64, 1e4, 2048)
    for head_dim in (32, 128):
        rows += xpos_cases(head_dim, 1e4, 2048)
    rows += self_extend_cases(32, 1e4)
    for head_dim in (32, 64, 128):
        for theta, factors in ((1e4, (1.0, 2.0, 4.0, 8.0)), (1e6, (4.0,))):
            for factor in factors:
                rows += simple_cases(head_dim, theta, factor, 2048)
        rows.append(yarn_case(head_dim, 1e4, 4.0, 4096, {}))
        rows.append(yarn_case(head_dim, 1e4, 4.0, 2048, {"truncate": False}))
    for parameters in (
        {"beta_fast": 16.0, "beta_slow": 2.0},
        # Both ends of the ramp meet: the singularity that transformers avoids by adding 0.001.
        {"beta_fast": 4.0, "beta_slow": 4.0, "truncate": False},
        {"mscale": 1.0, "mscale_all_dim": 1.0},
        {"mscale": 1.0, "mscale_all_dim": 0.707},
        {"mscale": 0.707},
        # A zero counts as absent.
        {"mscale": 0.707, "mscale_all_dim": 0.0},
        {"attention_factor": 1.25},
        {"attention_factor": 1.25, "mscale": 1.0, "mscale_all_dim": 0.5},
    ):
        rows.append(yarn_case(64, 1e4, 4.0, 2048, parameters))
    # Short trained lengths push both ends of the ramp below 0.
    rows.append(yarn_case(64, 1e4, 4.0, 64, {}))
    # A small base and a long trained length push the upper end beyond d - 1, where it is cut.
    rows.append(yarn_case(64, 100.0, 4.0, 131_072, {"beta_fast": 1000.0}))
    rows.append(yarn_case(64, 1e4, 8.0, 2048, {}, rotary_dim=32))
    linear = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0, "partial_rotary_factor": 0.5}
    partial = from_transformers(64, 2048, linear)
    rows.append(case({"linear": {}}, 64, 1e4, 4.0, 2048, linear64(32, 1e4, 4.0), 1.0, partial, rotary_dim=32))
    for theta in (5e5, 2e4):
        other = from_transformers(64, 2048, {"rope_type": "default", "rope_theta": theta})
        rows.append(case({"rope": {"theta": theta}}, 64, 1e4, 4.0, 2048, default64(64, theta), 1.0, other))
    unscaled = from_transformers(64, 2048, {"rope_type": "default", "rope_theta": 1e4})
    rows.append(case({"rope": {}}, 64, 1e4, 4.0, 2048, default64(64, 1e4), 1.0, unscaled))
    return {
        "about": f"transformers {transformers.__version__} computes in float32: within "
        f"{FLOAT32_TOLERANCE} relative; float64 is NumPy {np.__version__} from the quoted formulas",
        "float32_tolerance": FLOAT32_TOLERANCE,
        "cases": rows,
    }


BASE_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 64,
    "hidden_size": 128,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 2048,
}

YARN = {"rope_type": "yarn", "factor": 4.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0 + i / 64 for i in range(16)],
    "long_factor": [1.0 + i / 4 for i in range(16)],
}

# Keys laid over BASE_CONFIG: old and new forms, precedence, nulls, and what is inferred where a key is absent.
CONFIG_CHANGES = [
    {},
    {"num_key_value_heads": 2, "head_dim": 64, "rope_theta": 5e5},
    {"num_key_value_heads": None, "head_dim": None, "rope_scaling": None},
    {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4.0}},
    {"rope_scaling": {"type": "yarn", "rope_type": "linear", "factor": 4.0}},
    {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 2e4}},
    {"rope_theta": 3e4, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 2e4}},
    {"rope_theta": 3e4, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
    {"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_parameters": {"rope_theta": 2e4}},
    {"rope_scaling": {}, "rope_parameters": {"rope_type": "default", "rope_theta": 2e4}},
    {"rope_parameters": YARN},
    {"rope_parameters": YARN | {"original_max_position_embeddings": 512}},
    {"original_max_position_embeddings": 1024, "rope_parameters": YARN},
    {"original_max_position_embeddings": 1024, "rope_parameters": YARN | {"original_max_position_embeddings": 512}},
    {"rope_parameters": {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 512}},
    {"rope_parameters": YARN | {"beta_fast": 0, "beta_slow": None, "truncate": None, "finetuned": True}},
    {"rope_parameters": YARN | {"mscale": 1.0, "mscale_all_dim": 0.707, "truncate": False}},
    {"rope_scaling": {"type": "yarn", "factor": 8.0, "original_max_position_embeddings": 256, "attention_factor": 1.5}},
    {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    # Dynamic scaling reads no original length, neither inside nor at the top.
    {"rope_parameters": {"rope_type": "dynamic", "factor": 1.0, "original_max_position_embeddings": 512}},
    {"original_max_position_embeddings": 512, "rope_parameters": {"rope_type": "dynamic", "factor": 4.0}},
    {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 512}},
    {"original_max_position_embeddings": 256, "rope_scaling": LLAMA3 | {"original_max_position_embeddings": 512}},
    {"rope_scaling": LLAMA3 | {"low_freq_factor": 2, "high_freq_factor": 3}},
    {"rope_parameters": LONGROPE | {"original_max_position_embeddings": 512}},
    {"rope_parameters": LONGROPE | {"original_max_position_embeddings": 512, "factor": 16.0}},
    {"original_max_position_embeddings": 1024, "rope_parameters": LONGROPE},
    {"rope_parameters": LONGROPE | {"factor": 4}},
    {"rope_parameters": LONGROPE},
    # A ratio below 1 has no temperature.
    {"rope_parameters": LONGROPE | {"original_max_position_embeddings": 4096}},
    {"rope_scaling": LONGROPE | {"factor": 4.0, "attention_factor": 1.5}},
    {"rope_parameters": {"rope_type": "proportional", "partial_rotary_factor": 0.25}},
    {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "proportional", "factor": 4.0}},
    {"rope_parameters": {"rope_type": "proportional", "rope_theta": 1e6}},
]


def configs():
    rows = []
    for changes in CONFIG_CHANGES:
        for length in (512, 8192) if "dynamic" in str(changes) or "longrope" in str(changes) else (None,):
            rows.append(config_row(BASE_CONFIG | changes, length))
    about = f"what transformers {transformers.__version__} reads from a config.json, in float32"
    return {"about": about, "float32_tolerance": FLOAT32_TOLERANCE, "cases": rows}


def config_row(written, length):
    """What one configuration means; at a length, what the rotary module holds after a forward of so many tokens."""
    config = LlamaConfig.from_dict(json.loads(json.dumps(written)))
    rotary = LlamaRotaryEmbedding(config)
    rope = config.rope_parameters
    if length:
        rotary(torch.zeros(1), torch.arange(length)[None])
    trained = config.max_position_embeddings if rope["rope_type"] == "dynamic" else None
    return {
        "config": written,
        "length": length,
        "rope_theta": rope["rope_theta"],
        "trained": trained or rope.get("original_max_position_embeddings"),
        "kv_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "norm_epsilon": config.rms_norm_eps,
        "beginning_token": config.bos_token_id,
        "tied_embeddings": config.tie_word_embeddings,
        "attention_factor": float(rotary.attention_scaling),
        "inverse_frequencies": [float(f"{x:.9g}") for x in rotary.inv_freq],
    }

"""Inverse frequencies and attention factors: transformers in float32, and the papers' formulas in float64.

The float64 transcriptions are written from the formulas alone; each is checked here against transformers, whose
float32 powers cost up to about 2e-6 relative at a base of 1e6.
"""

import json

import numpy as np
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


def case(method, head_dim, theta, factor, trained, exact, attention, float32, rotary_dim=None):
    """One row; `float32` is transformers' pair of frequencies and attention factor."""
    frequencies, scaling = float32
    got = frequencies.double().numpy()
    assert got.shape == exact.shape, (method, got.shape, exact.shape)
    worst = np.max(np.abs(got / exact - 1.0))
    assert worst < FLOAT32_TOLERANCE, (method, head_dim, theta, factor, worst)
    assert abs(scaling - attention) < 1e-12, (method, scaling, attention)
    return {
        "method": method,
        "head_dim": head_dim,
        "rotary_dim": rotary_dim or head_dim,
        "theta": theta,
        "trained": trained,
        "factor": factor,
        "attention_factor": float(attention),
        "float64": [float(x) for x in exact],
        "transformers": [float(f"{x:.9g}") for x in got],
    }


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


def positions():
    rows = []
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
]


def configs():
    rows = []
    for changes in CONFIG_CHANGES:
        written = BASE_CONFIG | changes
        config = LlamaConfig.from_dict(json.loads(json.dumps(written)))
        rotary = LlamaRotaryEmbedding(config)
        rows.append(
            {
                "config": written,
                "rope_theta": config.rope_parameters["rope_theta"],
                "trained": config.rope_parameters.get("original_max_position_embeddings"),
                "kv_heads": config.num_key_value_heads,
                "head_dim": config.head_dim,
                "norm_epsilon": config.rms_norm_eps,
                "beginning_token": config.bos_token_id,
                "tied_embeddings": config.tie_word_embeddings,
                "attention_factor": float(rotary.attention_scaling),
                "inverse_frequencies": [float(f"{x:.9g}") for x in rotary.inv_freq],
            }
        )
    about = f"what transformers {transformers.__version__} reads from a config.json, in float32"
    return {"about": about, "float32_tolerance": FLOAT32_TOLERANCE, "cases": rows}

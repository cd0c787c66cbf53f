"""Tiny random checkpoints, and logits by transformers in float32."""

import json
import pathlib

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.cache_utils import DynamicCache

transformers.utils.logging.disable_progress_bar()

VOCABULARY = 64
# Below, at and beyond the trained length of 64.
LENGTH = 160
MADE_BY = {"made_by": f"tools/fixtures.py, transformers {transformers.__version__}, torch {torch.__version__}"}

BASE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "dtype": "float32",
}

YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}

# Name: keys laid over BASE, type of the weights, whether the weights are in shards.
CASES = {
    "default_tied_f32": ({"num_key_value_heads": 4, "tie_word_embeddings": True}, torch.float32, False),
    "default_untied_bf16": ({"num_key_value_heads": 4, "dtype": "bfloat16"}, torch.bfloat16, False),
    "linear_gqa_old_form": (
        {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
        torch.float32,
        False,
    ),
    "yarn_new_form": ({"rope_parameters": YARN}, torch.float32, False),
    "yarn_mscale_theta": (
        {
            "rope_theta": 50000.0,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 8.0,
                "original_max_position_embeddings": 32,
                "mscale": 1.0,
                "mscale_all_dim": 0.5,
                "beta_fast": 8.0,
                "truncate": False,
            },
        },
        torch.float32,
        False,
    ),
    "biases": ({"attention_bias": True, "mlp_bias": True}, torch.float32, False),
    "wide_heads": ({"head_dim": 16}, torch.float32, False),
    "sharded_f16": ({"num_key_value_heads": 1, "dtype": "float16"}, torch.float16, True),
    "mistral": (
        {
            "architectures": ["MistralForCausalLM"],
            "model_type": "mistral",
            "sliding_window": None,
            "rope_parameters": YARN,
        },
        torch.float32,
        False,
    ),
}


def weights(config, kind, seed):
    """Random weights, large enough in queries and keys that attention is far from uniform."""
    random = torch.Generator().manual_seed(seed)
    width, feed_forward = config["hidden_size"], config["intermediate_size"]
    head_dim = config.get("head_dim") or width // config["num_attention_heads"]
    queries, keys = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    tensors = {}

    def normal(name, std, *shape, mean=0.0):
        tensors[name] = (mean + std * torch.randn(*shape, generator=random)).to(kind)

    normal("model.embed_tokens.weight", 0.3, VOCABULARY, width)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name, out, into, std, bias in [
            ("self_attn.q_proj", queries, width, 0.2, "attention_bias"),
            ("self_attn.k_proj", keys, width, 0.2, "attention_bias"),
            ("self_attn.v_proj", keys, width, 0.2, "attention_bias"),
            ("self_attn.o_proj", width, queries, 0.2, "attention_bias"),
            ("mlp.gate_proj", feed_forward, width, 0.2, "mlp_bias"),
            ("mlp.up_proj", feed_forward, width, 0.2, "mlp_bias"),
            ("mlp.down_proj", width, feed_forward, 0.1, "mlp_bias"),
        ]:
            normal(f"{prefix}{name}.weight", std, out, into)
            if config.get(bias):
                normal(f"{prefix}{name}.bias", 0.3, out)
        for name in ("input_layernorm", "post_attention_layernorm"):
            normal(f"{prefix}{name}.weight", 0.1, width, mean=1.0)
    normal("model.norm.weight", 0.1, width, mean=1.0)
    if not config["tie_word_embeddings"]:
        normal("lm_head.weight", 0.3, VOCABULARY, width)
    return tensors


def save(folder, config, tensors, sharded):
    """Writes a checkpoint's folder as Hugging Face lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    metadata = {"format": "pt"}
    if not sharded:
        save_file(tensors, folder / "model.safetensors", metadata)
        return
    names = sorted(tensors)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    index = {}
    for number, half in enumerate(halves, 1):
        file = f"model-{number:05}-of-{len(halves):05}.safetensors"
        save_file({name: tensors[name] for name in half}, folder / file, metadata)
        index |= dict.fromkeys(half, file)
    size = sum(tensor.nbytes for tensor in tensors.values())
    text = json.dumps({"metadata": {"total_size": size}, "weight_map": index}, indent=2)
    (folder / "model.safetensors.index.json").write_text(text + "\n")


def load(folder, attention, kind=torch.float32, rope=None):
    """The checkpoint with its weights cast; `rope` replaces its rope parameters whole."""
    config = AutoConfig.from_pretrained(folder)
    if rope:
        config.rope_parameters = dict(rope)
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=kind, attn_implementation=attention)
    assert model.config._attn_implementation == attention
    assert not rope or model.model.rotary_emb.rope_type == rope["rope_type"]
    return model.eval()


@torch.no_grad()
def logits(folder, tokens, attention="eager", kind=torch.float32, rope=None):
    """Logits [time, vocabulary] in one forward."""
    model = load(folder, attention, kind, rope)
    return model(tokens[None], use_cache=False).logits[0]


def checkpoints(root):
    for seed, (name, (changes, kind, sharded)) in enumerate(CASES.items()):
        config = BASE | changes
        folder = root / name
        save(folder, config, weights(config, kind, seed), sharded)
        tokens = torch.randint(0, VOCABULARY, (LENGTH,), generator=torch.Generator().manual_seed(1000 + seed))
        golden = logits(folder, tokens)

        # The golden must not hang on one kernel, nor on float32's rounding.
        kernel = (golden - logits(folder, tokens, attention="sdpa")).abs().max().item()
        rounding = (golden - logits(folder, tokens, kind=torch.float64)).abs().max().item()
        assert kernel < 2e-5 and rounding < 2e-5, (name, kernel, rounding)

        # A wrong rotation must show: the same weights under another one.
        default = {"rope_type": "default", "rope_theta": 10000.0}
        scaled = "rope_scaling" in config or "rope_parameters" in config
        other = logits(folder, tokens, rope=default if scaled else YARN)
        moved = (golden - other).abs().max().item()
        assert moved > 1e-2, (name, moved)

        save_file({"tokens": tokens, "logits": golden.contiguous()}, folder / "logits.safetensors", MADE_BY)
        print(
            f"{name}: largest logit {golden.abs().max():.1f}, eager to sdpa {kernel:.1e}, float32 to float64 "
            f"{rounding:.1e}, another rotation {moved:.2f}"
        )


# ---- the reference model

DEFAULT_LENGTHS = "1,2,16,64,256,512,1024,1536,2047,2048,2049,2560,3072,4096,6144,8192"


def rotations(theta, trained):
    """The rotations whose logits are kept, by name."""
    base = {"rope_theta": theta}
    return {
        "default": base | {"rope_type": "default"},
        "linear4": base | {"rope_type": "linear", "factor": 4.0},
        "yarn4": base | {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": trained},
    }


def exact_rotation(rotary):
    """Replaces float32 angles by float64 ones from the same type's formula, rounded once, in cosine and sine.

    transformers multiplies float32 frequencies by float32 positions: at position 8,191 the phase is off by up to
    about 3e-4 radians, more than the parity asked of the logits. Both forms are kept.
    """
    import fixtures_positions as formulas

    config = rotary.config
    rope = config.rope_parameters
    d, theta, factor = config.head_dim, rope["rope_theta"], rope.get("factor", 1.0)
    if rope["rope_type"] == "yarn":
        frequencies = formulas.yarn64(d, theta, factor, rope["original_max_position_embeddings"])
    else:
        frequencies = formulas.linear64(d, theta, factor)
    relative = np.max(np.abs(rotary.inv_freq.double().numpy() / frequencies - 1.0))
    assert relative < formulas.FLOAT32_TOLERANCE, relative
    frequencies = torch.from_numpy(frequencies)

    def forward(x, position_ids):
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        scaling = rotary.attention_scaling
        return (angles.cos() * scaling).to(x.dtype), (angles.sin() * scaling).to(x.dtype)

    rotary.forward = forward


@torch.no_grad()
def logits_after(model, tokens, lengths, chunk):
    """Logits after each of the lengths, [lengths, vocabulary]; keys and values cached, so memory stays small."""
    cache, kept = DynamicCache(config=model.config), {}
    for start in range(0, int(lengths[-1]), chunk):
        end = min(start + chunk, int(lengths[-1]))
        wanted = [int(length) for length in lengths if start < length <= end]
        keep = torch.tensor([length - 1 - start for length in wanted] or [0])
        output = model(tokens[None, start:end], past_key_values=cache, use_cache=True, logits_to_keep=keep)
        kept |= dict(zip(wanted, output.logits[0].float()))
    return torch.stack([kept[int(length)] for length in lengths])


def reference(arguments):
    lengths = sorted({int(length) for length in (arguments.lengths or DEFAULT_LENGTHS).split(",")})
    assert lengths[0] >= 1
    config = AutoConfig.from_pretrained(arguments.dir)
    if arguments.tokens:
        tokens = torch.tensor(json.loads(arguments.tokens.read_text().splitlines()[0])["tokens"][: lengths[-1]])
        assert len(tokens) == lengths[-1], f"{arguments.tokens} holds {len(tokens)} tokens, {lengths[-1]} are needed"
    else:
        tokens = torch.randint(0, config.vocab_size, (lengths[-1],), generator=torch.Generator().manual_seed(8192))
    trained = arguments.trained or config.max_position_embeddings
    out = {"tokens": tokens, "lengths": torch.tensor(lengths)}
    for name, rope in rotations(config.rope_parameters["rope_theta"], trained).items():
        model = load(arguments.dir, "sdpa", rope=rope)
        shipped = logits_after(model, tokens, lengths, arguments.chunk)
        exact_rotation(model.model.rotary_emb)
        exact = logits_after(model, tokens, lengths, arguments.chunk)
        out |= {f"shipped.{name}": shipped, f"exact.{name}": exact}
        print(f"{name}: exact angles move the shipped logits by up to {(exact - shipped).abs().max():.1e}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(out, arguments.out, MADE_BY | {"trained": str(trained)})
    print(f"{arguments.out}: {pathlib.Path(arguments.out).stat().st_size} bytes")

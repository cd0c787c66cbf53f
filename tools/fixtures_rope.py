"""One tiny model under every rope type of transformers: logits in one forward, and token by token with its cache.

All cases share the weights in tests/fixtures/rope/model.safetensors; a case is a config.json and its logits.
"""

import json

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM
from transformers.cache_utils import DynamicCache

from fixtures_llama import BASE, MADE_BY, VOCABULARY, weights

# Below, at and beyond the trained length of 64, where frequencies change.
LENGTHS = (40, 64, 65, 100, 160)
LONGEST = max(LENGTHS)
SHAPE = {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
THETA = {"rope_theta": 10000.0}
ORIGINAL = {"original_max_position_embeddings": 64}
LONGROPE = THETA | {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0],
    "long_factor": [1.0, 1.1, 1.4, 1.9, 2.5, 3.2, 3.8, 4.0],
}
HALF = {"partial_rotary_factor": 0.5}

# Name: keys laid over BASE and SHAPE.
CASES = {
    "default": {"rope_parameters": THETA | {"rope_type": "default"}},
    "linear": {"rope_parameters": THETA | {"rope_type": "linear", "factor": 4.0}},
    "dynamic": {"rope_parameters": THETA | {"rope_type": "dynamic", "factor": 4.0}},
    "dynamic_factor_one": {"rope_scaling": {"type": "dynamic", "factor": 1.0}},
    "yarn": {"max_position_embeddings": 256, "rope_parameters": THETA | {"rope_type": "yarn", "factor": 4.0} | ORIGINAL},
    "yarn_options": {
        "rope_parameters": {"rope_type": "yarn", "rope_theta": 500.0, "factor": 2.5, "beta_fast": 4.0, "beta_slow": 0.5}
        | {"mscale": 1.0, "mscale_all_dim": 0.5, "truncate": False}
        | ORIGINAL
    },
    "longrope": {"max_position_embeddings": 256, "rope_parameters": LONGROPE | ORIGINAL},
    "longrope_attention": {"rope_parameters": LONGROPE | ORIGINAL | {"factor": 4.0, "attention_factor": 1.3}},
    "llama3": {
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0}
        | {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
        | ORIGINAL,
    },
    "proportional": {"rope_parameters": THETA | {"rope_type": "proportional", "factor": 2.0} | HALF},
    "partial_default": {"rope_parameters": THETA | {"rope_type": "default"} | HALF},
    "partial_longrope": {
        "max_position_embeddings": 256,
        "rope_parameters": LONGROPE | ORIGINAL | HALF | {"short_factor": [1.0] * 4, "long_factor": [1.0, 2.0, 3.0, 4.0]},
    },
}


def as_phi3(config, tensors):
    """The same model as a Phi-3: transformers' Llama cannot rotate a part of a head, its Phi-3 is that graph and can."""
    keys = ("hidden_act", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    keys += ("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings")
    rope = dict(config["rope_parameters"])
    original = rope.get("original_max_position_embeddings", config["max_position_embeddings"])
    phi3 = Phi3Config(
        **{key: config[key] for key in keys},
        rope_parameters=rope,
        original_max_position_embeddings=original,
        pad_token_id=None,
        attn_implementation="eager",
    )
    fused = {}
    for name, tensor in tensors.items():
        if ".q_proj." in name:
            parts = [tensors[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            fused[name.replace(".q_proj.", ".qkv_proj.")] = torch.cat(parts)
        elif ".gate_proj." in name:
            up = tensors[name.replace(".gate_proj.", ".up_proj.")]
            fused[name.replace(".gate_proj.", ".gate_up_proj.")] = torch.cat([tensor, up])
        elif not any(f".{part}_proj." in name for part in ("k", "v", "up")):
            fused[name] = tensor
    return Phi3ForCausalLM(phi3), fused


def model_of(folder, tensors, config, kind):
    """A fresh model: its rotary module remembers the longest text that it has met."""
    is_partial = "partial" in folder.name
    if is_partial:
        model, tensors = as_phi3(config, tensors)
    else:
        model = LlamaForCausalLM(AutoConfig.from_pretrained(folder, attn_implementation="eager"))
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected, (missing, unexpected)
    model.tie_weights()
    # Parameters only: `inv_freq` stays as the rotary module computes it.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(kind)
    return model.eval()


@torch.no_grad()
def forward(model, tokens):
    return model(tokens[None], use_cache=False).logits[0]


@torch.no_grad()
def stepped(model, tokens):
    """Logits after each token, each in a forward of its own behind the cache."""
    cache, rows = DynamicCache(config=model.config), []
    for token in tokens:
        rows.append(model(token[None, None], past_key_values=cache, use_cache=True).logits[0, 0])
    assert cache.get_seq_length() == len(tokens)
    return torch.stack(rows)


def checkpoints(root):
    # Threads cost more than they bring at this size.
    torch.set_num_threads(1)
    root.mkdir(parents=True, exist_ok=True)
    tensors = weights(BASE | SHAPE, torch.float32, 77)
    save_file(tensors, root / "model.safetensors", {"format": "pt"})
    tokens = torch.randint(0, VOCABULARY, (LONGEST,), generator=torch.Generator().manual_seed(1077))
    unscaled = None
    for name, changes in CASES.items():
        config, folder = BASE | SHAPE | changes, root / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        run = lambda how, count, kind=torch.float32: how(model_of(folder, tensors, config, kind), tokens[:count])
        out, rounding = {"tokens": tokens}, 0.0
        for length in LENGTHS:
            whole = run(forward, length)
            rounding = max(rounding, (whole - run(forward, length, torch.float64)).abs().max().item())
            at = torch.tensor([0, length // 2, length - 2, length - 1])
            out |= {f"at.{length}": at, f"logits.{length}": whole[at].contiguous()}
        steps = run(stepped, LONGEST)
        rounding = max(rounding, (steps - run(stepped, LONGEST, torch.float64)).abs().max().item())
        assert rounding < 3e-5, (name, rounding)
        out["cached.logits"] = steps[[length - 1 for length in LENGTHS]].contiguous()
        predicted = torch.log_softmax(steps[:-1].double(), dim=-1)
        out["cached.log_probability"] = predicted.gather(1, tokens[1:, None])[:, 0].float().contiguous()

        # With the length in the frequencies, cached keys keep old ones: stepping is then not one forward.
        apart = (steps - whole).abs().max(dim=-1).values
        if "dynamic" in name or "longrope" in name:
            assert apart[64:].max() > 1e-2, (name, apart)
        else:
            assert apart.max() < 3e-5, (name, apart)
        unscaled = whole if unscaled is None else unscaled
        moved = (whole - unscaled).abs().max().item()
        assert name == "default" or moved > 1e-2, (name, moved)
        save_file(out, folder / "logits.safetensors", MADE_BY)
        print(f"{name}: rounding {rounding:.1e}, cache to forward {apart.max():.1e}, away from default {moved:.2f}")

"""Outputs of transformers with the catalogue's bugs patched in, as `gyro identify` reads them.

The checkpoint is the tiny one of `fixtures_llama.py` whose config.json declares YaRN x4 on a trained length of 64.
"""

import contextlib
import json

import torch
import transformers.models.llama.modeling_llama as llama
from transformers.cache_utils import DynamicCache

import fixtures_llama

CHECKPOINT = "yarn_new_form"
TRAINED, FACTOR = 64, 4.0
# Lengths, how many of each, and how they go through.
PROMPTS = [(8, 30, "prefill"), (16, 8, "prefill"), (48, 3, "prefill"), (150, 2, "prefill"), (16, 4, "decode")]


def rope(**changes):
    """The declared rope parameters with changes."""
    return fixtures_llama.YARN | changes


def positions(change):
    """A bug that changes the position ids before the rotation."""

    def patch(model):
        rotary = model.model.rotary_emb
        healthy = rotary.forward
        rotary.forward = lambda x, position_ids: healthy(x, change(position_ids))

    return patch


def scaling(change):
    """A bug that changes the attention factor."""

    def patch(model):
        rotary = model.model.rotary_emb
        rotary.attention_scaling = change(rotary.attention_scaling)

    return patch


def interleaved(x, cos, sin):
    """Rotates dimension 2i with 2i + 1."""
    half = cos.shape[-1] // 2
    cos, sin = (t[..., :half].repeat_interleave(2, dim=-1).unsqueeze(1) for t in (cos, sin))
    turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * cos + turned * sin


def half_split(x, cos, sin):
    return x * cos.unsqueeze(1) + llama.rotate_half(x) * sin.unsqueeze(1)


# Bugs of the kernel: what is done to queries, and to keys.
HANDS = {
    "pairing_swapped": (interleaved, interleaved),
    "pairing_swapped_on_keys": (half_split, interleaved),
    "keys_turn_back": (half_split, lambda x, cos, sin: half_split(x, cos, -sin)),
    "attention_factor_on_queries": (
        half_split,
        # The factor is the length of each (cos, sin).
        lambda x, cos, sin: half_split(x, *(t / (cos[..., :1] ** 2 + sin[..., :1] ** 2).sqrt() for t in (cos, sin))),
    ),
}

# Masks of which keys a query sees, by the distance back to the key.
MASKS = {
    "window_forced": lambda distance, query: distance < TRAINED // 2,
    "own_key_hidden": lambda distance, query: (distance > 0) | (query == 0),
}

# Positions of decoded tokens.
DECODED = {
    "decode_offset_by_one": lambda position: position + 1,
    "decode_offset_ignored": lambda position: 0,
}

# Name of the fault: rope parameters, patch of the model.
PATCHES = {
    "healthy": (None, None),
    "scaling_ignored": ({"rope_type": "default", "rope_theta": 10000.0}, None),
    "factor_doubled": (rope(factor=2 * FACTOR), None),
    "factor_halved": (rope(factor=FACTOR / 2), None),
    "base_of_another_model": (rope(rope_theta=1000000.0), None),
    "attention_factor_absent": (None, scaling(lambda m: 1.0)),
    "attention_factor_squared": (None, scaling(lambda m: m * m)),
    "positions_doubled": (None, positions(lambda p: 2 * p)),
    "table_clamps": (None, positions(lambda p: p.clamp(max=TRAINED - 1))),
    "table_wraps": (None, positions(lambda p: p % TRAINED)),
} | {name: (None, None) for name in [*HANDS, *MASKS, *DECODED]}


@contextlib.contextmanager
def kernel(name):
    """The kernel with a bug, for as long as it lasts."""
    healthy = llama.apply_rotary_pos_emb
    if name in HANDS:
        queries, keys = HANDS[name]
        llama.apply_rotary_pos_emb = lambda q, k, cos, sin, *_, **__: (queries(q, cos, sin), keys(k, cos, sin))
    try:
        yield
    finally:
        llama.apply_rotary_pos_emb = healthy


def prefill(model, ids, name):
    """Logits of one forward, [time, vocabulary]."""
    if name not in MASKS:
        return model(ids[None], use_cache=False).logits[0]
    query, key = torch.arange(len(ids))[:, None], torch.arange(len(ids))[None]
    seen = (key <= query) & MASKS[name](query - key, query)
    mask = torch.where(seen, 0.0, torch.finfo(model.dtype).min).to(model.dtype)
    return model(ids[None], attention_mask=mask[None, None], use_cache=False).logits[0]


def decode(model, ids, name):
    """Logits token by token through a cache, the first token being the prompt."""
    move = DECODED.get(name, lambda position: position)
    cache, rows = DynamicCache(config=model.config), []
    for at in range(len(ids)):
        position = torch.tensor([[move(at) if at else 0]])
        mask = None
        if name in MASKS:
            query, key = torch.tensor([[at]]), torch.arange(at + 1)[None]
            seen = MASKS[name](query - key, query)
            mask = torch.where(seen, 0.0, torch.finfo(model.dtype).min).to(model.dtype)[None, None]
        output = model(
            ids[None, at : at + 1], position_ids=position, past_key_values=cache, use_cache=True, attention_mask=mask
        )
        rows.append(output.logits[0, 0])
    return torch.stack(rows)


@torch.no_grad()
def observed(folder, name, kind):
    """The lines of one file."""
    parameters, patch = PATCHES[name]
    model = fixtures_llama.load(folder, "eager", kind, parameters)
    if patch:
        patch(model)
    random = torch.Generator().manual_seed(77)
    with kernel(name):
        for length, count, phase in PROMPTS:
            for _ in range(count):
                ids = torch.randint(0, fixtures_llama.VOCABULARY, (length,), generator=random)
                logits = (prefill if phase == "prefill" else decode)(model, ids, name)
                own = logits[:-1].float().log_softmax(-1).gather(1, ids[1:, None])[:, 0]
                yield {
                    "tokens": ids.tolist(),
                    "logprobs": [None] + [round(value, 6) for value in own.tolist()],
                    "phase": phase,
                    "dtype": str(kind).removeprefix("torch."),
                }


def files(fixtures):
    folder = fixtures / "identify"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PATCHES:
        for kind in (torch.float32, torch.bfloat16):
            path = folder / f"{name}.{str(kind).removeprefix('torch.')}.jsonl"
            rows = list(observed(fixtures / "llama" / CHECKPOINT, name, kind))
            path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    print(f"identify: {len(PATCHES)} engines in two formats")

"""Serves a Llama checkpoint with llama.cpp's own HTTP server, converted to GGUF: a real engine for `gyro capture`.

    pip install gguf safetensors xllamacpp
    python tools/serve_llama.py models/reference/rope-2k --port 8080 [--exact] [--rope-scale 4 | --yarn 4]

With a scale, which is llama.cpp's own option, the engine was told otherwise than the checkpoint says.
"""

import argparse
import json
import pathlib
import tempfile
import time

import gguf
import numpy
import xllamacpp
from safetensors.numpy import load_file

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}


def renamed(name):
    """A tensor's name in a GGUF."""
    parts = name.removesuffix(".weight").split(".")
    if parts[:2] == ["model", "layers"]:
        return f"blk.{parts[2]}.{NAMES['.'.join(parts[3:])]}.weight"
    return f"{NAMES['.'.join(parts)]}.weight"


def interleaved(weight, heads):
    """Hugging Face rotates the two halves of a head, llama.cpp neighbours: the rows are reordered for it."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def convert(folder, out):
    """Writes a checkpoint as a GGUF."""
    config = json.loads((folder / "config.json").read_text())
    words = json.loads((folder / "tokenizer.json").read_text())
    heads = config["num_attention_heads"]
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_rope_freq_base(config.get("rope_parameters", config)["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    vocabulary = sorted(words["model"]["vocab"], key=words["model"]["vocab"].get)
    special = {token["content"] for token in words["added_tokens"]}
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([control if word in special else normal for word in vocabulary])
    merges = words["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_add_bos_token(False)
    for name, weight in load_file(folder / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weight = interleaved(weight, heads if "q_proj" in name else config["num_key_value_heads"])
        writer.add_tensor(renamed(name), weight.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("checkpoint", type=pathlib.Path)
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--context", type=int, default=4096)
    arguments.add_argument("--exact", action="store_true", help="no flash attention, and a cache in single precision")
    arguments.add_argument("--rope-scale", type=float)
    arguments.add_argument("--yarn", type=float)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = str(pathlib.Path(folder) / "model.gguf")
        convert(arguments.checkpoint, model)
        asked = xllamacpp.CommonParams()
        asked.model.path = model
        asked.port, asked.n_ctx, asked.n_parallel = arguments.port, arguments.context, 1
        asked.cpuparams.n_threads = 1
        if arguments.exact:
            asked.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
            asked.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_F32
            asked.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        if arguments.rope_scale:
            asked.rope_freq_scale = 1 / arguments.rope_scale
        if arguments.yarn:
            asked.rope_scaling_type = xllamacpp.llama_rope_scaling_type.LLAMA_ROPE_SCALING_TYPE_YARN
            asked.rope_freq_scale = 1 / arguments.yarn
        server = xllamacpp.Server(asked)
        print(f"serving {arguments.checkpoint} at {server.listening_address}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()

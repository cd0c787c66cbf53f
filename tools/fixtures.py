"""Makes the goldens under tests/fixtures with code from outside this project.

    python3 -m venv VENV && VENV/bin/pip install -r tools/requirements.txt
    VENV/bin/python tools/fixtures.py all
    VENV/bin/python tools/fixtures.py reference-logits models/reference/rope-2k tests/fixtures/reference/logits.safetensors

The tests compare Gyro with these files; nothing here reads Gyro's output.
"""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in [
        ("all", "everything but the reference model's logits"),
        ("positions", "positions.json: inverse frequencies and attention factors"),
        ("biases", "biases.json: slopes, buckets, kernels and added vectors"),
        ("configs", "configs.json: what transformers makes of a config.json"),
        ("llama", "llama/*: tiny checkpoints with their logits"),
        ("rope", "rope/*: one tiny model under every rope type, with and without a cache"),
        ("identify", "identify/*: outputs of transformers with bugs patched in"),
        ("stats", "stats.json: SciPy and statsmodels"),
    ]:
        commands.add_parser(name, help=text)
    reference = commands.add_parser("reference-logits", help="logits of a checkpoint at a few positions")
    reference.add_argument("dir", type=pathlib.Path, help="checkpoint in Hugging Face layout")
    reference.add_argument("out", type=pathlib.Path, help="safetensors file to write")
    reference.add_argument(
        "lengths", nargs="?", help="context lengths, separated by commas, after which logits are kept; default: 16"
    )
    reference.add_argument("--trained", type=int, help="trained length; default: max_position_embeddings")
    reference.add_argument("--tokens", type=pathlib.Path, help='JSON line with "tokens"; default: random, seeded')
    reference.add_argument("--chunk", type=int, default=512, help="tokens in one forward")
    arguments = parser.parse_args()

    # The parts import only what they need: statistics run without torch.
    if arguments.command in ("all", "positions"):
        import fixtures_positions

        write("positions.json", fixtures_positions.positions())
    if arguments.command in ("all", "biases"):
        import fixtures_biases

        write("biases.json", fixtures_biases.biases())
    if arguments.command in ("all", "configs"):
        import fixtures_positions

        write("configs.json", fixtures_positions.configs())
    if arguments.command in ("all", "stats"):
        import fixtures_stats

        write("stats.json", fixtures_stats.stats())
    if arguments.command in ("all", "llama"):
        import fixtures_llama

        fixtures_llama.checkpoints(FIXTURES / "llama")
    if arguments.command in ("all", "rope"):
        import fixtures_rope

        fixtures_rope.checkpoints(FIXTURES / "rope")
    if arguments.command in ("all", "identify"):
        import fixtures_identify

        fixtures_identify.files(FIXTURES)
    if arguments.command == "reference-logits":
        import fixtures_llama

        fixtures_llama.reference(arguments)


def write(name, value):
    """Writes JSON with one line for each item of its lists, so that a change shows as a small difference."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    parts = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n    ".join(json.dumps(row) for row in item)
            parts.append(f"  {json.dumps(key)}: [\n    {rows}\n  ]")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(item)}")
    path = FIXTURES / name
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    print(f"{path.relative_to(FIXTURES.parent.parent)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

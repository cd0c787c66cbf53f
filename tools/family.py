"""Writes the comparison of the reference family into models/reference/README.md, from the models' own cards.

    python3 tools/family.py
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent / "models" / "reference"
BEGIN, END = "<!-- family: written by tools/family.py -->", "<!-- family: end -->"
LEARNED = "model.positions.weight"


def section(card, length):
    """The rows of a card's two tables at a length: {bin: value}."""
    text = card.split(f"documents of {length:,} tokens")[1].split("\n## ")[0]
    loss, recall = text.split("recall [95 %]")
    rows = lambda part: dict(re.findall(r"^\| (\d+ to \d+) \| (.*?) \| \d+ \|$", part, re.M))
    return rows(loss), rows(recall)


def learned(folder):
    """Parameters of the position method, from the safetensors header."""
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shape = header.get(LEARNED, {}).get("shape", [0])
    count = 1
    for size in shape:
        count *= size
    return count


def table(title, models, pick):
    bins = list(pick(models[0][1]))
    head = [title, *(name for name, _ in models)]
    rows = [[b.replace(" to ", "–"), *(pick(model).get(b, "–") for _, model in models)] for b in bins]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def main():
    models = []
    for folder in sorted(ROOT.glob("*-2k")):
        card = (folder / "README.md").read_text()
        minutes = re.search(r"in (\d+) minutes by the clock", card).group(1)
        short, long = section(card, 2048), section(card, 8192)
        models.append((folder.name, {"minutes": minutes, "learned": learned(folder), "short": short, "long": long}))
    models.sort(key=lambda model: list_order(model[0]))
    facts = "\n".join(
        f"| {name} | {model['minutes']} | {model['learned']:,} |" for name, model in models
    )
    parts = [
        "| model | minutes by the clock | learned parameters of the position method |\n|---|---|---|\n" + facts,
        table("loss at positions, nats/token", models, lambda model: model["long"][0]),
        table("recall by distance, documents of 2,048", models, lambda model: model["short"][1]),
        table("recall by distance, documents of 8,192", models, lambda model: model["long"][1]),
    ]
    path = ROOT / "README.md"
    text = path.read_text()
    before, rest = text.split(BEGIN)
    path.write_text(before + BEGIN + "\n" + "\n\n".join(parts) + "\n" + END + rest.split(END)[1])


def list_order(name):
    order = ["rope", "alibi", "t5", "sinusoidal", "nope"]
    head = name.split("-")[0]
    return order.index(head) if head in order else len(order)


if __name__ == "__main__":
    main()

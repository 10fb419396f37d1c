"""Put a trained base into the package: weights, checksum, trainable parameters per strategy, model card.

    python scripts/make_card.py NAME WEIGHTS FACTS.json

FACTS.json holds what the script cannot know: title, architecture, settings, sampling ranges, training, metrics.
"""

import argparse
import json
import shutil
from pathlib import Path

from napari_mritransfer.transfer.model import trainable_by_strategy
from napari_mritransfer.zoo.weights import build, load_strictly, read_safetensors, sha256_of

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("weights", type=Path)
    parser.add_argument("facts", type=Path)
    args = parser.parse_args()
    facts = json.loads(args.facts.read_text())
    load_strictly(build(facts["architecture"], facts["settings"]), read_safetensors(args.weights)[0], args.weights)
    facts["parameters"] = trainable_by_strategy(build(facts["architecture"], facts["settings"]))
    OUT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(args.weights, OUT / f"{args.name}.safetensors")
    facts["sha256"] = sha256_of(OUT / f"{args.name}.safetensors")
    (OUT / f"{args.name}.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    print(OUT / args.name, facts["parameters"])


if __name__ == "__main__":
    main()

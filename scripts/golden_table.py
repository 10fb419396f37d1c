"""Prints docs/published-networks.md's table: how far our networks are from what their authors' programs returned.

Call it as ``python scripts/golden_table.py [folder of golden documents]``.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from golden_runner import run  # noqa: E402


def rows(folder: Path) -> list[str]:
    """One row per output: largest difference and, in brackets, the tolerance that the document states."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        if "outputs" not in document:
            continue
        double, single = run(document, torch.float64), run(document, torch.float32)
        for name, expected in document["outputs"].items():
            cells = [
                f"{difference(output[name], expected, listed):.1e} ({expected[allowed]:.0e})"
                for output, listed, allowed in (
                    (double, "values_float64_run", "suggested_atol_float64"),
                    (single, "values", "suggested_atol_float32"),
                )
            ]
            lines.append(f"| {path.stem} | {name} | {cells[0]} | {cells[1]} |")
    return lines


def difference(output: torch.Tensor, expected: dict[str, Any], listed: str) -> float:
    found = output.double().flatten()[:: expected["stride"]][:256]
    return (found - torch.tensor(expected[listed], dtype=torch.float64)).abs().max().item()


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "golden"
    print("| document | output | float64 (tolerance) | float32 (tolerance) |")
    print("| --- | --- | --- | --- |")
    print("\n".join(rows(folder)))


if __name__ == "__main__":
    main()

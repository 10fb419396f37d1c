"""Damage small files of every format at random and open them: nothing but `UnreadableScan` may come of it.

    python scripts/fuzz_readers.py --cases 2000 --seed 0

Each format is worked through in child processes with 2 GiB of address space and a time limit a batch, for a damaged
HDF5 file may crash or hang a C library. A crash or a hang is reported with the case's number and its batch continues
behind it. The children look at the middle slice as well, which is where lazy readers meet the damage.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

BATCH = 100
SECONDS_A_BATCH = 60
ADDRESS_SPACE = 2 << 30


def damaged(data: bytes, draw: random.Random) -> bytes:
    """One to four flips, insertions, deletions, or a cut; half of them near the start, where headers lie."""
    content = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        reach = min(len(content), 2048) if draw.random() < 0.5 else len(content)
        at, length = draw.randrange(max(reach, 1)), draw.randint(1, 8)
        kind = draw.choice(["flip", "set", "insert", "delete", "huge", "cut"])
        if kind == "flip" and content:
            content[at] ^= 1 << draw.randrange(8)
        elif kind == "set":
            content[at : at + length] = draw.randbytes(length)
        elif kind == "insert":
            content[at:at] = draw.randbytes(length)
        elif kind == "delete":
            del content[at : at + length]
        elif kind == "huge":
            content[at : at + length] = b"\xff" * length
        else:
            del content[at:]
    return bytes(content)


def outcome(path: Path) -> str:
    """What opening a file and looking at a slice comes to: read, the first words of a refusal, or a failure."""
    import numpy as np

    from napari_mritransfer.io import UnreadableScan, load

    try:
        scan = load(path)
        np.asarray(scan.image[0, scan.image.shape[1] // 2])
    except UnreadableScan as error:
        text = str(error)
        return "refused" if text.endswith(".") and "\n" not in text else f"FAILED: no sentence: {text}"
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {error}"
    return "read"


def work(folder: Path, name: str, seed: int, first: int, last: int) -> None:
    """Child: cases `first` to `last`, one line each."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    sound = (folder / name).read_bytes()
    with tempfile.TemporaryDirectory() as place:
        for other in folder.iterdir():  # a .cfl needs its .hdr
            if other.stem == Path(name).stem:
                Path(place, other.name).write_bytes(other.read_bytes())
        for case in range(first, last):
            Path(place, name).write_bytes(damaged(sound, random.Random(f"{seed} {name} {case}")))
            began = time.perf_counter()
            told = outcome(Path(place, name))
            print(json.dumps([case, told, time.perf_counter() - began]), flush=True)


def fuzz(folder: Path, name: str, cases: int, seed: int) -> tuple[Counter[str], float]:
    """Outcomes of one format, and the slowest case in seconds."""
    found: Counter[str] = Counter()
    slowest, first = 0.0, 0
    while first < cases:
        last = min(first + BATCH, cases)
        command = [sys.executable, __file__, "--work", str(folder), name, str(seed), str(first), str(last)]
        try:
            child = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS_A_BATCH, check=False
            )  # fmt: skip
            output, ended = child.stdout, "" if child.returncode == 0 else f"ended with {child.returncode}"
        except subprocess.TimeoutExpired as expired:
            output, ended = (expired.stdout or b"").decode(), "hangs"
        lines = [json.loads(line) for line in output.splitlines()]
        for case, told, seconds in lines:
            found[told.partition(":")[0]] += 1
            slowest = max(slowest, seconds)
            if told.startswith("FAILED"):
                print(f"{name} case {case}: {told}")
        first += len(lines)
        if ended:
            print(f"{name} case {first}: {ended}")
            found["FAILED"] += 1
            first += 1
    return found, slowest


def main() -> int:
    """The number of failures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    tests = Path(__file__).parent.parent / "tests"
    sys.path[:0] = [str(tests), str(tests / "io")]
    import dicom_files
    import kspace_files

    failures = 0
    for module in (kspace_files, dicom_files):
        with tempfile.TemporaryDirectory() as folder:
            for name in module.small_files(Path(folder)):
                if options.only in name:
                    found, slowest = fuzz(Path(folder), name, options.cases, options.seed)
                    print(f"{name:16} {dict(sorted(found.items()))}, slowest {slowest:.2f} s", flush=True)
                    failures += found["FAILED"]
    return failures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:7]))
    else:
        sys.exit(min(main(), 1))

"""How long the viewer's event loop is held up while networks train beside it.

    python benchmarks/heartbeat.py [--seconds 20]

Three times the same viewer with the same user, who scrolls through slices and drags the contrast window: with nothing
else going on, with FT and LFT training in the worker process as the plugin does it, and with the same jobs in a plain
thread of the viewer's process. A timer that should tick every 5 ms notes when it really does. Needs a display (or
``xvfb-run``). Also timed: from calling up each dock to the dock being drawn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.resources import files
from pathlib import Path

CASES = {"idle": "nothing else", "worker": "FT and LFT in the worker process", "thread": "FT and LFT in a plain thread"}
TICK_MS = 5
USER_EVERY_S = 0.05
SAMPLES = files("napari_mritransfer") / "resources" / "samples"
TRAIN, JUDGE = (str(SAMPLES / f"patient03_study{n}_T2W.nii.gz") for n in (1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--case", choices=CASES)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.seconds)))
        return
    print(f"| {'beside the viewer':34} | p50 (ms) | p99 (ms) | max (ms) | steps trained | ticks |")
    print(f"|{'-' * 36}|---------:|---------:|---------:|--------------:|------:|")
    docks = {}
    for case, label in CASES.items():
        command = [sys.executable, __file__, "--case", case, "--seconds", str(arguments.seconds)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        found = json.loads(told)
        numbers = " | ".join(f"{found[name]:8.1f}" for name in ("p50", "p99", "max"))
        print(f"| {label:34} | {numbers} | {found['steps']:13} | {found['ticks']:5} |", flush=True)
        docks = docks or found["docks"]
    print("\nFrom calling up a dock to its being drawn (first the one that is opened first):")
    for name, seconds in docks.items():
        print(f"  {name}: {seconds:.2f} s")


def measure(case: str, seconds: float) -> dict[str, object]:
    """One case in this process: percentiles of the gaps between ticks, in ms."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        import napari
        import numpy as np
        from napari.settings import get_plugin_settings
        from qtpy.QtCore import Qt, QTimer
        from qtpy.QtWidgets import QApplication

        from napari_mritransfer.widgets.commands import opened

        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 800)
        get_plugin_settings("napari-mritransfer").general.run_folder = folder
        for path in (TRAIN, JUDGE):
            viewer.open(path, plugin="napari-mritransfer")
        QApplication.processEvents()
        docks = {}
        for name in ("Fine-tune", "Load scan", "Compare reconstructions"):
            began = time.perf_counter()
            dock = opened(viewer, name)
            dock.repaint()
            QApplication.processEvents()
            docks[name] = time.perf_counter() - began
        dock = opened(viewer, "Fine-tune")
        dock.choose_scans([viewer.layers[0]], viewer.layers[1])
        dock.advanced.epochs.value = 1000
        wait(QApplication, lambda: dock.device.count() > 2 or dock.estimate.text() != "", 60)
        dock.estimate.drop()
        steps = trained(case, dock, folder)
        if case != "idle":
            wait(QApplication, lambda: steps() > 1, 120)
        before, gaps, last, moved = steps(), [], time.perf_counter(), 0.0

        def tick() -> None:
            nonlocal last, moved
            now = time.perf_counter()
            gaps.append((now - last) * 1000)
            last = now
            if now - moved > USER_EVERY_S:
                moved = now
                viewer.dims.set_current_step(0, len(gaps) % 16)
                viewer.layers[1].contrast_limits = (0, 500 + 10 * (len(gaps) % 50))

        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(tick)
        timer.start(TICK_MS)
        end = time.perf_counter() + seconds
        wait(QApplication, lambda: time.perf_counter() > end, seconds + 30)
        timer.stop()
        taken = steps() - before
        result = {
            "p50": float(np.percentile(gaps, 50)), "p99": float(np.percentile(gaps, 99)), "max": float(np.max(gaps)),
            "steps": taken, "ticks": len(gaps), "docks": docks,
        }  # fmt: skip
        dock.session.close()
        print(json.dumps(result), flush=True)
        os._exit(0)  # a thread that trains does not end by itself


def trained(case, dock, folder):
    """Start the jobs of a case; a function that tells how many steps were taken."""
    if case == "idle":
        return lambda: 0
    if case == "worker":
        dock.start.click()
        return lambda: sum(len(run.losses) for run in dock.tuning.runs)
    from napari_mritransfer.training.events import StepDone
    from napari_mritransfer.training.loop import finetune

    taken = []

    def work() -> None:
        for number, config in enumerate(dock.inputs().configs()):
            finetune(
                config, lambda event: taken.append(event) if isinstance(event, StepDone) else None,
                run=Path(folder) / f"thread-{number}",
            )  # fmt: skip

    threading.Thread(target=work, daemon=True).start()
    return lambda: len(taken)


def wait(application, there, seconds):
    """Let the viewer live until something is so."""
    end = time.perf_counter() + seconds
    while not there():
        if time.perf_counter() > end:
            raise TimeoutError
        application.processEvents()
        time.sleep(0.0005)


if __name__ == "__main__":
    main()

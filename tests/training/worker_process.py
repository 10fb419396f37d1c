"""A worker process and somebody who talks to it."""

import contextlib
import io
import json
import queue
import subprocess
import sys
import threading
import time

from napari_mritransfer.training.worker import serve

PLAIN = "from napari_mritransfer.training.worker import serve; serve()"
NOISY = r"""
import os
from napari_mritransfer.training import reconstruction as work, worker
quiet = work.reconstruct
def noisy(*args, **options):
    print("a library prints")
    os.write(1, b"and so does its C code\n")
    return quiet(*args, **options)
work.reconstruct = noisy
worker.serve()
"""


def finetune_command(config, run, identity, **more):
    """As the viewer sends it."""
    config = json.loads(config.as_json())
    return {"command": "finetune", "id": identity, "config": config, "run": str(run)} | more


def served(*commands, jobs=None):
    """What a worker in this very process answers; each job has ended before the next line comes."""
    answers = io.StringIO()

    def one_by_one():
        ordered = 0
        for command in commands:
            line = command if isinstance(command, str) else json.dumps(command)
            yield f"{line}\n"
            ordered += any(f'"{name}"' in line for name in ("finetune", *(jobs or ())))
            deadline = time.monotonic() + 30
            ends = ("Done", "Stopped", "Failed")
            while sum(answers.getvalue().count(f'"event": "{end}"') for end in ends) < ordered:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    serve(one_by_one(), answers, jobs=jobs)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


class Worker:
    """Started as the viewer starts it; every line it says must be JSON."""

    def __init__(self, start=PLAIN):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", start],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(ValueError):  # closed by us
            for line in self.process.stdout:
                self.lines.put(line)
        self.lines.put(None)

    def say(self, line):
        data = line if isinstance(line, bytes) else f"{json.dumps(line)}\n".encode()
        self.process.stdin.buffer.write(data)
        self.process.stdin.buffer.flush()

    def finetune(self, config, run, identity, **more):
        self.say(finetune_command(config, run, identity, **more))

    def hear(self):
        line = self.lines.get(timeout=60)
        return None if line is None else json.loads(line)

    def hear_until(self, *kinds):
        """Everything up to the first of these events."""
        heard = []
        while not heard or heard[-1]["event"] not in kinds:
            heard.append(self.hear())
            assert heard[-1] is not None, self.process.stderr.read()
        return heard

    def job(self):
        """Everything up to the end of a job."""
        return self.hear_until("Done", "Stopped", "Failed")

    def stop_listening(self):
        """Close the reading end of its output."""
        self.process.stdout.close()

    def leave(self):
        """End of input; the exit status."""
        self.process.stdin.close()
        return self.process.wait(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

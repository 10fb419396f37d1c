"""The job: configuration, loop, events, run directory, worker process."""

"""Ray's put and get of bytes on behalf of a bench: reads orders from stdin, one JSON object per line, and answers each by seconds."""

import gc
import json
import os
import sys
import time

import numpy
import ray

store = int(sys.argv[1])
# What Ray prints must not get between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
ray.init(num_cpus=1, object_store_memory=store, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def put(bytes, ring, count):
    """As the bench does it: into memory that is let go just before, from a ring of sources."""
    sources = [numpy.full(bytes, k, dtype=numpy.uint8) for k in range(ring)]
    refs = [ray.put(source) for source in sources]
    start = time.perf_counter()
    for k in range(count):
        refs[k % ring] = None
        refs[k % ring] = ray.put(sources[k % ring])
    return time.perf_counter() - start


def get(bytes, count):
    """Views that stay until the end, as in the bench."""
    ref = ray.put(numpy.ones(bytes, dtype=numpy.uint8))
    start = time.perf_counter()
    views = [ray.get(ref) for _ in range(count)]
    seconds = time.perf_counter() - start
    assert all(view[bytes - 1] == 1 for view in views)
    return seconds


print(json.dumps({"ray": ray.__version__}), file=answers, flush=True)
for line in sys.stdin:
    order = json.loads(line)
    seconds = {"put": put, "get": get}[order.pop("what")](**order)
    gc.collect()
    print(json.dumps({"seconds": seconds}), file=answers, flush=True)
ray.shutdown()

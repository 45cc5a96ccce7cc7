"""Run by a Python that has llama.cpp (LIMAKIT_LLAMA_PYTHON), which need not have limakit: `llama_serve.py MODEL PORT`
serves a GGUF file on loopback, by xllamacpp or by llama-cpp-python[server]."""

import runpy
import sys
import threading
from importlib import import_module
from typing import Any

MODEL, PORT = sys.argv[1], int(sys.argv[2])

try:
    xllamacpp: Any = import_module("xllamacpp")  # its module has no types
except ImportError:
    told = {"model": MODEL, "model_alias": "tiny", "host": "127.0.0.1", "port": PORT, "n_ctx": 512, "n_threads": 1}
    sys.argv[1:] = [part for name, value in told.items() for part in (f"--{name}", str(value))]
    runpy.run_module("llama_cpp.server", run_name="__main__")
else:
    params = xllamacpp.CommonParams()
    params.model.path = MODEL
    params.model_alias = ["tiny"]
    params.hostnames, params.port, params.n_ctx, params.n_parallel = ["127.0.0.1"], PORT, 512, 1
    params.cpuparams.n_threads, params.use_jinja, params.warmup, params.fit_params = 1, True, False, False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201
    threading.Event().wait()

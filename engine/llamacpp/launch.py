"""Runs llama.cpp's HTTP server inside this process, for the program at the other end of standard input.

The first line of standard input holds the settings as JSON. After it the pipe stays silent; when it
ends, the other program is gone, however it went, and so is this one. The one line on standard output
is printed when the server listens, and says where.
"""

import json
import os
import sys
import threading

CANNOT_RUN = 78  # EX_CONFIG: starting again cannot help


def leave_with_parent(pipe):
    pipe.read()
    os._exit(0)


def parameters(xllamacpp, settings, port):
    p = xllamacpp.CommonParams()
    p.model.path = settings["model"]
    p.model_alias = {settings["alias"]}
    p.hostnames = ["127.0.0.1"]
    p.port = port
    p.api_keys = [settings["key"]]
    p.n_ctx = settings["context"] * settings["parallel"]
    p.n_parallel = settings["parallel"]
    p.kv_unified = False  # each caller's share of the context is his own
    p.cont_batching = True
    p.n_batch = p.n_ubatch = 512  # others wait no longer than for this many tokens of a long prompt
    p.cpuparams.n_threads = settings["threads"]
    p.cpuparams_batch.n_threads = settings["threads"]
    p.cache_ram_mib = settings["cache_mib"]
    p.use_jinja = True
    p.ui = False
    p.verbosity = 2
    return p


def serve(settings):
    sys.path.insert(0, settings["site"])
    try:
        import xllamacpp
    except ImportError as e:
        print(e, file=sys.stderr)
        sys.exit(CANNOT_RUN)
    try:
        server = xllamacpp.Server(parameters(xllamacpp, settings, settings["port"]))
    except Exception as e:
        if not settings["port"]:
            raise
        print(f"port {settings['port']}: {e}; taking any other", file=sys.stderr)
        server = xllamacpp.Server(parameters(xllamacpp, settings, 0))
    print(json.dumps({"url": server.listening_address}), flush=True)
    threading.Event().wait()


def main():
    pipe = open(0, "rb", buffering=0)  # a buffered one would be locked by the thread when we exit
    settings = json.loads(pipe.readline())
    threading.Thread(target=leave_with_parent, args=(pipe,), daemon=True).start()
    serve(settings)


main()

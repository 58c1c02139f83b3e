"""What the interoperability tests share: clients in Python for our servers.

A test lies in tests/lessons, is run as

    /usr/bin/python3 NN_topic_interop.py --server PATH --generated DIR

and begins with

    import pathlib
    import sys

    sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
    import interop  # before grpc and the generated code

    import grpc
    from workshop.users.v1 import users_pb2, users_pb2_grpc

where PATH is the server's program and DIR holds the code that protoc
generated. Importing this module reads the two flags, makes DIR importable,
and ends the test with SKIPPED where gRPC for Python is not installed.
"""

import argparse
import contextlib
import os
import queue
import subprocess
import sys
import threading

SKIPPED = 77  # what ctest is told to take for "skipped"
LIMIT = 30  # seconds that a server may need to start, and to stop
READY = "listening on "

# gRPC would use a proxy for 127.0.0.1 too.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

_parser = argparse.ArgumentParser()
_parser.add_argument("--server", required=True, help="the server's program")
_parser.add_argument("--generated", required=True, help="protoc's output")
_options = _parser.parse_args()
sys.path.append(_options.generated)

try:
    import grpc  # noqa: F401
except ImportError:
    print(f"skipped: {sys.executable} has no gRPC (Debian: python3-grpcio)")
    sys.exit(SKIPPED)


def program(name):
    """The path of another program of the lesson: "client"."""
    return os.path.join(os.path.dirname(_options.server), name)


@contextlib.contextmanager
def server(*flags):
    """Runs the server with `flags` on a free port; yields its address.

    Stops it at the end with SIGTERM and demands that it exits with 0.
    """
    process = subprocess.Popen(
        [_options.server, *flags, "--address", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    ready = queue.Queue()

    def read_output():
        # To its end, so that the server never waits for a reader.
        for line in process.stdout:
            if line.startswith(READY):
                ready.put(line[len(READY) :].strip())
        ready.put(None)

    reader = threading.Thread(target=read_output)
    reader.start()
    try:
        try:
            address = ready.get(timeout=LIMIT)
        except queue.Empty:
            address = None
        assert address, f'the server did not print "{READY}ADDRESS"'
        yield address
        process.terminate()
        status = process.wait(timeout=LIMIT)
        assert status == 0, f"the stopped server exited with status {status}"
    finally:
        process.kill()  # nothing to do if it has ended
        process.wait()
        reader.join()
        process.stdout.close()


def run(test, *flags):
    """Calls `test(address)` while the server runs with `flags`."""
    with server(*flags) as address:
        test(address)

#!/usr/bin/env -S /usr/bin/python3 -B
"""Calls lesson 01's server from Python."""

import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import interop  # before grpc and the generated code

import grpc
from workshop.greeter.v1 import greeter_pb2 as pb, greeter_pb2_grpc

LIMIT = 30  # seconds for a call on a busy machine


def test(address):
    with grpc.insecure_channel(address) as channel:
        stub = greeter_pb2_grpc.GreeterStub(channel)
        for name in "Zoë", "":
            before = time.time()
            greeting = stub.SayHello(
                pb.SayHelloRequest(name=name), timeout=LIMIT)
            assert greeting.message == f"Hello, {name}!", greeting
            written = greeting.server_time.ToMilliseconds() / 1000
            # The server cuts its time off after the millisecond.
            assert before - 0.001 <= written <= time.time(), greeting


interop.run(test)

#!/usr/bin/env -S /usr/bin/python3 -B
"""Calls lesson 04's server from Python: all kinds of streams, cancelled too."""

import pathlib
import sys
import threading

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import interop  # before grpc and the generated code

import grpc
from workshop.streams.v1 import streams_pb2, streams_pb2_grpc

LIMIT = 30  # seconds for a call on a busy machine


def status_of(call):
    """The code and the message that a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def chunk(data):
    return streams_pb2.UploadFileRequest(chunk=data)


def total_size(size):
    return streams_pb2.UploadFileRequest(total_size=size)


def text(what):
    return streams_pb2.ChatRequest(text=what)


def server_streaming(stub):
    request = streams_pb2.GetDataStreamRequest(count=100, payload_bytes=1000)
    responses = list(stub.GetDataStream(request, timeout=LIMIT))
    assert [r.index for r in responses] == list(range(1, 101)), responses
    assert all(len(r.payload) == 1000 for r in responses)

    request = streams_pb2.GetDataStreamRequest(count=0)
    code, message = status_of(
        lambda: list(stub.GetDataStream(request, timeout=LIMIT))
    )
    assert code == grpc.StatusCode.INVALID_ARGUMENT, code
    assert message == "count: not from 1 to 1000000", message

    request = streams_pb2.GetDataStreamRequest(count=1_000_000)
    call = stub.GetDataStream(request, timeout=LIMIT)
    assert next(call).index == 1
    call.cancel()
    code, _ = status_of(lambda: list(call))
    assert code == grpc.StatusCode.CANCELLED, code


def client_streaming(stub):
    def upload(*requests):
        return stub.UploadFile(iter(requests), timeout=LIMIT)

    response = upload(chunk(b"abc"), chunk(b"de"), total_size(5))
    assert response.id == "upload-1", response
    assert (response.size, response.chunks) == (5, 2), response

    for code, requests in [
        (grpc.StatusCode.INVALID_ARGUMENT, [chunk(b"abc")]),
        (grpc.StatusCode.INVALID_ARGUMENT, [total_size(3), chunk(b"abc")]),
        (grpc.StatusCode.DATA_LOSS, [chunk(b"abc"), total_size(4)]),
    ]:
        seen, _ = status_of(lambda: upload(*requests))
        assert seen == code, (seen, code)

    # One byte more than fits into a message of 4 MiB, and as much as fits.
    code, message = status_of(lambda: upload(chunk(b"x" * (4 * 2**20 - 4))))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED, code
    assert "4194305 vs. 4194304" in message, message
    size = 4 * 2**20 - 5
    assert upload(chunk(b"x" * size), total_size(size)).size == size

    # The server ends the call while the client could go on for ever.
    def endless():
        while True:
            yield chunk(b"x" * 60_000)

    code, message = status_of(lambda: stub.UploadFile(endless(), timeout=LIMIT))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED, code
    assert message == "file: larger than 10000000 bytes", message


def bidirectional(stub):
    events = list(stub.Chat(map(text, ["hello", "you"]), timeout=LIMIT))
    said = [e.text for e in events if e.WhichOneof("event") == "text"]
    assert said == ["hello", "you"], events
    assert events[-1].goodbye.texts == 2, events

    code, message = status_of(
        lambda: list(stub.Chat(iter([text("")]), timeout=LIMIT))
    )
    assert code == grpc.StatusCode.INVALID_ARGUMENT, code
    assert message == "text: empty", message

    # Says nothing until it has heard two heartbeats, and then half-closes.
    heard_enough = threading.Event()

    def silence():
        heard_enough.wait(LIMIT)
        yield from ()

    numbers = []
    for event in stub.Chat(silence(), timeout=LIMIT):
        if event.WhichOneof("event") == "heartbeat":
            numbers.append(event.heartbeat.number)
        if len(numbers) == 2:
            heard_enough.set()
    assert numbers[:2] == [1, 2], numbers
    assert event.WhichOneof("event") == "goodbye", event


def unary(stub):
    request = streams_pb2.GetStatisticsRequest()
    statistics = stub.GetStatistics(request, timeout=LIMIT)
    assert statistics.data_messages_written >= 100, statistics
    assert statistics.peak_memory_bytes > 0, statistics
    assert statistics.threads > 0, statistics


def test(address):
    with grpc.insecure_channel(address) as channel:
        stub = streams_pb2_grpc.StreamsStub(channel)
        server_streaming(stub)
        client_streaming(stub)
        bidirectional(stub)
        unary(stub)


if __name__ == "__main__":
    interop.run(test, "--max-upload", "10000000", "--heartbeat", "0.2")

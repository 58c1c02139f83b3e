"""Calls the server of lesson 03 from Python: calls, metadata, refusals."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import interop  # before grpc and the generated code

import grpc
from workshop.calculator.v1 import calculator_pb2, calculator_pb2_grpc
from workshop.primes.v1 import primes_pb2, primes_pb2_grpc

LIMIT = 30  # seconds
TOKEN = ("authorization", "Bearer workshop")
ANY_BYTES = bytes(range(256))


def first(metadata, key):
    return next((value for k, value in metadata if k == key), None)


def answers(calculator, primes):
    request = calculator_pb2.BinaryRequest(a=-7, b=2)
    for call, result in [
        (calculator.Add, -5),
        (calculator.Subtract, -9),
        (calculator.Multiply, -14),
    ]:
        response = call(request, timeout=LIMIT, metadata=[TOKEN])
        assert response.result == result, response
    response = calculator.Divide(request, timeout=LIMIT, metadata=[TOKEN])
    assert (response.quotient, response.remainder) == (-3, -1), response

    stream = primes.ListPrimes(
        primes_pb2.ListPrimesRequest(limit=12), timeout=LIMIT, metadata=[TOKEN]
    )
    found = [response.prime for response in stream]
    assert found == [2, 3, 5, 7, 11], found


def metadata_go_both_ways(calculator, primes):
    sent = [TOKEN, ("user-id", "ada"), ("request-id-bin", ANY_BYTES)]
    _, call = calculator.Add.with_call(
        calculator_pb2.BinaryRequest(), timeout=LIMIT, metadata=sent
    )
    stream = primes.ListPrimes(
        primes_pb2.ListPrimesRequest(limit=3), timeout=LIMIT, metadata=sent
    )
    # Initial metadata are there before the first message is asked for.
    assert first(stream.initial_metadata(), "request-id-bin") == ANY_BYTES
    assert len(list(stream)) == 1
    for ended in (call, stream):
        initial, trailing = ended.initial_metadata(), ended.trailing_metadata()
        assert first(initial, "request-id-bin") == ANY_BYTES, initial
        assert first(trailing, "user-id") == "ada", trailing
        assert first(trailing, "handler-time").endswith(" ms"), trailing

    _, call = calculator.Add.with_call(
        calculator_pb2.BinaryRequest(), timeout=LIMIT, metadata=[TOKEN]
    )
    assert first(call.trailing_metadata(), "user-id") == "anonymous"


def refuses(calculator, primes):
    for metadata in ([], [("authorization", "Bearer nonsense")]):
        for call in (
            lambda: calculator.Add(
                calculator_pb2.BinaryRequest(), timeout=LIMIT, metadata=metadata
            ),
            lambda: list(
                primes.ListPrimes(
                    primes_pb2.ListPrimesRequest(limit=12),
                    timeout=LIMIT,
                    metadata=metadata,
                )
            ),
        ):
            try:
                response = call()
            except grpc.RpcError as error:
                code = error.code()
                assert code == grpc.StatusCode.UNAUTHENTICATED, error
                assert "bearer token" in error.details(), error
            else:
                raise AssertionError(f"not refused: {response}")


def test(address):
    with grpc.insecure_channel(address) as channel:
        calculator = calculator_pb2_grpc.CalculatorStub(channel)
        primes = primes_pb2_grpc.PrimesStub(channel)
        answers(calculator, primes)
        metadata_go_both_ways(calculator, primes)
        refuses(calculator, primes)


for place in ("handler", "processor"):
    interop.run(test, "--refuse-in", place)

#!/usr/bin/env -S /usr/bin/python3 -B
"""Calls lesson 05's server from Python, in all its call kinds."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import interop  # before grpc and the generated code

import grpc
from workshop.reservations.v1 import (
    reservations_pb2 as pb,
    reservations_pb2_grpc,
)

LIMIT = 30  # seconds for a call on a busy machine


def refusal(call, request):
    """The error that a call ends with, which it must."""
    try:
        response = call(request, timeout=LIMIT)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"not refused, but answered: {response}")


def test(address):
    with grpc.insecure_channel(address) as channel:
        stub = reservations_pb2_grpc.ReservationsStub(channel)

        request = pb.ReserveRequest(seat="12A", name="Anna-Katharina Größmann")
        held = stub.Reserve(request, timeout=LIMIT).reservation
        assert held.seat == "12A", held
        assert held.name == "Anna-Katharina Grö", held
        assert held.HasField("expire_time"), held
        again = stub.Reserve(request, timeout=LIMIT).reservation
        assert again == held, again

        error = refusal(stub.Reserve, pb.ReserveRequest(seat="12A", name="Bo"))
        assert error.code() == grpc.StatusCode.ALREADY_EXISTS, error
        trailers = dict(error.trailing_metadata())
        until = held.expire_time.ToJsonString()
        assert trailers["held-until"] == until, trailers

        error = refusal(stub.Reserve, pb.ReserveRequest(name="Bo"))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        assert error.details() == "seat is empty", error

        request = pb.ConfirmRequest(seat="12A", name=held.name)
        confirmed = stub.Confirm(request, timeout=LIMIT).reservation
        assert not confirmed.HasField("expire_time"), confirmed
        error = refusal(stub.Confirm, pb.ConfirmRequest(seat="12B", name="Bo"))
        assert error.code() == grpc.StatusCode.NOT_FOUND, error

        stub.Reserve(pb.ReserveRequest(seat="1C", name="Bo"), timeout=LIMIT)
        listed = [
            (each.reservation.seat, each.reservation.name)
            for each in stub.List(pb.ListRequest(), timeout=LIMIT)
        ]
        assert listed == [("12A", held.name), ("1C", "Bo")], listed


interop.run(test)

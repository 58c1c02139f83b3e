#!/usr/bin/env -S /usr/bin/python3 -B
"""Calls lesson 02's server from Python and reads its rich errors there.

The messages of google.rpc are not generated from the workshop's protos: they
are declared here a second time, from the public definitions, so that both
sides agree only if both agree with those.
"""

import pathlib
import subprocess
import sys
from concurrent import futures

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import interop  # before grpc and the generated code

import grpc
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    field_mask_pb2,
    message_factory,
)
from workshop.users.v1 import users_pb2, users_pb2_grpc

LIMIT = 30  # seconds for a call on a busy machine
DETAILS = "grpc-status-details-bin"


def declare_google_rpc():
    """google.rpc as https://github.com/googleapis/googleapis has it."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="public_google_rpc.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=["google/protobuf/any.proto"],
    )

    def message(name, parent=file.message_type):
        return parent.add(name=name)

    def add(parent, number, name, kind, type_name=None, repeated=False):
        label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        parent.field.add(
            name=name,
            number=number,
            type=kind,
            type_name=type_name,
            label=label,
        )

    status = message("Status")
    add(status, 1, "code", field.TYPE_INT32)
    add(status, 2, "message", field.TYPE_STRING)
    add(
        status, 3, "details", field.TYPE_MESSAGE, ".google.protobuf.Any", True
    )
    bad = message("BadRequest")
    violation = message("FieldViolation", bad.nested_type)
    add(violation, 1, "field", field.TYPE_STRING)
    add(violation, 2, "description", field.TYPE_STRING)
    add(
        bad,
        1,
        "field_violations",
        field.TYPE_MESSAGE,
        ".google.rpc.BadRequest.FieldViolation",
        True,
    )
    info = message("ErrorInfo")
    add(info, 1, "reason", field.TYPE_STRING)
    add(info, 2, "domain", field.TYPE_STRING)
    entry = message("MetadataEntry", info.nested_type)
    entry.options.map_entry = True
    add(entry, 1, "key", field.TYPE_STRING)
    add(entry, 2, "value", field.TYPE_STRING)
    add(
        info,
        3,
        "metadata",
        field.TYPE_MESSAGE,
        ".google.rpc.ErrorInfo.MetadataEntry",
        True,
    )

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    factory = message_factory.MessageFactory(pool)
    return [
        factory.GetPrototype(pool.FindMessageTypeByName(f"google.rpc.{name}"))
        for name in ("Status", "BadRequest", "ErrorInfo")
    ]


Status, BadRequest, ErrorInfo = declare_google_rpc()


def failure(call, *arguments):
    """The error that a call ends with."""
    try:
        call(*arguments, timeout=LIMIT)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def only_detail(error, kind):
    """The one detail of an error, unpacked by hand."""
    trailers = dict(error.trailing_metadata())
    rich = Status.FromString(trailers[DETAILS])
    assert rich.code == error.code().value[0], rich
    assert rich.message == error.details(), rich
    (detail,) = rich.details
    assert detail.type_url == f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"
    return kind.FromString(detail.value)


def test_server(address):
    with grpc.insecure_channel(address) as channel:
        users = users_pb2_grpc.UsersStub(channel)

        response = users.GetUser(
            users_pb2.GetUserRequest(
                id=1, read_mask=field_mask_pb2.FieldMask(paths=["name"])
            ),
            timeout=LIMIT,
        )
        assert response.user == users_pb2.User(name="Ada Lovelace"), response

        error = failure(
            users.GetUser,
            users_pb2.GetUserRequest(
                read_mask=field_mask_pb2.FieldMask(paths=["emial"])
            ),
        )
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        bad = only_detail(error, BadRequest)
        assert [(v.field, v.description) for v in bad.field_violations] == [
            ("id", "must be positive"),
            ("read_mask.paths[0]", "must name a field of User"),
        ], bad

        error = failure(users.GetUser, users_pb2.GetUserRequest(id=99))
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        info = only_detail(error, ErrorInfo)
        assert info.reason == "USER_NOT_FOUND", info
        assert info.domain == "users.workshop.example", info
        assert dict(info.metadata) == {"id": "99"}, info

        # What is no GetUserRequest is refused by gRPC itself.
        raw_call = channel.unary_unary("/workshop.users.v1.Users/GetUser")
        error = failure(raw_call, b"\xff")
        assert error.code() == grpc.StatusCode.INTERNAL, error


def test_failing_server(address):
    with grpc.insecure_channel(address) as channel:
        users = users_pb2_grpc.UsersStub(channel)
        error = failure(users.GetUser, users_pb2.GetUserRequest(id=1))
        assert error.code() == grpc.StatusCode.INTERNAL, error
        assert not error.trailing_metadata(), error


class PythonUsers(users_pb2_grpc.UsersServicer):
    """Refuses everything, with details that a C++ client must understand."""

    def GetUser(self, request, context):
        info = ErrorInfo(
            reason="WRITTEN_IN_PYTHON",
            domain="elsewhere.example",
            metadata={"größe": "µ"},
        )
        rich = Status(code=9, message="not today: äöü")
        rich.details.add(
            type_url="type.googleapis.com/of.some.Stranger", value=b"\xff"
        )
        rich.details.add(
            type_url="type.googleapis.com/google.rpc.ErrorInfo",
            value=info.SerializeToString(),
        )
        context.set_trailing_metadata(((DETAILS, rich.SerializeToString()),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, rich.message)


def test_client():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    users_pb2_grpc.add_UsersServicer_to_server(PythonUsers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = subprocess.run(
        [
            interop.program("client"),
            "--address",
            f"127.0.0.1:{port}",
            "1",
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    server.stop(grace=None).wait(LIMIT)
    assert client.returncode == 1, client
    assert client.stderr == (
        "user 1: FAILED_PRECONDITION: not today: äöü\n"
        "  WRITTEN_IN_PYTHON of elsewhere.example, größe=µ\n"
        "  retry: no; bring the system into the needed state first\n"
    ), client


interop.run(test_server)
interop.run(test_failing_server, "--database", "down")
test_client()

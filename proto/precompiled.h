// What nearly every program of the workshop includes, compiled once for all of
// them. Every file still includes what it uses, so that it can be copied into
// a project without this; `make test` builds the lessons that way.

#pragma once

// gRPC includes descriptor.pb.h, a fourteenth of all that is here, to name a
// class that is declared elsewhere too. A file that needs more of it than that
// includes it as usual.
#define GOOGLE_PROTOBUF_INCLUDED_google_2fprotobuf_2fdescriptor_2eproto

#include <fmt/format.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/error_details.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "workshop/calculator/v1/calculator.grpc.pb.h"
#include "workshop/grader/v1/grader.pb.h"

#undef GOOGLE_PROTOBUF_INCLUDED_google_2fprotobuf_2fdescriptor_2eproto

# workshop_lesson(NN_topic)
#
# Builds the pair of lessons/NN_topic, server.cc and client.cc, into the same
# folder of the build tree. The lesson's own CMakeLists.txt builds the same two
# programs without the rest of the workshop.
function(workshop_lesson name)
  foreach(program server client)
    set(target ${name}_${program})
    add_executable(${target} lessons/${name}/${program}.cc)
    set_target_properties(
      ${target}
      PROPERTIES OUTPUT_NAME ${program}
                 RUNTIME_OUTPUT_DIRECTORY
                 ${PROJECT_BINARY_DIR}/lessons/${name})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE workshop_base)
    target_precompile_headers(${target} REUSE_FROM workshop_contracts)
  endforeach()
endfunction()

# workshop_interop_test(NN_topic PROTO...)
#
# Registers tests/lessons/NN_topic_interop.py, a client in Python, as a test of
# the lesson's server. The Python code of each PROTO, a path in proto/, is
# generated in the build folder. The test is skipped where Python has no gRPC;
# tests/support/interop.py decides that, and says how a test is written.
function(workshop_interop_test name)
  if(NOT WORKSHOP_PROOFS)
    return()
  endif()
  set(generated ${PROJECT_BINARY_DIR}/tests/lessons/${name}_python)
  set(protos)
  set(modules)
  foreach(proto ${ARGN})
    list(APPEND protos ${PROJECT_SOURCE_DIR}/proto/${proto})
    string(REGEX REPLACE "\\.proto$" "" module ${generated}/${proto})
    list(APPEND modules ${module}_pb2.py ${module}_pb2_grpc.py)
  endforeach()
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(
    OUTPUT ${modules}
    COMMAND
      protobuf::protoc -I ${PROJECT_SOURCE_DIR}/proto --python_out=${generated}
      --grpc_out=${generated}
      --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_python_plugin> ${protos}
    DEPENDS ${protos}
    COMMENT "Generating Python code for ${name}"
    VERBATIM)
  add_custom_target(${name}_python ALL DEPENDS ${modules})
  # Debian's gRPC is seen by Debian's Python, whichever else is in PATH.
  add_test(
    NAME ${name}/interop
    COMMAND
      /usr/bin/python3 -B
      ${PROJECT_SOURCE_DIR}/tests/lessons/${name}_interop.py --server
      $<TARGET_FILE:${name}_server> --generated ${generated})
  set_tests_properties(${name}/interop PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT
                                                                      120)
endfunction()

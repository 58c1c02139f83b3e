# workshop_lesson(NN_topic [LIBRARY NAME...] [TESTS NAME...])
#
# Builds the pair of lessons/NN_topic, server.cc and client.cc, into the same
# folder of the build tree. The lesson's own CMakeLists.txt builds the same
# programs without the rest of the workshop.
#
# LIBRARY names files of the lesson (NAME.cc) that the pair and the tests share.
# TESTS names the tests (NAME.cc, for GoogleTest) that are a lesson's content:
# each becomes a program beside the pair and a part of `make test`.
#
# For each patch lessons/NN_topic/bugs/BUG.patch, which plants a bug in the
# library, bugs/BUG/ in the lesson's build folder gets the same tests again,
# linked with the patched files. The target NN_topic_tests builds all tests.
function(workshop_lesson name)
  set_property(GLOBAL APPEND PROPERTY WORKSHOP_LESSONS ${name})
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARY;TESTS")
  set(library workshop_lesson_contracts)
  if(arg_LIBRARY)
    set(library ${name}_library)
    list(TRANSFORM arg_LIBRARY REPLACE "(.+)" "lessons/${name}/\\1.cc"
                                       OUTPUT_VARIABLE sources)
    add_library(${library} STATIC ${sources})
    target_include_directories(${library} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${library} PUBLIC workshop_lesson_contracts)
    target_precompile_headers(${library} REUSE_FROM workshop_contracts)
  endif()
  workshop_programs(${name} ${PROJECT_SOURCE_DIR}/lessons/${name}
                    ${PROJECT_BINARY_DIR}/lessons/${name} server client)
  foreach(program server client)
    target_link_libraries(${name}_${program} PRIVATE ${library})
  endforeach()
  if(arg_TESTS)
    workshop_lesson_tests(${name} "${arg_LIBRARY}" ${arg_TESTS})
  endif()
endfunction()

# workshop_lesson_tests(NN_topic LIBRARY_NAMES TEST...)
#
# The tests of workshop_lesson().
function(workshop_lesson_tests name library_names)
  add_custom_target(${name}_tests)
  include(GoogleTest)
  foreach(test ${ARGN})
    # Compiled once, however often it is linked.
    set(objects ${name}_${test}_objects)
    add_library(${objects} OBJECT lessons/${name}/${test}.cc)
    target_link_libraries(${objects} PUBLIC ${name}_library gmock gtest
                                            gtest_main)
    target_precompile_headers(${objects} REUSE_FROM workshop_contracts)
    workshop_lesson_test_program(${name} ${test}
                                 ${PROJECT_BINARY_DIR}/lessons/${name})
    gtest_discover_tests(
      ${name}_${test}
      TEST_PREFIX ${name}/
      DISCOVERY_MODE PRE_TEST
      PROPERTIES TIMEOUT 60)
  endforeach()

  file(GLOB patches ${PROJECT_SOURCE_DIR}/lessons/${name}/bugs/*.patch)
  foreach(patch ${patches})
    get_filename_component(bug ${patch} NAME_WE)
    workshop_patched(${name}_${bug} ${PROJECT_SOURCE_DIR}/lessons/${name}
                     ${patch} ${library_names})
    list(TRANSFORM changed REPLACE "(.+)" "${folder}/\\1.cc")
    add_library(${name}_${bug}_objects OBJECT ${changed})
    target_link_libraries(${name}_${bug}_objects PUBLIC ${name}_library)
    target_precompile_headers(${name}_${bug}_objects
                              REUSE_FROM workshop_contracts)
    foreach(test ${ARGN})
      workshop_lesson_test_program(${name} ${test} ${folder} ${bug})
    endforeach()
  endforeach()
endfunction()

# workshop_lesson_test_program(NN_topic TEST BINARY_DIR [BUG])
#
# Links one test, with the bug or without.
function(workshop_lesson_test_program name test binary_dir)
  set(target ${name}_${test})
  if(ARGN)
    string(APPEND target _${ARGN})
    # What is patched comes before the library that still has the original.
    set(patched $<TARGET_OBJECTS:${name}_${ARGN}_objects>)
  endif()
  add_executable(${target} ${patched} $<TARGET_OBJECTS:${name}_${test}_objects>)
  set_target_properties(
    ${target} PROPERTIES OUTPUT_NAME ${test} RUNTIME_OUTPUT_DIRECTORY
                                             ${binary_dir})
  target_link_libraries(${target} PRIVATE ${name}_library gmock gtest
                                          gtest_main)
  add_dependencies(${name}_tests ${target})
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

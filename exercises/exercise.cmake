# workshop_programs(TARGET SOURCE_DIR BINARY_DIR PROGRAM... [PROTO FILE]
# [LIBRARIES LIBRARY...])
#
# Builds each PROGRAM from PROGRAM.cc in SOURCE_DIR to PROGRAM in BINARY_DIR, as
# the target TARGET_PROGRAM, and links it with each LIBRARY. With PROTO it is
# also linked with TARGET_proto, the code that is generated from FILE.proto in
# SOURCE_DIR: it includes "FILE.grpc.pb.h".
function(workshop_programs target source_dir binary_dir)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" PROTO LIBRARIES)
  if(arg_PROTO)
    workshop_extra_contracts(
      ${target}_proto ${arg_PROTO}
      FROM ${source_dir}
      TO ${binary_dir})
    list(PREPEND arg_LIBRARIES ${target}_proto)
  endif()
  foreach(program ${arg_UNPARSED_ARGUMENTS})
    if(NOT EXISTS ${source_dir}/${program}.cc)
      # A learner's file that is gone keeps nothing else from being built; the
      # grader says that it is.
      set_source_files_properties(${source_dir}/${program}.cc
                                  PROPERTIES GENERATED ON)
    endif()
    add_executable(${target}_${program} ${source_dir}/${program}.cc)
    set_target_properties(
      ${target}_${program} PROPERTIES OUTPUT_NAME ${program}
                                      RUNTIME_OUTPUT_DIRECTORY ${binary_dir})
    target_include_directories(${target}_${program}
                               PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target}_${program} PRIVATE ${arg_LIBRARIES}
                                                       workshop_base)
    target_precompile_headers(${target}_${program}
                              REUSE_FROM ${workshop_header_of})
  endforeach()
endfunction()

# workshop_sanitized_programs(TARGET SOURCE_DIR BINARY_DIR PROGRAM...
# [PROTO FILE] [LIBRARIES LIBRARY...])
#
# Has the programs of workshop_programs() built once more with each sanitizer
# that `make check SANITIZE=` knows, into the folder of its name in BINARY_DIR:
# when the grader asks for them, and never else.
function(workshop_sanitized_programs target)
  set_property(GLOBAL APPEND PROPERTY WORKSHOP_SANITIZED ${target})
  set_property(GLOBAL PROPERTY WORKSHOP_SANITIZED_${target} ${ARGN})
endfunction()

# workshop_exercise(NN_topic PROGRAM... [PROTO FILE] [CONTRACTS LIBRARY]
# [LIBRARIES LIBRARY...] [SUITE_LIBRARIES LIBRARY...])
#
# Builds the learner's programs of exercises/NN_topic, the suite that grades
# them, tests/exercises/NN_topic_test.cc, and what proves that suite. The
# programs and the suite link CONTRACTS, the contracts of this exercise; the
# programs alone link LIBRARIES, the suite alone SUITE_LIBRARIES. What else the
# suite needs, tests/exercises/NN_topic/CMakeLists.txt builds, if there is one.
#
# With PROTO the learner writes the contract too, FILE.proto in the exercise's
# folder. The programs are then built on that, the solution and its variants on
# their own FILE.proto, and the suite alone on CONTRACTS: no program may hold
# two protos of one package.
function(workshop_exercise name)
  set_property(GLOBAL APPEND PROPERTY WORKSHOP_EXERCISES ${name})
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROTO;CONTRACTS"
                        "LIBRARIES;SUITE_LIBRARIES")
  set(programs ${arg_UNPARSED_ARGUMENTS})
  if(arg_PROTO)
    list(APPEND programs PROTO ${arg_PROTO} LIBRARIES ${arg_LIBRARIES})
  else()
    list(APPEND programs LIBRARIES ${arg_LIBRARIES} ${arg_CONTRACTS})
  endif()
  workshop_programs(${name} ${PROJECT_SOURCE_DIR}/exercises/${name}
                    ${PROJECT_BINARY_DIR}/exercises/${name} ${programs})
  workshop_sanitized_programs(
    ${name} ${PROJECT_SOURCE_DIR}/exercises/${name}
    ${PROJECT_BINARY_DIR}/exercises/${name} ${programs})
  add_executable(${name}_test tests/exercises/${name}_test.cc)
  set_target_properties(
    ${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                            ${PROJECT_BINARY_DIR}/tests/exercises)
  target_link_libraries(${name}_test PRIVATE ${arg_CONTRACTS} workshop_suite
                                             ${arg_SUITE_LIBRARIES})
  target_compile_options(${name}_test PRIVATE ${workshop_own_debug_info})
  target_precompile_headers(${name}_test REUSE_FROM workshop_contracts)
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/exercises/${name}/CMakeLists.txt)
    add_subdirectory(tests/exercises/${name})
  endif()
  if(WORKSHOP_PROOFS)
    workshop_proofs(${name} ${programs})
  endif()
endfunction()

# workshop_patched(TARGET BASE PATCH PROGRAM...)
#
# Makes a copy of the source folder BASE and applies PATCH to it, in the build
# folder that is named like PATCH, by the target TARGET. Returns that folder in
# `folder` and in `changed` which of the PROGRAMs must be built anew from it.
function(workshop_patched target base patch)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${patch})
  string(REGEX REPLACE "\\.patch$" "" folder ${PROJECT_BINARY_DIR}/${folder})
  file(GLOB sources ${base}/*.cc ${base}/*.h ${base}/*.proto)
  list(TRANSFORM sources REPLACE "^${base}" "${folder}" OUTPUT_VARIABLE copies)
  set(changed)
  file(STRINGS ${patch} patched_files REGEX "^\\+\\+\\+ b/")
  foreach(program ${ARGN})
    # A header or a proto may be part of every program.
    if(patched_files MATCHES "b/(${program}\\.cc|[^;]*\\.(h|proto))")
      list(APPEND changed ${program})
    endif()
  endforeach()
  add_custom_command(
    OUTPUT ${copies}
    COMMAND ${CMAKE_COMMAND} -E copy ${sources} ${folder}
    COMMAND patch --quiet --fuzz=0 --strip=1 --directory=${folder}
            --input=${patch}
    DEPENDS ${sources} ${patch}
    VERBATIM)
  file(MAKE_DIRECTORY ${folder})
  add_custom_target(${target} ALL DEPENDS ${copies})
  set(folder
      ${folder}
      PARENT_SCOPE)
  set(changed
      ${changed}
      PARENT_SCOPE)
endfunction()

# workshop_proofs(NN_topic PROGRAM... [PROTO FILE] [LIBRARIES LIBRARY...])
#
# Builds what proves the suite of exercises/NN_topic and registers the proofs
# as tests: the skeleton fails every test, the solution passes every one, each
# mutant is caught by the test that it names, each alternative passes, and each
# worthless answer, where an exercise has such, earns nothing. What `make
# sanitize` grades besides the solution, workshop_to_sanitize copies.
add_custom_target(workshop_to_sanitize)
function(workshop_proofs name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" PROTO LIBRARIES)
  set(names ${arg_UNPARSED_ARGUMENTS})
  if(arg_PROTO)
    set(proto PROTO ${arg_PROTO})
  endif()
  set(solution ${PROJECT_SOURCE_DIR}/solutions/${name})
  workshop_programs(
    ${name}_solution ${solution} ${PROJECT_BINARY_DIR}/solutions/${name}
    ${names} ${proto} LIBRARIES ${arg_LIBRARIES})
  set(sanitized_programs ${names} ${proto} LIBRARIES ${arg_LIBRARIES})
  workshop_sanitized_programs(
    ${name}_solution ${solution} ${PROJECT_BINARY_DIR}/solutions/${name}
    ${sanitized_programs})
  set(prove prove --suite $<TARGET_FILE:${name}_test>)

  set(skeleton_programs)
  set(solution_programs)
  foreach(program ${names})
    list(APPEND skeleton_programs --program
         ${program}=$<TARGET_FILE:${name}_${program}>)
    list(APPEND solution_programs --program
         ${program}=$<TARGET_FILE:${name}_solution_${program}>)
  endforeach()
  add_test(NAME ${name}/skeleton COMMAND ${prove} --expect fail
                                         ${skeleton_programs})
  add_test(NAME ${name}/solution COMMAND ${prove} --expect pass
                                         ${solution_programs})

  # A mutant proves the suite, which is the same under every compiler; and what
  # it does wrong, a sanitizer would see first.
  set(kinds alternatives)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT WORKSHOP_SANITIZE)
    list(APPEND kinds mutants worthless)
  endif()
  foreach(kind ${kinds})
    file(GLOB patches ${PROJECT_SOURCE_DIR}/tests/${kind}/${name}/*.patch)
    foreach(patch ${patches})
      get_filename_component(variant ${patch} NAME_WE)
      workshop_patched(${name}_${variant} ${solution} ${patch} ${names})
      set(contract ${proto})
      file(STRINGS ${patch} patched_proto REGEX "^\\+\\+\\+ b/.*\\.proto")
      if(proto AND NOT patched_proto)
        set(contract LIBRARIES ${name}_solution_proto)
      endif()
      workshop_programs(${name}_${variant} ${folder} ${folder} ${changed}
                        ${contract} LIBRARIES ${arg_LIBRARIES})
      # Those who use threads otherwise than the solution does.
      if(kind STREQUAL alternatives AND variant MATCHES
                                        "callback|completion_queue")
        workshop_sanitized_programs(${name}_${variant} ${folder} ${folder}
                                    ${sanitized_programs})
        add_dependencies(workshop_to_sanitize ${name}_${variant})
        set_property(GLOBAL APPEND PROPERTY WORKSHOP_THREADED
                                            ${name}/${variant})
      endif()
      set(programs)
      foreach(program ${names})
        set(target ${name}_solution_${program})
        if(program IN_LIST changed)
          set(target ${name}_${variant}_${program})
        endif()
        list(APPEND programs --program ${program}=$<TARGET_FILE:${target}>)
      endforeach()
      set(expectation --expect pass)
      if(kind STREQUAL mutants)
        set(expectation --expect caught --mutant ${patch})
      elseif(kind STREQUAL worthless)
        set(expectation --expect nothing)
      endif()
      add_test(NAME ${name}/${kind}/${variant} COMMAND ${prove} ${expectation}
                                                       ${programs})
    endforeach()
  endforeach()

  # What a suite may let pass, and a sanitizer must not.
  file(GLOB patches
       ${PROJECT_SOURCE_DIR}/tests/sanitized/submissions/${name}/*.patch)
  foreach(patch ${patches})
    get_filename_component(variant ${patch} NAME_WE)
    workshop_patched(${name}_${variant} ${solution} ${patch})
    workshop_sanitized_programs(${name}_${variant} ${folder} ${folder}
                                ${sanitized_programs})
    add_dependencies(workshop_to_sanitize ${name}_${variant})
  endforeach()
endfunction()

# workshop_programs(TARGET SOURCE_DIR BINARY_DIR PROGRAM...)
#
# Builds each PROGRAM from PROGRAM.cc in SOURCE_DIR to PROGRAM in BINARY_DIR, as
# the target TARGET_PROGRAM.
function(workshop_programs target source_dir binary_dir)
  foreach(program ${ARGN})
    add_executable(${target}_${program} ${source_dir}/${program}.cc)
    set_target_properties(
      ${target}_${program} PROPERTIES OUTPUT_NAME ${program}
                                      RUNTIME_OUTPUT_DIRECTORY ${binary_dir})
    target_include_directories(${target}_${program}
                               PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target}_${program} PRIVATE workshop_base)
    target_precompile_headers(${target}_${program} REUSE_FROM workshop_contracts)
  endforeach()
endfunction()

# workshop_exercise(NN_topic PROGRAM...)
#
# Builds the learner's programs of exercises/NN_topic and the suite that grades
# them, tests/exercises/NN_topic_test.cc.
function(workshop_exercise name)
  workshop_programs(${name} ${PROJECT_SOURCE_DIR}/exercises/${name}
                    ${PROJECT_BINARY_DIR}/exercises/${name} ${ARGN})
  add_executable(${name}_test tests/exercises/${name}_test.cc)
  set_target_properties(
    ${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                            ${PROJECT_BINARY_DIR}/tests/exercises)
  target_link_libraries(${name}_test PRIVATE workshop_suite)
  target_precompile_headers(${name}_test REUSE_FROM workshop_contracts)
endfunction()

# workshop_proofs(NN_topic PROGRAM...)
#
# Builds what proves the suite of exercises/NN_topic and registers the proofs
# as tests: the skeleton fails every test, the solution passes every one, each
# mutant fails the test that it names, each alternative passes.
function(workshop_proofs name)
  workshop_programs(
    ${name}_solution ${PROJECT_SOURCE_DIR}/solutions/${name}
    ${PROJECT_BINARY_DIR}/solutions/${name} ${ARGN})
endfunction()

# workshop_lesson_test(NN_topic)
#
# Registers the proofs of lessons/NN_topic: what its programs do, which is for
# tests/lessons/NN_topic_test.cc to say; its README; and that it builds alone,
# without a warning. That build is kept, so that the next one has little to do;
# the first one begins early, and counts as two tests.
function(workshop_lesson_test name)
  workshop_gtest(${name} 60 lessons/${name}_test.cc)
  target_link_libraries(${name}_test PRIVATE workshop_lesson_contracts)
  add_dependencies(${name}_test ${name}_server ${name}_client)
  if(TARGET ${name}_tests)
    add_dependencies(${name}_test ${name}_tests)
  endif()
  workshop_readme(lessons/${name}/README.md)
  if(NOT WORKSHOP_SANITIZE)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/alone/${name})
    add_test(
      NAME alone/${name}
      COMMAND
        ${CMAKE_CTEST_COMMAND} #
        --build-and-test ${PROJECT_SOURCE_DIR}/lessons/${name} ${folder}
        --build-generator ${CMAKE_GENERATOR} --build-noclean #
        --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wno-unused-parameter -Werror" #
        --test-command sh -c "'${folder}/server' -h && '${folder}/client' -h")
    set_tests_properties(
      alone/${name}
      PROPERTIES COST
                 50
                 PROCESSORS
                 2
                 TIMEOUT
                 300
                 PASS_REGULAR_EXPRESSION
                 "Usage: .*/server .*Usage: .*/client")
  endif()
endfunction()

# workshop_readme(PATH)
#
# Registers the proof that the README at PATH shows what its commands print.
# They use the folder build/, so that another build folder can prove nothing.
function(workshop_readme path)
  if(PROJECT_BINARY_DIR STREQUAL "${PROJECT_SOURCE_DIR}/build")
    add_test(
      NAME readme/${path}
      COMMAND readme_test --gtest_filter=Readme.* ${path}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(readme/${path} PROPERTIES TIMEOUT 600)
  endif()
endfunction()

workshop_gtest(readme 60 readme_test.cc)
workshop_readme(README.md)
get_property(lessons GLOBAL PROPERTY WORKSHOP_LESSONS)
foreach(lesson ${lessons})
  workshop_lesson_test(${lesson})
endforeach()
get_property(exercises GLOBAL PROPERTY WORKSHOP_EXERCISES)
foreach(exercise ${exercises})
  workshop_readme(exercises/${exercise}/README.md)
endforeach()

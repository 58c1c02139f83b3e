# workshop_tool_test(NAME SECONDS)
#
# Registers tests/tools/NAME_test.py: what somebody types, typed. The commands
# use the folder build/, so that another build folder can prove nothing.
function(workshop_tool_test name seconds)
  if(PROJECT_BINARY_DIR STREQUAL "${PROJECT_SOURCE_DIR}/build")
    add_test(NAME tools/${name}
             COMMAND /usr/bin/python3 -B
                     ${PROJECT_SOURCE_DIR}/tests/tools/${name}_test.py)
    set_tests_properties(tools/${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT
                                                  ${seconds})
  endif()
endfunction()

workshop_tool_test(debug 600)
workshop_tool_test(new_exercise 1800)
workshop_tool_test(own_branch 300)
# What builds much counts as two, and begins first, also where ctest does not
# know yet that it takes long.
if(TEST tools/new_exercise)
  set_tests_properties(tools/new_exercise PROPERTIES COST 100 PROCESSORS 2)
endif()
workshop_tool_test(vscode 60)

# An editor shows no error in what a learner begins with.
if(PROJECT_BINARY_DIR STREQUAL "${PROJECT_SOURCE_DIR}/build")
  get_property(exercises GLOBAL PROPERTY WORKSHOP_EXERCISES)
  foreach(exercise ${exercises})
    add_test(
      NAME clangd/${exercise}
      COMMAND
        /usr/bin/python3 -B ${PROJECT_SOURCE_DIR}/tests/tools/clangd_test.py
        ${PROJECT_SOURCE_DIR}/exercises/${exercise})
    set_tests_properties(clangd/${exercise} PROPERTIES SKIP_RETURN_CODE 77
                                                       TIMEOUT 900)
  endforeach()
endif()

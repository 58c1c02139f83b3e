# workshop_tool_test(NAME SECONDS)
#
# Registers tests/tools/NAME_test.py: what somebody types, typed. The commands
# use the folder build/, so that another build folder can prove nothing. They
# take long (COST), and so begin first where ctest does not know that yet.
function(workshop_tool_test name seconds)
  if(PROJECT_BINARY_DIR STREQUAL "${PROJECT_SOURCE_DIR}/build")
    add_test(NAME tools/${name}
             COMMAND /usr/bin/python3 -B
                     ${PROJECT_SOURCE_DIR}/tests/tools/${name}_test.py)
    set_tests_properties(tools/${name} PROPERTIES SKIP_RETURN_CODE 77 COST 100
                                                  TIMEOUT ${seconds})
  endif()
endfunction()

workshop_tool_test(debug 600)
workshop_tool_test(new_exercise 1800)
workshop_tool_test(own_branch 300)
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

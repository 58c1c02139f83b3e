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

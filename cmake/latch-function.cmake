# What a project of functions says, in CMake. find_package(latch) brings it.
#
#   latch_add_function(bootstrap hello.c main.c)                    a function's executable, C17, with the warnings Latch counts on
#   latch_add_test(test_hello FUNCTION bootstrap SOURCES test.c     a test by the test kit (latch_test.h): its files and the function's own,
#                  [LIBRARIES cmocka])                              whose main is called latch_function_main there; in ctest by its name
#
# A warning that isn't there (a status nobody looks at) is a mistake that goes to production; these are on for C, without -Werror.
set(LATCH_FUNCTION_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes)

function(latch_add_function name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE latch::latch)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:C>:${LATCH_FUNCTION_WARNINGS}>)
  # Names of functions for the stack trace of a crash.
  set_target_properties(${name} PROPERTIES C_STANDARD 17 C_STANDARD_REQUIRED ON CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON ENABLE_EXPORTS ON)
endfunction()

# latch_add_tested(NAME FUNCTION target): the function's files without its main, as objects to link into a test.
function(latch_add_tested name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FUNCTION" "")
  if(NOT TARGET "${arg_FUNCTION}")
    message(FATAL_ERROR "latch_add_tested(${name}): there is no target \"${arg_FUNCTION}\": FUNCTION wants what latch_add_function made")
  endif()
  get_target_property(sources ${arg_FUNCTION} SOURCES)
  get_target_property(dir ${arg_FUNCTION} SOURCE_DIR)
  set(files "")
  foreach(source IN LISTS sources)
    get_filename_component(file ${source} ABSOLUTE BASE_DIR ${dir})
    list(APPEND files ${file})
  endforeach()
  add_library(${name} OBJECT ${files})
  target_link_libraries(${name} PUBLIC latch::test)
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:${arg_FUNCTION},INCLUDE_DIRECTORIES>)
  target_compile_options(${name} PRIVATE $<TARGET_PROPERTY:${arg_FUNCTION},COMPILE_OPTIONS>
    $<$<COMPILE_LANGUAGE:C>:-Wno-missing-prototypes>) # of latch_function_main: the function's files don't know the test kit
  target_compile_definitions(${name} PRIVATE $<TARGET_PROPERTY:${arg_FUNCTION},COMPILE_DEFINITIONS> main=latch_function_main)
  set_target_properties(${name} PROPERTIES C_STANDARD 17 C_STANDARD_REQUIRED ON CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
endfunction()

function(latch_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FUNCTION" "SOURCES;LIBRARIES")
  latch_add_tested(${name}_function FUNCTION ${arg_FUNCTION})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${name}_function latch::test ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES C_STANDARD 17 C_STANDARD_REQUIRED ON CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

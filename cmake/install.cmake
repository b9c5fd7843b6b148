# cmake --install DIR --prefix PREFIX: Latch as a library. ./dev install does all of it.
#
#   include/latch.h, latch_test.h, latch/{compose,core,runtime,store}/   what these two include, and nothing else
#   lib/liblatch.a, liblatch_test.a; lib/cmake/latch; lib/pkgconfig
#   bin/latch, latch-local, latch-new; share/latch               tools, and the starter
#
# and of a build with one of the toolchains zig-ARCH.cmake
#
#   lib/latch/ARCH/                     the same library, and those that are linked with it into one static file, with their headers
#   share/latch/{cmake,tools}           what such a file is made by: the toolchains, and zig's compiler by its pinned version
set(LATCH_INSTALL_DEFAULT OFF)
if(LATCH_YYJSON_DIR AND PROJECT_IS_TOP_LEVEL AND NOT LATCH_SANITIZE AND NOT LATCH_THREAD_SANITIZE AND NOT LATCH_FUZZ)
  set(LATCH_INSTALL_DEFAULT ON)
endif()
option(LATCH_INSTALL "Make what cmake --install puts into a prefix" ${LATCH_INSTALL_DEFAULT})
if(NOT LATCH_INSTALL)
  install(CODE "message(FATAL_ERROR \"this build of Latch isn't for installing: it has sanitizers, or no LATCH_YYJSON_DIR; ./dev install PREFIX makes one\")")
  return()
endif()
if(NOT LATCH_YYJSON_DIR)
  message(FATAL_ERROR "LATCH_INSTALL wants LATCH_YYJSON_DIR: yyjson becomes a part of liblatch.a (tools/deps yyjson fetches it)")
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One archive of all rooms, for -llatch.
set(rooms latch latch_core latch_store latch_dynamodb latch_embedded latch_runtime latch_compose yyjson)
list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
add_library(latch_whole STATIC ${rooms})
set_target_properties(latch_whole PROPERTIES OUTPUT_NAME latch ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/install LINKER_LANGUAGE C)
set_target_properties(latch_kit PROPERTIES OUTPUT_NAME latch_test)

# The headers that latch.h and latch_test.h include, whatever it takes to get there.
function(latch_public_headers out)
  set(found latch_test.h)
  set(left latch_test.h)
  while(left)
    list(POP_FRONT left header)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} includes REGEX "^#include \"")
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
    foreach(include IN LISTS includes)
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" include "${include}")
      if(NOT include IN_LIST found)
        list(APPEND found ${include})
        list(APPEND left ${include})
      endif()
    endforeach()
  endwhile()
  list(SORT found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()
latch_public_headers(LATCH_HEADERS)

# A room's name is a word like "core": installed, its headers are latch/core/…, and say so.
set(installed "")
foreach(header IN LISTS LATCH_HEADERS)
  string(REGEX REPLACE "^(compose|core|runtime|store)/" "latch/\\1/" place ${header})
  file(READ ${PROJECT_SOURCE_DIR}/${header} text)
  string(REGEX REPLACE "#include \"(compose|core|runtime|store)/" "#include \"latch/\\1/" text "${text}")
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/install/include/${place} CONTENT "${text}")
  list(APPEND installed ${place})
endforeach()
set(LATCH_HEADERS ${installed})

if(LATCH_DEPLOY_ARCH)
  include(${CMAKE_CURRENT_LIST_DIR}/install-arch.cmake)
  return()
endif()

foreach(header IN LISTS LATCH_HEADERS)
  get_filename_component(place ${header} DIRECTORY)
  install(FILES ${PROJECT_BINARY_DIR}/install/include/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${place})
endforeach()
install(FILES $<TARGET_FILE:latch_whole> $<TARGET_FILE:latch_kit> DESTINATION ${CMAKE_INSTALL_LIBDIR})

set(config ${CMAKE_INSTALL_LIBDIR}/cmake/latch)
set(LATCH_LIB_DIR ${CMAKE_INSTALL_LIBDIR})
set(LATCH_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR})
configure_package_config_file(cmake/latch-config.cmake.in ${PROJECT_BINARY_DIR}/install/latch-config.cmake INSTALL_DESTINATION ${config}
  PATH_VARS LATCH_LIB_DIR LATCH_INCLUDE_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/install/latch-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/install/latch-config.cmake ${PROJECT_BINARY_DIR}/install/latch-config-version.cmake
  cmake/latch-function.cmake DESTINATION ${config})

# pkg-config's files say where they are by themselves, so that a prefix can be moved.
file(RELATIVE_PATH LATCH_PC_PREFIX /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
foreach(pc latch latch_test)
  configure_file(cmake/${pc}.pc.in ${PROJECT_BINARY_DIR}/install/${pc}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/install/${pc}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

if(LATCH_TOOLS)
  install(TARGETS latch-tool latch-local DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(PROGRAMS tools/new DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME latch-new)
install(DIRECTORY starter DESTINATION share/latch USE_SOURCE_PERMISSIONS)
install(FILES LICENSE DESTINATION share/latch)

# What is deployed, for x86_64: see cmake/zig.cmake.
set(LATCH_DEPLOY_ARCH x86_64)
set(LATCH_ZIG_ARCH x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/zig.cmake)

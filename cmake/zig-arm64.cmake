# What is deployed, for arm64: see cmake/zig.cmake.
set(LATCH_DEPLOY_ARCH arm64)
set(LATCH_ZIG_ARCH aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/zig.cmake)

# One static executable: zig's compiler and musl (tools/deps zig), with the libraries that tools/static makes.
get_filename_component(LATCH_ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
set(LATCH_STATIC_DEPS ${LATCH_ROOT}/build/deps/static-${LATCH_DEPLOY_ARCH})
set(LATCH_ZIG ${LATCH_ROOT}/build/tools/zig/bin/zig)
include(${CMAKE_CURRENT_LIST_DIR}/places.cmake OPTIONAL) # of an installed Latch: where they are there
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${LATCH_ZIG_ARCH})
set(CMAKE_C_COMPILER ${LATCH_ROOT}/tools/zig-cc ${LATCH_ZIG_ARCH})
set(CMAKE_AR ${LATCH_ZIG})
set(CMAKE_RANLIB ${LATCH_ZIG})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_APPEND "<CMAKE_AR> ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> ranlib <TARGET>")

# Small before fast: what is waited for is the network. Stack traces go along frame pointers, which take less room than tables; what has the
# tables are the files of runtime/ where a trace begins, and zig's libc, which has no frame pointers.
# Unused functions are left out; what else is, and why, is in the file `finish`. zig's own linker would take too much, and its libc comes
# with DWARF, so this is done afterwards; binutils knows this machine's files only. Not position-independent: nothing is to be relocated at
# the start, and the code is smaller; what is given up is a random address of the program (not of its stack, heap and mappings).
find_program(LATCH_OBJCOPY NAMES llvm-objcopy llvm-objcopy-19 llvm-objcopy-14 REQUIRED)
find_program(LATCH_READELF NAMES llvm-readelf llvm-readelf-19 llvm-readelf-14 REQUIRED)
set(CMAKE_C_FLAGS_INIT "-g -fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,--gc-sections -Wl,--build-id=0x0000000000000000000000000000000000000000")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lunwind") # stack traces': no part of musl
set(CMAKE_C_LINK_EXECUTABLE "<CMAKE_C_COMPILER> <FLAGS> <CMAKE_C_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> -o <TARGET> <LINK_LIBRARIES>"
  "\"${CMAKE_CURRENT_LIST_DIR}/finish\" ${LATCH_OBJCOPY} ${LATCH_READELF} <TARGET>")

# Nothing of this machine's own libraries is found.
set(CMAKE_FIND_ROOT_PATH ${LATCH_STATIC_DEPS})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${LATCH_STATIC_DEPS}/lib/pkgconfig)
set(PKG_CONFIG_ARGN --static)
set(OPENSSL_ROOT_DIR ${LATCH_STATIC_DEPS})
set(OPENSSL_USE_STATIC_LIBS ON)

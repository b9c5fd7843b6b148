# Of what is deployed: see install.cmake. The prefix has the host's parts already, or will.
set(into lib/latch/${LATCH_DEPLOY_ARCH})
install(FILES $<TARGET_FILE:latch_whole> DESTINATION ${into})
install(FILES ${LATCH_STATIC_DEPS}/lib/libcurl.a ${LATCH_STATIC_DEPS}/lib/libssl.a ${LATCH_STATIC_DEPS}/lib/libcrypto.a DESTINATION ${into})
install(DIRECTORY ${LATCH_STATIC_DEPS}/include DESTINATION ${into})

# Their own say where they were built.
foreach(name libcurl openssl libssl libcrypto)
  file(READ ${LATCH_STATIC_DEPS}/lib/pkgconfig/${name}.pc text)
  string(REGEX REPLACE "(^|\n)prefix=[^\n]*" "\\1prefix=\${pcfiledir}/.." text "${text}")
  string(REGEX REPLACE "\nlibdir=[^\n]*" "\nlibdir=\${prefix}" text "${text}")
  string(REGEX REPLACE "\nincludedir=[^\n]*" "\nincludedir=\${prefix}/include" text "${text}")
  string(REPLACE "${LATCH_STATIC_DEPS}/lib" "\${prefix}" text "${text}")
  string(REPLACE "${LATCH_STATIC_DEPS}" "\${prefix}" text "${text}")
  file(WRITE ${PROJECT_BINARY_DIR}/install/pkgconfig/${name}.pc "${text}")
endforeach()
configure_file(cmake/latch-arch.pc.in ${PROJECT_BINARY_DIR}/install/pkgconfig/latch.pc @ONLY)
install(DIRECTORY ${PROJECT_BINARY_DIR}/install/pkgconfig DESTINATION ${into} FILES_MATCHING PATTERN "*.pc")

# The licences of all that is in it go with every executable that is made of it: ./dev package writes them.
install(FILES ${PROJECT_SOURCE_DIR}/build/package/${LATCH_DEPLOY_ARCH}/LICENSES.txt DESTINATION ${into})

# tools/deps.lock's lines of zig's archives, for tools/zig.
file(STRINGS tools/deps.lock zig REGEX "^ziglang ")
list(JOIN zig "\n" zig)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/install/zig.lock CONTENT "${zig}\n")
install(FILES ${PROJECT_BINARY_DIR}/install/zig.lock DESTINATION share/latch/tools)
install(PROGRAMS cmake/finish DESTINATION share/latch/cmake)
install(PROGRAMS cmake/installed/zig cmake/installed/zig-cc DESTINATION share/latch/tools)
install(FILES cmake/zig.cmake cmake/zig-${LATCH_DEPLOY_ARCH}.cmake cmake/installed/places.cmake DESTINATION share/latch/cmake)

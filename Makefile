# What `sam build` calls: `make build-<LogicalId>`, once a function, with ARTIFACTS_DIR to leave the bootstrap in. One file serves all functions.
#
# SAM tells make nothing of the architecture: no variable, no argument. So template.yaml lets it begin with packaging/ARCH/Makefile, where
# ARCH is its parameter Architecture; each of them goes on here with ARCH. By hand: make build-Api ARTIFACTS_DIR=somewhere ARCH=arm64
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

ifeq ($(filter $(ARCH),x86_64 arm64),)
$(error ARCH is $(ARCH): Lambda has x86_64 and arm64)
endif

# The folder may have a space in its name, which make's own functions would cut it at: the shell finds it.
export THIS_MAKEFILE := $(MAKEFILE_LIST)

# What this make hands down would reach the makes that build OpenSSL and curl: ARCH among it, as if it had been given to them.
clean := env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL -u ARCH

# ./dev's words on standard output, which SAM shows while it goes on: the first time takes minutes.
build-%:
	@test -n "$(ARTIFACTS_DIR)" || { echo "$@ is called by sam build; by hand, say where to: make $@ ARTIFACTS_DIR=somewhere" >&2; exit 2; }
	@root=$$(dirname "$${THIS_MAKEFILE# }") && $(clean) "$$root/dev" package $(ARCH) 2>&1 && mkdir -p "$(ARTIFACTS_DIR)" && \
	cp "$$root/build/package/$(ARCH)/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"

.PHONY: all
all:
	@echo "sam build is what calls this; everything else is in ./dev: ./dev help" >&2; exit 2
.DEFAULT_GOAL := all

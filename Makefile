# What `sam build` calls: `make build-<LogicalId>`, once a function, with ARTIFACTS_DIR to leave the bootstrap in. One file serves all functions.
#
# SAM tells make nothing of the architecture: no variable, no argument. So template.yaml lets it begin with packaging/ARCH/Makefile, where
# ARCH is its parameter Architecture; each of them sets ARCH and goes on here. By hand: make build-Api ARTIFACTS_DIR=somewhere ARCH=arm64
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

ifeq ($(filter $(ARCH),x86_64 arm64),)
$(error ARCH is $(ARCH): Lambda has x86_64 and arm64)
endif

# On standard output, which SAM shows while it goes on: the first time takes minutes.
build-%:
	@test -n "$(ARTIFACTS_DIR)" || { echo "$@ is called by sam build; by hand, say where to: make $@ ARTIFACTS_DIR=somewhere" >&2; exit 2; }
	@"$(ROOT)/dev" package $(ARCH) 2>&1
	@mkdir -p "$(ARTIFACTS_DIR)"
	@cp "$(ROOT)/build/package/$(ARCH)/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"

.PHONY: all
all:
	@echo "sam build is what calls this; everything else is in ./dev: ./dev help" >&2; exit 2
.DEFAULT_GOAL := all

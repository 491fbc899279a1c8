# How objects, libraries and the program are made: vmlinux.h -> .bpf.o -> skeleton -> objects -> one library per folder.
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
CXX = g++
CC = gcc
CLANG ?= clang
OPTIMIZE ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
VERSION := $(shell cat VERSION)
CPPFLAGS += -Iuser -Iinclude -I$(BUILD)/gen -DASIO_STANDALONE -DASIO_NO_DEPRECATED -DASIO_DISABLE_STD_ALIGNED_ALLOC -DSPDLOG_FMT_EXTERNAL \
	-DUMBRA_VERSION='"$(VERSION)"'
CXXFLAGS += -std=c++20 $(OPTIMIZE) $(WARN) -pthread
LDLIBS := -lyaml-cpp -lspdlog -lfmt -lbpf -lelf -lz -lpcap -lcap-ng -lseccomp -lre2 -lnghttp2 -lcurl -lprometheus-cpp-core -lssl -lcrypto -pthread

FOLDERS := base net wire rules loader capture flow reassembly protocol edit replay terminator offline control kube metrics agent cli
lib = $(BUILD)/libumbra_$(1).a
LIBS := $(foreach f,$(FOLDERS),$(call lib,$(f)))

BPF_OBJECT := $(BUILD)/bpf/umbra_tc.bpf.o
SKELETON := $(BUILD)/gen/umbra_tc.skel.h

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror -MMD -MP \
		-Iinclude -Ivmlinux -Ibpf -c $< -o $@

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(say) SKEL $@
	@mkdir -p $(@D)
	$(Q)bpftool gen skeleton $< name umbra_tc > $@

# Objects of loader/ and of the BPF tests include the generated skeleton.
$(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard user/loader/*.cpp)): | $(SKELETON)

$(BUILD)/obj/%.o: %.cpp
	$(say) CXX $<
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c $< -o $@

# llhttp is compiled from the C sources in Debian's node-llhttp.
LLHTTP_OBJECTS := $(patsubst %,$(BUILD)/obj/llhttp/%.o,api http llhttp)
$(BUILD)/obj/llhttp/%.o: /usr/share/llhttp/%.c
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -I/usr/share/include/llhttp -I/usr/share/include -c $< -o $@
$(call lib,wire): $(LLHTTP_OBJECTS)
$(BUILD)/obj/user/wire/%.o: CPPFLAGS += -I/usr/share/include/llhttp

# `umbra install` carries deploy/kubernetes.
MANIFESTS := $(wildcard deploy/kubernetes/*/*.y*ml deploy/kubernetes/overlays/*/*.yaml)
$(BUILD)/gen/manifests.cpp: scripts/embed_manifests $(MANIFESTS)
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)scripts/embed_manifests > $@
$(BUILD)/obj/manifests.o: $(BUILD)/gen/manifests.cpp user/cli/install.h
	$(say) CXX $<
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@
$(call lib,cli): $(BUILD)/obj/manifests.o

define folder_library
$(call lib,$(1)): $(patsubst %.cpp,$(BUILD)/obj/%.o,$(filter-out user/cli/main.cpp,$(wildcard user/$(1)/*.cpp)))
	$(say) AR $$@
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_library,$(f))))

$(BUILD)/umbra: $(BUILD)/obj/user/cli/main.o $(LIBS)
	$(say) LINK $@
	$(Q)$(CXX) $(CXXFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

# build/image holds other systems' files.
-include $(shell find $(BUILD) -path $(BUILD)/image -prune -o -type f -name '*.d' -print 2>/dev/null)

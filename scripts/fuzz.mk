# Fuzz targets, one per file of tests/fuzz. Meant for scripts/fuzz, which runs make with clang, sanitizers and a build
# folder of their own: BUILD/fuzz.
FUZZ_OBJECTS := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/fuzz/*.cpp))
FUZZ_LIBS := $(foreach f,base net wire rules capture flow reassembly protocol,$(call lib,$(f))) $(BUILD)/libfuzz_messages.a
# What reads the messages between the agent's processes, without the folders around it.
FUZZ_MESSAGES := $(patsubst %,$(BUILD)/obj/user/%.o,control/message agent/documents_field kube/feed kube/feed_frame \
	terminator/setup_message terminator/descriptor_message terminator/limit_table)
$(BUILD)/libfuzz_messages.a: $(FUZZ_MESSAGES)
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

.SECONDARY: $(FUZZ_OBJECTS)
$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/%.o $(FUZZ_LIBS)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(FUZZ_LIBS) -Wl,--end-group $(LDLIBS)

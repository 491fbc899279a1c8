# Fuzz targets, one per file of tests/fuzz. Meant for scripts/fuzz, which runs make with clang, sanitizers and a build
# folder of their own: BUILD/fuzz.
FUZZ_OBJECTS := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/fuzz/*.cpp))
FUZZ_LIBS := $(foreach f,base net wire rules capture flow reassembly protocol,$(call lib,$(f)))

.SECONDARY: $(FUZZ_OBJECTS)
$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/%.o $(FUZZ_LIBS)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(FUZZ_LIBS) -Wl,--end-group $(LDLIBS)

# Programs for scripts/sanitize, which runs make with clang, a sanitizer and a build folder of its own; the one for
# AddressSanitizer is the fuzz targets', BUILD/fuzz.
#
# The terminator alone: its folders, and what of the others it takes to be a process.
SANITIZE_FOLDERS := base net wire rules capture flow reassembly protocol edit replay terminator
SANITIZE_LIBS := $(foreach f,$(SANITIZE_FOLDERS),$(call lib,$(f)))
SANITIZE_OBJECTS := $(patsubst %,$(BUILD)/obj/user/%.o,loader/mapped_array loader/os_error agent/remote_terminator \
	agent/privileges agent/process_info agent/syscall_filter agent/log)
$(BUILD)/bin/terminator: $(BUILD)/obj/tests/sanitize/terminator.o $(SANITIZE_OBJECTS) $(SANITIZE_LIBS)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

# Allocations that fail: the terminator's stages with a malloc of the test's own.
$(BUILD)/bin/alloc: $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/alloc/*.cpp)) $(SANITIZE_LIBS) \
		$(BUILD)/obj/user/loader/mapped_array.o $(BUILD)/obj/user/loader/os_error.o
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -Wl,--wrap=mmap -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lgtest_main -lgtest -lgmock $(LDLIBS)

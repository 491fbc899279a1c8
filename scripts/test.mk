# Test and benchmark programs: one per folder below tests/unit, tests/abi, tests/bpf and tests/differential.
UNIT_FOLDERS := $(notdir $(patsubst %/,%,$(sort $(dir $(wildcard tests/unit/*/*.cpp)))))
UNIT_TESTS := $(patsubst %,$(BUILD)/tests/unit_%,$(UNIT_FOLDERS)) $(if $(wildcard tests/abi/*.cpp),$(BUILD)/tests/abi)
BPF_TESTS := $(if $(wildcard tests/bpf/*.cpp),$(BUILD)/tests/bpf)
BENCH_BINARIES := $(patsubst tests/bench/%.cpp,$(BUILD)/tests/bench_%,$(wildcard tests/bench/*.cpp))
DIFFERENTIAL_TESTS := $(BUILD)/tests/differential
TEST_BINARIES := $(UNIT_TESTS) $(BPF_TESTS) $(DIFFERENTIAL_TESTS)

$(BUILD)/obj/tests/%.o: CPPFLAGS += -Itests
$(BUILD)/obj/tests/%.o: CXXFLAGS += -Wno-conversion
$(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/bpf/*.cpp tests/abi/*.cpp tests/bench/*.cpp)): | $(SKELETON)

# A unit test of a folder links that folder's library and whatever it needs of the others.
define unit_test
$(BUILD)/tests/unit_$(1): $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/unit/$(1)/*.cpp)) $(call unit_libs,$(1))
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$(CXX) $(CXXFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		-lgtest_main -lgtest -lgmock $(LDLIBS) -lcrypto
endef
# The folders below a folder in user/LAYERS, from itself down.
UPTO_base := base
UPTO_net := base net
UPTO_wire := base net wire
UPTO_rules := base net rules
UPTO_loader := base net rules loader
UPTO_capture := base net capture
UPTO_flow := base net flow
UPTO_reassembly := base net capture flow reassembly
UPTO_protocol := base net wire protocol
UPTO_edit := base net wire rules protocol edit
UPTO_replay := base net wire rules protocol edit replay
UPTO_terminator := base net wire rules loader capture flow reassembly protocol edit replay terminator
UPTO_control := base net control
UPTO_kube := base net rules control kube
UPTO_metrics := base net wire control metrics
unit_libs = $(foreach f,$(if $(UPTO_$(1)),$(UPTO_$(1)),$(FOLDERS)),$(call lib,$(f)))
$(foreach f,$(UNIT_FOLDERS),$(eval $(call unit_test,$(f))))

define whole_test
$(BUILD)/tests/$(1): $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/$(1)/*.cpp)) $(LIBS)
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$(CXX) $(CXXFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		-lgtest_main -lgtest -lgmock $(LDLIBS) -lcrypto
endef
$(foreach t,bpf abi,$(eval $(call whole_test,$(t))))

$(BUILD)/tests/bench_%: $(BUILD)/obj/tests/bench/%.o $(LIBS)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

# The reassembly engine against the running kernel.
DIFFERENTIAL_LIBS := $(foreach f,base net capture flow reassembly,$(call lib,$(f)))
$(DIFFERENTIAL_TESTS): $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/differential/*.cpp)) $(DIFFERENTIAL_LIBS)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lgtest_main -lgtest -lgmock $(LDLIBS)

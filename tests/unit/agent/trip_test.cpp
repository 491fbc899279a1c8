#include "agent/trip.h"

#include <gtest/gtest.h>

namespace umbra::agent {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

TripSettings quick() {
    TripSettings settings;
    settings.thresholds = {0.5, kGiB, 0.1, 0.5, 1000.0};
    settings.after = 3 * kSecond;
    settings.recover = 10 * kSecond;
    return settings;
}

PressureValues one(Pressure pressure, double value) {
    PressureValues values;
    values[static_cast<std::size_t>(pressure)] = value;
    return values;
}

// One trip and the clock that it is told.
struct Course {
    explicit Course(const TripSettings& settings = quick()) : trip(settings) { trip.step({}, now); }

    std::optional<TripStep> second(const PressureValues& values) {
        now += kSecond;
        return trip.step(values, now);
    }
    // Seconds of these values until a step; 0 if there is none within limit.
    unsigned until_step(const PressureValues& values, unsigned limit = 2000) {
        for (unsigned i = 1; i <= limit; ++i)
            if (second(values)) return i;
        return 0;
    }

    Trip trip;
    TimeNs now = 1000 * kSecond;
};

const PressureValues kCalm = one(Pressure::cpu, 0.01);
const PressureValues kHot = one(Pressure::cpu, 0.9);

// Limits: trip_cpu, trip_memory, trip_capture_loss, trip_mirror_errors, trip_softnet.
TEST(Trip, EachThresholdHalvesTheShareThreeTimesAndThenPauses) {
    const struct {
        Pressure pressure;
        double above, at;
    } rows[] = {{Pressure::cpu, 0.51, 0.5},
                {Pressure::memory, kGiB + 1, kGiB},
                {Pressure::capture_loss, 0.11, 0.1},
                {Pressure::mirror_errors, 0.51, 0.5},
                {Pressure::softnet, 1001, 1000}};
    for (const auto& row : rows) {
        SCOPED_TRACE(pressure_name(row.pressure));
        Course calm;
        EXPECT_EQ(calm.until_step(one(row.pressure, row.at), 100), 0u) << "at the threshold is not above it";
        Course run;
        for (unsigned level = 1; level <= Trip::kPaused; ++level) {
            EXPECT_EQ(run.until_step(one(row.pressure, row.above)), 3u) << "each step has time to show its effect";
            EXPECT_EQ(run.trip.level(), level);
        }
        EXPECT_EQ(run.until_step(one(row.pressure, row.above), 100), 0u) << "there is nothing below a pause";
        EXPECT_EQ(run.trip.trips()[static_cast<std::size_t>(row.pressure)], Trip::kPaused);
        std::uint64_t all = 0;
        for (const auto count : run.trip.trips()) all += count;
        EXPECT_EQ(all, Trip::kPaused) << "counted under one threshold only";
    }
}

TEST(Trip, ASpikeIsNotPressure) {
    Course run;
    for (int i = 0; i < 50; ++i) {
        EXPECT_FALSE(run.second(kHot));
        EXPECT_FALSE(run.second(kHot));
        EXPECT_FALSE(run.second(kCalm));
    }
    EXPECT_EQ(run.trip.level(), 0u);
}

TEST(Trip, WhatIsOffOrNotMeasuredDoesNotTrip) {
    auto settings = quick();
    settings.thresholds[static_cast<std::size_t>(Pressure::cpu)].reset();
    Course off(settings);
    EXPECT_EQ(off.until_step(one(Pressure::cpu, 1.0), 100), 0u);
    Course unknown;
    EXPECT_EQ(unknown.until_step({}, 100), 0u);
}

TEST(Trip, TheCauseIsTheThresholdThatIsExceededMost) {
    Course run;
    PressureValues values = one(Pressure::cpu, 0.6);
    values[static_cast<std::size_t>(Pressure::softnet)] = 5000;
    run.second(values);
    run.second(values);
    const auto step = run.second(values);
    ASSERT_TRUE(step);
    EXPECT_TRUE(step->down());
    EXPECT_EQ(step->cause, Pressure::softnet);
}

TEST(Trip, GoesBackOneStepAtATimeBelowTheLowMarkOnly) {
    Course run;
    for (unsigned i = 0; i < Trip::kPaused; ++i) run.until_step(kHot);
    ASSERT_EQ(run.trip.level(), Trip::kPaused);
    EXPECT_EQ(run.until_step(one(Pressure::cpu, 0.3), 200), 0u) << "between the marks it stays";
    EXPECT_EQ(run.until_step(one(Pressure::memory, kGiB * 0.9), 200), 0u);
    for (unsigned level = Trip::kPaused; level > 0; --level) {
        EXPECT_EQ(run.until_step(kCalm), 10u);
        EXPECT_EQ(run.trip.level(), level - 1);
    }
    EXPECT_EQ(run.until_step(kCalm, 200), 0u) << "everything is cloned";
}

TEST(Trip, OneSecondBetweenTheMarksBeginsTheWaitAnew) {
    Course run;
    run.until_step(kHot);
    for (int i = 0; i < 9; ++i) EXPECT_FALSE(run.second(kCalm));
    EXPECT_FALSE(run.second(one(Pressure::cpu, 0.3)));
    EXPECT_EQ(run.until_step(kCalm), 10u);
}

TEST(Trip, MemoryNeedNotHalve) {
    Course run;
    run.until_step(one(Pressure::memory, 2 * kGiB));
    EXPECT_EQ(run.until_step(one(Pressure::memory, kGiB * 0.79)), 10u);
}

TEST(Trip, ARelapseDoublesTheWaitUpToTenMinutes) {
    Course run;
    run.until_step(kHot);
    for (const unsigned wait : {10u, 20u, 40u, 80u, 160u, 320u, 600u, 600u}) {
        EXPECT_EQ(run.until_step(kCalm), wait);
        EXPECT_EQ(run.trip.level(), 0u);
        EXPECT_EQ(run.until_step(kHot), 3u);
    }
}

TEST(Trip, StepsDownInARowAreNoRelapse) {
    Course run;
    run.until_step(kHot);
    run.until_step(kHot);
    EXPECT_EQ(run.trip.wait(), 10 * kSecond);
    run.until_step(kCalm);
    run.until_step(kHot);
    run.until_step(kHot);
    EXPECT_EQ(run.trip.wait(), 20 * kSecond) << "one step up had to be taken back";
}

TEST(Trip, ALongCalmForgives) {
    Course run;
    run.until_step(kHot);
    run.until_step(kCalm);
    run.until_step(kHot);
    EXPECT_EQ(run.until_step(kCalm), 20u);
    run.until_step(kCalm, 600);
    run.until_step(kHot);
    EXPECT_EQ(run.trip.wait(), 10 * kSecond);
}

TEST(Trip, AResetClonesEverythingAndCountsOn) {
    Course run;
    for (unsigned i = 0; i < Trip::kPaused; ++i) run.until_step(kHot);
    run.trip.reset();
    EXPECT_EQ(run.trip.level(), 0u);
    EXPECT_EQ(run.until_step(kHot), 3u) << "the pressure is still there";
    EXPECT_EQ(run.trip.trips()[0], Trip::kPaused + 1u);
}

TEST(TripSettings, AssignmentsAndWhatTheyPrint) {
    TripSettings settings;
    for (const char* assignment : {"cpu=12.5%", "memory=512M", "capture_loss=0.1%", "mirror_errors=50%", "softnet=7",
                                   "after=1500ms", "recover=2m", "volume=10"})
        EXPECT_TRUE(set_trip(settings, assignment)) << assignment;
    std::string printed;
    for (const auto& row : list_trip(settings)) printed += row.name + "=" + row.value + " ";
    EXPECT_EQ(printed,
              "cpu=12.5% memory=512M capture_loss=0.1% mirror_errors=50% softnet=7 after=1500ms recover=120s "
              "volume=10 ");
    TripSettings again;
    for (const auto& row : list_trip(settings)) EXPECT_TRUE(set_trip(again, row.name + "=" + row.value)) << row.name;
    EXPECT_EQ(again.thresholds, settings.thresholds) << "what is printed can be set";
}

TEST(TripSettings, OffForOneAndForAll) {
    TripSettings settings;
    EXPECT_TRUE(settings.enabled());
    ASSERT_TRUE(set_trip(settings, "cpu=off"));
    EXPECT_FALSE(settings.thresholds[0]);
    EXPECT_TRUE(settings.enabled());
    ASSERT_TRUE(set_trip(settings, "off"));
    EXPECT_FALSE(settings.enabled());
    ASSERT_TRUE(set_trip(settings, "softnet=5"));
    EXPECT_TRUE(settings.enabled());
}

TEST(TripSettings, WhatCannotBeMeantIsRefused) {
    TripSettings settings;
    const auto before = list_trip(settings);
    for (const char* assignment :
         {"",          "cpu",      "=1",        "cpu=",     "cpu=50",    "cpu=0%",    "cpu=101%",
          "cpu=-1%",   "cpu=nan%", "cpu=inf%",  "cpu=1e1%", "memory=1T", "memory=5%", "softnet=1k",
          "softnet=x", "after=5",  "after=off", "volume=0", "disk=1%",   "on"}) {
        const auto set = set_trip(settings, assignment);
        ASSERT_FALSE(set) << assignment;
        EXPECT_EQ(set.error().code, ErrorCode::usage);
        EXPECT_FALSE(set.error().hint.empty());
    }
    const auto after = list_trip(settings);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].value, after[i].value);
}

}  // namespace
}  // namespace umbra::agent

#include "differential/runner.h"

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>

#include "differential/generator.h"
#include "differential/shrink.h"
#include "differential/tun_oracle.h"
#include "flow/decode.h"

namespace umbra::differential {

namespace {

void count(RunReport& report, const Trace& trace, const Verdict& verdict) {
    ++report.scripts;
    report.packets += trace.packets.size();
    report.connections += trace.connections.size();
    for (const Connection& connection : trace.connections) report.bytes += connection.bytes.size();
    report.runs += verdict.runs;
    report.one_sided += verdict.one_sided;
    for (const auto& [name, times] : verdict.explained) report.explained[name] += times;
}

void work(const RunPlan& plan, std::atomic<std::uint64_t>& next, std::atomic<std::uint64_t>& failures,
          RunReport& report) {
    auto oracle = TunOracle::make();
    if (!oracle) {
        report.error = oracle.error().message;
        return;
    }
    while (failures < plan.failures) {
        const std::uint64_t index = next++;
        if (index >= plan.scripts) return;
        auto failure = check_script(**oracle, random_script(script_seed(plan.seed, index)), index, report);
        if (!failure) continue;
        report.failures.push_back(std::move(*failure));
        ++failures;
    }
}

}  // namespace

void RunReport::add(const RunReport& other) {
    scripts += other.scripts;
    packets += other.packets;
    bytes += other.bytes;
    connections += other.connections;
    runs += other.runs;
    one_sided += other.one_sided;
    for (const auto& [name, times] : other.explained) explained[name] += times;
    failures.insert(failures.end(), other.failures.begin(), other.failures.end());
    if (error.empty()) error = other.error;
}

std::optional<Failure> check_script(Oracle& oracle, const Script& script, std::uint64_t index, RunReport& report) {
    const auto verdict_of = [&](const Script& tried, RunReport* counted) {
        auto trace = oracle.play(tried);
        if (!trace) return Verdict{};
        Verdict verdict = judge(tried, *trace, index);
        if (counted) count(*counted, *trace, verdict);
        return verdict;
    };
    if (verdict_of(script, &report).same()) return std::nullopt;
    Failure failure;
    failure.index = index;
    failure.script = shrink(script, [&](const Script& tried) { return !verdict_of(tried, nullptr).same(); });
    failure.difference = verdict_of(failure.script, nullptr).difference;
    return failure;
}

RunReport run_scripts(const RunPlan& plan) {
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<std::uint64_t> next = 0;
    std::atomic<std::uint64_t> failures = 0;
    std::vector<RunReport> reports(plan.threads);
    std::vector<std::thread> threads;
    for (RunReport& report : reports) threads.emplace_back([&] { work(plan, next, failures, report); });
    for (std::thread& thread : threads) thread.join();
    RunReport total;
    for (const RunReport& report : reports) total.add(report);
    total.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return total;
}

std::string to_text(const RunReport& report) {
    std::ostringstream out;
    out << report.scripts << " scripts, " << report.packets << " packets, " << report.connections << " connections, "
        << report.bytes << " bytes read, " << report.runs << " engine runs (" << report.one_sided << " one-sided), "
        << static_cast<std::uint64_t>(static_cast<double>(report.scripts) / report.seconds) << " scripts/s\n";
    for (const auto& [name, times] : report.explained) out << "  explained: " << name << " " << times << '\n';
    return out.str();
}

std::string narrate(const Trace& trace) {
    std::ostringstream out;
    for (const TracePacket& packet : trace.packets) {
        const auto decoded =
            decode({as_bytes(packet.bytes), static_cast<std::uint32_t>(packet.bytes.size()), LinkType::raw_ip,
                    packet.from_client ? ChecksumState::verify : ChecksumState::trusted, 0},
                   {});
        const auto& tcp = decoded.packet;
        out << (packet.from_client ? "  > " : "  <     ") << "status " << static_cast<int>(decoded.status) << " flags "
            << std::hex << static_cast<int>(tcp.flags) << std::dec << " seq " << tcp.seq << " ack " << tcp.ack
            << " len " << tcp.payload.size() << " win " << tcp.window;
        if (tcp.options.tsval) out << " ts " << *tcp.options.tsval << "/" << tcp.options.tsecr;
        out << '\n';
    }
    for (const Connection& connection : trace.connections)
        out << "  read " << connection.bytes.size() << " bytes, " << end_name(connection.end) << " "
            << connection.bytes.substr(0, 200) << '\n';
    return out.str();
}

}  // namespace umbra::differential

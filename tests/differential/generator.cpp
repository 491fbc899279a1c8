#include "differential/generator.h"

#include <algorithm>

#include "differential/dice.h"
#include "differential/oddities.h"
#include "flow/segment.h"

namespace umbra::differential {

namespace {

// What all packets of one client have in common.
struct Client {
    Dice& dice;
    Script& script;
    int conn = 0;
    bool timestamps = false;
    bool contradicts = false;
    int clock = 0;

    Step packet(int at, int len, int flags = kAck) {
        Step step;
        step.conn = conn;
        step.at = at;
        step.len = len;
        step.flags = flags;
        if (timestamps) step.tsval = clock;
        return step;
    }
    void add(const Step& step) {
        script.steps.push_back(step);
        if (dice.chance(60)) clock += dice.between(1, 3);
    }
};

void handshake(Client& client) {
    Dice& dice = client.dice;
    Step syn = client.packet(0, 0, kSyn);
    syn.ack = 0;
    if (dice.chance(60)) syn.scale = dice.one_of<int>({0, 2, 7, 14});
    if (dice.chance(60)) syn.mss = dice.one_of<int>({64, 536, 1460, 9000});
    syn.sack = dice.chance(60);
    if (dice.chance(8)) syn.len = dice.between(1, 40);
    client.add(syn);
    if (dice.chance(5)) client.add(syn);
    if (dice.chance(4)) {
        Step wrong = client.packet(0, dice.chance(50) ? dice.between(1, 20) : 0);
        wrong.ack = dice.one_of<int>({-1, 1, 1000, -1000});
        if (dice.chance(50)) wrong.ack = 0, wrong.tsecr = kForeignTsecr;
        client.add(wrong);
    }
    if (dice.chance(85)) client.add(client.packet(0, 0));
}

struct Range {
    int begin, end;
};

std::vector<Range> cut(Dice& dice, int total) {
    std::vector<Range> ranges;
    const int largest = dice.one_of<int>({1, 4, 12, 60, 1400});
    for (int at = 0; at < total;) {
        const int len = std::min(total - at, dice.between(1, largest));
        ranges.push_back({at, at + len});
        at += len;
        if (ranges.size() == 9) ranges.back().end = at = total;
    }
    return ranges;
}

void disturb(Dice& dice, std::vector<Range>& ranges, int total) {
    const int duplicates = dice.chance(40) ? dice.between(1, 3) : 0;
    for (int i = 0; i < duplicates; ++i) ranges.push_back(dice.one_of(ranges));
    const int overlaps = dice.chance(50) ? dice.between(1, 4) : 0;
    for (int i = 0; i < overlaps; ++i) {
        const int begin = dice.between(0, total - 1);
        ranges.insert(ranges.begin() + dice.between(0, static_cast<int>(ranges.size())),
                      {begin, dice.between(begin + 1, total)});
    }
    const int swaps = dice.chance(60) ? dice.between(1, 6) : 0;
    const int last = static_cast<int>(ranges.size()) - 1;
    for (int i = 0; i < swaps; ++i)
        std::swap(ranges[static_cast<std::size_t>(dice.between(0, last))],
                  ranges[static_cast<std::size_t>(dice.between(0, last))]);
    if (dice.chance(15)) ranges.erase(ranges.begin() + dice.between(0, last));
}

int total_of(Dice& dice, const Script& script) {
    if (script.buffer != 0 && dice.chance(70)) return dice.between(500, 6000);
    if (dice.chance(5)) return dice.between(1000, 12000);
    return dice.between(1, 120);
}

void send_stream(Client& client, int total) {
    Dice& dice = client.dice;
    std::vector<Range> ranges = cut(dice, total);
    disturb(dice, ranges, total);
    for (const Range& range : ranges) {
        Step data = client.packet(range.begin, range.end - range.begin, dice.chance(50) ? kAck | kPsh : kAck);
        if (client.contradicts && dice.chance(40)) data.content = dice.between(1, 2);
        client.add(data);
    }
    const int odd = dice.chance(70) ? dice.between(1, 3) : 0;
    for (int i = 0; i < odd; ++i) add_oddity(dice, client.script, client.packet(0, 0), total);
    // The client's last word: everything once more, so that no hole stays.
    if (dice.chance(60))
        for (int at = 0; at < total; at += 1400) client.add(client.packet(at, std::min(1400, total - at)));
}

// The server sends the ACK that it might delay.
void acknowledge(Client& client) {
    Step step;
    step.kind = kAckNow;
    client.add(step);
}

void finish(Client& client, int total) {
    Dice& dice = client.dice;
    const int how = dice.between(1, 100);
    if (how <= 35) {
        const int back = std::min(total, dice.chance(40) ? dice.between(0, 20) : 0);
        client.add(client.packet(total - back, back, kFin | kAck));
    } else if (how <= 45) {
        if (dice.chance(75)) acknowledge(client);
        client.add(client.packet(total, 0, dice.chance(50) ? kRst : kRst | kAck));
    }
}

void second_connection(Client& client) {
    ++client.conn;
    client.clock += 10;
    const bool before_over = client.dice.chance(20);
    if (client.dice.chance(80)) acknowledge(client);
    if (!before_over)
        client.add([&] {
            Step reset = client.packet(0, 0, kRst);
            reset.conn = client.conn - 1;
            for (const Step& step : client.script.steps) reset.at = std::max(reset.at, step.at + step.len);
            return reset;
        }());
    handshake(client);
    const int total = client.dice.between(1, 60);
    send_stream(client, total);
    finish(client, total);
}

}  // namespace

std::uint64_t script_seed(std::uint64_t run_seed, std::uint64_t index) {
    return (run_seed + 1) * 0x9e3779b97f4a7c15ULL ^ index * 0xd1342543de82ef95ULL;
}

Script random_script(std::uint64_t seed) {
    Dice dice(seed);
    Script script;
    script.ipv6 = dice.chance(40);
    script.fast_open = dice.chance(40);
    script.buffer = dice.chance(15) ? dice.between(1, 2) : 0;
    script.late = dice.chance(40);
    script.isn = dice.chance(25) ? -dice.between(1, 200) : dice.bits();
    if (dice.chance(10)) script.isn = 0x7fffffff - dice.between(0, 100);
    script.isn_step = dice.one_of<int>({100000, -100000, 70000, 200000, 300000, 1 << 30, dice.between(1, 60000)});
    Client client{dice, script};
    client.timestamps = dice.chance(55);
    client.contradicts = dice.chance(8);
    handshake(client);
    const int total = total_of(dice, script);
    send_stream(client, total);
    finish(client, total);
    if (dice.chance(8)) second_connection(client);
    return script;
}

}  // namespace umbra::differential

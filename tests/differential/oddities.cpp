#include "differential/oddities.h"

#include <algorithm>

#include "flow/segment.h"

namespace umbra::differential {

namespace {

// Where something begins or ends, or nearly.
int place(Dice& dice, const Script& script, int total) {
    std::vector<int> places{0, -1, total, total + 1, dice.between(0, total)};
    for (const Step& step : script.steps) {
        if (step.kind != kPacket) continue;
        places.push_back(step.at);
        places.push_back(step.at + step.len);
        places.push_back(step.at + step.len);
    }
    return dice.one_of(places) + (dice.chance(15) ? dice.between(-1, 1) : 0);
}

struct Place {
    Dice& dice;
    Script& script;
    const Step& usual;
    int total;

    int at() { return place(dice, script, total); }
    // Behind the handshake, mostly.
    void insert(Step step) {
        const int last = static_cast<int>(script.steps.size());
        const int first = dice.chance(85) ? std::min(2, last) : std::min(1, last);
        const int index = dice.between(first, last);
        if (index > 0 && step.kind == kPacket) {
            const Step& before = script.steps[static_cast<std::size_t>(index - 1)];
            if (step.tsval != kAbsent && before.tsval != kAbsent && step.tsval == usual.tsval)
                step.tsval = before.tsval;
        }
        script.steps.insert(script.steps.begin() + index, step);
    }
    Step packet(int len, int flags) {
        Step step = usual;
        step.at = at();
        step.len = len;
        step.flags = flags;
        return step;
    }
    // A packet of the script that carries something, to be changed.
    Step* victim() {
        std::vector<Step*> able;
        for (Step& step : script.steps)
            if (step.kind == kPacket && step.conn == usual.conn && (step.len > 0 || dice.chance(20)))
                able.push_back(&step);
        return able.empty() ? nullptr : dice.one_of(able);
    }
};

void odd_reset(Place& place) {
    Dice& dice = place.dice;
    Step reset = place.packet(dice.chance(20) ? dice.between(1, 5) : 0, dice.chance(50) ? kRst : kRst | kAck);
    if (dice.chance(20)) reset.at += dice.one_of<int>({30000, 70000, 1000000, -30000});
    if (dice.chance(20) && reset.tsval != kAbsent) reset.tsval -= 100;
    if (dice.chance(20)) reset.ack = dice.one_of<int>({-1, 1, 100000});
    place.insert(reset);
}

void odd_syn(Place& place) {
    Dice& dice = place.dice;
    Step syn = place.packet(dice.chance(30) ? dice.between(1, 9) : 0, kSyn);
    if (dice.chance(40)) syn.at = dice.one_of<int>({0, 0, 1, -1, 5000});
    if (dice.chance(20)) syn.flags |= dice.one_of<int>({kFin, kAck, kPsh | kUrg});
    if (dice.chance(30)) syn.mss = 536;
    place.insert(syn);
}

void odd_fin(Place& place) {
    Dice& dice = place.dice;
    Step fin = place.packet(dice.chance(40) ? dice.between(1, 20) : 0, kFin | kAck);
    if (dice.chance(10)) fin.flags = kFin;
    place.insert(fin);
}

void odd_ack(Place& place) {
    if (Step* const step = place.victim())
        step->ack = place.dice.one_of<int>({-1, 1, 2, -2, 1000, -1000, -70000, 70000, 1 << 30, -(1 << 30)});
}

void odd_timestamp(Place& place) {
    Step* const step = place.victim();
    if (!step) return;
    if (step->tsval == kAbsent) {
        step->tsval = place.dice.between(-5, 5);
    } else if (place.dice.chance(20)) {
        step->tsval = kAbsent;
    } else {
        step->tsval += place.dice.one_of<int>({-1, -2, -3, -20, -5000, 10, 1000, 1 << 30, 0x7fffffff, -(1 << 30)});
    }
    if (place.dice.chance(20)) step->tsecr = place.dice.between(kLiveTsecr, kForeignTsecr);
}

void odd_urgent(Place& place) {
    Dice& dice = place.dice;
    Step* const step = place.victim();
    if (!step) return;
    step->urgent = dice.chance(30) ? 0 : dice.between(1, step->len + 5);
    if (dice.chance(90)) step->flags |= kUrg;
}

void odd_header(Place& place) {
    Dice& dice = place.dice;
    Step* const step = place.victim();
    if (!step) return;
    switch (dice.between(0, 7)) {
        case 0:
            step->doff = dice.one_of<int>({1, 4, 15, 6});
            break;
        case 1:
            step->option = dice.between(kZeroLength, kBadOptions - 1);
            break;
        case 2:
            step->bad_tcp = 1;
            break;
        case 3:
            step->bad_ip = 1;
            break;
        case 4:
            step->ip_len = dice.one_of<int>({-1, -4, 1, 7, 100, -30});
            break;
        case 5:
            step->padding = dice.between(1, 20);
            break;
        case 6:
            step->ip_extra = dice.between(kIpNop, kIpExtras - 1);
            break;
        default:
            step->reserved = dice.between(1, 15);
    }
}

void odd_flags(Place& place) {
    if (Step* const step = place.victim())
        step->flags = place.dice.one_of<int>({0, kPsh, kFin | kPsh | kUrg, kAck | kUrg, 0xc0 | kAck, 0xff, kFin});
}

// With or without the byte before the next one, or something far ahead.
void odd_place(Place& place) {
    Dice& dice = place.dice;
    Step step = place.packet(dice.between(0, 3), kAck);
    if (dice.chance(40)) {
        step.at += dice.one_of<int>({-1, 66000, 200000, 5000, 30000, 1 << 30});
    } else {
        step.at -= 1;
        step.len = dice.between(0, 1);
        step.content = 1;
    }
    place.insert(step);
}

// Something before the first byte, that runs into the stream.
void odd_beginning(Place& place) {
    Step step = place.usual;
    step.at = -place.dice.between(1, 10);
    step.len = place.dice.between(1, 25);
    place.insert(step);
}

void odd_bare(Place& place) {
    Step step = place.usual;
    step.at = place.at();
    step.window = place.dice.one_of<int>({0, 1, 100, 64000});
    if (place.dice.chance(30) && step.tsval != kAbsent) step.tsval += place.dice.one_of<int>({-1, -2, 5, 100});
    if (place.dice.chance(20)) step.ack = place.dice.between(-3, 3);
    place.insert(step);
}

void odd_application(Place& place) {
    Dice& dice = place.dice;
    Step step;
    step.kind = dice.one_of<int>({kRead, kRead, kWrite, kWrite, kWrite, kShutdown});
    if (step.kind == kWrite) step.len = dice.one_of<int>({1, 100, 4000});
    if (step.kind == kRead) step.len = dice.between(0, 1);
    place.insert(step);
}

void odd_content(Place& place) {
    if (Step* const step = place.victim()) step->content = place.dice.between(1, 2);
}

}  // namespace

void add_oddity(Dice& dice, Script& script, const Step& usual, int total) {
    static constexpr void (*kOddities[])(Place&) = {
        odd_reset,  odd_reset, odd_syn,   odd_fin,       odd_ack,  odd_timestamp,   odd_timestamp, odd_urgent,
        odd_header, odd_flags, odd_place, odd_beginning, odd_bare, odd_application, odd_content,   odd_place,
    };
    Place place{dice, script, usual, total};
    kOddities[dice.between(0, std::size(kOddities) - 1)](place);
}

}  // namespace umbra::differential

#include "base/exception_row.h"

namespace umbra {

const char* to_string(Action action) {
    switch (action) {
        case Action::drop_packet:
            return "drop packet";
        case Action::not_cloned:
            return "not cloned";
        case Action::skip:
            return "skip to boundary";
        case Action::abandon_flow:
            return "abandon flow";
        case Action::refuse_flow:
            return "refuse flow";
        case Action::forget_oldest:
            return "forget oldest";
        case Action::shed_request:
            return "shed request";
        case Action::open_breaker:
            return "open breaker";
        case Action::begin_early:
            return "begin early";
        case Action::close_connection:
            return "close connection";
        case Action::refuse_document:
            return "refuse document";
        case Action::refuse_request:
            return "refuse request";
        case Action::close_client:
            return "close client";
        case Action::drop_object:
            return "drop object";
        case Action::cut_short:
            return "cut short";
        case Action::lower_share:
            return "lower share";
        case Action::refuse_start:
            return "refuse start";
    }
    return "";
}

std::vector<ExceptionRow> fixed_rows(std::span<const FixedLimit> limits) {
    std::vector<ExceptionRow> rows;
    for (const FixedLimit& limit : limits)
        rows.push_back({limit.name, print_limit(limit.kind, limit.value), limit.action, limit.counter,
                        std::string("input: ") + limit.input, limit.meaning});
    return rows;
}

}  // namespace umbra

// Heads as the stages before would give them, and what an edit made of them, read again by wire's parser.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "edit/edit.h"
#include "wire/http1_request.h"

namespace umbra::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline const FlowTuple& v4_flow() {
    static const FlowTuple flow{*Endpoint::parse("10.0.0.1:4711"), *Endpoint::parse("10.0.0.2:80")};
    return flow;
}

inline rules::RedactedItem item(const std::string& name, rules::RedactedItem::Action action,
                                const std::string& replacement = "") {
    return {name, action, replacement};
}

struct ParsedHead {
    std::string text;
    wire::Http1Head head;
    explicit ParsedHead(std::string from) : text(std::move(from)) {
        wire::RequestParser parser;
        fault = parser.head(text, head);
    }
    wire::HttpFault fault;

    RequestHead request() const {
        RequestHead out;
        out.method = head.method;
        out.target = head.target;
        out.version_minor = head.version_minor;
        out.headers = head.headers;
        return out;
    }
};

inline std::string edit_http1(const std::string& text, const rules::MirrorSettings& settings,
                              const edit::Context& context = {v4_flow(), 7}) {
    const ParsedHead parsed(text);
    EXPECT_EQ(parsed.fault, wire::HttpFault::none) << text;
    std::string out;
    edit::write_http1(parsed.request(), settings, context, out);
    return out;
}

inline Pairs edit_http2(const Pairs& fields, const rules::MirrorSettings& settings,
                        const edit::Context& context = {v4_flow(), 7}) {
    std::vector<HeaderField> views;
    for (const auto& [name, value] : fields) views.push_back({name, value});
    Pairs out;
    for (const auto& field : edit::edit_fields(views, settings, context)) out.emplace_back(field.name, field.value);
    return out;
}

}  // namespace umbra::test

#include "differential/script.h"

#include <charconv>
#include <sstream>

namespace umbra::differential {

namespace {

constexpr Field<Step> kStepFields[] = {
    {"kind", &Step::kind},         {"conn", &Step::conn},       {"at", &Step::at},
    {"len", &Step::len},           {"content", &Step::content}, {"flags", &Step::flags},
    {"ack", &Step::ack},           {"window", &Step::window},   {"urgent", &Step::urgent},
    {"tsval", &Step::tsval},       {"tsecr", &Step::tsecr},     {"scale", &Step::scale},
    {"mss", &Step::mss},           {"sack", &Step::sack},       {"option", &Step::option},
    {"doff", &Step::doff},         {"bad_tcp", &Step::bad_tcp}, {"bad_ip", &Step::bad_ip},
    {"ip_len", &Step::ip_len},     {"padding", &Step::padding}, {"ip_extra", &Step::ip_extra},
    {"reserved", &Step::reserved},
};

constexpr Field<Script> kScriptFields[] = {
    {"ipv6", &Script::ipv6}, {"fast_open", &Script::fast_open}, {"buffer", &Script::buffer}, {"late", &Script::late},
    {"isn", &Script::isn},   {"isn_step", &Script::isn_step},
};

template <class Owner>
void write_fields(std::ostream& out, const Owner& owner, std::span<const Field<Owner>> fields) {
    const Owner usual;
    for (const auto& field : fields)
        if (owner.*field.member != usual.*field.member) out << ' ' << field.name << '=' << owner.*field.member;
}

template <class Owner>
bool read_field(Owner& owner, std::string_view word, std::span<const Field<Owner>> fields) {
    const auto equals = word.find('=');
    if (equals == word.npos) return false;
    for (const auto& field : fields) {
        if (word.substr(0, equals) != field.name) continue;
        const auto value = word.substr(equals + 1);
        const auto read = std::from_chars(value.data(), value.data() + value.size(), owner.*field.member);
        return read.ec == std::errc{} && read.ptr == value.data() + value.size();
    }
    return false;
}

template <class Owner>
bool read_fields(std::istream& line, Owner& owner, std::span<const Field<Owner>> fields) {
    for (std::string word; line >> word;)
        if (!read_field(owner, word, fields)) return false;
    return true;
}

}  // namespace

std::span<const Field<Step>> step_fields() { return kStepFields; }
std::span<const Field<Script>> script_fields() { return kScriptFields; }

std::string to_text(const Script& script) {
    std::ostringstream out;
    out << "script";
    write_fields(out, script, script_fields());
    out << '\n';
    for (const Step& step : script.steps) {
        out << "step";
        write_fields(out, step, step_fields());
        out << '\n';
    }
    return out.str();
}

std::optional<Script> parse_script(std::string_view text) {
    std::istringstream in{std::string(text)};
    Script script;
    bool begun = false;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string what;
        if (!(words >> what) || what[0] == '#') continue;
        if (what == "script" && !begun) {
            begun = true;
            if (!read_fields(words, script, script_fields())) return std::nullopt;
        } else if (what == "step" && begun) {
            if (!read_fields(words, script.steps.emplace_back(), step_fields())) return std::nullopt;
        } else {
            return std::nullopt;
        }
    }
    if (!begun) return std::nullopt;
    return script;
}

char content_byte(int conn, int at, int content) {
    const auto mixed = static_cast<unsigned>(at) * 2654435761u + static_cast<unsigned>(conn) * 40503u;
    if (content == 0) return static_cast<char>('a' + (mixed >> 16) % 26);
    return static_cast<char>('A' + ((mixed >> 16) + static_cast<unsigned>(content)) % 26);
}

}  // namespace umbra::differential

#include "rules/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <sstream>

#include "rules/utf8.h"

namespace umbra::rules {

namespace {

struct Chunk {
    std::string_view text;
    std::uint32_t first_line = 0;  // of the source, from 0
};

bool starts_document(std::string_view line) {
    return line.substr(0, 3) == "---" && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

bool ends_document(std::string_view line) {
    return line.substr(0, 3) == "..." && line.find_first_not_of(" \t\r", 3) == std::string_view::npos;
}

std::vector<Chunk> split_documents(std::string_view text) {
    std::vector<Chunk> chunks;
    std::uint32_t line = 0, first_line = 0;
    std::size_t begin = 0, at = 0;
    while (at < text.size()) {
        const auto end = std::min(text.find('\n', at), text.size());
        if (at > begin && starts_document(text.substr(at, end - at))) {
            chunks.push_back({text.substr(begin, at - begin), first_line});
            begin = at;
            first_line = line;
        }
        const bool ends = ends_document(text.substr(at, end - at));
        at = end + 1;
        ++line;
        if (ends && at < text.size()) {
            chunks.push_back({text.substr(begin, at - begin), first_line});
            begin = at;
            first_line = line;
        }
    }
    if (begin < text.size()) chunks.push_back({text.substr(begin), first_line});
    return chunks;
}

std::string source_of(std::string_view chunk) {
    if (starts_document(chunk.substr(0, chunk.find('\n')))) chunk.remove_prefix(3);
    while (!chunk.empty() && (chunk.front() == '\n' || chunk.front() == '\r')) chunk.remove_prefix(1);
    const auto last = chunk.find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? std::string{} : std::string(chunk.substr(0, last + 1)) + "\n";
}

std::size_t count_values(const Node& node) {
    std::size_t count = 1;
    for (const auto& item : node.items) count += count_values(item);
    for (const auto& member : node.members) count += count_values(member.value);
    return count;
}

// Builds the tree of one document from the parser's events.
class TreeBuilder : public YAML::EventHandler {
public:
    TreeBuilder(const std::string& file, std::uint32_t first_line, Diagnostics& diagnostics)
        : file_(file), first_line_(first_line), diagnostics_(diagnostics) {}

    bool sound() const { return sound_; }
    Node take_root() { return std::move(root_); }

    Position position(const YAML::Mark& mark) const {
        if (mark.is_null()) return {first_line_ + 1, 1};
        return {first_line_ + static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
    }
    void fail(Position at, std::string message, std::string hint = {}) {
        diagnostics_.add(Severity::error, {file_, at}, "", std::move(message), std::move(hint));
        sound_ = false;
    }

    // The parser may take nothing of a text that no value can begin with, and would for ever.
    void OnDocumentStart(const YAML::Mark& mark) override {
        if (mark.pos == document_at_) fail(position(mark), "not YAML: no value can begin here");
        document_at_ = mark.pos;
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(Node::Kind::null, mark), anchor); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (full_) return;
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) return fail(position(mark), "an alias inside the value that it names");
        aliased_ += found->second.count;
        if (aliased_ > kMaxAliasedValues) {
            return stop(position(mark), "aliases expand to more than " + std::to_string(kMaxAliasedValues) + " values");
        }
        if (open_.size() + found->second.depth > kMaxDepth) return stop_too_deep(position(mark));
        add(Node(found->second.node), 0);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        if (value.find('\0') != std::string::npos) fail(position(mark), "a string with a zero byte");
        const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
        auto node = make(text ? Node::Kind::string : classify_plain(value), mark);
        node.text = value;
        add(std::move(node), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        push(make(Node::Kind::list, mark), anchor, mark);
    }
    void OnSequenceEnd() override { pop(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        push(make(Node::Kind::map, mark), anchor, mark);
    }
    void OnMapEnd() override {
        if (!full_ && !open_.empty()) check_keys(open_.back().node);
        pop();
    }

private:
    struct Open {
        Node node;
        YAML::anchor_t anchor = 0;
        Member pending;  // of a map: the key whose value comes next
        bool has_key = false;
        std::size_t depth = 1;
    };
    struct Anchored {
        Node node;
        std::size_t count = 0;
        std::size_t depth = 0;
    };

    Node make(Node::Kind kind, const YAML::Mark& mark) const {
        Node node;
        node.kind = kind;
        node.at = position(mark);
        return node;
    }

    // A limit was crossed: the remaining events are skipped.
    void stop(Position at, std::string message) {
        fail(at, std::move(message));
        full_ = true;
    }
    void stop_too_deep(Position at) { stop(at, "nested deeper than " + std::to_string(kMaxDepth) + " levels"); }

    void push(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
        if (full_) return;
        if (open_.size() >= kMaxDepth) return stop_too_deep(position(mark));
        open_.push_back({std::move(node), anchor, {}, false, 1});
    }

    void pop() {
        if (full_ || open_.empty()) return;
        auto closed = std::move(open_.back());
        open_.pop_back();
        if (!open_.empty()) open_.back().depth = std::max(open_.back().depth, closed.depth + 1);
        add(std::move(closed.node), closed.anchor, closed.depth);
    }

    void add(Node node, YAML::anchor_t anchor, std::size_t depth = 0) {
        if (full_) return;
        if (++values_ > kMaxValues) {
            return stop(node.at, "the document has more than " + std::to_string(kMaxValues) + " values");
        }
        if (anchor != 0) anchors_[anchor] = {node, count_values(node), depth};
        if (open_.empty()) {
            root_ = std::move(node);
        } else if (open_.back().node.kind == Node::Kind::list) {
            open_.back().node.items.push_back(std::move(node));
        } else {
            add_to_map(open_.back(), std::move(node));
        }
    }

    void add_to_map(Open& map, Node node) {
        if (map.has_key) {
            map.pending.value = std::move(node);
            map.node.members.push_back(std::move(map.pending));
            map.has_key = false;
            return;
        }
        if (!node.is_scalar()) fail(node.at, "a key must be a string, this is " + std::string(kind_name(node.kind)));
        map.pending = {std::move(node.text), node.at, {}};
        map.has_key = true;
    }

    void check_keys(const Node& map) {
        std::vector<std::size_t> order(map.members.size());
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](auto a, auto b) { return map.members[a].key < map.members[b].key; });
        for (std::size_t i = 1; i < order.size(); ++i) {
            const auto &first = map.members[order[i - 1]], &again = map.members[order[i]];
            if (first.key != again.key) continue;
            fail(again.at, "duplicate key '" + again.key + "', first on line " + std::to_string(first.at.line),
                 "keep one of the two");
        }
    }

    const std::string& file_;
    std::uint32_t first_line_;
    Diagnostics& diagnostics_;
    Node root_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    std::size_t values_ = 0;
    std::size_t aliased_ = 0;
    int document_at_ = -1;  // where the latest one begins
    bool sound_ = true;
    bool full_ = false;
};

std::string syntax_hint(std::string_view message) {
    if (message.find("tab") != std::string_view::npos) return "indent with spaces";
    if (message.find("illegal map value") != std::string_view::npos) {
        return "check the indentation of this line and the one before; quote a value that has ': ' in it";
    }
    if (message.find("end of map") != std::string_view::npos || message.find("sequence") != std::string_view::npos) {
        return "check the indentation of this line and the one before";
    }
    return "";
}

// More than one document only where "..." with a comment behind it ends one.
void read_chunk(const SourceText& source, const Chunk& chunk, Diagnostics& diagnostics,
                std::vector<YamlDocument>& documents) {
    std::istringstream stream{std::string(chunk.text)};
    TreeBuilder builder(source.name, chunk.first_line, diagnostics);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder) && builder.sound()) {
            auto root = builder.take_root();
            if (root.kind != Node::Kind::null) documents.push_back({std::move(root), source_of(chunk.text)});
        }
    } catch (const YAML::Exception& failure) {
        builder.fail(builder.position(failure.mark), "not YAML: " + failure.msg, syntax_hint(failure.msg));
    }
}

}  // namespace

std::vector<YamlDocument> read_yaml(const SourceText& source, Diagnostics& diagnostics) {
    std::vector<YamlDocument> documents;
    std::string_view text = source.text;
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
    if (const auto bad = find_invalid_utf8(text)) {
        const auto line = static_cast<std::uint32_t>(std::count(text.begin(), text.begin() + *bad, '\n') + 1);
        const auto start = text.substr(0, *bad).rfind('\n') + 1;
        diagnostics.add(Severity::error, {source.name, {line, static_cast<std::uint32_t>(*bad - start + 1)}}, "",
                        "not UTF-8 text", "save the file as UTF-8");
        return documents;
    }
    for (const auto& chunk : split_documents(text)) read_chunk(source, chunk, diagnostics, documents);
    return documents;
}

}  // namespace umbra::rules

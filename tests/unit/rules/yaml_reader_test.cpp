#include "rules/yaml_reader.h"

#include <gtest/gtest.h>

#include "documents.h"

namespace umbra::rules {
namespace {

struct Read {
    std::vector<YamlDocument> documents;
    std::vector<Diagnostic> diagnostics;
};

Read read(const std::string& text) {
    Diagnostics diagnostics;
    Read result;
    result.documents = read_yaml({"f.yaml", text}, diagnostics);
    result.diagnostics = diagnostics.take();
    return result;
}

TEST(YamlReader, DocumentsThatDotsEndHaveTheirOwnText) {
    const auto result = read("a: 1\n...\nb: 2\n... \n---\nc: '...'\n...\n");
    ASSERT_EQ(result.documents.size(), 3u);
    EXPECT_TRUE(result.diagnostics.empty());
    EXPECT_EQ(result.documents[0].text, "a: 1\n...\n");
    EXPECT_EQ(result.documents[1].text, "b: 2\n...\n");
    EXPECT_EQ(result.documents[2].text, "c: '...'\n...\n");
    EXPECT_EQ(result.documents[1].root.value("b")->at, (Position{3, 4}));
}

TEST(YamlReader, KeepsPositionsAcrossDocuments) {
    const auto result = read("# comment\na: 1\n---\n\nb:\n  - c: x\n--- # again\n{d: e}\n");
    ASSERT_EQ(result.documents.size(), 3u);
    EXPECT_EQ(result.documents[0].root.value("a")->at, (Position{2, 4}));
    const auto& item = result.documents[1].root.value("b")->items.at(0);
    EXPECT_EQ(item.find("c")->at, (Position{6, 5}));
    EXPECT_EQ(item.value("c")->at, (Position{6, 8}));
    EXPECT_EQ(result.documents[2].root.find("d")->at.line, 8u);
}

TEST(YamlReader, KeepsTheSourceText) {
    const auto result = read("---\n\na: 1   # why\n\n---\nb: 2\n");
    ASSERT_EQ(result.documents.size(), 2u);
    EXPECT_EQ(result.documents[0].text, "a: 1   # why\n");
    EXPECT_EQ(result.documents[1].text, "b: 2\n");
}

TEST(YamlReader, TypesPlainScalars) {
    const std::pair<const char*, Node::Kind> rows[] = {
        {"v1", Node::Kind::string},      {"'1'", Node::Kind::string},     {"\"true\"", Node::Kind::string},
        {"1", Node::Kind::integer},      {"-5", Node::Kind::integer},     {"1.5", Node::Kind::real},
        {"1e3", Node::Kind::real},       {"0x1f", Node::Kind::real},      {"010", Node::Kind::real},
        {".inf", Node::Kind::real},      {"yes", Node::Kind::boolean},    {"Off", Node::Kind::boolean},
        {"true", Node::Kind::boolean},   {"~", Node::Kind::null},         {"null", Node::Kind::null},
        {"", Node::Kind::null},          {"1.2.3.4", Node::Kind::string}, {"10.0.0.0/8", Node::Kind::string},
        {"!!str 5", Node::Kind::string}, {"1s", Node::Kind::string},      {"e5", Node::Kind::string},
        {"-", Node::Kind::list}};
    for (const auto& [text, kind] : rows) {
        const auto result = read("a: " + std::string(kind == Node::Kind::list ? "[]" : text) + "\n");
        ASSERT_EQ(result.documents.size(), 1u) << text;
        EXPECT_EQ(result.documents[0].root.find("a")->value.kind, kind) << text;
    }
}

TEST(YamlReader, ReportsErrorsOfEveryDocument) {
    const auto result = read("a: [1\n---\nb: 1\n---\nc: d: e\n---\n\tf: 1\n");
    EXPECT_EQ(result.documents.size(), 1u);
    ASSERT_EQ(result.diagnostics.size(), 3u);
    EXPECT_EQ(result.diagnostics[1].line, 5u);
    EXPECT_EQ(result.diagnostics[1].message, "not YAML: illegal map value");
    EXPECT_EQ(result.diagnostics[2].line, 7u);
}

TEST(YamlReader, RefusesDuplicateKeys) {
    const auto result = read("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n");
    EXPECT_TRUE(result.documents.empty());
    ASSERT_EQ(result.diagnostics.size(), 1u);
    EXPECT_EQ(result.diagnostics[0].line, 5u);
    EXPECT_EQ(result.diagnostics[0].message, "duplicate key 'c', first on line 3");
}

TEST(YamlReader, ExpandsAliases) {
    const auto result = read("a: &x {k: v}\nb: *x\n");
    ASSERT_EQ(result.documents.size(), 1u);
    EXPECT_EQ(result.documents[0].root.value("b")->value("k")->text, "v");
}

// Limits: alias_values.
TEST(YamlReader, BoundsAliases) {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 10; ++i) {
        const auto last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) bomb += last + (k < 9 ? "," : "]\n");
    }
    const auto result = read(bomb);
    EXPECT_TRUE(result.documents.empty());
    EXPECT_TRUE(has_finding(result.diagnostics, Severity::error, "aliases expand to more than 100000 values"));
}

TEST(YamlReader, RefusesAnAliasInsideItsOwnValue) {
    EXPECT_TRUE(
        has_finding(read("a: &x [*x]\n").diagnostics, Severity::error, "an alias inside the value that it names"));
}

// Limits: document_depth.
TEST(YamlReader, BoundsDepth) {
    const auto nested = [](std::size_t depth) {
        return "a: " + std::string(depth, '[') + std::string(depth, ']') + "\n";
    };
    EXPECT_EQ(read(nested(kMaxDepth - 1)).documents.size(), 1u);
    EXPECT_TRUE(has_finding(read(nested(kMaxDepth)).diagnostics, Severity::error, "nested deeper than 64 levels"));
    EXPECT_FALSE(read(nested(100'000)).diagnostics.empty());
}

TEST(YamlReader, RefusesWhatIsNotText) {
    const auto result = read("a: 1\nb: \xff\n");
    ASSERT_EQ(result.diagnostics.size(), 1u);
    EXPECT_EQ(result.diagnostics[0].line, 2u);
    EXPECT_EQ(result.diagnostics[0].column, 4u);
    EXPECT_TRUE(has_finding(read("a: \"\\0\"\n").diagnostics, Severity::error, "zero byte"));
    EXPECT_EQ(read("\xef\xbb\xbf"
                   "a: \xc3\xa4\n")
                  .documents.size(),
              1u);
}

// The parser takes nothing of these and gives one empty document after the other.
TEST(YamlReader, RefusesWhatNoValueBeginsWith) {
    const std::pair<const char*, Position> rows[] = {
        {",o", {1, 1}}, {",", {1, 1}}, {"a: 1\n---\n, b: true\n", {3, 1}}, {"[a]\n  , b\n", {2, 3}}};
    for (const auto& [text, at] : rows) {
        const auto result = read(text);
        ASSERT_EQ(result.diagnostics.size(), 1u) << text;
        EXPECT_EQ(result.diagnostics[0].message, "not YAML: no value can begin here") << text;
        EXPECT_EQ((Position{result.diagnostics[0].line, result.diagnostics[0].column}), at) << text;
    }
}

TEST(YamlReader, TakesEmptyInput) {
    for (const auto* text : {"", "\n\n", "---\n", "# only a comment\n", "---\n---\n# x\n---\n"}) {
        const auto result = read(text);
        EXPECT_TRUE(result.documents.empty() && result.diagnostics.empty()) << text;
    }
}

TEST(YamlReader, SurvivesDamagedInput) {
    const auto text = kPostRule + kHttpbin;
    unsigned random = 7;
    for (int round = 0; round < 3000; ++round) {
        auto damaged = text;
        for (int i = 0; i < 4; ++i) {
            random = random * 1103515245u + 12345u;
            const auto at = (random >> 8) % damaged.size();
            random = random * 1103515245u + 12345u;
            if (random & 0x10000)
                damaged.erase(at, (random >> 20) % 20);
            else
                damaged[at] = "{}[]:-&*!|>'\"%@#,? \n\tx"[(random >> 20) % 22];
        }
        const auto outcome = load_text(damaged);
        ASSERT_TRUE(outcome.ok || has_finding(outcome.diagnostics, Severity::error, "test.yaml:")) << damaged;
    }
}

TEST(YamlNode, WritesWhatItReads) {
    const auto first = read("a: {b: '1', c: 'yes', d: [x, 2, null], e: 'two\nlines', f: ''}\n");
    const auto again = read(to_yaml(first.documents.at(0).root));
    ASSERT_EQ(again.documents.size(), 1u);
    const auto& a = *again.documents[0].root.value("a");
    EXPECT_EQ(a.value("b")->kind, Node::Kind::string);
    EXPECT_EQ(a.value("c")->kind, Node::Kind::string);
    EXPECT_EQ(a.value("d")->items.at(1).kind, Node::Kind::integer);
    EXPECT_EQ(a.value("d")->items.at(2).kind, Node::Kind::null);
    EXPECT_EQ(a.value("e")->text, "two lines");
    EXPECT_EQ(a.value("f")->kind, Node::Kind::string);
}

}  // namespace
}  // namespace umbra::rules

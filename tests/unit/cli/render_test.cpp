#include "cli/render.h"

#include <gtest/gtest.h>

namespace umbra::cli {
namespace {

TEST(Table, AlignsColumnsAndCutsLongLines) {
    Table table({{"NAME"}, {"COUNT", Table::Align::right}, {"WHY"}});
    table.add({"ü", "1,000", ""});
    table.add({"longer", "1", std::string(200, 'x')});
    const std::string text = table.text(2, 30);
    EXPECT_EQ(text, "  NAME    COUNT  WHY\n  ü       1,000\n  longer      1  " + std::string(12, 'x') + "…\n");
}

TEST(Render, NumbersSizesAndCapabilities) {
    EXPECT_EQ(with_thousands(0), "0");
    EXPECT_EQ(with_thousands(999), "999");
    EXPECT_EQ(with_thousands(1234567), "1,234,567");
    EXPECT_EQ(with_thousands(-123456), "-123,456");
    EXPECT_EQ(size_text(1023), "1023 B");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(capability_names("0000000000000000"), "none");
    EXPECT_EQ(capability_names("0000008000001000"), "net_admin,bpf");
}

TEST(Render, YamlKeepsStructureAndEmptyText) {
    const control::Json value{{"a", 1}, {"b", {"x", true}}, {"c", ""}, {"d", "two: words"}};
    EXPECT_EQ(as_yaml(value), "a: 1\nb:\n  - x\n  - true\nc: \"\"\nd: \"two: words\"\n");
}

}  // namespace
}  // namespace umbra::cli

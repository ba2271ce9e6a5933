#include "base/mdoc.hpp"

#include <doctest/doctest.h>

using webhookd::base::Mdoc;

TEST_CASE("what roff would act on is escaped, wherever it stands") {
  Mdoc page("tool", '1', "does \"things\"");
  page.section("DESCRIPTION").paragraph(".hidden is a `file-name` with \\n. Next sentence.\n\nNew paragraph.");
  const std::string text = page.page().text;
  CHECK(text.find("\n.Nd \"does \\(dqthings\\(dq\"\n") != std::string::npos);
  CHECK(text.find("\n\\&.hidden is a \\fBfile\\-name\\fR with \\en.\nNext sentence.\n.Pp\nNew paragraph.\n") !=
        std::string::npos);
  CHECK(page.page().file == "tool.1");
}

TEST_CASE("a flag says its letter, its name and its value") {
  Mdoc page("tool", '1', "does things");
  page.begin_list().flag_item({"event", 'e', "TYPE"}, "a type").flag_item({"quiet", 0, ""}, "less").end_list();
  const std::string text = page.page().text;
  CHECK(text.find(".It Fl e , Fl Fl event Ar \"TYPE\"\na type\n.It Fl Fl quiet\nless\n") != std::string::npos);
}

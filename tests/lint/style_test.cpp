// Rules about the text itself: the coroutine rule of g++ 12, the length of functions, words that hide what a thing is,
// the chapter at the head of a header, paths of somebody's machine.

#include <doctest/doctest.h>

#include <algorithm>
#include <regex>

#include "lint/source_text.hpp"

using namespace lint;

namespace {

constexpr std::size_t function_lines_max = 70;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::size_t skip_back_over_space(std::string_view code, std::size_t at) {
  while (at > 0 && std::isspace(static_cast<unsigned char>(code[at - 1])) != 0) {
    --at;
  }
  return at;
}

std::string_view word_before(std::string_view code, std::size_t at) {
  const std::size_t end = skip_back_over_space(code, at);
  std::size_t begin = end;
  while (begin > 0 && is_word(code[begin - 1])) {
    --begin;
  }
  return code.substr(begin, end - begin);
}

// ---- the coroutine rule -----------------------------------------------------------------------------------------

// How many ')' end the full expression that `at` stands in: those up to the one of if, while, for or switch; 0 when
// only a ';' ends it.
std::size_t closings_of_condition(std::string_view code, std::size_t at) {
  std::size_t open = 0;
  std::size_t closed = 0;
  for (std::size_t i = at; i > 0; --i) {
    const char c = code[i - 1];
    if (c == ';' || c == '{' || c == '}') {
      return 0;
    }
    if (c == ')') {
      ++closed;
    } else if (c == '(' && closed > 0) {
      --closed;
    } else if (c == '(') {
      ++open;
      const std::string_view keyword = word_before(code, i - 1);
      if (keyword == "if" || keyword == "while" || keyword == "for" || keyword == "switch" || keyword == "constexpr") {
        return open;
      }
    }
  }
  return 0;
}

bool opens_lambda_with_captures(std::string_view code, std::size_t at) {
  const std::size_t before = skip_back_over_space(code, at);
  const bool is_subscript = before > 0 &&
                            (is_word(code[before - 1]) || code[before - 1] == ')' || code[before - 1] == ']') &&
                            word_before(code, at) != "return";
  return !is_subscript && at + 1 < code.size() && code[at + 1] != ']' && code[at + 1] != '[';
}

std::vector<Finding> risky_coroutine_statements(const SourceFile& file) {
  std::vector<Finding> findings;
  const std::string_view code = file.code;
  constexpr std::string_view keyword = "co_await";
  for (auto at = code.find(keyword); at != std::string_view::npos; at = code.find(keyword, at + 1)) {
    std::size_t closings = closings_of_condition(code, at);
    const bool in_condition = closings > 0;
    std::size_t depth = 0;
    for (std::size_t i = at + keyword.size(); i < code.size() && code[i] != ';'; ++i) {
      if (code[i] == '{' || (code[i] == '[' && opens_lambda_with_captures(code, i))) {
        findings.push_back(finding_at(file, i,
                                      "'{' or a capturing lambda after co_await in one expression is destroyed "
                                      "twice by g++ 12: bind it to a named local first, then std::move it"));
        break;
      }
      depth += code[i] == '(' ? 1 : 0;
      if (code[i] == ')' && depth > 0) {
        --depth;
      } else if (code[i] == ')' && in_condition && --closings == 0) {
        break;
      }
    }
  }
  return findings;
}

// ---- the length of functions ------------------------------------------------------------------------------------

enum class Brace { scope, function, inner };

// What the '{' at `at` opens, seen from namespace or class scope.
Brace brace_in_scope(std::string_view code, std::size_t at) {
  const auto begin = code.find_last_of(";{}", at == 0 ? 0 : at - 1);
  const std::string head(code.substr(begin == std::string_view::npos ? 0 : begin + 1, at - begin - 1));
  static const std::regex scope(R"((^|[^\w])(namespace|class|struct|union|enum|extern)\b)");
  static const std::regex table(R"([^=!<>]=\s*$|^\s*$)");
  if (head.find('(') != std::string::npos) {
    return Brace::function;
  }
  if (std::regex_search(head, scope) && !std::regex_search(head, table)) {
    return Brace::scope;
  }
  return std::regex_search(head, table) ? Brace::inner : Brace::function;
}

// A function that is nothing but a table may be as long as its rows.
bool is_table(std::string_view code, std::size_t open) {
  const auto first = code.find_first_not_of(" \n", open + 1);
  const std::string_view body = first == std::string_view::npos ? std::string_view() : code.substr(first);
  return body.starts_with("return {");
}

std::vector<Finding> long_functions(const SourceFile& file) {
  std::vector<Finding> findings;
  struct Open {
    Brace kind;
    std::size_t line;
  };
  std::vector<Open> stack;
  std::size_t line = 1;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    const char c = file.code[i];
    line += c == '\n' ? 1 : 0;
    if (c == '{') {
      const bool in_scope = stack.empty() || stack.back().kind == Brace::scope;
      const bool is_measured = in_scope && !is_table(file.code, i);
      stack.push_back({is_measured ? brace_in_scope(file.code, i) : Brace::inner, line});
    } else if (c == '}' && !stack.empty()) {
      const std::size_t lines = line - stack.back().line + 1;
      if (stack.back().kind == Brace::function && lines > function_lines_max) {
        findings.push_back({file.path + ":" + std::to_string(stack.back().line),
                            "a function of " + std::to_string(lines) + " lines (at most " +
                                std::to_string(function_lines_max) + "): name its parts, or make it a table"});
      }
      stack.pop_back();
    }
  }
  return findings;
}

// ---- words --------------------------------------------------------------------------------------------------------

struct Ban {
  std::string word;  // written in two pieces, so that this file does not ban itself
  bool in_comments_too;
  std::string instead;
};
const std::vector<Ban> bans = {
    {std::string("TO") + "DO", true, "finish it, or open an issue"},
    {std::string("FIX") + "ME", true, "fix it, or open an issue"},
    {std::string("Man") + "ager", false, "name what it owns or decides (Registry, Pool, Dispatcher)"},
    {std::string("Hel") + "per", false, "name what it does"},
    {std::string("Ut") + "il", false, "name the rule that is shared"},
    {std::string("using name") + "space std;", false, "name what you use"},
    {std::string("std::r") + "and", false, "use base/random.hpp, passed in"},
};

std::vector<Finding> banned_words(const SourceFile& file) {
  std::vector<Finding> findings;
  for (const Ban& ban : bans) {
    const std::string& text = ban.in_comments_too || file.code.empty() ? file.text : file.code;
    for (auto at = text.find(ban.word); at != std::string::npos; at = text.find(ban.word, at + 1)) {
      const char before = at == 0 ? ' ' : text[at - 1];
      if (std::isupper(static_cast<unsigned char>(before)) == 0) {
        findings.push_back(finding_at(file, at, "'" + ban.word + "': " + ban.instead));
      }
    }
  }
  return findings;
}

// Paths of a developer's machine; what is installed lives under /etc, /usr, /var and /run.
const std::vector<std::string> private_paths = {std::string("/wo") + "rk/", std::string("/ro") + "ot/",
                                                std::string("/ho") + "me/"};

std::vector<Finding> machine_paths(const SourceFile& file) {
  std::vector<Finding> findings;
  for (const std::string& path : private_paths) {
    for (auto at = file.text.find(path); at != std::string::npos; at = file.text.find(path, at + 1)) {
      if (at == 0 || (!is_word(file.text[at - 1]) && file.text[at - 1] != '.' && file.text[at - 1] != '}')) {
        findings.push_back(finding_at(file, at,
                                      path + "… exists on one machine only: use a path relative to the project, "
                                             "or a temporary directory"));
      }
    }
  }
  return findings;
}

// ---- headers and purity ---------------------------------------------------------------------------------------------

std::vector<Finding> headers_without_chapter(const SourceFile& file) {
  const bool is_ours = file.path.starts_with("lib/") || file.path.starts_with("apps/");
  if (!is_ours || !file.is_header()) {
    return {};
  }
  if (!file.text.starts_with("//")) {
    return {
        {file.path, "opens without its chapter: say in // lines what it owns, why so, and what never happens here"}};
  }
  if (file.text.find("\n#pragma once\n") == std::string::npos) {
    return {{file.path, "lacks #pragma once after its chapter"}};
  }
  return {};
}

std::string namespace_of(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  return folder.substr(folder.rfind('/') + 1);
}

std::vector<Finding> wrong_namespaces(const SourceFile& file) {
  const bool is_room = file.path.starts_with("lib/") && file.is_header();
  const std::string expected = "namespace webhookd::" + namespace_of(file.path);
  if (!is_room || file.code.find(expected) != std::string::npos) {
    return {};
  }
  return {{file.path, "folder and namespace are one: expected " + expected}};
}

std::vector<Finding> clocks_where_time_is_passed_in(const SourceFile& file) {
  std::vector<Finding> findings;
  const bool is_pure = file.path.starts_with("lib/base/") || file.path.starts_with("lib/domain/") ||
                       file.path.starts_with("lib/engine/") || file.path.starts_with("lib/store/");
  for (const char* call : {"_clock::now", "time(nullptr)", "clock_gettime", "gettimeofday"}) {
    const auto at = file.code.find(call);
    if (is_pure && at != std::string::npos) {
      findings.push_back(
          finding_at(file, at, std::string(call) + ": no clock is read here; `now` comes with the call"));
    }
  }
  return findings;
}

template <class Rule>
std::string style_findings(Rule rule, const std::vector<SourceFile>& files = cpp_files()) {
  std::vector<Finding> findings;
  for (const SourceFile& file : files) {
    const auto found = rule(file);
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return report(findings);
}

template <class Rule>
std::size_t count(Rule rule, std::string text, std::string path = "lib/net/x.cpp") {
  return rule(imagined_file(std::move(path), std::move(text))).size();
}

}  // namespace

TEST_CASE("the project is found and has code") { CHECK(cpp_files().size() > 50); }

TEST_CASE("no braces or captures share an expression with co_await") {
  CHECK(style_findings(risky_coroutine_statements) == "");
}

TEST_CASE("functions fit a screen") { CHECK(style_findings(long_functions) == ""); }

TEST_CASE("no banned word") { CHECK(style_findings(banned_words, all_files()) == ""); }

TEST_CASE("no path of one machine") { CHECK(style_findings(machine_paths, all_files()) == ""); }

TEST_CASE("every header opens with its chapter") { CHECK(style_findings(headers_without_chapter) == ""); }

TEST_CASE("a folder of lib is a namespace") { CHECK(style_findings(wrong_namespaces) == ""); }

TEST_CASE("nobody who is given the time reads a clock") { CHECK(style_findings(clocks_where_time_is_passed_in) == ""); }

TEST_CASE("the coroutine rule catches what g++ 12 breaks, and nothing else") {
  const auto risky = [](std::string text) { return count(risky_coroutine_statements, std::move(text)); };
  CHECK(risky("auto r = co_await send(Request{1});") == 1);
  CHECK(risky("co_await f({});") == 1);
  CHECK(risky("co_await f([x] { return x; });") == 1);
  CHECK(risky("co_await f([&](int) {});") == 1);
  CHECK(risky("co_spawn(co_await this_coro::executor, [held] { return held; }, detached);") == 1);
  CHECK(risky("if (co_await f(X{1})) { g(); }") == 1);
  CHECK(risky("if (!co_await f(a, b)) { g(); }") == 0);
  CHECK(risky("while ((co_await f(a)).ok) { g(); }") == 0);
  CHECK(risky("switch (co_await f()) { case 1: break; }") == 0);
  CHECK(risky("for (;;) { co_await f(a[i], b); }") == 0);
  CHECK(risky("co_await f(a); X x{1};") == 0);
  CHECK(risky("// co_await f({});\n") == 0);
  CHECK(risky("f(\"co_await {\");") == 0);
}

TEST_CASE("the length rule measures functions and leaves tables alone") {
  const std::string many_lines(80, '\n');
  const auto too_long = [](std::string text) { return count(long_functions, std::move(text)); };
  CHECK(too_long("namespace a {\nint f(int x) {" + many_lines + "}\n}") == 1);
  CHECK(too_long("struct A {\n void f() const {" + many_lines + "}\n};") == 1);
  CHECK(too_long("A::A(int x) : x_{x}, y_(1) {" + many_lines + "}") == 1);
  CHECK(too_long("namespace a {\nconst int table[] = {" + many_lines + "};\n}") == 0);
  CHECK(too_long("T f() {\n  return {" + many_lines + "};\n}") == 0);
  CHECK(too_long("namespace a {" + many_lines + "}") == 0);
  CHECK(too_long("class A final : public B {" + many_lines + "};") == 0);
  CHECK(too_long("int f() {\n}" + many_lines + "int g() {\n}") == 0);
}

TEST_CASE("the other rules catch what they are for") {
  CHECK(count(banned_words, "// " + bans[0].word + ": later\n") == 1);
  CHECK(count(banned_words, "class Store" + bans[2].word + ";") == 1);
  CHECK(count(banned_words, "// no " + bans[2].word + "s here\n") == 0);
  CHECK(count(machine_paths, "read(\"" + private_paths[1] + "x\")") == 1);
  CHECK(count(machine_paths, "net" + private_paths[0] + "x") == 0);
  CHECK(count(headers_without_chapter, "#pragma once\n", "lib/net/x.hpp") == 1);
  CHECK(count(headers_without_chapter, "// What it owns.\n#pragma once\n", "lib/net/x.hpp") == 0);
  CHECK(count(wrong_namespaces, "namespace webhookd::store {}", "lib/net/x.hpp") == 1);
  CHECK(count(wrong_namespaces, "namespace webhookd::server {}", "lib/control/server/x.hpp") == 0);
  CHECK(count(clocks_where_time_is_passed_in, "auto t = std::chrono::steady_clock::now();", "lib/engine/x.cpp") == 1);
  CHECK(count(clocks_where_time_is_passed_in, "auto t = std::chrono::steady_clock::now();", "lib/net/x.cpp") == 0);
}

// The project's own text as the lints read it: files under the source tree, and C++ with comments and the contents of
// literals blanked out, so that rules look at code and line numbers stay right. Nothing here knows a rule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lint {

struct SourceFile {
  std::string path;  // relative to the project, with '/'
  std::string text;
  std::string code;  // `text` with comments and literals blanked; as long as `text`

  bool is_header() const { return path.ends_with(".hpp"); }
  bool is_private_header() const { return path.ends_with("_impl.hpp"); }
};

// A place that breaks a rule, and what to do instead: "lib/net/x.cpp:12: …".
struct Finding {
  std::string where;
  std::string advice;
};

std::string blank_comments_and_literals(std::string_view text);

// A file that exists only in a test of a rule.
SourceFile imagined_file(std::string path, std::string text);

// All C++ below lib/, apps/ and tests/, in the order of their paths.
const std::vector<SourceFile>& cpp_files();
// Everything that is text and ours, C++ and the rest (scripts, CMake, pages).
const std::vector<SourceFile>& all_files();

std::size_t line_of(std::string_view text, std::size_t position);
Finding finding_at(const SourceFile& file, std::size_t position, std::string advice);

// The targets of #include lines, quoted ones as "x", system ones as <x>.
struct Include {
  std::string target;
  bool is_system = false;
  std::size_t position = 0;
};
std::vector<Include> includes_of(const SourceFile& file);

// One line for each finding; empty when there is none.
std::string report(const std::vector<Finding>& findings);

}  // namespace lint

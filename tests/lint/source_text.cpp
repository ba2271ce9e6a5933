#include "lint/source_text.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

namespace lint {

namespace {

namespace fs = std::filesystem;

const fs::path project = WEBHOOKD_SOURCE_DIR;

void blank(std::string& code, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to && i < code.size(); ++i) {
    code[i] = code[i] == '\n' ? '\n' : ' ';
  }
}

std::size_t end_of(std::string_view text, std::string_view mark, std::size_t from) {
  const auto found = text.find(mark, from);
  return found == std::string_view::npos ? text.size() : found + mark.size();
}

// The position after the quote that ends the literal opened at `open`.
std::size_t end_of_literal(std::string_view text, std::size_t open) {
  const char quote = text[open];
  std::size_t i = open + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') {
    i += text[i] == '\\' ? 2 : 1;
  }
  return std::min(i + 1, text.size());
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void read_below(const std::string& folder, std::vector<SourceFile>& files) {
  if (!fs::exists(project / folder)) {
    return;
  }
  for (const auto& entry : fs::recursive_directory_iterator(project / folder)) {
    if (entry.is_regular_file()) {
      files.push_back(imagined_file(fs::relative(entry.path(), project).generic_string(), read_text(entry.path())));
    }
  }
}

std::vector<SourceFile> read_all() {
  std::vector<SourceFile> files;
  for (const char* folder : {"lib", "apps", "tests", "completions", "man", ".ci"}) {
    read_below(folder, files);
  }
  for (const char* name : {"CMakeLists.txt", "CMakePresets.json", "dev", "README.md", ".clang-tidy", ".clang-format"}) {
    if (fs::exists(project / name)) {
      files.push_back(imagined_file(name, read_text(project / name)));
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace

std::string blank_comments_and_literals(std::string_view text) {
  std::string code(text);
  std::size_t i = 0;
  while (i < text.size()) {
    const std::string_view rest = text.substr(i);
    const std::size_t from = i;
    if (rest.starts_with("//")) {
      i = std::min(text.find('\n', i), text.size());
      blank(code, from, i);
    } else if (rest.starts_with("/*")) {
      i = end_of(text, "*/", i + 2);
      blank(code, from, i);
    } else if (rest.starts_with("R\"") && (i == 0 || !is_word(text[i - 1]))) {
      const std::size_t paren = std::min(text.find('(', i), text.size() - 1);
      const std::string mark = ")" + std::string(text.substr(i + 2, paren - i - 2)) + "\"";
      i = end_of(text, mark, paren);
      blank(code, from + 2, i - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1])))) {
      i = end_of_literal(text, i);
      blank(code, from + 1, i - 1);
    } else {
      ++i;
    }
  }
  return code;
}

SourceFile imagined_file(std::string path, std::string text) {
  const bool is_cpp = path.ends_with(".cpp") || path.ends_with(".hpp");
  std::string code = is_cpp ? blank_comments_and_literals(text) : std::string();
  return {std::move(path), std::move(text), std::move(code)};
}

const std::vector<SourceFile>& all_files() {
  static const std::vector<SourceFile> files = read_all();
  return files;
}

const std::vector<SourceFile>& cpp_files() {
  static const std::vector<SourceFile> files = [] {
    std::vector<SourceFile> cpp;
    std::copy_if(all_files().begin(), all_files().end(), std::back_inserter(cpp),
                 [](const SourceFile& file) { return file.path.ends_with(".cpp") || file.is_header(); });
    return cpp;
  }();
  return files;
}

std::size_t line_of(std::string_view text, std::size_t position) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(position, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

Finding finding_at(const SourceFile& file, std::size_t position, std::string advice) {
  return {file.path + ":" + std::to_string(line_of(file.text, position)), std::move(advice)};
}

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex line(R"(#\s*include\s*(["<])([^">]+)[">])");
  std::vector<Include> found;
  for (auto i = std::sregex_iterator(file.text.begin(), file.text.end(), line); i != std::sregex_iterator(); ++i) {
    const auto position = static_cast<std::size_t>(i->position());
    if (file.code[position] == '#') {  // not one inside a comment or a literal
      found.push_back({(*i)[2].str(), (*i)[1].str() == "<", position});
    }
  }
  return found;
}

std::string report(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += "\n" + finding.where + ": " + finding.advice;
  }
  return text;
}

}  // namespace lint

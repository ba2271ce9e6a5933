#include "docs/written.hpp"

#include "webhookd/manual.hpp"
#include "whctl/manual.hpp"

namespace webhookd::docs {

std::map<std::string, std::string> written_files() {
  std::map<std::string, std::string> files;
  for (auto& page : whctl::manual_pages()) files["man/" + page.file] = std::move(page.text);
  for (auto& page : daemon::manual_pages()) files["man/" + page.file] = std::move(page.text);
  for (auto& file : whctl::completion_files()) files["completions/" + file.file] = std::move(file.text);
  return files;
}

}  // namespace webhookd::docs

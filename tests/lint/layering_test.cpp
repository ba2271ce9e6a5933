// The arrow table of the house, held against every #include in lib/ and apps/.

#include <doctest/doctest.h>

#include <algorithm>

#include "lint/source_text.hpp"

using namespace lint;

namespace {

// A folder, and what it may include besides itself: another folder ("base/") or one header of it.
struct Room {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

// lib/README.md draws this table. control/server reads lists through the store's interface, and net's loop drives the
// engine through its header; neither sees an implementation.
const std::vector<Room> rooms = {
    {"lib/base/", {}},
    {"lib/domain/", {"base/"}},
    {"lib/crypto/", {"domain/", "base/"}},
    {"lib/store/", {"domain/", "base/"}},
    {"lib/engine/", {"store/store.hpp", "domain/", "base/"}},
    {"lib/net/", {"engine/ports.hpp", "engine/engine.hpp", "crypto/", "domain/", "base/"}},
    {"lib/control/protocol/", {"domain/", "base/"}},
    {"lib/control/server/",
     {"control/protocol/", "engine/engine.hpp", "engine/ports.hpp", "store/store.hpp", "domain/", "base/"}},
    {"lib/control/client/", {"control/protocol/", "domain/", "base/"}},
    {"apps/webhookd/",
     {"control/server/", "control/protocol/", "net/", "engine/", "store/", "crypto/", "domain/", "base/"}},
    {"apps/whctl/", {"control/client/", "control/protocol/", "crypto/", "domain/", "base/"}},
};

// System libraries that belong to some rooms only.
struct Library {
  std::string_view prefix;
  std::vector<std::string_view> at_home_in;
  std::string_view instead;
};
const std::vector<Library> libraries = {
    {"lmdb.h", {"lib/store/"}, "go through store/store.hpp"},
    {"boost/asio",
     {"lib/net/", "lib/control/server/", "lib/control/client/", "apps/"},
     "sockets live in lib/net and lib/control; ask for a port"},
    {"boost/beast", {"lib/net/", "lib/control/server/", "apps/"}, "HTTP lives in lib/net and lib/control"},
    {"nlohmann/", {"lib/control/", "apps/"}, "JSON is the border's business: lib/control"},
    {"re2/", {"lib/control/server/schema_pattern.cpp"}, "match by control/server/schema_pattern.hpp"},
    {"openssl/", {"lib/crypto/", "lib/net/"}, "use crypto/signer.hpp"},
    {"CLI/", {"apps/"}, "command lines are read in apps/"},
    {"toml++/", {"lib/base/toml.hpp"}, "include base/toml.hpp, in apps/"},
    {"base/toml.hpp", {"apps/"}, "configuration is read in apps/"},
    {"thread", {"lib/store/", "lib/net/", "lib/control/", "apps/"}, "engine and domain run to completion"},
    {"mutex", {"lib/store/", "lib/net/", "lib/control/", "apps/"}, "engine and domain run to completion"},
    {"condition_variable", {"lib/store/", "lib/net/", "lib/control/", "apps/"}, "engine and domain never wait"},
    {"future", {"apps/"}, "use base::Completion"},
    {"random", {}, "use base/random.hpp, passed in"},
    {"ctime", {"lib/crypto/", "lib/net/", "apps/"}, "time is passed in (base/time.hpp)"},
    {"sys/socket.h", {"lib/net/", "lib/control/", "apps/"}, "sockets live in lib/net and lib/control"},
};

bool is_ours(const SourceFile& file) { return file.path.starts_with("lib/") || file.path.starts_with("apps/"); }

const Room* room_of(const SourceFile& file) {
  const auto found =
      std::find_if(rooms.begin(), rooms.end(), [&](const Room& room) { return file.path.starts_with(room.folder); });
  return found == rooms.end() ? nullptr : &*found;
}

bool allows(const Room& room, const std::string& target) {
  if (target.find('/') == std::string::npos) {
    return room.folder.starts_with("apps/");  // a program's own headers
  }
  const std::string_view own = room.folder.substr(room.folder.find('/') + 1);
  return target.starts_with(own) || std::any_of(room.may_include.begin(), room.may_include.end(),
                                                [&](std::string_view allowed) { return target.starts_with(allowed); });
}

std::vector<Finding> forbidden_arrows(const SourceFile& file) {
  std::vector<Finding> findings;
  const Room* room = room_of(file);
  if (room == nullptr) {
    return {{file.path, "belongs to no room: add it to the table here and to lib/README.md, or move it"}};
  }
  for (const Include& include : includes_of(file)) {
    if (!include.is_system && !allows(*room, include.target)) {
      findings.push_back(finding_at(file, include.position,
                                    std::string(room->folder) + " may not include \"" + include.target +
                                        "\": arrows point downwards only; pass what you need in, or move the code"));
    }
  }
  return findings;
}

std::vector<Finding> misplaced_libraries(const SourceFile& file) {
  std::vector<Finding> findings;
  for (const Include& include : includes_of(file)) {
    for (const Library& library : libraries) {
      const bool is_it = library.prefix.find('/') == std::string_view::npos
                             ? include.is_system && include.target == library.prefix
                             : include.target.starts_with(library.prefix);
      const bool is_home = std::any_of(library.at_home_in.begin(), library.at_home_in.end(),
                                       [&](std::string_view folder) { return file.path.starts_with(folder); });
      if (is_it && !is_home) {
        findings.push_back(finding_at(file, include.position,
                                      "<" + include.target + "> is not used here: " + std::string(library.instead)));
      }
    }
  }
  return findings;
}

// Slow or leaking headers that only .cpp files (and private *_impl.hpp headers) may include.
constexpr std::string_view only_in_cpp[] = {"boost/asio", "boost/beast", "lmdb.h",  "nlohmann/",
                                            "CLI/",       "openssl/",    "toml++/", "base/toml.hpp"};

std::vector<Finding> leaking_headers(const SourceFile& file) {
  std::vector<Finding> findings;
  for (const Include& include : includes_of(file)) {
    const bool leaks = std::any_of(std::begin(only_in_cpp), std::end(only_in_cpp),
                                   [&](std::string_view prefix) { return include.target.starts_with(prefix); });
    const bool is_its_door = file.path == "lib/base/toml.hpp";  // which no header may include in turn
    if (file.is_header() && !file.is_private_header() && !is_its_door && leaks) {
      findings.push_back(finding_at(file, include.position,
                                    "<" + include.target +
                                        "> in a header: include it in the .cpp and keep it behind "
                                        "a private class, or in a *_impl.hpp of the same folder"));
    }
  }
  return findings;
}

std::string folder_of(std::string_view path) { return std::string(path.substr(0, path.rfind('/') + 1)); }

std::vector<Finding> borrowed_private_headers(const SourceFile& file) {
  std::vector<Finding> findings;
  for (const Include& include : includes_of(file)) {
    const bool is_private = !include.is_system && include.target.ends_with("_impl.hpp");
    const bool is_own =
        folder_of("lib/" + include.target) == folder_of(file.path) || include.target.find('/') == std::string::npos;
    if (is_private && !is_own) {
      findings.push_back(finding_at(file, include.position,
                                    include.target + " is private to its folder: use its "
                                                     "public header"));
    }
  }
  return findings;
}

template <class Rule>
std::string findings_of(Rule rule) {
  std::vector<Finding> findings;
  for (const SourceFile& file : cpp_files()) {
    if (is_ours(file)) {
      const auto found = rule(file);
      findings.insert(findings.end(), found.begin(), found.end());
    }
  }
  return report(findings);
}

}  // namespace

TEST_CASE("every include follows an arrow of the house") { CHECK(findings_of(forbidden_arrows) == ""); }

TEST_CASE("system libraries stay in the rooms that own them") { CHECK(findings_of(misplaced_libraries) == ""); }

TEST_CASE("heavy libraries are not included in headers") { CHECK(findings_of(leaking_headers) == ""); }

TEST_CASE("private headers stay in their folder") { CHECK(findings_of(borrowed_private_headers) == ""); }

TEST_CASE("the layering rules catch what they are for") {
  const auto arrow = [](std::string path, std::string text) {
    return forbidden_arrows(imagined_file(std::move(path), std::move(text))).size();
  };
  CHECK(arrow("lib/domain/x.cpp", "#include \"store/store.hpp\"\n") == 1);
  CHECK(arrow("lib/engine/x.cpp", "#include \"store/lmdb_store.hpp\"\n") == 1);
  CHECK(arrow("lib/engine/x.cpp", "#include \"store/store.hpp\"\n#include \"engine/x.hpp\"\n") == 0);
  CHECK(arrow("lib/net/x.cpp", "#include \"store/store.hpp\"\n") == 1);
  CHECK(arrow("apps/whctl/x.cpp", "#include \"engine/engine.hpp\"\n") == 1);
  CHECK(arrow("apps/whctl/x.cpp", "#include \"values.hpp\"\n") == 0);
  CHECK(arrow("lib/new/x.cpp", "") == 1);
  CHECK(arrow("lib/domain/x.cpp", "// #include \"store/store.hpp\"\n") == 0);
  CHECK(misplaced_libraries(imagined_file("lib/engine/x.cpp", "#include <mutex>\n")).size() == 1);
  CHECK(misplaced_libraries(imagined_file("lib/store/x.cpp", "#include <mutex>\n#include <lmdb.h>\n")).empty());
  CHECK(leaking_headers(imagined_file("lib/net/x.hpp", "#include <boost/asio/ip/tcp.hpp>\n")).size() == 1);
  CHECK(leaking_headers(imagined_file("lib/net/x_impl.hpp", "#include <boost/asio/ip/tcp.hpp>\n")).empty());
  CHECK(leaking_headers(imagined_file("apps/whctl/x.hpp", "#include \"base/toml.hpp\"\n")).size() == 1);
  CHECK(misplaced_libraries(imagined_file("lib/net/x.cpp", "#include \"base/toml.hpp\"\n")).size() == 1);
  CHECK(misplaced_libraries(imagined_file("apps/whctl/x.cpp", "#include <toml++/toml.h>\n")).size() == 1);
  CHECK(borrowed_private_headers(imagined_file("lib/net/x.cpp", "#include \"engine/y_impl.hpp\"\n")).size() == 1);
}

#include "control/server/access.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace webhookd::server {

namespace {

using protocol::Role;

constexpr std::size_t record_bytes = 64 * 1024;  // of one user or group with all its members
constexpr int groups_max = 65536;                // NGROUPS_MAX of Linux

std::optional<unsigned> number_of_user(const std::string& name) {
  if (const auto number = base::parse_whole_number(name, 0xfffffffe)) {
    return static_cast<unsigned>(*number);
  }
  std::vector<char> memory(record_bytes);
  passwd record{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &record, memory.data(), memory.size(), &found);
  return found != nullptr ? std::optional(found->pw_uid) : std::nullopt;
}

std::optional<unsigned> number_of_group(const std::string& name) {
  if (const auto number = base::parse_whole_number(name, 0xfffffffe)) {
    return static_cast<unsigned>(*number);
  }
  std::vector<char> memory(record_bytes);
  group record{};
  group* found = nullptr;
  getgrnam_r(name.c_str(), &record, memory.data(), memory.size(), &found);
  return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
}

// All groups of the user, the one it connected with among them.
std::vector<gid_t> groups_of(const Peer& peer) {
  std::vector<gid_t> groups{peer.gid};
  std::vector<char> memory(record_bytes);
  passwd record{};
  passwd* found = nullptr;
  getpwuid_r(peer.uid, &record, memory.data(), memory.size(), &found);
  if (found == nullptr) {
    return groups;
  }
  int count = 64;
  groups.resize(static_cast<std::size_t>(count));
  if (getgrouplist(found->pw_name, peer.gid, groups.data(), &count) < 0) {
    count = std::min(count, groups_max);
    groups.resize(static_cast<std::size_t>(count));
    getgrouplist(found->pw_name, peer.gid, groups.data(), &count);
  }
  groups.resize(static_cast<std::size_t>(std::clamp(count, 0, static_cast<int>(groups.size()))));
  return groups;
}

}  // namespace

base::Result<Access> Access::resolve(const AccessLists& lists) {
  struct Named {
    Role role;
    const std::vector<std::string>& entries;
  };
  const std::array named = {Named{Role::read, lists.read}, Named{Role::emit, lists.emit},
                            Named{Role::operate, lists.operate}, Named{Role::admin, lists.admin}};
  Access access;
  for (const auto& [role, entries] : named) {
    for (const std::string& entry : entries) {
      const bool is_group = entry.starts_with('@');
      const auto number = is_group ? number_of_group(entry.substr(1)) : number_of_user(entry);
      if (!number) {
        const std::string key(to_string(role));
        return base::field_error("/access/" + key,
                                 "access." + key + ": there is no " + (is_group ? "group " : "user ") + entry);
      }
      access.rules_.push_back({role, is_group, *number});
    }
  }
  return access;
}

Role Access::role_of(const Peer& peer) const {
  if (peer.uid == 0 || peer.uid == geteuid()) {
    return Role::admin;
  }
  std::vector<gid_t> groups{peer.gid};
  if (std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) { return rule.is_group; })) {
    groups = groups_of(peer);
  }
  Role best = Role::none;
  for (const Rule& rule : rules_) {
    const bool applies =
        rule.is_group ? std::find(groups.begin(), groups.end(), rule.number) != groups.end() : rule.number == peer.uid;
    best = applies ? std::max(best, rule.role) : best;
  }
  return best;
}

}  // namespace webhookd::server

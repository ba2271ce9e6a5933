// Where the master keys come from: the file of `secrets.master_key_file`, or the credential `master_key` that the
// service manager loads (LoadCredential=); and beside it, with `.next` behind its name, the key that takes its place.
// The store opens with whichever of them it is sealed with, so a restart at any moment of a rotation finds its key.
//
// Never here: what is done with keys (crypto/master_key.hpp), and what is sealed (store/seals.hpp).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "settings.hpp"
#include "store/seals.hpp"

namespace webhookd::daemon {

// The file of the master key; empty when there is none.
std::string master_key_path(const Settings& settings);

struct MasterKeys {
  std::vector<store::SealerRef> sealers;  // the master key and, when its file is there, the next one
  std::string next_fault;  // why a next one that is there cannot be used; that stops nobody but a rotation
};

// None without a path. Errors name the file and the rule: a file that cannot be read, that others than its owner may
// read (but for credentials, which the service manager guards), or that holds no key.
base::Result<MasterKeys> read_master_keys(const std::string& path);

// The key that takes the place of the first. Errors: no_master_key when there is none, else as above.
base::Result<store::SealerRef> read_next_master_key(const std::string& path);

}  // namespace webhookd::daemon

// A daemon made of canned answers on a Unix socket, so that the tool is tested alone: each "METHOD target" has its
// answers, given in turn, the last for ever; what was asked is kept. Anything else is answered 404.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace webhookd::whctl::testing {

struct SeenRequest {
  std::string line;  // "GET /v1/status"
  std::string head;
  std::string body;
};

class ScriptedDaemon {
 public:
  ScriptedDaemon();
  ~ScriptedDaemon();
  ScriptedDaemon(const ScriptedDaemon&) = delete;
  ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;

  // A whole JSON answer of that status. With the header `Shut: reading`, nothing is read from that connection after it.
  void answer(const std::string& line, int status, const std::string& body, const std::string& more_headers = "");
  // The bytes as they are.
  void answer_raw(const std::string& line, std::string bytes);

  const std::string& socket_path() const { return path_; }
  std::vector<SeenRequest> seen();

 private:
  void serve();
  void serve_peer(int peer);
  std::string next_answer(const SeenRequest& request);

  std::string folder_;
  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;  // of what follows
  std::map<std::string, std::vector<std::string>> answers_;
  std::vector<SeenRequest> seen_;
  std::thread thread_;
};

}  // namespace webhookd::whctl::testing

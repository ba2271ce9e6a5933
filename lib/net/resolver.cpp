#include "net/resolver.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>

namespace webhookd::net {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using domain::AddressBytes;

AddressBytes loopback(bool is_v6) {
  AddressBytes address;
  address.is_v6 = is_v6;
  if (is_v6) {
    address.bytes[15] = 1;
  } else {
    address.bytes[0] = 127;
    address.bytes[3] = 1;
  }
  return address;
}

const ResolutionRef& localhost() {
  static const auto answer =
      std::make_shared<const Resolution>(Resolution{{loopback(false), loopback(true)}, {}, false});
  return answer;
}

Resolution failed(std::string why, bool is_shortage = false) { return {{}, std::move(why), is_shortage}; }

Resolution failed_lookup(const std::string& host, int code, int system_error) {
  const bool is_shortage =
      code == EAI_MEMORY ||
      (code == EAI_SYSTEM && (system_error == EMFILE || system_error == ENFILE || system_error == ENOMEM));
  if (code == EAI_NONAME || code == EAI_NODATA) {
    return failed("the name " + host + " does not exist");
  }
  if (code == EAI_AGAIN) {
    return failed("no name server answered for " + host);
  }
  const std::string why = code == EAI_SYSTEM ? std::generic_category().message(system_error) : gai_strerror(code);
  return failed("cannot resolve " + host + ": " + why, is_shortage);
}

// The address of one entry, unless it is scoped to a link, which nothing outside of this host can mean.
void add_address(std::vector<AddressBytes>& addresses, const addrinfo& entry) {
  AddressBytes address;
  if (entry.ai_family == AF_INET) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in*>(entry.ai_addr)->sin_addr, 4);
  } else if (entry.ai_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry.ai_addr);
    address.is_v6 = true;
    std::memcpy(address.bytes.data(), &v6->sin6_addr, 16);
  } else {
    return;
  }
  if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
    addresses.push_back(address);
  }
}

}  // namespace

Resolution system_lookup(const std::string& host) {
  // Absolute by switching the search list off, not by a trailing dot, with which /etc/hosts would not match. Done
  // anew each time because that also reads a changed resolv.conf; the state belongs to this thread.
  res_init();
  _res.options &= ~static_cast<decltype(_res.options)>(RES_DNSRCH | RES_DEFNAMES);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  errno = 0;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    return failed_lookup(host, code, errno);
  }
  Resolution answer;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    add_address(answer.addresses, *entry);
  }
  freeaddrinfo(list);
  return answer.addresses.empty() ? failed("the name " + host + " has no address") : answer;
}

// Shared with the threads, which may outlive the resolver while they hang in a lookup.
struct Resolver::Shared : std::enable_shared_from_this<Resolver::Shared> {
  struct Cached {
    ResolutionRef answer;
    SteadyTime until;
  };

  Shared(const ResolverOptions& o, Lookup l) : options(o), lookup(std::move(l)) {}

  ResolutionRef known(const std::string& host, SteadyTime now) {
    const auto found = cache.find(host);
    return found != cache.end() && found->second.until > now ? found->second.answer : nullptr;
  }

  void keep(const std::string& host, const ResolutionRef& answer) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (answer->is_shortage) {
      return;
    }
    if (cache.size() >= options.cached_max) {
      std::erase_if(cache, [&](const auto& entry) { return entry.second.until <= now; });
    }
    if (cache.size() >= options.cached_max) {
      cache.erase(cache.begin());
    }
    cache[host] = {answer, now + (answer->addresses.empty() ? options.failure_ttl : options.ttl)};
  }

  void answer_waiters(const std::string& host, const ResolutionRef& answer) {
    auto waiters = std::move(waiting[host]);
    waiting.erase(host);
    for (Done& done : waiters) {
      done(answer);
    }
  }

  void start_thread() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
    try {
      std::thread([self = shared_from_this()] { self->serve(); }).detach();
      ++threads;
    } catch (const std::system_error&) {
      // Those that run will come to it; without any, nobody would.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void serve() {
    pthread_setname_np(pthread_self(), "resolver");
    std::unique_lock lock(mutex);
    while (true) {
      ++idle;
      wake.wait(lock, [this] { return is_stopping || !queue.empty(); });
      --idle;
      if (is_stopping) {
        break;
      }
      const std::string host = std::move(queue.front());
      queue.pop_front();
      ++busy;
      lock.unlock();
      auto answer = std::make_shared<const Resolution>(lookup(host));
      lock.lock();
      --busy;
      if (!is_stopping) {
        keep(host, answer);
        answer_waiters(host, answer);
      }
    }
    --threads;
    ended.notify_all();
  }

  const ResolverOptions options;
  const Lookup lookup;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable ended;
  std::deque<std::string> queue;
  std::unordered_map<std::string, std::vector<Done>> waiting;
  std::unordered_map<std::string, Cached> cache;
  std::uint32_t threads = 0;
  std::uint32_t idle = 0;
  std::uint32_t busy = 0;
  bool is_stopping = false;
};

Resolver::Resolver(const ResolverOptions& options, Lookup lookup)
    : shared_(std::make_shared<Shared>(options, std::move(lookup))) {}

Resolver::~Resolver() {
  std::unique_lock lock(shared_->mutex);
  shared_->is_stopping = true;
  shared_->waiting.clear();
  shared_->wake.notify_all();
  shared_->ended.wait(lock, [this] { return shared_->threads == shared_->busy; });
}

ResolutionRef Resolver::known(const std::string& host) {
  if (host == "localhost") {
    return localhost();
  }
  const std::lock_guard lock(shared_->mutex);
  return shared_->known(host, std::chrono::steady_clock::now());
}

void Resolver::resolve(const std::string& host, Done done) {
  const std::lock_guard lock(shared_->mutex);
  const ResolutionRef answer =
      host == "localhost" ? localhost() : shared_->known(host, std::chrono::steady_clock::now());
  if (answer) {
    return done(answer);
  }
  if (const auto same = shared_->waiting.find(host); same != shared_->waiting.end()) {
    same->second.push_back(std::move(done));
    return;
  }
  if (shared_->queue.size() >= shared_->options.waiting_max) {
    return done(std::make_shared<const Resolution>(failed("too many names wait to be resolved", true)));
  }
  shared_->waiting[host].push_back(std::move(done));
  shared_->queue.push_back(host);
  const bool is_short_of_threads = shared_->queue.size() > shared_->idle;
  if (is_short_of_threads && shared_->threads < shared_->options.threads) {
    shared_->start_thread();
  }
  if (shared_->threads == 0) {
    shared_->queue.pop_back();
    shared_->answer_waiters(host, std::make_shared<const Resolution>(failed("no thread for a name lookup", true)));
    return;
  }
  shared_->wake.notify_one();
}

}  // namespace webhookd::net

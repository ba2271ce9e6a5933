#include "net/resolver.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>

#include <algorithm>
#include <array>
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

ResolutionRef localhost() {
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
    bool was_slow = false;
  };
  struct Waiter {
    Ticket ticket;
    Done done;
  };
  struct Lane {
    std::uint32_t share;  // of the threads, at once
    std::uint32_t busy = 0;
    std::deque<std::string> queue = {};
  };
  enum LaneName : std::size_t { answered, unknown, slow };

  Shared(const ResolverOptions& o, Lookup l)
      : options(o),
        lookup(std::move(l)),
        lanes{Lane{o.threads}, Lane{std::max(1u, o.threads * 3 / 4)}, Lane{std::max(1u, o.threads / 4)}} {}

  ResolutionRef known(const std::string& host, SteadyTime now) {
    const auto found = cache.find(host);
    return found != cache.end() && found->second.until > now ? found->second.answer : nullptr;
  }

  void keep(const std::string& host, const ResolutionRef& answer, base::Duration took) {
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
    const bool failed = answer->addresses.empty();
    cache[host] = {answer, now + (failed ? options.failure_ttl : options.ttl), failed && took > options.slow_after};
  }

  Lane& lane_of(const std::string& host) {
    const auto found = cache.find(host);
    if (found == cache.end()) {
      return lanes[unknown];
    }
    return lanes[found->second.was_slow ? slow : found->second.answer->addresses.empty() ? unknown : answered];
  }

  Lane* next_lane() {
    const auto has_work = [](const Lane& lane) { return !lane.queue.empty() && lane.busy < lane.share; };
    auto* const found = std::find_if(lanes.begin(), lanes.end(), has_work);
    return found == lanes.end() ? nullptr : found;
  }

  std::size_t queued() const {
    std::size_t names = 0;
    for (const Lane& lane : lanes) {
      names += lane.queue.size();
    }
    return names;
  }

  // How many names could be looked up if there were threads for them.
  std::size_t startable() const {
    std::size_t names = 0;
    for (const Lane& lane : lanes) {
      names += std::min<std::size_t>(lane.queue.size(), lane.share - lane.busy);
    }
    return names;
  }

  void answer_waiters(const std::string& host, const ResolutionRef& answer) {
    auto waiters = std::move(waiting[host]);
    waiting.erase(host);
    for (Waiter& waiter : waiters) {
      waiter.done(answer);
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
      wake.wait(lock, [this] { return is_stopping || next_lane() != nullptr; });
      --idle;
      if (is_stopping) {
        break;
      }
      look_up_next(*next_lane(), lock);
    }
    --threads;
    ended.notify_all();
  }

  void look_up_next(Lane& lane, std::unique_lock<std::mutex>& lock) {
    const std::string host = std::move(lane.queue.front());
    lane.queue.pop_front();
    if (waiting[host].empty()) {
      waiting.erase(host);  // everybody has gone
      return;
    }
    ++lane.busy;
    ++busy;
    lock.unlock();
    const SteadyTime started = std::chrono::steady_clock::now();
    auto answer = std::make_shared<const Resolution>(lookup(host));
    const auto took = std::chrono::steady_clock::now() - started;
    lock.lock();
    --lane.busy;
    --busy;
    if (!is_stopping) {
      keep(host, answer, std::chrono::duration_cast<base::Duration>(took));
      answer_waiters(host, answer);
    }
  }

  const ResolverOptions options;
  const Lookup lookup;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable ended;
  std::array<Lane, 3> lanes;
  std::unordered_map<std::string, std::vector<Waiter>> waiting;  // an entry for each name queued or being looked up
  Ticket last_ticket = 0;
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

ResolutionRef Resolver::without_lookup(const std::string& host) { return host == "localhost" ? localhost() : nullptr; }

ResolutionRef Resolver::known(const std::string& host) {
  if (auto answer = without_lookup(host)) {
    return answer;
  }
  const std::lock_guard lock(shared_->mutex);
  return shared_->known(host, std::chrono::steady_clock::now());
}

Resolver::Ticket Resolver::resolve(const std::string& host, Done done) {
  const std::lock_guard lock(shared_->mutex);
  const Ticket ticket = ++shared_->last_ticket;
  ResolutionRef answer = without_lookup(host);
  answer = answer ? answer : shared_->known(host, std::chrono::steady_clock::now());
  if (answer) {
    done(answer);
    return ticket;
  }
  if (const auto same = shared_->waiting.find(host); same != shared_->waiting.end()) {
    same->second.push_back({ticket, std::move(done)});
    return ticket;
  }
  if (shared_->queued() >= shared_->options.waiting_max) {
    done(std::make_shared<const Resolution>(failed("too many names wait to be resolved", true)));
    return ticket;
  }
  shared_->waiting[host].push_back({ticket, std::move(done)});
  auto& queue = shared_->lane_of(host).queue;
  queue.push_back(host);
  const bool is_short_of_threads = shared_->startable() > shared_->idle;
  if (is_short_of_threads && shared_->threads < shared_->options.threads) {
    shared_->start_thread();
  }
  if (shared_->threads == 0) {
    queue.pop_back();
    shared_->answer_waiters(host, std::make_shared<const Resolution>(failed("no thread for a name lookup", true)));
    return ticket;
  }
  shared_->wake.notify_one();
  return ticket;
}

void Resolver::forget(const std::string& host, Ticket ticket) {
  const std::lock_guard lock(shared_->mutex);
  if (const auto found = shared_->waiting.find(host); found != shared_->waiting.end()) {
    std::erase_if(found->second, [&](const Shared::Waiter& waiter) { return waiter.ticket == ticket; });
  }
}

}  // namespace webhookd::net

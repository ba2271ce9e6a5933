#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

#include "net/exchange_impl.hpp"
#include "net/loop_world_impl.hpp"

namespace webhookd::net {

namespace {

using domain::AddressBytes;
using domain::OutcomeKind;

constexpr std::size_t addresses_max = 4;
constexpr auto stagger = std::chrono::milliseconds(250);

tcp::endpoint endpoint_of(const Connection& connection) {
  const auto& bytes = connection.address.bytes;
  if (connection.address.is_v6) {
    return {asio::ip::address_v6(bytes), connection.port};
  }
  asio::ip::address_v4::bytes_type v4;
  std::copy_n(bytes.begin(), v4.size(), v4.begin());
  return {asio::ip::address_v4(v4), connection.port};
}

// EADDRNOTAVAIL means that local ports have run out, or that this host has no address of the peer's family at all. A
// datagram socket tells which: it takes its port from another space.
bool has_source_address(const tcp::endpoint& peer) {
  const int probe = socket(peer.data()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return true;
  }
  const bool reachable = ::connect(probe, peer.data(), static_cast<socklen_t>(peer.size())) == 0;
  ::close(probe);
  return reachable;
}

// The first address of each family, then the second of each, and so on, in the resolver's order.
std::vector<AddressBytes> interleave_families(const std::vector<AddressBytes>& addresses) {
  std::vector<AddressBytes> first;
  std::vector<AddressBytes> second;
  for (const AddressBytes& address : addresses) {
    (address.is_v6 == addresses.front().is_v6 ? first : second).push_back(address);
  }
  std::vector<AddressBytes> mixed;
  for (std::size_t i = 0; mixed.size() < std::min(addresses.size(), addresses_max); ++i) {
    if (i < first.size()) {
      mixed.push_back(first[i]);
    }
    if (i < second.size() && mixed.size() < addresses_max) {
      mixed.push_back(second[i]);
    }
  }
  return mixed;
}

// Hands the answer from a resolver thread to the loop.
Resolver::Ticket start_lookup(const std::shared_ptr<Exchange>& x) {
  x->wake.expires_at(Steady::time_point::max());
  return x->world.resolver.resolve(x->next_hop().host(), [x](ResolutionRef answer) {
    asio::post(x->world.io, [x, answer = std::move(answer)] {
      x->resolution = answer;
      x->wake.cancel();
    });
  });
}

// What failed on the way to the proxy is told as such, and is never taken for a fault of the receiver's name.
void fail_hop(Exchange& x, OutcomeKind kind, std::string why) {
  if (x.has_proxy()) {
    x.fail(OutcomeKind::connect, "cannot reach the proxy " + x.next_hop().authority() + ": " + std::move(why));
  } else {
    x.fail(kind, std::move(why));
  }
}

// True when policy lets the exchange go to `addresses` of its URL's host; one denied address refuses all.
bool may_reach(Exchange& x, const std::vector<AddressBytes>& addresses) {
  for (const AddressBytes& address : addresses) {
    if (auto refusal = x.egress->refusal(address)) {
      const bool is_name = x.url().host_kind() == domain::HostKind::name;
      x.fail(OutcomeKind::denied, is_name ? x.url().host() + ": " + *refusal : *refusal);
      return false;
    }
  }
  return true;
}

// What policy can say before anything is resolved. With a proxy that is all it says (egress.hpp): names are the proxy's
// to resolve, but for localhost, which means something without asking anybody.
bool may_begin(Exchange& x) {
  if (auto refusal = x.egress->refusal(x.url())) {
    x.fail(OutcomeKind::denied, std::move(*refusal));
    return false;
  }
  const bool is_name = x.url().host_kind() == domain::HostKind::name;
  const ResolutionRef known = x.has_proxy() && is_name ? Resolver::without_lookup(x.url().host()) : nullptr;
  return !known || may_reach(x, known->addresses);
}

// Every address of the next hop that may be tried; none when the outcome is set.
std::vector<AddressBytes> checked_addresses(Exchange& x) {
  std::vector<AddressBytes> addresses;
  if (x.next_hop().host_kind() != domain::HostKind::name) {
    addresses.push_back(x.next_hop().address());
  } else if (x.resolution->is_shortage) {
    x.fail_for_shortage(x.resolution->error);
    return {};
  } else if (x.resolution->addresses.empty()) {
    fail_hop(x, OutcomeKind::dns, x.resolution->error);
    return {};
  } else {
    addresses = x.resolution->addresses;
  }
  if (!x.has_proxy() && !may_reach(x, addresses)) {
    return {};
  }
  return interleave_families(addresses);
}

void note_failure(ConnectRace& race, const Connection& connection, const error_code& ec) {
  const bool no_source = ec == asio::error::address_family_not_supported ||
                         (ec.value() == EADDRNOTAVAIL && ec.category() == asio::error::get_system_category() &&
                          !has_source_address(endpoint_of(connection)));
  race.is_shortage = race.is_shortage || (is_shortage(ec) && !no_source);
  race.faults.push_back(connect_fault(ec, connection));
  ++race.failed;
}

void on_connected(Exchange& x, const std::shared_ptr<ConnectRace>& race, const ConnectionPtr& candidate,
                  const error_code& ec) {
  if (race->winner || x.is_interrupted()) {
    candidate->close();
  } else if (ec) {
    note_failure(*race, *candidate, ec);
    candidate->close();
  } else {
    race->winner = candidate;
  }
  x.wake.cancel();
}

// Starts one more candidate; false when that failed at once.
bool start_candidate(const std::shared_ptr<Exchange>& x, const AddressBytes& address) {
  auto candidate = std::make_shared<Connection>(x->world.io, address, x->next_hop().port());
  const tcp::endpoint peer = endpoint_of(*candidate);
  error_code ec;
  candidate->socket.open(peer.protocol(), ec);
  if (!ec) {
    error_code ignored;  // without it small TLS records only wait longer
    candidate->socket.set_option(tcp::no_delay(true), ignored);
    candidate->socket.non_blocking(true, ec);
  }
  if (ec) {
    note_failure(*x->race, *candidate, ec);
    return false;
  }
  x->race->candidates.push_back(candidate);
  candidate->socket.async_connect(
      peer, [x, race = x->race, candidate](error_code result) { on_connected(*x, race, candidate, result); });
  return true;
}

void settle_race(Exchange& x) {
  const auto race = std::move(x.race);
  x.race = nullptr;
  for (const ConnectionPtr& candidate : race->candidates) {
    if (candidate != race->winner) {
      candidate->close();
    }
  }
  if (race->winner) {
    x.connection = race->winner;
    return;
  }
  std::string all;
  for (const std::string& fault : race->faults) {
    all += all.empty() ? fault : "; " + fault;
  }
  if (race->is_shortage) {
    x.fail_for_shortage(std::move(all));
  } else {
    fail_hop(x, OutcomeKind::connect, std::move(all));
  }
}

Awaitable<void> run_race(std::shared_ptr<Exchange> x, std::vector<AddressBytes> addresses) {
  x->race = std::make_shared<ConnectRace>();
  std::size_t next = 0;
  while (!x->race->winner && !x->is_interrupted()) {
    if (next < addresses.size() && !start_candidate(x, addresses[next++])) {
      continue;
    }
    if (x->race->failed == addresses.size()) {
      break;
    }
    const bool has_more = next < addresses.size();
    x->wake.expires_at(has_more ? Steady::now() + stagger : Steady::time_point::max());
    error_code ignored;  // woken or expired: the race says what happened
    co_await x->wake.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  if (!x->is_interrupted()) {
    settle_race(*x);
  }
}

// Host and port as CONNECT wants them: always with a port.
std::string tunnel_target(const domain::Url& url) {
  const std::string host = url.host_kind() == domain::HostKind::ipv6 ? "[" + url.host() + "]" : url.host();
  return host + ":" + std::to_string(url.port());
}

// What a proxy's answer (or its lack) means; empty when the tunnel is open.
std::string tunnel_fault(ResponseReader& reader, const error_code& ec) {
  constexpr std::uint16_t is_open = 200;
  if (!reader.fault().empty()) {
    return "made no sense of CONNECT: " + reader.fault();
  }
  if (!reader.is_head_complete()) {
    return "gave no answer to CONNECT: " + (ec == asio::error::eof ? "it closed the connection" : ec.message());
  }
  if (reader.status() != is_open) {
    return "answered CONNECT with HTTP " + std::to_string(reader.status());
  }
  // Bytes behind the head would be taken for the receiver's.
  return reader.kept_body().empty() ? std::string() : "sent bytes behind its answer to CONNECT";
}

Awaitable<void> open_tunnel(std::shared_ptr<Exchange> x) {
  const ConnectionPtr connection = x->connection;
  const std::string target = tunnel_target(x->url());
  const std::string request =
      "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\nUser-Agent: webhookd/" WEBHOOKD_VERSION "\r\n\r\n";
  connection->reader.begin();
  error_code ec;
  const asio::const_buffer bytes(request.data(), request.size());
  co_await asio::async_write(connection->socket, bytes, asio::redirect_error(use_awaitable, ec));
  while (!ec && connection->reader.wants_more() && !connection->reader.is_head_complete()) {
    ec = co_await read_some(connection);
  }
  if (x->is_interrupted()) {
    co_return;
  }
  const std::string fault = tunnel_fault(connection->reader, ec);
  if (fault.empty()) {
    connection->tunnel_to = target;
    co_return;
  }
  x->fail(OutcomeKind::connect, "the proxy " + x->next_hop().authority() + " " + fault);
  connection->close();
  x->connection = nullptr;
}

std::string tls_fault(Connection& connection, const error_code& ec) {
  const std::string certificate = certificate_fault(connection.tls->native_handle());
  if (!certificate.empty()) {
    return "certificate verify failed: " + certificate;
  }
  const bool is_closed = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated ||
                         ec == asio::error::connection_reset || ec == asio::error::broken_pipe;
  return is_closed ? peer_text(connection) + " closed the connection during the TLS handshake"
                   : "TLS handshake failed: " + tls_words(ec);
}

Awaitable<void> shake_hands(std::shared_ptr<Exchange> x) {
  const auto session = x->world.tls.open(x->url(), x->endpoint, x->plan.identity.get());
  if (!session) {
    x->connection = nullptr;
    if (session.error().code == base::ErrorCode::unavailable) {
      x->fail_for_shortage(session.error().detail);
    } else {
      x->fail(OutcomeKind::tls, session.error().detail);
    }
    co_return;
  }
  Connection& connection = *x->connection;
  connection.tls.emplace(connection.socket, *session);
  error_code ec;
  co_await connection.tls->async_handshake(asio::ssl::stream_base::client, asio::redirect_error(use_awaitable, ec));
  if (ec || x->is_interrupted()) {
    if (!x->is_interrupted()) {
      x->fail(OutcomeKind::tls, tls_fault(connection, ec));
    }
    connection.close();
    x->connection = nullptr;
    co_return;
  }
  connection.certificate_expires_at = certificate_expiry(connection.tls->native_handle());
}

}  // namespace

bool is_shortage(const error_code& ec) {
  constexpr std::array codes{EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL};
  return ec.category() == asio::error::get_system_category() &&
         std::find(codes.begin(), codes.end(), ec.value()) != codes.end();
}

std::string peer_text(const Connection& connection) {
  const std::string address = domain::format_address(connection.address);
  const std::string peer =
      (connection.address.is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(connection.port);
  return connection.tunnel_to.empty() ? peer : connection.tunnel_to + " (through the proxy " + peer + ")";
}

std::string tls_words(const error_code& ec) {
  const auto code = static_cast<unsigned long>(static_cast<unsigned int>(ec.value()));
  const std::string_view words =
      ec.category() == asio::error::get_ssl_category() ? tls_reason_words(code) : std::string_view();
  return words.empty() ? ec.message() : std::string(words) + ": " + ec.message();
}

std::string connect_fault(const error_code& ec, const Connection& connection) {
  struct Row {
    int code;
    const char* words;
  };
  constexpr std::array rows{
      Row{ECONNREFUSED, "connection refused by "}, Row{ETIMEDOUT, "connection timed out to "},
      Row{EHOSTUNREACH, "no route to "},           Row{ENETUNREACH, "network is unreachable: "},
      Row{ECONNRESET, "connection reset by "},
  };
  for (const Row& row : rows) {
    if (ec.value() == row.code) {
      return row.words + peer_text(connection);
    }
  }
  return "cannot connect to " + peer_text(connection) + ": " + ec.message();
}

Awaitable<void> connect(std::shared_ptr<Exchange> x) {
  if (!may_begin(*x)) {
    co_return;
  }
  x->phase = Phase::resolving;
  if (x->next_hop().host_kind() == domain::HostKind::name) {
    x->resolution = x->world.resolver.known(x->next_hop().host());
    if (!x->resolution) {
      const Resolver::Ticket ticket = start_lookup(x);
      error_code ignored;  // woken by the answer or by an interruption
      co_await x->wake.async_wait(asio::redirect_error(use_awaitable, ignored));
      if (!x->resolution) {
        x->world.resolver.forget(x->next_hop().host(), ticket);
      }
    }
    if (x->is_interrupted()) {
      co_return;
    }
  }
  std::vector<AddressBytes> addresses = checked_addresses(*x);
  if (addresses.empty()) {
    co_return;
  }
  x->phase = Phase::connecting;
  co_await run_race(x, std::move(addresses));
  if (x->connection && x->has_proxy()) {
    x->phase = Phase::tunnelling;
    co_await open_tunnel(x);
  }
  if (x->connection && !x->is_interrupted() && x->url().is_https()) {
    x->phase = Phase::handshaking;
    co_await shake_hands(x);
  }
}

}  // namespace webhookd::net

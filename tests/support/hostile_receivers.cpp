#include "support/hostile_receivers.hpp"

namespace webhookd::test {

namespace {

using K = domain::OutcomeKind;
using Script = ScriptedReceiver::Script;

// Answers and ends the connection.
Script answer_and_close(std::string bytes) {
  return [bytes = std::move(bytes)](ReceiverSide& side) {
    side.read_request();
    side.send(bytes);
  };
}

// Answers and resets the connection.
Script answer_and_reset(std::string bytes) {
  return [bytes = std::move(bytes)](ReceiverSide& side) {
    side.read_request();
    side.send(bytes);
    side.reset();
  };
}

Script repeated(std::string start, std::string part, int count, std::string end) {
  return [=](ReceiverSide& side) {
    while (!side.read_request().empty()) {
      side.send(start);
      side.send_repeatedly(part, count);
      side.send(end);
    }
  };
}

Script dripping(std::string start, std::string slowly) {
  return [=](ReceiverSide& side) {
    side.read_request();
    side.send(start);
    side.drip(slowly);
  };
}

Script with_head(const std::string& fields) { return always("HTTP/1.1 200 OK\r\n" + fields + "\r\n"); }

const std::string bytes_nul("X: a\0b\r\n", 8);
const std::string bytes_escape = "X: a\x1b[31m\r\n";
const std::string bytes_c1 = "X: a\x9b\r\nContent-Length: 0\r\n";
const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";

const std::vector<HostileReceiver> rows = {
    {"accepts and says nothing", [](ReceiverSide& s) { s.hold(); }, K::timeout, 0, "waiting for the response head"},
    {"closes without reading", [](ReceiverSide& s) { s.close(); }, K::reset},
    {"resets after the request", answer_and_reset(""), K::reset, 0, "reset"},
    {"resets in the head", answer_and_reset("HTTP/1.1 200 OK\r\nA: b"), K::reset},
    {"closes in the head", answer_and_close("HTTP/1.1 200 OK\r\nA: b"), K::reset, 0, "in the middle"},
    {"drips its head", dripping("", "HTTP/1.1 200 OK\r\n" + std::string(500, 'a')), K::timeout},
    {"drips its body", dripping("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", std::string(500, 'a')), K::success,
     200},
    {"never ends its head", repeated("HTTP/1.1 200 OK\r\n", "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 100'000, ""),
     K::protocol, 0, "over 16 KiB"},
    {"sends one endless line", repeated("HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'a'), 100'000, ""), K::protocol, 0,
     "over 16 KiB"},
    {"never ends its body", repeated("HTTP/1.1 200 OK\r\n\r\n", std::string(1000, 'a'), 1'000'000, ""), K::success,
     200},
    {"sends endless chunks",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\naaaa\r\n", 1'000'000, ""), K::success,
     200},
    {"sends endless empty lines as a body", repeated("HTTP/1.1 500 No\r\n\r\n", "\r\n", 1'000'000, ""), K::status, 500},
    {"sends nine informational heads", repeated("", interim, 9, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
     K::protocol, 0, "informational"},
    {"sends eight informational heads", repeated("", interim, 8, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
     K::success, 200},
    {"floods with informational heads", repeated("", interim, 1'000'000, ""), K::protocol, 0, "informational"},
    {"switches protocols and waits", always("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), K::timeout},
    {"redirects to loopback", always("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"),
     K::status, 302},
    {"redirects to itself for ever", always("HTTP/1.1 307 Again\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n"),
     K::status, 307},
    {"ends before its length", answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), K::success,
     200},
    {"resets in the body", answer_and_reset("HTTP/1.1 204 OK\r\nContent-Length: 100\r\n\r\nshort"), K::success, 204},
    {"says a length that is too short", with_head("Content-Length: 2\r\n\r\nok, and more of it"), K::success, 200},
    {"closes a connection that it promised to keep",
     answer_and_close("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"), K::success, 200},
    {"refuses early and resets",
     [](ReceiverSide& s) { s.read_head(), s.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), s.reset(); },
     K::status, 413},
    {"says two lengths", with_head("Content-Length: 1\r\nContent-Length: 2\r\n"), K::protocol, 0, "malformed"},
    {"says a negative length", with_head("Content-Length: -1\r\n"), K::protocol},
    {"says a length past 64 bits", with_head("Content-Length: 99999999999999999999999\r\n"), K::protocol},
    {"says a huge length", with_head("Content-Length: 9999999999999999\r\n"), K::success, 200},
    {"says a length and chunks", with_head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), K::protocol},
    {"says chunks and a length", with_head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), K::protocol},
    {"breaks its chunks", always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), K::success, 200},
    {"sends a chunk of 2^64 bytes",
     always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"), K::success, 200},
    {"sends a giant trailer",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", std::string(1000, 'a'), 100, "\r\n\r\n"),
     K::success, 200},
    {"sends a giant chunk extension",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=", std::string(1000, 'a'), 100,
              "\r\nhello\r\n"),
     K::success, 200},
    {"sends ten thousand fields", repeated("HTTP/1.1 200 OK\r\n", "a:b\r\n", 10'000, "\r\n"), K::protocol, 0, "16 KiB"},
    {"sends NUL in a field", with_head(bytes_nul), K::protocol},
    {"sends ESC in a field", with_head(bytes_escape), K::protocol},
    {"sends C1 bytes in a field", with_head(bytes_c1), K::success, 200},
    {"sends a field without a name", with_head(": x\r\n"), K::protocol},
    {"sends a space before the colon", with_head("Content-Length : 0\r\n"), K::protocol},
    {"sends a gzip bomb",
     always("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01"), K::success, 200},
    {"leaves out reason and space", always("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), K::success, 200},
    {"answers in HTTP/1.0 until it closes", answer_and_close("HTTP/1.0 200 OK\r\n\r\nbody"), K::success, 200},
    {"answers in HTTP/2", always("HTTP/2 200 OK\r\n\r\n"), K::protocol, 0, "not HTTP/1"},
    {"answers with bare line feeds", always("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), K::protocol, 0, "CR LF"},
    {"answers in TLS", always(std::string("\x15\x03\x01\x00\x02\x02\x46", 7)), K::protocol, 0, "not HTTP/1"},
    {"speaks plain HTTP where TLS is expected",
     [](ReceiverSide& s) { s.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), s.hold(); }, K::tls, 0,
     "TLS handshake failed", "https"},
    {"accepts and says nothing in TLS", [](ReceiverSide& s) { s.hold(); }, K::timeout, 0, "in the TLS handshake",
     "https"},
    {"answers as SSH", always("SSH-2.0-OpenSSH_9.2\r\n"), K::protocol, 0, "not HTTP/1"},
    {"answers with blank lines", always("\r\n\r\n"), K::protocol},
    {"answers with a status of four digits", always("HTTP/1.1 2000 OK\r\n\r\n"), K::protocol},
    {"answers with status 099", always("HTTP/1.1 099 Odd\r\n\r\n"), K::protocol},
    {"answers with status 999", always("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), K::status, 999},
    {"answers twice", always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\n\r\n"), K::success, 200},
    {"says gone", always("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"), K::status, 410},
};

}  // namespace

const std::vector<HostileReceiver>& hostile_receivers() { return rows; }

}  // namespace webhookd::test

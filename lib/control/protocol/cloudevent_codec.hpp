// CloudEvents 1.0 as a way in (JSON event format; HTTP protocol binding, sections 3.1 and 3.2): what such an event says
// is put into our own terms, and the rest of its attributes is checked for their grammar and left behind.
//
//   type         the event type; it has to be in the catalogue like any other
//   data         kept verbatim; an event without data has null
//   time         the timestamp
//   source, id   together the idempotency key, "SOURCE ID": by the specification two events with the same source and
//                id are one
//
// Data has to be JSON: another datacontenttype and data_base64 are refused.
//
// Never here: what the daemon sends as CloudEvents (net/request.cpp).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "control/protocol/event_codec.hpp"

namespace webhookd::protocol {

// Of application/cloudevents+json: attributes and data are members. The request keeps a piece of `body`.
base::Result<EventRequest> read_cloudevent(std::string_view body, std::size_t data_bytes_max);

// The headers ce-NAME of a request in binary mode, names without "ce-", values as they came (percent-encoded).
using CloudEventHeaders = std::vector<std::pair<std::string, std::string>>;
// The body is the data.
base::Result<EventRequest> read_binary_cloudevent(const CloudEventHeaders& headers, std::string_view body,
                                                  std::size_t data_bytes_max);

}  // namespace webhookd::protocol

// The one unit in which Asio and Beast are compiled (architecture.md principle 10): every other unit sees
// declarations only. It is a library of its own because the control rooms, which do not link net, need it too.
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace boost {

// Beast 1.81 asserts that at least five bytes of a body's last chunk have come when it looks at it for the second time.
// When that chunk is also the first, "0\r\n" lets it look, and then there may be four: a peer that cuts its bytes there
// would end the process. The code behind the assertion copes with it (boostorg/beast, pull request 2861). Every other
// assertion of the parser ends the process, as everywhere else.
static void assertion_failed(char const* expression, char const* function, char const* file, long line) {
  if (std::string_view(expression) != "n >= 5") {
    std::fprintf(stderr, "%s:%ld: %s: assertion `%s' failed\n", file, line, function, expression);
    std::abort();
  }
}

}  // namespace boost

#define BOOST_BEAST_SOURCE
#include <boost/beast/http/basic_parser.hpp>
#define BOOST_ENABLE_ASSERT_HANDLER
#include <boost/assert.hpp>
#include <boost/beast/http/impl/basic_parser.ipp>
#undef BOOST_ENABLE_ASSERT_HANDLER
#include <boost/assert.hpp>
// From here on assertions are the C library's again.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>

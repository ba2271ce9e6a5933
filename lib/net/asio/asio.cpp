// The one unit in which Asio and Beast are compiled (architecture.md principle 10): every other unit sees
// declarations only. It is a library of its own because the control rooms, which do not link net, need it too.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>

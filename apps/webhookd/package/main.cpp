// Prints the configuration that the package installs.
#include <iostream>

#include "settings.hpp"

int main() {
  std::cout << webhookd::daemon::packaged_configuration();
  return std::cout.flush() ? 0 : 1;
}

#include "tests/conformance/case.hpp"

using namespace conformance;

TEST_CASE_METHOD(Case,
                 "the kernel accepts every valid lock name but list returns only locks of VMs") {
  auto text = GENERATE(as<std::string>{}, "c", "Nightly", ".hidden", "a$b", "!\"#%&'()*+,-.:;<=>?",
                       "@[\\]^_`{|}~", "a-name-of-exactly-31-bytes-....");
  Lock named = new_lock(text);
  holder.trylock(named, EX).open().close();
  CHECK(other.trylock(named, EX).denied());
  CHECK(holder.list(domain).empty());
  CHECK(other.unlink(named).code() == 0);
  CHECK(holder.unlink(named).code() == 0);
  CHECK(other.trylock(named, EX).granted());
}

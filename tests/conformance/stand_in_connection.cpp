#include <list>
#include <sstream>

#include "tests/conformance/connection.hpp"
#include "tests/dlmfs/stand_in.hpp"

namespace conformance {
namespace {

/// An open that sleeps in the stand-in.
struct Asleep {
  int number;
  int generation;
  dlmfs::DomainName domain;
  dlmfs::Name name;
};

class StandInConnection final : public Connection {
 public:
  StandInConnection(std::shared_ptr<dlmfs::StandInCluster> cluster, int host)
      : cluster_(std::move(cluster)), host_(cluster_->host(host)), interpreter_(host_) {}

  int send(const std::string& command) override {
    int number = ++last_;
    int generation = interpreter_.generation();
    Reply reply = interpreter_.run(number, command);
    if (reply.code == EINPROGRESS) {
      fall_asleep(number, generation, command);
    } else {
      replies_[number] = reply;
    }
    return number;
  }

  std::optional<Reply> reply(int number, std::chrono::milliseconds) override {
    asleep_.remove_if([this](const Asleep& call) { return wakes(call); });
    auto found = replies_.find(number);
    return found == replies_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  void fall_asleep(int number, int generation, const std::string& command) {
    std::istringstream words(command);
    std::string verb, domain, name;
    words >> verb >> domain >> name;
    if (verb == "unlink") return;  // the stand-in does not report its outcome
    asleep_.push_back(Asleep{number, generation, dlmfs::DomainName::parse(domain).value(),
                             dlmfs::Name::parse(name).value()});
  }

  bool wakes(const Asleep& call) {
    auto outcome = host_.finished(call.domain, call.name);
    if (!outcome) return false;
    replies_[call.number] = interpreter_.opened(call.number, call.generation, std::move(*outcome));
    return true;
  }

  std::shared_ptr<dlmfs::StandInCluster> cluster_;
  dlmfs::StandInHost& host_;
  Interpreter interpreter_;
  int last_ = 0;
  std::map<int, Reply> replies_;
  std::list<Asleep> asleep_;
};

}  // namespace

Connections connect_stand_in() {
  auto cluster = std::make_shared<dlmfs::StandInCluster>();
  Connections connections;
  for (int host = 1; host <= 3; ++host) {
    connections.hosts.push_back(std::make_unique<StandInConnection>(cluster, host));
  }
  return connections;
}

}  // namespace conformance

#pragma once

#include <string_view>
#include <syslog.h>

namespace guard {

/// A kind of log line: its `event=` and its syslog(3) priority. start-guard-events(7) documents all
/// events; tests/guard/log/events_test.cpp compares the two.
struct Event {
  std::string_view name;
  int priority;

  friend bool operator==(const Event&, const Event&) = default;
};

/// All events that the hook, the service and the command log. To add an event, add a member here
/// and an item in start-guard-events(7). The unit test reads the members as an array, so it misses
/// none.
struct Events {
  Event granted{"granted", LOG_INFO};
  Event granted_by_hand_over{"granted", LOG_NOTICE};
  Event denied{"denied", LOG_WARNING};
  Event exempt{"exempt", LOG_INFO};
  Event unguarded{"unguarded", LOG_CRIT};
  Event not_a_migration{"not-a-migration", LOG_CRIT};
  Event job_unknown{"job-unknown", LOG_WARNING};
  Event unlocked{"unlocked", LOG_INFO};
  Event unlocked_later{"unlocked", LOG_NOTICE};
  Event qemu_outlives_release{"qemu-outlives-release", LOG_CRIT};
  Event qemu_not_seen{"qemu-not-seen", LOG_ERR};
  Event processes_hidden{"processes-hidden", LOG_ERR};
  Event caller_gone{"caller-gone", LOG_WARNING};
  Event io_in_flight{"io-in-flight", LOG_CRIT};
  Event lock_open_here{"lock-open-here", LOG_WARNING};
  Event not_unlocked{"not-unlocked", LOG_ERR};
  Event held{"held", LOG_INFO};
  Event adopted{"adopted", LOG_NOTICE};
  Event conflict{"conflict", LOG_CRIT};
  Event lock_not_checked{"lock-not-checked", LOG_ERR};
  Event lock_not_checked_at_reconnect{"lock-not-checked", LOG_CRIT};
  Event hand_over{"hand-over", LOG_NOTICE};
  Event hand_over_accepted{"hand-over-accepted", LOG_NOTICE};
  Event hand_over_refused{"hand-over-refused", LOG_WARNING};
  Event exclusive{"exclusive", LOG_NOTICE};
  Event request_queued{"request-queued", LOG_WARNING};
  Event reopened{"reopened", LOG_INFO};
  Event keeper_started{"keeper-started", LOG_NOTICE};
  Event keeper_stopped{"keeper-stopped", LOG_NOTICE};
  Event keeper_failed{"keeper-failed", LOG_ERR};
  Event libvirt_lost{"libvirt-lost", LOG_WARNING};
  Event libvirt_back{"libvirt-back", LOG_NOTICE};
  Event dlmfs_detached{"dlmfs-detached", LOG_CRIT};
  Event dlmfs_attached{"dlmfs-attached", LOG_NOTICE};
  Event cluster_lost{"cluster-lost", LOG_WARNING};
  Event cluster_back{"cluster-back", LOG_NOTICE};
  Event bell_not_written{"bell-not-written", LOG_WARNING};
  Event qemu_not_recorded{"qemu-not-recorded", LOG_ERR};
  Event record_not_written{"record-not-written", LOG_ERR};
  Event record_not_removed{"record-not-removed", LOG_ERR};
  Event record_unreadable{"record-unreadable", LOG_ERR};
  Event announcement_not_written{"announcement-not-written", LOG_ERR};
  Event announcement_not_removed{"announcement-not-removed", LOG_ERR};
  Event call_not_understood{"call-not-understood", LOG_ERR};
  Event configuration_refused{"configuration-refused", LOG_ERR};
  Event log_lines_lost{"log-lines-lost", LOG_WARNING};
  Event operation_ignored{"operation-ignored", LOG_DEBUG};
};

inline constexpr Events events;

}  // namespace guard

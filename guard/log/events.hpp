#pragma once

#include <array>
#include <string_view>
#include <syslog.h>

namespace guard {

/// A kind of log line: its `event=` and its syslog(3) priority. The README documents all events in
/// its table "The log"; tests/guard/log/events_test.cpp compares the two.
struct Event {
  std::string_view name;
  int priority;

  friend bool operator==(const Event&, const Event&) = default;
};

/// All events that the hook, the service and the command log. To add an event, add a constant here,
/// its name in `all`, and a row in the README.
namespace events {

inline constexpr Event granted{"granted", LOG_INFO};
inline constexpr Event granted_by_hand_over{"granted", LOG_NOTICE};
inline constexpr Event denied{"denied", LOG_WARNING};
inline constexpr Event exempt{"exempt", LOG_INFO};
inline constexpr Event unguarded{"unguarded", LOG_CRIT};
inline constexpr Event not_a_migration{"not-a-migration", LOG_CRIT};
inline constexpr Event job_unknown{"job-unknown", LOG_WARNING};
inline constexpr Event unlocked{"unlocked", LOG_INFO};
inline constexpr Event unlocked_later{"unlocked", LOG_NOTICE};
inline constexpr Event qemu_outlives_release{"qemu-outlives-release", LOG_CRIT};
inline constexpr Event qemu_not_seen{"qemu-not-seen", LOG_ERR};
inline constexpr Event processes_hidden{"processes-hidden", LOG_ERR};
inline constexpr Event caller_gone{"caller-gone", LOG_WARNING};
inline constexpr Event io_in_flight{"io-in-flight", LOG_CRIT};
inline constexpr Event lock_open_here{"lock-open-here", LOG_WARNING};
inline constexpr Event not_unlocked{"not-unlocked", LOG_ERR};
inline constexpr Event held{"held", LOG_INFO};
inline constexpr Event adopted{"adopted", LOG_NOTICE};
inline constexpr Event conflict{"conflict", LOG_CRIT};
inline constexpr Event lock_not_checked{"lock-not-checked", LOG_ERR};
inline constexpr Event lock_not_checked_at_reconnect{"lock-not-checked", LOG_CRIT};
inline constexpr Event hand_over{"hand-over", LOG_NOTICE};
inline constexpr Event hand_over_accepted{"hand-over-accepted", LOG_NOTICE};
inline constexpr Event hand_over_refused{"hand-over-refused", LOG_WARNING};
inline constexpr Event exclusive{"exclusive", LOG_NOTICE};
inline constexpr Event request_queued{"request-queued", LOG_WARNING};
inline constexpr Event reopened{"reopened", LOG_INFO};
inline constexpr Event keeper_started{"keeper-started", LOG_NOTICE};
inline constexpr Event keeper_stopped{"keeper-stopped", LOG_NOTICE};
inline constexpr Event keeper_failed{"keeper-failed", LOG_ERR};
inline constexpr Event libvirt_lost{"libvirt-lost", LOG_WARNING};
inline constexpr Event libvirt_back{"libvirt-back", LOG_NOTICE};
inline constexpr Event dlmfs_detached{"dlmfs-detached", LOG_CRIT};
inline constexpr Event dlmfs_attached{"dlmfs-attached", LOG_NOTICE};
inline constexpr Event cluster_lost{"cluster-lost", LOG_WARNING};
inline constexpr Event cluster_back{"cluster-back", LOG_NOTICE};
inline constexpr Event bell_not_written{"bell-not-written", LOG_WARNING};
inline constexpr Event qemu_not_recorded{"qemu-not-recorded", LOG_ERR};
inline constexpr Event record_not_written{"record-not-written", LOG_ERR};
inline constexpr Event record_not_removed{"record-not-removed", LOG_ERR};
inline constexpr Event record_unreadable{"record-unreadable", LOG_ERR};
inline constexpr Event announcement_not_written{"announcement-not-written", LOG_ERR};
inline constexpr Event announcement_not_removed{"announcement-not-removed", LOG_ERR};
inline constexpr Event call_not_understood{"call-not-understood", LOG_ERR};
inline constexpr Event configuration_refused{"configuration-refused", LOG_ERR};
inline constexpr Event log_lines_lost{"log-lines-lost", LOG_WARNING};
inline constexpr Event operation_ignored{"operation-ignored", LOG_DEBUG};

inline constexpr std::array all = {granted,
                                   granted_by_hand_over,
                                   denied,
                                   exempt,
                                   unguarded,
                                   not_a_migration,
                                   job_unknown,
                                   unlocked,
                                   unlocked_later,
                                   qemu_outlives_release,
                                   qemu_not_seen,
                                   processes_hidden,
                                   caller_gone,
                                   io_in_flight,
                                   lock_open_here,
                                   not_unlocked,
                                   held,
                                   adopted,
                                   conflict,
                                   lock_not_checked,
                                   lock_not_checked_at_reconnect,
                                   hand_over,
                                   hand_over_accepted,
                                   hand_over_refused,
                                   exclusive,
                                   request_queued,
                                   reopened,
                                   keeper_started,
                                   keeper_stopped,
                                   keeper_failed,
                                   libvirt_lost,
                                   libvirt_back,
                                   dlmfs_detached,
                                   dlmfs_attached,
                                   cluster_lost,
                                   cluster_back,
                                   bell_not_written,
                                   qemu_not_recorded,
                                   record_not_written,
                                   record_not_removed,
                                   record_unreadable,
                                   announcement_not_written,
                                   announcement_not_removed,
                                   call_not_understood,
                                   configuration_refused,
                                   log_lines_lost,
                                   operation_ignored};

}  // namespace events
}  // namespace guard

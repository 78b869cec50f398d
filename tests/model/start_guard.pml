/*
 * The hand-over of a VM's lock: three hosts, one VM. `check` in this folder runs spin on this model
 * and on every mutant of it. Each rule of the guard is an inline; each step of a host is one line
 * in `host` below.
 *
 * Terms:
 *   job        a live migration
 *   marker     the announcement of an incoming migration, written by the hook at `migrate`
 *   ring       a request for the bell; the keeper answers it in the bell's value block
 *   card       a value that another host, not the holder, writes into the bell
 *   consent    the keeper grants a hand-over
 *   TAKEN      the card of a target that has accepted a hand-over
 *   latecomer  a target that has accepted a hand-over and has not requested PR yet
 *   pin        a file descriptor that the keeper has open on the lock's file
 *
 * Properties:
 *   the promise  The VM's CPUs never run in two QEMUs. This includes a QEMU that outlives its
 *       release.
 *   I1  The host where the VM's CPUs run holds PR or EX.
 *   I2  If one host holds EX, the other hosts hold nothing.
 *   I3  For each migration job exactly one `prepare` continues with PR, and it is that of the job's
 *       target. Another host may hold PR while libvirt there ends a failed attempt, and before its
 *       second ring.
 *   I4  No host unlocks while a QEMU of the VM is alive there.
 *   I9  No host removes the lock's file while a process there sleeps in an open of this file.
 *   I5  When nothing more can happen without an operator: on the host where the VM is active the
 *       lock is EX, recorded and pinned, and its bell is armed; other hosts have neither lock nor
 *       record.
 *
 * The model has: dlmfs's levels and pins; the bell, its value while no keeper has it open, and the
 * cards; hosts that ring only to learn the holder; cold starts, stops, live migrations that fail at
 * any point; hooks that continue after their libvirtd died; a QEMU that outlives its release;
 * SIGKILL of hook, keeper and libvirtd; the death, eviction and return of a host; `> file` on
 * another host.
 *
 * These features are enabled by a definition, because each makes the search larger:
 *   RESTORES   starts whose QEMU has -incoming but is no migration: a saved VM, for which libvirt
 *              calls `restore`, and the revert to a snapshot, for which it does not
 *   ORPHANS    `release`, `started` and `reconnect` continue after their libvirtd died. A `release`
 *              that gets the flock after its libvirtd's death does nothing. One that got it before
 *              continues to its end
 *   STEPS      a thread of the keeper sleeps in its trylock and has the flock; the keeper's death
 *              does not end it
 *   UNARMED    the bell could not be armed at the start
 *   CONFLICTS  a keeper that does not get EX leaves its card in the other host's bell
 *   BLINDNESS  the guard cannot see whether QEMU is alive; QEMU then counts as alive
 *   WAITERS    `> file` on another host while the keeper has the lock open: the process waits
 *
 * Simplifications:
 *   - Work that a hook does under the flock and that no other host can see is one step. Its being
 *     killed during this work is a separate step. The same applies to the keeper's work.
 *   - All ringing hosts receive a denial in the step in which the keeper writes it. A request that
 *     the keeper accepts late gets PR in the same step. A child unlocks PR in the step in which it
 *     gets it.
 *   - A host that rings without a marker is denied at once; only its ring remains.
 *   - A host may or may not ring again if the bell has no value, or has a card that nobody has read
 *     yet.
 *   - Ages are the order in which jobs began and markers were written. A marker may also expire
 *     without a step of its own: the start is then one without a marker.
 *   - `start`, which checks again that the lock of `prepare` is held, is not in the model: the
 *     properties must hold without it.
 *   - `on_reconnect_conflict = "kill"` is not in the model: by I1 every running VM has its lock.
 *   - If libvirtd is killed before `started` of a restore or a revert, the next libvirtd ends the
 *     VM.
 *   - The hook can read libvirt's status file, which distinguishes a revert from a migration.
 *   - The source's CPUs stop and the target's CPUs run in one step. No libvirtd is killed between
 *     this step and the end of the source. libvirt never resumes the source of a finished
 *     migration. (libvirt does so if the reply to Finish is lost; a lock acquired before cannot
 *     prevent that.)
 *   - A dead host is evicted before it returns. The cluster neither hangs nor splits.
 *   - Accidental access to /dlm: one queued EX, and only if no keeper has died before.
 *   - libvirt does not answer a keeper while a hook of the VM runs there, or while it is down.
 *
 * One case is not in the model, because it breaks the promise (RACE enables it; `check` shows the
 * violation): libvirt calls `migrate` on a host and then fails. The source is not informed yet, so
 * its job is still under way. The VM is started on that same host. `prepare` finds a valid marker,
 * and the CPUs run before `started` can see that there is no -incoming. Without RACE such a VM is
 * started with --paused. The guard makes this case rare: a marker is valid only for the thread of
 * libvirt's daemon that wrote it, and the second ring comes at least 0.3 s after the marker, so the
 * source's job must last that long. The model has neither of these two rules: any start may find
 * the marker, and rings again at once.
 *
 * With TIMELY, no other start acquires EX between the source's answer and the target's request for
 * PR. Then no child is left waiting at the end of one migration. Without TIMELY a child may wait
 * until the VM ends. In the model this is also possible if two hosts are latecomers of one keeper.
 * In the guard it is not: its keeper counts them.
 *
 * Bounds: the numbers of starts, stops, migrations and faults are limited. The first start is on
 * host 0. Hosts 1 and 2 are equivalent until one of them has done something.
 */

/* ---- bounds ---- */
#ifndef STARTS
#define STARTS 2                    /* cold starts tried */
#endif
#ifndef JOBS
#define JOBS 2                      /* migrations tried */
#endif
#ifndef STOPS
#define STOPS 1                     /* ends of a VM that runs */
#endif
#ifndef FAULTS
#define FAULTS 2                    /* of different kinds, each kind at most once */
#endif

#define one(h) ((h + 1) % 3)        /* the other two hosts */
#define two(h) ((h + 2) % 3)
#define NONE 0
#define NOBODY 3

/* ---- the cluster ---- */

#define NL 0
#define PR 1
#define EX 2
byte level[3];
#define elsewhere(h) (level[one(h)] != NL || level[two(h)] != NL)

#define CLOSED 0
#define RDONLY 1
#define RDWR 2
byte pin[3];                        /* how the keeper has the lock open */

bool up[3] = true;                  /* false: dead; its level stays until it is evicted */

byte bell = NOBODY;                 /* the host that armed the bell last */
bool armed;                         /* that host's keeper has the bell open: a ring waits */
byte text;                          /* the bell's value while it is not armed */
bool asked;                         /* a host rings only to learn who holds the lock */

/* ---- libvirt ---- */

/* domain: anything but OFF is active */
#define OFF 0
#define PREPARES 1                  /* `prepare` runs */
#define LAUNCHES 2                  /* no QEMU yet */
#define LAUNCHED 3                  /* `started` is due */
#define ACTIVE 4
#define ENDS 5                      /* `release` is due */
#define LOST 6                      /* libvirtd is down */
byte domain[3];
bool libvirtd[3] = true;
bool incoming[3];                   /* an incoming migration is not finished */

#define WAITS 1                     /* with -incoming; its CPUs have not run yet */
#define PAUSED 2
#define RUNS 3
byte qemu[3];
bool incoming_option[3];             /* -incoming is on its command line until it ends */
bool races[3];                      /* the race: see the top of this file */
bool stuck[3];                      /* a QEMU that libvirt tried to end without success */
#define qemu_lives(h) (qemu[h] != NONE || stuck[h])
#define RESTORED 1                  /* libvirt calls `restore` before `prepare` */
#define REVERTED 2                  /* libvirt does not; its status file names the job */
#ifdef RESTORES
byte restores[3];                   /* the start loads the guest's memory from a file */
#define set_restores(h, how) restores[h] = how
#define is_restored(h) (restores[h] != NONE)
#define is_reverted(h) (restores[h] == REVERTED)
#else
#define set_restores(h, how) skip
#define is_restored(h) false
#define is_reverted(h) false
#endif
#ifdef BLINDNESS
bool blind[3];                      /* /proc hides processes from the guard */
#define cannot_tell(h) blind[h]
#define set_blind(h, value) blind[h] = value
#else
#define cannot_tell(h) false
#define set_blind(h, value) skip
#endif
#ifdef MUTANT_CANNOT_TELL_IS_DEAD
#define counts_as_alive(h) (qemu_lives(h) && !cannot_tell(h))
#else
#define counts_as_alive(h) (qemu_lives(h) || cannot_tell(h))
#endif
#ifdef WAITERS
bool waits[3];                      /* a process here sleeps in an open of the lock's file */
#define waits_here(h) waits[h]
#define set_waits(h, value) waits[h] = value
#else
#define waits_here(h) false
#define set_waits(h, value) skip
#endif
#define waits_elsewhere(h) (waits_here(one(h)) || waits_here(two(h)))
#define runs(h) (qemu[h] == RUNS || stuck[h])

byte jobs;                          /* number of jobs begun; only the last can be under way */
#define BEGUN 1
#define FINISHED 2                  /* the source's CPUs are stopped, the target's run */
byte phase;
byte source, target;
#define outgoing_job(h) (phase != NONE && source == h)
byte request[3];                    /* the job's request to this host, not handled yet */
byte incoming_job[3];

/* ---- the guard ---- */

/* The hook's next step. The hook has the flock. */
#define PREPARE_GRANTED 1           /* has EX, no record yet */
#define PREPARE_RINGS 2
#define PREPARE_QUEUES 3
#define PREPARE_RINGS_AGAIN 4       /* has PR, no record yet */
#define RELEASES 5                  /* has marked the record and sleeps in its unlock */
byte hook[3];
#define rings(h) (hook[h] == PREPARE_RINGS || hook[h] == PREPARE_RINGS_AGAIN)
bool orphan[3];                     /* the libvirtd that ran the hook has been killed */
bool left_waiting[3];               /* an abandoned child of the hook waits for PR, with the flock */
#ifdef STEPS
bool regaining[3];                  /* a thread of the keeper sleeps in the trylock and has the
                                       flock; the keeper may have been killed meanwhile */
#define is_at_work(h) regaining[h]
#define set_at_work(h, value) regaining[h] = value
#else
#define is_at_work(h) false
#define set_at_work(h, value) skip
#endif
#define flock_is_taken(h) (left_waiting[h] || is_at_work(h))
#define flock_is_free(h) (hook[h] == NONE && !flock_is_taken(h))
#ifdef ORPHANS
bool late_release[3];               /* `release`; its daemon was killed before it got the flock */
bool late_adoption[3];              /* the same for `started` or `reconnect` */
#define no_late_hooks(h) late_release[h] = false; late_adoption[h] = false
#else
#define no_late_hooks(h) skip
#endif

byte marker[3];                     /* jobs begun when it was written; 0: no marker */
byte used[3];                       /* the marker that `prepare` has consumed */
byte told[3];                       /* the job for which the source granted the hand-over */

#define STARTED 1
#define HAND_OVER 2
byte record[3];
bool released[3];
byte consented[3];                  /* the job that was granted a hand-over, as in the record */
bool shares[3];                     /* the record says that the lock is shared */

bool keeper[3] = true;
byte job_known[3];                  /* the job that libvirt reported for the ring being answered */
#define UNCHANGED 1
#define CHANGED 2
bool latecomer_possible[3];         /* a host has accepted a hand-over */
byte listed[3];                     /* the record since libvirt reported the VM as not active */

/* Answers. */
#define RUNNING 0                   /* no job, unknown, blocked, still shared, or no answer yet */
#define HANDOFF 10                  /* + job: grants the hand-over */
#define AGAIN 20                    /* + job: granted before, the job is still under way */
#define TAKEN 30                    /* card: the hand-over is accepted */
#define CLAIMS 40                   /* card of a host that holds the lock too */
#ifdef MUTANT_SECOND_HAND_OVER
#define is_handoff(answer) (answer > HANDOFF && answer < TAKEN)
#else
#define is_handoff(answer) (answer > HANDOFF && answer < AGAIN)
#endif
#define job_of(answer) ((answer) % 10)

/* ---- what goes wrong ---- */

#define HOOK 1
#define KEEPER 2
#define LIBVIRTD 4
#define HOST 8
#define STUCK 16
#define LATE 32
#define CARELESS 64
#define BLIND 128
byte starts, stops, faults, faults_seen;
bool touched;
#define may_fail(kind) (faults < FAULTS && (faults_seen & kind) == 0)
inline fails(kind) { faults++; faults_seen = faults_seen | kind }
/* Hosts 1 and 2 are equivalent until one of them has done something. Host 1 does so first. */
#define in_reach(h) (h != 2 || touched)
inline touch(h) { if :: h == 1 -> touched = true :: else fi }

/* ---- the promise, and the invariants that hold after every step ---- */

#define at_most_one(a, b, c) (!((a && b) || (a && c) || (b && c)))
#define i1(h) (!runs(h) || level[h] != NL)
#define i2(h) (level[h] != EX || !elsewhere(h))

#ifndef WITNESS
#define WITNESS false
#endif

inline check() {
  assert(!(WITNESS));
  assert(at_most_one(runs(0), runs(1), runs(2)));
  assert(i1(0) && i1(1) && i1(2));
  assert(i2(0) && i2(1) && i2(2))
}

/* ---- the cluster's rules ---- */

/* `prepare` has its own descriptor until it has passed it to the keeper. */
#define is_rdwr(h) (pin[h] == RDWR || hook[h] == PREPARE_GRANTED)
#define withstands_pr(h) (level[h] == EX && (is_rdwr(h) || !up[h]))
#define withstands_ex(h) (level[h] != NL && (pin[h] != CLOSED || is_rdwr(h) || !up[h]))
#define may_queue(h) (hook[h] == PREPARE_QUEUES)
#define someone_may_queue(h) (may_queue(one(h)) || may_queue(two(h)))
#define someone_is_left(h) (left_waiting[one(h)] || left_waiting[two(h)])
#ifdef TIMELY
#define timely true
#else
#define timely false
#endif
#define may_be_read(h) (is_handoff(text) && (rings(one(h)) || rings(two(h))))
#define overtakes(h) (timely && (may_be_read(h) || someone_may_queue(h) || someone_is_left(h)))
#define trylock_is_granted(h) (!elsewhere(h) && !overtakes(h) && !waits_here(h))
#define queued_pr_is_granted(h) (!withstands_pr(one(h)) && !withstands_pr(two(h)))
#define queued_ex_is_granted(h) (!withstands_ex(one(h)) && !withstands_ex(two(h)))

inline lower(o) { if :: level[o] == EX -> level[o] = PR :: else fi }
inline queued_pr(h) { lower(one(h)); lower(two(h)); level[h] = PR }
inline queued_ex(h) { level[one(h)] = NL; level[two(h)] = NL; level[h] = EX }

/* I3, checked when a `prepare` continues with PR. Two hosts may get PR for one job that is over, if
 * a keeper answers with what libvirt reported before EX was regained; the second ring detects this.
 * A late target may find the source's next job and accept the hand-over meant for that job's
 * target. */
byte shared, found;                 /* sets of jobs, as bits */
#define bit_of(job) (1 << job)
inline share(h) {
  assert((shared & bit_of(told[h])) == 0);
  assert(!incoming[h] || incoming_job[h] == told[h] || (faults_seen & LATE) != 0);
  shared = shared | bit_of(told[h])
}
#define is_the_race(h) (!incoming[h] && used[h] == told[h] && (found & bit_of(told[h])) != 0)

/* I4: no host unlocks while a QEMU of the VM is alive there. */
inline unlink(h) {
  assert(!qemu_lives(h));
  assert(!waits_here(h));           /* I9: unlink(2) would sleep and hang the whole host */
  level[h] = NL; pin[h] = CLOSED
}

inline announce(h) { bell = h; armed = keeper[h]; text = RUNNING; asked = false }
inline withdraw(h) {
  if :: bell == h -> bell = NOBODY; armed = false; text = RUNNING; asked = false :: else fi
}

#ifdef MUTANT_NO_PIN
#define is_shared(h) (level[h] == PR || shares[h])
#define is_pinned(h) true
#define picks_up(h) false
#else
#define is_shared(h) (pin[h] == RDONLY)
#define is_pinned(h) (pin[h] == RDWR)
#define picks_up(h) true
#endif
#define keeps(h) (keeper[h] && !is_at_work(h) && (pin[h] != CLOSED || !picks_up(h)))

/* ---- the hook ---- */

inline record_changes(h) { if :: listed[h] == UNCHANGED -> listed[h] = CHANGED :: else fi }
inline write_record(h, how) {
  record[h] = how; released[h] = false; consented[h] = NONE; shares[h] = (how == HAND_OVER);
  record_changes(h)
}
inline forget(h) {
  record[h] = NONE; released[h] = false; consented[h] = NONE; shares[h] = false;
  latecomer_possible[h] = false; listed[h] = NONE
}

inline no_qemu(h) {
  qemu[h] = NONE; incoming_option[h] = false; races[h] = false;
  incoming[h] = false; incoming_job[h] = 0; set_restores(h, NONE)
}
inline hook_ends(h, next) {
  hook[h] = NONE; used[h] = 0; told[h] = 0;
  if
  :: orphan[h] -> orphan[h] = false
  :: else -> domain[h] = next
  fi
}
inline pass(h) { hook_ends(h, LAUNCHES) }
inline refuse(h) {
  hook_ends(h, ENDS);
  if :: domain[h] == ENDS -> no_qemu(h) :: else fi
}

#ifdef MUTANT_START_BESIDE_QEMU
#define qemu_of_a_trace(h) false
#else
#define qemu_of_a_trace(h) ((record[h] != NONE || level[h] != NL) && counts_as_alive(h))
#endif

#ifdef MUTANT_TARGET_WITHOUT_KEEPER
#define kept_here(h) true
#else
#define kept_here(h) keeper[h]
#endif
/* Removes the lock's file after a denied trylock, unless this host has a record of the lock. */
#ifdef MUTANT_DENIED_TRY_UNLINKS
#define is_ours_no_more(h) (level[h] != NL)
#else
#define is_ours_no_more(h) (record[h] == NONE && level[h] != NL)
#endif
#define can_ring(h) (used[h] != 0 && kept_here(h))
#define only_asks(h) (used[h] == 0 && armed && bell != h && up[bell])
/* Looks for a QEMU of an earlier run, tries to acquire EX, consumes the marker; rings if EX is
 * denied. Without a marker it is denied whatever the reply is: it rings but does not wait. */
inline prepare(h) {
  used[h] = marker[h];
#ifndef MUTANT_MARKER_NOT_USED_UP
  marker[h] = 0;
#endif
  domain[h] = PREPARES;
  if
  :: flock_is_taken(h) || waits_here(h) || qemu_of_a_trace(h) -> refuse(h)
  :: else ->
     if
     :: trylock_is_granted(h) -> level[h] = EX; hook[h] = PREPARE_GRANTED
     :: else ->
        if :: is_ours_no_more(h) -> unlink(h) :: else fi;
        if
        :: can_ring(h) -> hook[h] = PREPARE_RINGS
        :: !can_ring(h) && only_asks(h) -> asked = true; refuse(h)
        :: else -> refuse(h)
        fi
     fi
  fi
}

inline prepare_writes_record(h) {
  d_step {
    hook[h] == PREPARE_GRANTED ->
    write_record(h, STARTED); announce(h);
    if :: keeper[h] && picks_up(h) -> pin[h] = RDWR :: else fi;
    pass(h); check()
  }
}

#ifdef MUTANT_AGE_NOT_COMPARED
#define marker_is_younger(h, job) true
#else
#define marker_is_younger(h, job) (used[h] >= job)
#endif

#ifdef MUTANT_NO_CARD
#define leave_card(card) skip
#else
#define leave_card(card) text = card
#endif
inline gives_up(h) { unlink(h); refuse(h) }
inline goes_on(h) {
  share(h);
  races[h] = is_the_race(h); write_record(h, HAND_OVER); pass(h)
}
/* The bell is not armed: the kernel lets the ringing hosts read it one after the other. The first
 * ring replaces the value it reads by a card before another host can read it. The reply may be
 * late, or from before the keeper's death. So the reply to the second ring must say that this job
 * was granted the hand-over and is still under way. If `prepare` finds a card that the keeper has
 * not read yet, it rings once more or gives up. */
inline prepare_hears(h) {
  d_step {
    rings(h) && (bell == NOBODY || bell == h || !armed) ->
    if
    :: bell == NOBODY || bell == h || !up[bell] ->
       if :: hook[h] == PREPARE_RINGS_AGAIN -> gives_up(h) :: else -> refuse(h) fi
    :: else ->
       if
       :: hook[h] == PREPARE_RINGS && is_handoff(text) && marker_is_younger(h, job_of(text)) ->
          told[h] = job_of(text); hook[h] = PREPARE_QUEUES; leave_card(TAKEN)
       :: hook[h] == PREPARE_RINGS && is_handoff(text) && !marker_is_younger(h, job_of(text)) ->
          leave_card(RUNNING); refuse(h)
       :: hook[h] == PREPARE_RINGS && !is_handoff(text) -> refuse(h)
       :: hook[h] == PREPARE_RINGS_AGAIN && text == AGAIN + told[h] -> goes_on(h)
       :: else -> gives_up(h)
       fi
    fi;
    check()
  }
}
#ifdef MUTANT_TARGET_QUEUES_EX
#define queue_is_granted(h) queued_ex_is_granted(h)
#define queued(h) queued_ex(h)
#else
#define queue_is_granted(h) queued_pr_is_granted(h)
#define queued(h) queued_pr(h)
#endif
inline gets_pr(h) {
  queued(h);
  if :: keeper[h] && picks_up(h) -> pin[h] = RDONLY :: else fi;
  if
#ifdef MUTANT_STALE_HANDOFF
  :: kept_here(h) -> goes_on(h)
#else
  :: kept_here(h) -> hook[h] = PREPARE_RINGS_AGAIN
#endif
  :: else -> gives_up(h)
  fi
}
inline prepare_shares(h) {
  d_step { hook[h] == PREPARE_QUEUES && queue_is_granted(h) -> gets_pr(h); check() }
}
inline prepare_leaves_child(h) {
  d_step {
    hook[h] == PREPARE_QUEUES && !queue_is_granted(h) ->
    left_waiting[h] = true; refuse(h); check()
  }
}
#ifdef MUTANT_CHILD_KEEPS_PR
inline child_gets_pr(h) { queued(h); left_waiting[h] = false }
#else
inline child_gets_pr(h) { queued(h); unlink(h); left_waiting[h] = false }
#endif
inline child_unlinks(h) {
  d_step { left_waiting[h] && queue_is_granted(h) -> child_gets_pr(h); check() }
}

#ifdef MUTANT_INCOMING_NOT_CHECKED
#define CHECKED_AT_STARTED false
#else
#define CHECKED_AT_STARTED true
#endif
#ifdef MUTANT_INCOMING_NOT_CHECKED_AT_RECONNECT
#define CHECKED_AT_RECONNECT false
#else
#define CHECKED_AT_RECONNECT true
#endif
#define is_no_migration(h) (record[h] == HAND_OVER && !incoming_option[h])
#ifdef MUTANT_JOB_NOT_CHECKED
#define is_another_job(h) false
#else
#define is_another_job(h) (record[h] == HAND_OVER && is_reverted(h))
#endif
inline started(h) {
  d_step {
    libvirtd[h] && domain[h] == LAUNCHED ->
    if
    :: (is_no_migration(h) && CHECKED_AT_STARTED) || is_another_job(h) ->
       no_qemu(h); domain[h] = ENDS
    :: else -> domain[h] = ACTIVE
    fi;
    check()
  }
}

#ifdef MUTANT_RELEASE_WITHOUT_RECORD
#define gives_back(h) true
#else
#define gives_back(h) (record[h] != NONE)
#endif
#ifdef MUTANT_RELEASE_BESIDE_QEMU
#define qemu_in_the_way(h) false
#else
#define qemu_in_the_way(h) counts_as_alive(h)
#endif
#define lacks_lock(h) (level[h] == NL || record[h] == NONE)
#define release_is_due(h) (libvirtd[h] && domain[h] == ENDS && hook[h] == NONE)
/* Without the flock `release` does not even mark the record. The keeper finds at its next
 * comparison that the lock is left over. */
inline release(h) {
  d_step {
    release_is_due(h) ->
    domain[h] = OFF;
    if
    :: gives_back(h) && !flock_is_taken(h) ->
       released[h] = (record[h] != NONE);
       if
       :: !qemu_in_the_way(h) -> withdraw(h); unlink(h); forget(h)
       :: else
       fi
#ifdef MUTANT_MARKED_WITHOUT_FLOCK
    :: gives_back(h) && flock_is_taken(h) -> released[h] = (record[h] != NONE)
#endif
    :: else
    fi;
    check()
  }
}
#ifdef ORPHANS
/* The same in two steps; `release` has the flock in both. Its daemon was alive when it got the
 * flock. */
inline release_begins(h) {
  d_step {
    release_is_due(h) && record[h] != NONE && !flock_is_taken(h) ->
    hook[h] = RELEASES; released[h] = true; check()
  }
}
inline release_ends(h) {
  d_step {
    hook[h] == RELEASES ->
    if
    :: !qemu_in_the_way(h) -> withdraw(h); unlink(h); forget(h)
    :: else
    fi;
    hook_ends(h, OFF); check()
  }
}
inline late_release_unlocks(h) {
  released[h] = true;
  if :: !qemu_in_the_way(h) -> withdraw(h); unlink(h); forget(h) :: else fi
}
#ifdef MUTANT_LATE_RELEASE_MARKS
#define late_release_may_go_on(h) true
#else
#define late_release_may_go_on(h) flock_is_free(h)
#endif
/* Does nothing: the record may by now belong to a later run of the VM. */
inline late_release_goes_on(h) {
  d_step {
    late_release[h] && late_release_may_go_on(h) ->
    late_release[h] = false;
    if
#ifdef MUTANT_LATE_RELEASE_ACTS
    :: record[h] != NONE -> late_release_unlocks(h)
#endif
#ifdef MUTANT_STALE_RECORD
    :: true -> record[h] = STARTED; late_release_unlocks(h)
#endif
#ifdef MUTANT_LATE_RELEASE_MARKS
    :: record[h] != NONE -> released[h] = true
#endif
    :: else
    fi;
    check()
  }
}
inline late_adoption_goes_on(h) {
  d_step {
    late_adoption[h] && flock_is_free(h) ->
    late_adoption[h] = false;
    if :: lacks_lock(h) && trylock_is_granted(h) -> adopt(h) :: else fi;
    check()
  }
}
#endif

/* ---- the keeper ---- */

#define libvirt_answers(h) (libvirtd[h] && (hook[h] == NONE || orphan[h]))

#ifdef MUTANT_LIBVIRT_NOT_ASKED
#define has_job(h) (jobs > 0)
#else
#define has_job(h) outgoing_job(h)
#endif
/* Writes the reply and lets the ringing hosts read it. */
inline tell(h, reply) { text = reply; armed = false; asked = false; job_known[h] = NONE }
/* A denial: no host continues after it. All ringing hosts receive it in this step, and the bell is
 * armed again. */
inline denies(h, o) {
  if
  :: hook[o] == PREPARE_RINGS -> refuse(o)
  :: hook[o] == PREPARE_RINGS_AGAIN -> gives_up(o)
  :: else
  fi
}
inline tell_no(h) { denies(h, one(h)); denies(h, two(h)); asked = false; job_known[h] = NONE }
#define someone_rings(h) (asked || rings(one(h)) || rings(two(h)))
inline keeper_asks_libvirt(h) {
  d_step {
    keeps(h) && bell == h && armed && someone_rings(h) && job_known[h] == NONE ->
    if
    :: libvirt_answers(h) && has_job(h) ->
       job_known[h] = jobs;
       if :: outgoing_job(h) -> found = found | bit_of(jobs) :: else fi
    :: else -> tell_no(h)
    fi;
    check()
  }
}
#ifdef MUTANT_NEVER_REGAINS
#define regains(h) (record[h] == HAND_OVER && consented[h] == NONE)
#else
#define regains(h) true
#endif
#ifdef MUTANT_RELEASED_IGNORED
#define has_record(h) (flock_is_free(h) && record[h] != NONE)
#else
#define has_record(h) (flock_is_free(h) && record[h] != NONE && !released[h])
#endif
#define can_consent(h) (has_record(h) && !someone_is_left(h) && !waits_elsewhere(h))
#define can_regain(h) (can_consent(h) && !elsewhere(h) && regains(h))
inline regain(h) {
  level[h] = EX; pin[h] = picks_up(h) * RDWR; consented[h] = NONE; shares[h] = false;
  record_changes(h)
}
inline consent(h) { consented[h] = job_known[h]; shares[h] = true; record_changes(h) }
#ifdef MUTANT_CONSENT_BEFORE_RECORD
/* The keeper sends the answer and is killed before it has written the record. */
inline consent_is_cut_off(h) { tell(h, HANDOFF + job_known[h]) }
#else
inline consent_is_cut_off(h) { consent(h) }
#endif
inline hand_over(h) {
  consent(h);
  if :: pin[h] == RDWR -> pin[h] = RDONLY :: else fi;
  tell(h, HANDOFF + job_known[h])
}
#define was_granted(h) (is_shared(h) && consented[h] == job_known[h])
inline keeper_answers(h) {
  d_step {
    keeper[h] && job_known[h] != NONE ->
    if
    :: !keeps(h) || bell != h || !armed -> job_known[h] = NONE
    :: else ->
       if
       :: was_granted(h) -> tell(h, AGAIN + job_known[h])
       :: !is_shared(h) && can_consent(h) -> hand_over(h)
       :: is_shared(h) && !was_granted(h) && can_regain(h) -> regain(h); hand_over(h)
       :: else -> tell_no(h)
       fi
    fi;
    check()
  }
}
/* A request for the lock itself has just been queued: the answer is `blocked`. */
inline keeper_is_blocked(h) {
  d_step {
    keeps(h) && job_known[h] != NONE && bell == h && armed && !is_shared(h) &&
        someone_may_queue(h) ->
    tell_no(h); check()
  }
}

#ifdef MUTANT_TAKEN_NOT_READ
#define nobody_has_taken(h) (consented[h] != NONE)
#else
#define nobody_has_taken(h) (text > HANDOFF && text < AGAIN)
#endif
inline arm_bell(h) {
  if
  :: bell == h && nobody_has_taken(h) && is_shared(h) && can_regain(h) -> regain(h)
  :: else
  fi;
  if :: bell == h && text == TAKEN -> latecomer_possible[h] = true :: else fi;
  announce(h)
}
inline keeper_arms_bell(h) {
  d_step { keeps(h) && bell == h && !armed -> arm_bell(h); check() }
}

#ifdef MUTANT_EARLY_EX
#define job_is_over(h) true
#else
#define job_is_over(h) (outgoing_job(h) -> consented[h] != jobs : !incoming[h])
#endif
#define is_to_regain(h) (keeps(h) && is_shared(h) && libvirt_answers(h) && \
    domain[h] == ACTIVE && job_is_over(h) && can_consent(h) && regains(h))
inline has_regained(h) {
  regain(h);
  if :: bell != h || !armed -> arm_bell(h) :: else fi
}
#ifdef STEPS
inline keeper_begins_to_regain(h) {
  d_step { is_to_regain(h) && !elsewhere(h) -> set_at_work(h, true); check() }
}
/* If the keeper was killed meanwhile, its thread keeps the flock until the kernel has answered. The
 * level it then gets stays. */
inline keeper_has_tried_to_regain(h) {
  d_step {
    is_at_work(h) ->
    set_at_work(h, false);
    if
    :: !elsewhere(h) && keeper[h] && pin[h] == RDONLY -> has_regained(h)
    :: !elsewhere(h) && !(keeper[h] && pin[h] == RDONLY) -> level[h] = EX
    :: else
    fi;
    check()
  }
}
#else
inline keeper_regains(h) {
  d_step { is_to_regain(h) && !elsewhere(h) -> has_regained(h); check() }
}
#endif
#ifdef UNARMED
/* Another host had the bell open at the start. */
inline prepare_writes_record_without_bell(h) {
  d_step {
    hook[h] == PREPARE_GRANTED ->
    write_record(h, STARTED);
    if :: keeper[h] && picks_up(h) -> pin[h] = RDWR :: else fi;
    pass(h); check()
  }
}
#ifndef MUTANT_BELL_NEVER_ARMED
inline keeper_arms_bell_later(h) {
  d_step {
    keeps(h) && is_pinned(h) && has_record(h) && bell != h && (bell == NOBODY || !armed) ->
    announce(h); check()
  }
}
#endif
#endif
#ifdef CONFLICTS
/* Another host still shares the lock, and the bell is armed by it: rings, then leaves a card. */
byte claims;
#define confronts(h) (is_to_regain(h) && elsewhere(h) && bell != NOBODY && bell != h && up[bell])
inline keeper_asks_who_shares(h) {
  d_step { confronts(h) && armed && !asked && claims < 2 -> claims++; asked = true; check() }
}
inline keeper_leaves_card(h) {
  d_step {
    confronts(h) && !armed && claims < 2 && (text < AGAIN || text >= TAKEN) ->
    claims++; text = CLAIMS; check()
  }
}
#endif
/* The latecomer gets PR in the same step. */
#ifdef MUTANT_LATECOMER_NOT_LET_BY
#define lets_by(h) false
#else
#define lets_by(h) latecomer_possible[h]
#endif
inline keeper_lets_latecomer_by(h, late) {
  d_step {
    keeps(h) && !is_shared(h) && lets_by(h) && has_record(h) && level[h] == EX &&
        (may_queue(late) || left_waiting[late]) ->
    latecomer_possible[h] = false; shares[h] = true; record_changes(h);
    if :: pin[h] == RDWR -> pin[h] = RDONLY :: else fi;
    if :: left_waiting[late] -> child_gets_pr(late) :: else -> gets_pr(late) fi;
    check()
  }
}
/* A target may have accepted a hand-over that an earlier keeper granted. */
#ifdef MUTANT_FORGETS_LATECOMER
#define expects_latecomer(h) false
#else
#define expects_latecomer(h) (consented[h] != NONE)
#endif
inline keeper_picks_up(h) {
  d_step {
    keeper[h] && has_record(h) && pin[h] == CLOSED && level[h] != NL && picks_up(h) &&
        (shares[h] || trylock_is_granted(h)) ->
    if
#ifdef MUTANT_EX_AT_PICK_UP
    :: shares[h] && trylock_is_granted(h) -> level[h] = EX; pin[h] = RDWR; announce(h)
    :: shares[h] && !trylock_is_granted(h) -> pin[h] = RDONLY
#else
    :: shares[h] -> pin[h] = RDONLY
#endif
    :: else -> level[h] = EX; pin[h] = RDWR; announce(h)
    fi;
    if :: expects_latecomer(h) -> latecomer_possible[h] = true :: else fi;
    check()
  }
}
inline adopt(h) {
  level[h] = EX;
  if :: record[h] == NONE -> write_record(h, STARTED) :: else fi;
  if :: keeper[h] && picks_up(h) -> pin[h] = RDWR :: else fi;
  announce(h)
}
inline keeper_adopts(h) {
  d_step {
    keeper[h] && flock_is_free(h) && libvirt_answers(h) && domain[h] != OFF && lacks_lock(h) &&
        trylock_is_granted(h) ->
    adopt(h); check()
  }
}
inline keeper_lists(h) {
  d_step {
    keeper[h] && libvirt_answers(h) && domain[h] == OFF && listed[h] == NONE &&
        (level[h] != NL || record[h] != NONE || waits_here(h)) ->
    listed[h] = UNCHANGED; check()
  }
}
inline keeper_lists_again(h) {
  d_step { listed[h] == CHANGED -> listed[h] = NONE; check() }
}
#ifdef MUTANT_GIVE_BACK_BESIDE_QEMU
#define may_give_back(h) true
#else
#define may_give_back(h) (!counts_as_alive(h))
#endif
#ifdef MUTANT_GIVE_BACK_WITHOUT_FLOCK
#define has_flock(h) true
#else
#define has_flock(h) flock_is_free(h)
#endif
#ifdef MUTANT_RECORD_NOT_COMPARED
#define is_to_go(h) (listed[h] != NONE)
#else
#define is_to_go(h) (listed[h] == UNCHANGED)
#endif
#ifdef MUTANT_UNLINK_BESIDE_WAITER
#define may_unlink(h) true
#else
#define may_unlink(h) (!waits_here(h))
#endif
inline keeper_gives_back(h) {
  d_step {
    keeper[h] && has_flock(h) && may_give_back(h) && may_unlink(h) &&
        (is_to_go(h) || released[h]) ->
    withdraw(h); unlink(h); forget(h); check()
  }
}

/* ---- libvirt: starts, ends, migration ---- */

/* Removes the target's request too, except in job_over_late. */
inline job_over() { request[target] = 0; job_over_late() }
inline job_over_late() { phase = NONE; source = 0; target = 0 }

inline virsh_start(h) {
  d_step {
    up[h] && libvirtd[h] && domain[h] == OFF && hook[h] == NONE && starts < STARTS &&
        in_reach(h) && (starts > 0 || h == 0) ->
    starts++; touch(h); prepare(h); check()
  }
}
#ifdef RESTORES
#ifdef MUTANT_RESTORE_TAKEN_FOR_MIGRATION
#define restore_uses_up_marker false
#else
#define restore_uses_up_marker true
#endif
inline virsh_restore(h, how) {
  d_step {
    up[h] && libvirtd[h] && domain[h] == OFF && hook[h] == NONE && starts < STARTS &&
        in_reach(h) && (starts > 0 || h == 0) ->
    starts++; touch(h); set_restores(h, how);
    if :: how == RESTORED && restore_uses_up_marker -> marker[h] = 0 :: else fi;
    prepare(h); check()
  }
}
/* QEMU has read the guest's memory, and libvirt starts the CPUs. */
inline restored_vm_runs(h) {
  d_step {
    libvirtd[h] && domain[h] == ACTIVE && is_restored(h) ->
    qemu[h] = RUNS; set_restores(h, NONE); check()
  }
}
#endif
#ifdef RACE
#define is_paused(h) false
#else
#define is_paused(h) races[h]
#endif
inline launch(h) {
  d_step {
    libvirtd[h] && domain[h] == LAUNCHES ->
    domain[h] = LAUNCHED; incoming_option[h] = incoming[h] || is_restored(h);
    if
    :: incoming_option[h] -> qemu[h] = WAITS
    :: !incoming_option[h] && is_paused(h) -> qemu[h] = PAUSED
    :: else -> qemu[h] = RUNS
    fi;
    check()
  }
}
inline virsh_resume(h) {
  d_step {
    libvirtd[h] && domain[h] == ACTIVE && qemu[h] == PAUSED && !outgoing_job(h) ->
    qemu[h] = RUNS; check()
  }
}
#define can_end(h) (up[h] && stops < STOPS && qemu[h] >= PAUSED && \
    (domain[h] == ACTIVE || domain[h] == LOST) && phase != FINISHED)
/* The VM is ended by virsh or by the guest itself, with or without libvirtd. */
inline stop(h) {
  d_step {
    can_end(h) ->
    stops++; no_qemu(h);
    if :: outgoing_job(h) -> job_over() :: else fi;
    if :: domain[h] == ACTIVE -> domain[h] = ENDS :: else fi;
    check()
  }
}
inline stop_leaves_qemu(h) {
  d_step {
    can_end(h) && domain[h] == ACTIVE && qemu[h] == RUNS && phase == NONE && may_fail(STUCK) ->
    fails(STUCK); stops++; no_qemu(h); stuck[h] = true; domain[h] = ENDS; check()
  }
}
inline qemu_goes(h) { d_step { stuck[h] -> stuck[h] = false; check() } }

inline job_begins(h, t) {
  d_step {
    up[h] && libvirtd[h] && domain[h] == ACTIVE && qemu[h] == RUNS && !incoming[h] &&
        phase == NONE && jobs < JOBS && up[t] && libvirtd[t] && in_reach(t) && request[t] == 0 ->
    jobs++; phase = BEGUN; source = h; target = t; request[t] = jobs; touch(t); check()
  }
}
#ifdef MUTANT_LOCK_AT_MIGRATE
#define takes_at_migrate(h) (flock_is_free(h))
#else
#define takes_at_migrate(h) false
#endif
inline migrate(h) {
  marker[h] = jobs;
  if
  :: takes_at_migrate(h) && !elsewhere(h) -> level[h] = EX
  :: else
  fi
}
inline migrate_then_fails(h) {
  d_step { request[h] != 0 -> migrate(h); request[h] = 0; check() }
}
inline migrate_then_prepare(h) {
  d_step {
    request[h] != 0 && domain[h] == OFF && hook[h] == NONE ->
    migrate(h);
    incoming[h] = true; incoming_job[h] = request[h]; request[h] = 0;
    prepare(h); check()
  }
}
inline migrate_never_called(h) { d_step { request[h] != 0 -> request[h] = 0; check() } }
inline incoming_fails(h) {
  d_step {
    libvirtd[h] && incoming[h] &&
        (domain[h] == LAUNCHES || domain[h] == LAUNCHED || domain[h] == ACTIVE) ->
    no_qemu(h); domain[h] = ENDS; check()
  }
}
inline job_finishes() {
  d_step {
    phase == BEGUN && incoming_job[target] == jobs && domain[target] == ACTIVE &&
        qemu[target] == WAITS && libvirtd[target] ->
    phase = FINISHED; qemu[source] = PAUSED; qemu[target] = RUNS;
    incoming[target] = false; incoming_job[target] = 0;
    check()
  }
}
inline job_is_confirmed() {
  d_step {
    phase == FINISHED ->
    no_qemu(source); domain[source] = ENDS; job_over(); check()
  }
}
#define job_can_fail (phase == BEGUN || (phase == FINISHED && !up[target]))
inline job_fails() {
  d_step { job_can_fail && request[target] == 0 -> qemu[source] = RUNS; job_over(); check() }
}
/* The source abandons a target that has not called its hook yet. */
inline job_fails_early() {
  d_step {
    job_can_fail && request[target] != 0 && may_fail(LATE) ->
    fails(LATE); job_over_late(); check()
  }
}

/* ---- what goes wrong ---- */

inline hook_is_killed(h) {
  d_step {
    hook[h] != NONE && may_fail(HOOK) ->
    fails(HOOK);
    if :: hook[h] == RELEASES -> hook_ends(h, OFF) :: else -> refuse(h) fi;
    check()
  }
}
inline prepare_is_killed_with_pr(h) {
  d_step {
    hook[h] == PREPARE_QUEUES && queue_is_granted(h) && may_fail(HOOK) ->
    fails(HOOK); queued(h); refuse(h); check()
  }
}
inline release_is_killed_before_unlink(h) {
  d_step {
    release_is_due(h) && record[h] != NONE && !flock_is_taken(h) && may_fail(HOOK) ->
    fails(HOOK); released[h] = true; domain[h] = OFF; check()
  }
}
#ifdef MUTANT_UNLOCK_BEFORE_BELL
#define withdraws_first(h) skip
#else
#define withdraws_first(h) withdraw(h)
#endif
inline release_is_killed_after_unlink(h) {
  d_step {
    release_is_due(h) && record[h] != NONE && !qemu_in_the_way(h) && !flock_is_taken(h) &&
        may_fail(HOOK) ->
    fails(HOOK); released[h] = true; domain[h] = OFF; withdraws_first(h); unlink(h); check()
  }
}
inline keeper_dies(h) {
  fails(KEEPER); keeper[h] = false; pin[h] = CLOSED; job_known[h] = NONE; listed[h] = NONE;
  latecomer_possible[h] = false;
  if :: bell == h -> armed = false; asked = false :: else fi
}
inline keeper_is_killed(h) {
  d_step { keeper[h] && in_reach(h) && may_fail(KEEPER) -> keeper_dies(h); check() }
}
inline keeper_is_killed_consenting(h) {
  d_step {
    keeps(h) && job_known[h] != NONE && bell == h && armed && !is_shared(h) && can_consent(h) &&
        may_fail(KEEPER) ->
    consent_is_cut_off(h); keeper_dies(h); check()
  }
}
inline keeper_starts(h) {
  d_step {
    up[h] && !keeper[h] ->
    keeper[h] = true;
#ifdef MUTANT_FORGETS_CONSENT
    consented[h] = NONE; shares[h] = false;
#endif
    check()
  }
}
#define libvirtd_may_die(h) \
    (libvirtd[h] && in_reach(h) && may_fail(LIBVIRTD) && phase != FINISHED)
inline libvirtd_dies(h) {
  fails(LIBVIRTD); libvirtd[h] = false; request[h] = 0;
  if :: outgoing_job(h) -> job_over() :: else fi;
  if :: hook[h] != NONE -> orphan[h] = true :: else fi;
  if
  :: domain[h] == PREPARES || domain[h] == LAUNCHES -> domain[h] = OFF; no_qemu(h)
  :: domain[h] == LAUNCHED || domain[h] == ACTIVE || domain[h] == ENDS -> domain[h] = LOST
  :: else
  fi;
  marker[h] = 0                     /* valid only for the daemon that wrote it */
}
inline libvirtd_is_killed(h) {
  d_step { libvirtd_may_die(h) -> libvirtd_dies(h); check() }
}
#ifdef ORPHANS
/* A hook was called and has not got the flock yet: it continues later. */
inline libvirtd_is_killed_at_release(h) {
  d_step {
    libvirtd_may_die(h) && release_is_due(h) && record[h] != NONE ->
    late_release[h] = true; libvirtd_dies(h); check()
  }
}
inline libvirtd_is_killed_at_adoption(h) {
  d_step {
    libvirtd_may_die(h) && (domain[h] == LAUNCHED || domain[h] == ACTIVE) ->
    late_adoption[h] = true; libvirtd_dies(h); check()
  }
}
#endif
/* libvirtd calls `reconnect`, or `stopped` and `release`. */
#define is_refused_at_reconnect(h) (is_no_migration(h) && CHECKED_AT_RECONNECT)
inline libvirtd_starts(h) {
  d_step {
    up[h] && !libvirtd[h] ->
    libvirtd[h] = true;
    if
    :: domain[h] == LOST && qemu[h] >= PAUSED && is_refused_at_reconnect(h) ->
       no_qemu(h); domain[h] = ENDS
    :: domain[h] == LOST && qemu[h] >= PAUSED && !is_refused_at_reconnect(h) ->
       domain[h] = ACTIVE;
       if
       :: flock_is_free(h) && lacks_lock(h) && trylock_is_granted(h) -> adopt(h)
       :: else
       fi
    :: domain[h] == LOST && qemu[h] < PAUSED -> no_qemu(h); domain[h] = ENDS
    :: else
    fi;
    check()
  }
}
inline host_dies(h) {
  d_step {
    up[h] && in_reach(h) && may_fail(HOST) ->
    fails(HOST);
    if :: outgoing_job(h) -> job_over() :: else fi;
    up[h] = false; keeper[h] = false; libvirtd[h] = false; pin[h] = CLOSED; hook[h] = NONE;
    orphan[h] = false; left_waiting[h] = false; domain[h] = OFF; no_qemu(h); stuck[h] = false;
    marker[h] = 0; used[h] = 0; told[h] = 0; job_known[h] = NONE; request[h] = 0;
    latecomer_possible[h] = false; listed[h] = NONE;
    no_late_hooks(h); set_at_work(h, false); set_waits(h, false);
    if :: bell == h -> armed = false; asked = false :: else fi;
    check()
  }
}
/* The host returns without locks, records or VMs. Until then it does nothing. */
inline host_is_evicted(h) {
  d_step {
    !up[h] ->
    level[h] = NL; withdraw(h); forget(h); up[h] = true; keeper[h] = true; libvirtd[h] = true;
    check()
  }
}
/* `> file` on another host, if no keeper has died before */
inline careless(h) {
  d_step {
    up[h] && in_reach(h) && may_fail(CARELESS) && (faults_seen & KEEPER) == 0 &&
        flock_is_free(h) && level[h] == NL && elsewhere(h) && queued_ex_is_granted(h) ->
    fails(CARELESS); queued_ex(h); check()
  }
}

#ifdef WAITERS
/* The same if the keeper has the lock open: the process sleeps until the VM has ended. */
inline careless_waits(h) {
  d_step {
    up[h] && in_reach(h) && may_fail(CARELESS) && flock_is_free(h) && level[h] == NL &&
        record[h] == NONE && elsewhere(h) && !queued_ex_is_granted(h) ->
    fails(CARELESS); set_waits(h, true); check()
  }
}
inline waiter_gets_lock(h) {
  d_step {
    waits_here(h) && queued_ex_is_granted(h) -> set_waits(h, false); queued_ex(h); check()
  }
}
#endif
#ifdef BLINDNESS
inline goes_blind(h) {
  d_step { up[h] && in_reach(h) && may_fail(BLIND) -> fails(BLIND); set_blind(h, true); check() }
}
inline sees_again(h) { d_step { cannot_tell(h) -> set_blind(h, false); check() } }
#endif

proctype host(byte h) {
end:
  do
  :: virsh_start(h)
  :: launch(h)
  :: started(h)
  :: virsh_resume(h)
  :: stop(h)
  :: stop_leaves_qemu(h)
  :: qemu_goes(h)
  :: release(h)
  :: job_begins(h, one(h))
  :: job_begins(h, two(h))
  :: migrate_then_fails(h)
  :: migrate_then_prepare(h)
  :: migrate_never_called(h)
  :: incoming_fails(h)
  :: prepare_writes_record(h)
  :: prepare_hears(h)
  :: prepare_shares(h)
  :: prepare_leaves_child(h)
  :: child_unlinks(h)
  :: keeper_asks_libvirt(h)
  :: keeper_answers(h)
  :: keeper_is_blocked(h)
  :: keeper_arms_bell(h)
#ifdef STEPS
  :: keeper_begins_to_regain(h)
  :: keeper_has_tried_to_regain(h)
#else
  :: keeper_regains(h)
#endif
  :: keeper_lets_latecomer_by(h, one(h))
  :: keeper_lets_latecomer_by(h, two(h))
  :: keeper_picks_up(h)
  :: keeper_adopts(h)
  :: keeper_lists(h)
  :: keeper_lists_again(h)
  :: keeper_gives_back(h)
  :: hook_is_killed(h)
  :: prepare_is_killed_with_pr(h)
  :: release_is_killed_before_unlink(h)
  :: release_is_killed_after_unlink(h)
  :: keeper_is_killed(h)
  :: keeper_is_killed_consenting(h)
  :: keeper_starts(h)
  :: libvirtd_is_killed(h)
  :: libvirtd_starts(h)
  :: host_dies(h)
  :: host_is_evicted(h)
  :: careless(h)
#ifdef RESTORES
  :: virsh_restore(h, RESTORED)
  :: virsh_restore(h, REVERTED)
  :: restored_vm_runs(h)
#endif
#ifdef ORPHANS
  :: release_begins(h)
  :: release_ends(h)
  :: late_release_goes_on(h)
  :: late_adoption_goes_on(h)
  :: libvirtd_is_killed_at_release(h)
  :: libvirtd_is_killed_at_adoption(h)
#endif
#ifdef UNARMED
  :: prepare_writes_record_without_bell(h)
#ifndef MUTANT_BELL_NEVER_ARMED
  :: keeper_arms_bell_later(h)
#endif
#endif
#ifdef CONFLICTS
  :: keeper_asks_who_shares(h)
  :: keeper_leaves_card(h)
#endif
#ifdef WAITERS
  :: careless_waits(h)
  :: waiter_gets_lock(h)
#endif
#ifdef BLINDNESS
  :: goes_blind(h)
  :: sees_again(h)
#endif
  od
}

/* I5, checked when nothing more can happen without an operator: every keeper and libvirtd runs
 * again, no operation is under way; the lock is EX where the VM is active, and nowhere else. */
#define nobody_may_be_left (timely && jobs <= 1)
#define idle(h) (domain[h] == OFF && level[h] == NL && (record[h] == NONE || left_waiting[h]) && \
    !(nobody_may_be_left && left_waiting[h]))
#define guarded(h) (domain[h] == ACTIVE && level[h] == EX && record[h] != NONE && is_pinned(h) && \
    bell == h && armed)
/* While a process waits for the lock itself, the state is settled only when the VM ends. */
#define someone_waits (waits_here(0) || waits_here(1) || waits_here(2))
#define settled(h) (idle(h) || guarded(h) || someone_waits)

proctype migration() {
end:
  do
  :: job_finishes()
  :: job_is_confirmed()
  :: job_fails()
  :: job_fails_early()
  :: timeout -> assert(settled(0) && settled(1) && settled(2)); break
  od
}

init {
  atomic { run host(0); run host(1); run host(2); run migration() }
}

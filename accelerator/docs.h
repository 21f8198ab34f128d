/* Written by scripts/docs_of_doubles from the Python twins of what is compiled. */

#define DOC_pause_gc \
    "pause_gc($module)\n" \
    "--\n" \
    "\n" \
    "Switch the garbage collector off until `resume_gc` has been called as often as this. Thread-safe."

#define DOC_resume_gc \
    "resume_gc($module)\n" \
    "--\n" \
    "\n" \
    "Undo one `pause_gc`. The last one switches the collector on, if it was on before."

#define DOC_resume_gc_for_good \
    "resume_gc_for_good($module)\n" \
    "--\n" \
    "\n" \
    "Undo every `pause_gc`: in the child of a fork, and at the interpreter's end, its callers cannot."

#define NAME_Guard "greening._core.critical.Guard"
#define DOC_Guard \
    "A re-entrant lock between OS threads. While it is held, the garbage collector rests."
#define DOC_Guard___init__ \
    "__init__($self)\n" \
    "--\n" \
    "\n"
#define DOC_Guard___enter__ \
    "__enter__($self)\n" \
    "--\n" \
    "\n"
#define DOC_Guard___exit__ \
    "__exit__($self, *exc_info)\n" \
    "--\n" \
    "\n"
#define DOC_Guard_is_owned \
    "is_owned($self)\n" \
    "--\n" \
    "\n" \
    "Whether the calling OS thread is in a critical step."
#define DOC_Guard_give_away \
    "give_away($self)\n" \
    "--\n" \
    "\n" \
    "Leave all critical steps of the calling OS thread, and return what `take_back` needs."
#define DOC_Guard_take_back \
    "take_back($self, depth)\n" \
    "--\n" \
    "\n" \
    "Undo `give_away`."
#define DOC_Guard_after_fork \
    "after_fork($self)\n" \
    "--\n" \
    "\n" \
    "In the child of a fork: free it. An OS thread that held it is not here."

#define DOC_fairness_tick \
    "fairness_tick($module)\n" \
    "--\n" \
    "\n" \
    "Let others run if the slice is over. Call it before a call that may wait is tried. Thread-safe.\n" \
    "\n" \
    "The next park raises an error that comes meanwhile: see `Task.pass_turn`. In the hub, in a critical step and in an\n" \
    "OS thread without a hub it does nothing."

#define DOC_begin_slice \
    "begin_slice($module)\n" \
    "--\n" \
    "\n" \
    "Begin a slice: nothing is checked before it is over."

#define DOC_getcurrent \
    "getcurrent($module)\n" \
    "--\n" \
    "\n" \
    "The running green thread; for a main or a foreign greenlet, its `Task`.\n" \
    "\n" \
    "Difference from `greenlet.getcurrent`: the result is not a greenlet."

#define DOC_spawn \
    "spawn($module, func, *args, **kwargs)\n" \
    "--\n" \
    "\n" \
    "Have `func(*args, **kwargs)` run concurrently. It starts when the caller next lets others run.\n" \
    "\n" \
    "Green threads start in the order of spawning. `func` runs in a copy of the caller's `contextvars` context. Its\n" \
    "exception is reported, and `wait` raises it again.\n" \
    "\n" \
    "Args:\n" \
    "    func: what to run, with the arguments that follow.\n" \
    "Returns:\n" \
    "    The green thread.\n" \
    "Raises:\n" \
    "    TypeError: `func` is not callable.\n" \
    "Thread-safety: it runs in the calling OS thread."

#define DOC_spawn_n \
    "spawn_n($module, func, *args, **kwargs)\n" \
    "--\n" \
    "\n" \
    "Like `spawn`, for when the result does not matter. Difference from eventlet's: it returns a green thread.\n" \
    "\n" \
    "Raises:\n" \
    "    TypeError: `func` is not callable."

#define NAME_Journal "greening._core.journal.Journal"
#define DOC_Journal \
    "A ring of entries. There is one, `JOURNAL`.\n" \
    "\n" \
    "`on` tells whether it is written; `noted`, how many entries were written since `begin`, also those that are lost.\n" \
    "`len` is the number of those that are kept. Read them when it is off: `journal[0]` is the oldest."
#define DOC_Journal___init__ \
    "__init__($self)\n" \
    "--\n" \
    "\n"
#define DOC_Journal_begin \
    "begin($self, room, reason)\n" \
    "--\n" \
    "\n" \
    "Begin anew.\n" \
    "\n" \
    "Args:\n" \
    "    room: the number of entries that are kept, the last ones.\n" \
    "    reason: called, without arguments, in a task that is about to park; the frames are its own. What it returns\n" \
    "        is the label of the entry. It must not park, nor return what refers to objects of the program.\n" \
    "Raises:\n" \
    "    ValueError: there is room for none. RuntimeError: it is on."
#define DOC_Journal_end \
    "end($self)\n" \
    "--\n" \
    "\n" \
    "Write no more. What was written stays until the next `begin`, or `clear`."
#define DOC_Journal_clear \
    "clear($self)\n" \
    "--\n" \
    "\n" \
    "Give the memory back."
#define DOC_Journal___len__ \
    "__len__($self)\n" \
    "--\n" \
    "\n"
#define DOC_Journal___getitem__ \
    "__getitem__($self, index)\n" \
    "--\n" \
    "\n"
#define DOC_Journal_number \
    "number($self, task)\n" \
    "--\n" \
    "\n" \
    "The number that stands for a task."
#define DOC_Journal_note \
    "note($self, kind, subject, other=0, extra=0, label=None, /)\n" \
    "--\n" \
    "\n" \
    "Write an entry.\n" \
    "\n" \
    "Args:\n" \
    "    subject: a task, or a number."
#define DOC_Journal_note_wake \
    "note_wake($self, kind, task)\n" \
    "--\n" \
    "\n" \
    "READY or POST: the running task has made `task` runnable."
#define DOC_Journal_note_park \
    "note_park($self, task, yields)\n" \
    "--\n" \
    "\n" \
    "`task`, which runs, is about to park. What it waits for may be noted already.\n" \
    "\n" \
    "Args:\n" \
    "    yields: it stays runnable."
#define DOC_Journal_note_begin \
    "note_begin($self, task)\n" \
    "--\n" \
    "\n" \
    "A green thread begins. Returns its name."
#define DOC_Journal_note_run \
    "note_run($self, task, timed_out)\n" \
    "--\n" \
    "\n" \
    "`task` goes on after a park."

#define NAME_LotOps "greening._core.parking_lot.LotOps"
#define DOC_LotOps \
    "What every lot does all the time. `ParkingLot` adds the rest."
#define DOC_LotOps_enter \
    "enter($self, task=None)\n" \
    "--\n" \
    "\n" \
    "Enter the running task. Call `wait` or `withdraw` next. See above for the guard.\n" \
    "\n" \
    "Args:\n" \
    "    task: a task that is PARKED already, and waits here as well.\n" \
    "Returns:\n" \
    "    The task that waits: the running one, or its stand-in (see stand_in)."
#define DOC_LotOps_wait \
    "wait($self, task, timeout=None, on_abandon=None)\n" \
    "--\n" \
    "\n" \
    "Park until chosen, after `enter`.\n" \
    "\n" \
    "Args:\n" \
    "    timeout: seconds from now, or None: no limit.\n" \
    "    on_abandon: if `task` was chosen, and is interrupted before it runs, called with the value, to pass it on.\n" \
    "        None: all waiters are chosen together.\n" \
    "Returns:\n" \
    "    The value, or TIMED_OUT.\n" \
    "Raises:\n" \
    "    whatever interrupts the wait; TypeError, ValueError: `timeout` is no number of seconds."
#define DOC_LotOps_park \
    "park($self, timeout=None, on_abandon=None)\n" \
    "--\n" \
    "\n" \
    "`enter` and `wait`, for a caller that has nothing to check in between."
#define DOC_LotOps_choose \
    "choose($self, value=None)\n" \
    "--\n" \
    "\n" \
    "Choose the first task that waits. `resume` then has it run, with `value`.\n" \
    "\n" \
    "Call both under one `guard`."
#define DOC_LotOps_unpark \
    "unpark($self, value=None)\n" \
    "--\n" \
    "\n" \
    "Choose the first task that waits and have it resumed with `value`. Thread-safe. None: none waits."
#define DOC_LotOps_unpark_all \
    "unpark_all($self, value=None)\n" \
    "--\n" \
    "\n" \
    "Have every task that waits resumed with `value`, in order. Thread-safe."
#define DOC_LotOps_leave \
    "leave($self, task)\n" \
    "--\n" \
    "\n" \
    "Take `task` out. False: it is not in the lot any more, since it was chosen. Thread-safe."

#define DOC_make_ready \
    "make_ready($module, task)\n" \
    "--\n" \
    "\n" \
    "Have a chosen task run when its turn comes. Thread-safe."

#define NAME_RegistrationOps "greening._core.registration.RegistrationOps"
#define DOC_RegistrationOps \
    "What every wait does. `Registration` adds the rest."
#define DOC_RegistrationOps_wanted \
    "wanted($self)\n" \
    "--\n" \
    "\n" \
    "The events that tasks wait for."
#define DOC_RegistrationOps_enter \
    "enter($self, task, mask)\n" \
    "--\n" \
    "\n" \
    "`task`, which is PARKED, waits for events of `mask`."
#define DOC_RegistrationOps_enter_unless_news \
    "enter_unless_news($self, task, mask)\n" \
    "--\n" \
    "\n" \
    "Make `task` PARKED, and `enter`. False: it must not wait: an event has come since the last try began."
#define DOC_RegistrationOps_leave \
    "leave($self, task)\n" \
    "--\n" \
    "\n" \
    "`task` waits no longer, in either direction."
#define DOC_RegistrationOps_take_news \
    "take_news($self, mask)\n" \
    "--\n" \
    "\n" \
    "Whether an event of `mask` has come since the last try began. A new try begins now."

#define DOC_dispatch \
    "dispatch($module, registry, events)\n" \
    "--\n" \
    "\n" \
    "Wake the tasks that wait for these events of a registry's descriptors. In the hub."

#define NAME_HubOps "greening._core.switching.HubOps"
#define DOC_HubOps \
    "What every hub does all the time. `Hub` adds the rest.\n" \
    "\n" \
    "Attributes:\n" \
    "    ready: runnable tasks, in order. Always the same object.\n" \
    "    granted: what `switches_left` was when the round began.\n" \
    "    switches: how often a task was resumed before this round; with `granted - switches_left`, until now.\n" \
    "    rounds: how many rounds have begun, one in each turn of the loop.\n" \
    "    round_end, slice_end: hub time in seconds. (The accelerator keeps its own.)\n" \
    "    looked_up: hub time at which this OS thread's CPU time was read last; used_then: that CPU time, in seconds.\n" \
    "    unused: seconds without the processor since a slice was used up."
#define DOC_HubOps___new__ \
    "__new__($self, *args, **kwargs)\n" \
    "--\n" \
    "\n"
#define DOC_HubOps_switch \
    "switch($self)\n" \
    "--\n" \
    "\n" \
    "Leave the running greenlet for the next runnable task, or for the loop. Returns when it is resumed."
#define DOC_HubOps_turn_begins \
    "turn_begins($self)\n" \
    "--\n" \
    "\n" \
    "Whether the round goes on, by count and by time. If so, the next task begins a new slice."
#define DOC_HubOps__start_first \
    "_start_first($self)\n" \
    "--\n" \
    "\n" \
    "Take the first runnable task and give it an idle runner. None: one of both is missing, or it is dead."
#define DOC_HubOps_begin_round \
    "begin_round($self, turns)\n" \
    "--\n" \
    "\n" \
    "Begin a round of runnable tasks. It ends after `turns` switches, or when its time is used up."
#define DOC_HubOps_end_round \
    "end_round($self)\n" \
    "--\n" \
    "\n" \
    "Have the next task that parks go to the loop, which looks at descriptors and timers."
#define DOC_HubOps_pause_gc \
    "pause_gc($self)\n" \
    "--\n" \
    "\n" \
    "Stop the garbage collector until `resume_gc`. Idempotent. See critical."
#define DOC_HubOps_resume_gc \
    "resume_gc($self)\n" \
    "--\n" \
    "\n" \
    "Undo `pause_gc`. Idempotent."
#define DOC_HubOps_begin_slice \
    "begin_slice($self, now)\n" \
    "--\n" \
    "\n" \
    "The running task begins a new slice at `now`: see fairness."
#define DOC_HubOps_slice_age \
    "slice_age($self)\n" \
    "--\n" \
    "\n" \
    "Seconds since the running task began its slice; 0 with a test's own clock. For any OS thread to ask."

#define NAME_TaskOps "greening._core.task.TaskOps"
#define DOC_TaskOps \
    "What every task does all the time: it parks, and is woken. `Task` adds the rest."
#define DOC_TaskOps_wake \
    "wake($self, value=None)\n" \
    "--\n" \
    "\n" \
    "Have the task resumed with `value`. Thread-safe. False: it does not wait, or another wake-up was first."
#define DOC_TaskOps_park \
    "park($self, deadline=None)\n" \
    "--\n" \
    "\n" \
    "Let others run until this task is woken. It must be the running one, in state PARKED or READY.\n" \
    "\n" \
    "Args:\n" \
    "    deadline: absolute hub time in seconds, or None: no limit.\n" \
    "Returns:\n" \
    "    The waker's value, or TIMED_OUT.\n" \
    "Raises:\n" \
    "    the error that `interrupt` was given. The value of an earlier waker stays in `value`."

#define NAME_ThreadOps "greening._core.thread_ops.ThreadOps"
#define DOC_ThreadOps \
    "What every green thread does. `GreenThread` adds the rest."
#define DOC_ThreadOps___init__ \
    "__init__($self, hub=None, func=None, args=(), kwargs=None)\n" \
    "--\n" \
    "\n"
#define DOC_ThreadOps_execute \
    "execute($self)\n" \
    "--\n" \
    "\n" \
    "Run the function and settle the outcome. Called by the runner; never raises."
#define DOC_ThreadOps__settle \
    "_settle($self)\n" \
    "--\n" \
    "\n" \
    "The function has ended: wake the waiters, call the links, free the rest. Links and finalisers may park."
#define DOC_ThreadOps_age \
    "age($self)\n" \
    "--\n" \
    "\n" \
    "Seconds since it was spawned. In the Python source, since the task that spawned it began its turn."
#define DOC_ThreadOps_wait \
    "wait($self, timeout=None)\n" \
    "--\n" \
    "\n" \
    "Park until it has ended. Any number of waiters, any number of times. Thread-safe.\n" \
    "\n" \
    "Args:\n" \
    "    timeout: seconds from now; None: no limit.\n" \
    "Returns:\n" \
    "    What the function returned.\n" \
    "Raises:\n" \
    "    what the function raised (GreenletExit when it was killed); TimeoutError when the time ran out;\n" \
    "    RuntimeError when it waits for itself."

#define DOC_sleep \
    "sleep($module, seconds=0)\n" \
    "--\n" \
    "\n" \
    "Let others run for at least `seconds`; 0 (or less): let every task that is runnable now run once.\n" \
    "\n" \
    "Args:\n" \
    "    seconds: relative, monotonic time.\n" \
    "Raises:\n" \
    "    TypeError, ValueError, OverflowError: not a real number; nan; an integer that is too large.\n" \
    "    Whatever interrupts it: a kill, a Timeout.\n" \
    "Difference from `time.sleep`: negative is 0, as in eventlet; the default is 0."

#define DOC_is_fifo \
    "is_fifo($module, path, flags=0, dir_fd=None, /)\n" \
    "--\n" \
    "\n" \
    "Return True if open(2) with these flags would open a FIFO."

#define DOC_socket_recv \
    "recv($self, bufsize, flags=0, /)\n" \
    "--\n" \
    "\n" \
    "Receive up to `bufsize` bytes; park until at least one has come.\n" \
    "\n" \
    "Args:\n" \
    "    flags: of recv(2), MSG_PEEK and the like.\n" \
    "Returns:\n" \
    "    The bytes; none at the end of the stream.\n" \
    "Raises:\n" \
    "    OSError: as the stdlib's. TimeoutError: the socket's timeout has passed; BlockingIOError: it is 0."

#define DOC_socket_recv_into \
    "recv_into($self, buffer, nbytes=0, flags=0)\n" \
    "--\n" \
    "\n" \
    "As `recv`, into a writable buffer.\n" \
    "\n" \
    "Args:\n" \
    "    nbytes: at most so many bytes; 0: as many as there is room for.\n" \
    "    flags: of recv(2).\n" \
    "Returns:\n" \
    "    How many bytes came; 0 at the end of the stream.\n" \
    "Raises:\n" \
    "    As `recv`; ValueError: `nbytes` is negative, or more than the buffer has."

#define DOC_socket_send \
    "send($self, data, flags=0, /)\n" \
    "--\n" \
    "\n" \
    "Send `data`; park until the system has taken it: all of it where the socket has no timeout, else a part.\n" \
    "\n" \
    "Args:\n" \
    "    data: bytes, or what has a buffer of bytes. flags: of send(2).\n" \
    "Returns:\n" \
    "    How many bytes were taken.\n" \
    "Raises:\n" \
    "    OSError: as the stdlib's. TimeoutError: the socket's timeout has passed; BlockingIOError: it is 0."

#define DOC_socket_sendall \
    "sendall($self, data, flags=0, /)\n" \
    "--\n" \
    "\n" \
    "Send all of `data`; park until the system has taken it. A timeout is for the whole call.\n" \
    "\n" \
    "Args:\n" \
    "    data: bytes, or what has a buffer of bytes. flags: of send(2).\n" \
    "Raises:\n" \
    "    As `send`. How much was sent before an error is unknown."

#define NAME_LocalOps "greening.sync.local.LocalOps"
#define DOC_LocalOps \
    "What every access to an attribute does. `local` adds the rest."
#define DOC_LocalOps___getattribute__ \
    "__getattribute__($self, name)\n" \
    "--\n" \
    "\n"
#define DOC_LocalOps___setattr__ \
    "__setattr__($self, name, value)\n" \
    "--\n" \
    "\n"
#define DOC_LocalOps___delattr__ \
    "__delattr__($self, name)\n" \
    "--\n" \
    "\n"

#define NAME_LockOps "greening.sync.lock.LockOps"
#define DOC_LockOps \
    "What a Lock does when no task has to wait. `Lock` adds the rest."
#define DOC_LockOps_acquire \
    "acquire($self, blocking=True, timeout=-1)\n" \
    "--\n" \
    "\n" \
    "Take the lock; park while it is taken.\n" \
    "\n" \
    "Args:\n" \
    "    blocking: False: answer at once. (A loop of such calls lets others run now and then: see fairness.)\n" \
    "    timeout: seconds from now; -1: no limit.\n" \
    "Returns:\n" \
    "    True when it was taken.\n" \
    "Raises:\n" \
    "    TypeError, ValueError, OverflowError: as the stdlib's."
#define DOC_LockOps_acquire_lock \
    "acquire_lock($self, blocking=True, timeout=-1)\n" \
    "--\n" \
    "\n" \
    "Old name of `acquire`."
#define DOC_LockOps_release \
    "release($self)\n" \
    "--\n" \
    "\n" \
    "Hand the lock to the first waiter, or open it.\n" \
    "\n" \
    "Raises:\n" \
    "    RuntimeError: it is not locked."
#define DOC_LockOps_release_lock \
    "release_lock($self)\n" \
    "--\n" \
    "\n" \
    "Old name of `release`."
#define DOC_LockOps_locked \
    "locked($self)\n" \
    "--\n" \
    "\n" \
    "True while it is taken."
#define DOC_LockOps_locked_lock \
    "locked_lock($self)\n" \
    "--\n" \
    "\n" \
    "Old name of `locked`."
#define DOC_LockOps___enter__ \
    "__enter__($self)\n" \
    "--\n" \
    "\n"
#define DOC_LockOps___exit__ \
    "__exit__($self, *exc_info)\n" \
    "--\n" \
    "\n"

#define NAME_RLockOps "greening.sync.lock.RLockOps"
#define DOC_RLockOps \
    "What an RLock does when no task has to wait. `RLock` adds the rest."
#define DOC_RLockOps_acquire \
    "acquire($self, blocking=True, timeout=-1)\n" \
    "--\n" \
    "\n" \
    "Take the lock, or take it once more. Arguments, result and errors as `Lock.acquire`."
#define DOC_RLockOps_release \
    "release($self)\n" \
    "--\n" \
    "\n" \
    "Undo one `acquire`; the last one hands the lock on.\n" \
    "\n" \
    "Raises:\n" \
    "    RuntimeError: the caller does not own it."
#define DOC_RLockOps___enter__ \
    "__enter__($self)\n" \
    "--\n" \
    "\n"
#define DOC_RLockOps___exit__ \
    "__exit__($self, *exc_info)\n" \
    "--\n" \
    "\n"
#define DOC_RLockOps__is_owned \
    "_is_owned($self)\n" \
    "--\n" \
    "\n"
#define DOC_RLockOps__release_save \
    "_release_save($self)\n" \
    "--\n" \
    "\n"
#define DOC_RLockOps__acquire_restore \
    "_acquire_restore($self, state)\n" \
    "--\n" \
    "\n"

#define NAME_SemaphoreOps "greening.sync.semaphore.SemaphoreOps"
#define DOC_SemaphoreOps \
    "What a semaphore does when no task has to wait. `Semaphore` adds the rest."
#define DOC_SemaphoreOps_acquire \
    "acquire($self, blocking=True, timeout=None)\n" \
    "--\n" \
    "\n" \
    "Take a permit; park while there is none.\n" \
    "\n" \
    "Args:\n" \
    "    blocking: False: answer at once.\n" \
    "    timeout: seconds from now; None or -1: no limit; 0: answer at once.\n" \
    "Returns:\n" \
    "    True when a permit was taken.\n" \
    "Raises:\n" \
    "    ValueError: a timeout with `blocking=False`, or a negative one. TypeError: it is no number of seconds."
#define DOC_SemaphoreOps_release \
    "release($self)\n" \
    "--\n" \
    "\n" \
    "Give a permit to the first waiter; if there is none, back. Never switches.\n" \
    "\n" \
    "Returns:\n" \
    "    True (eventlet's convention)."
#define DOC_SemaphoreOps___enter__ \
    "__enter__($self)\n" \
    "--\n" \
    "\n"
#define DOC_SemaphoreOps___exit__ \
    "__exit__($self, *exc_info)\n" \
    "--\n" \
    "\n"

#define DOC_mask \
    "mask($module, data, key, /)\n" \
    "--\n" \
    "\n" \
    "Return `data` masked, or unmasked: XOR with the four bytes of `key`, over and over.\n" \
    "\n" \
    "Raises:\n" \
    "    ValueError: the key has not four bytes."

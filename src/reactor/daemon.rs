//! Daemonising, and notifications to the service manager.
//! One of the rooms where `unsafe` is allowed (see lib.rs).
#![allow(unsafe_code)]

use super::fatal;
use sd_notify::NotifyState;
use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::fd::AsRawFd,
};

/// Tells systemd how we are.
pub struct Notifier {
    supervised: bool,
    /// Monotonic milliseconds between two signs of life, and when the next one is due.
    watchdog_ms: Option<u64>,
    next_ms: u64,
}

impl Notifier {
    /// `supervised`: whether there is a service manager to notify.
    pub fn new(supervised: bool) -> Self {
        let watchdog_ms = if supervised { sd_notify::watchdog_enabled().map(|w| w.as_millis() as u64 / 2) } else { None };
        Self { supervised, watchdog_ms, next_ms: 0 }
    }

    /// Whether a service manager is notified.
    pub fn is_supervised(&self) -> bool {
        self.supervised
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.supervised
            && let Err(error) = sd_notify::notify(states)
        {
            log::warn!("Telling the service manager failed: {error}");
        }
    }

    /// We serve.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status("Ready to accept connections")]);
    }

    /// Notifies of a shutdown.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("Shutting down")]);
    }

    /// We are alive: told as often as systemd's watchdog wants to hear it, and our own.
    pub fn alive(&mut self, now_ms: u64) {
        fatal::loop_came_round(now_ms);
        if let Some(every) = self.watchdog_ms
            && now_ms >= self.next_ms
        {
            self.next_ms = now_ms + every;
            self.tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Takes the environment from where it was when the process began to a place of its own, so that a title can be shown there. Must run before
/// any thread exists.
pub fn move_environment() {
    for (name, value) in std::env::vars_os() {
        // SAFETY: there is no other thread that could read the environment meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Goes into the background: a new session, and standard streams to nowhere. Must run before any thread or socket exists.
pub fn daemonize() -> io::Result<()> {
    // SAFETY: no other thread exists yet, so the child's state is that of the whole process.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => (),
        // The parent's work is done; its buffers belong to the child.
        // SAFETY: ends the process without running anything else.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: has no precondition.
    unsafe { libc::setsid() };
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for stream in 0..3 {
        // SAFETY: both descriptors are open for the call, and the standard ones stay open after it.
        unsafe { libc::dup2(null.as_raw_fd(), stream) };
    }
    Ok(())
}

/// Descriptors beside those of connections: for listeners, the log and files.
pub const RESERVED_DESCRIPTORS: u64 = 32;

/// How many descriptors this process may have open.
pub fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a struct of ours that outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0 { limit.rlim_cur } else { u64::MAX }
}

/// Gives up the right to more descriptors than the hard limit allows, up to `wanted`; returns how many there may be.
pub fn raise_descriptor_limit(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a struct of ours that outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return 1024;
    }
    if limit.rlim_cur >= wanted {
        return limit.rlim_cur;
    }
    // The hard limit can be raised too when we may.
    for (soft, hard) in [(wanted, limit.rlim_max.max(wanted)), (wanted.min(limit.rlim_max), limit.rlim_max)] {
        let asked = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        // SAFETY: the pointer is to a struct of ours that outlives the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &asked) } == 0 {
            return soft;
        }
    }
    limit.rlim_cur
}

/// CPU seconds of this process (`RUSAGE_SELF`) or thread (`RUSAGE_THREAD`): in the kernel, and in user space.
pub fn cpu_seconds(who: libc::c_int) -> (f64, f64) {
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a struct of ours that outlives the call.
    let (sys, user) = if unsafe { libc::getrusage(who, usage.as_mut_ptr()) } == 0 {
        // SAFETY: zeroed, and filled by a call that succeeded.
        let usage = unsafe { usage.assume_init() };
        (usage.ru_stime, usage.ru_utime)
    } else {
        (zero, zero)
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    (seconds(sys), seconds(user))
}

/// Makes this thread step behind the one that serves clients: it gets less of a processor that both want, and does not interrupt when it wakes up.
pub fn yield_to_others() {
    const NICE: libc::c_int = 10;
    let batch = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a struct of ours that outlives the call; on Linux 0 is the calling thread.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &batch) | libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    if refused != 0 {
        log::debug!("The disk thread keeps its priority: {}", io::Error::last_os_error());
    }
}

/// Has the kernel begin to write these bytes of a file to the disk, without waiting for them.
pub fn begin_writeback(file: &File, bytes: &Range<u64>) -> io::Result<()> {
    sync_range(file, bytes, libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until these bytes of a file have been handed to the disk. They may still be in its cache: this takes no sync's place.
pub fn end_writeback(file: &File, bytes: &Range<u64>) -> io::Result<()> {
    sync_range(file, bytes, libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER)
}

fn sync_range(file: &File, bytes: &Range<u64>, how: libc::c_uint) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let (from, len) = (bytes.start as i64, (bytes.end - bytes.start) as i64);
    // SAFETY: the descriptor is open for the call, which touches no memory of ours.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), from, len, how) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // What is no file on a disk, or on one that cannot do this, is synced at the end, if at all.
        Some(libc::EINVAL | libc::ESPIPE | libc::ENOSYS | libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}

/// The number of a group of users.
pub fn group_id(name: &str) -> Option<u32> {
    /// Of a group's line: members and all.
    const TEXT_BYTES: usize = 64 * 1024;
    let name = std::ffi::CString::new(name).ok()?;
    let (mut group, mut found) = (std::mem::MaybeUninit::<libc::group>::zeroed(), std::ptr::null_mut());
    let mut text = vec![0; TEXT_BYTES];
    // SAFETY: all pointers are to values of ours that outlive the call, and the length is that of `text`.
    let failed = unsafe { libc::getgrnam_r(name.as_ptr(), group.as_mut_ptr(), text.as_mut_ptr(), text.len(), &mut found) };
    // SAFETY: zeroed, and filled by a call that succeeded.
    (failed == 0 && !found.is_null()).then(|| unsafe { group.assume_init() }.gr_gid)
}

/// Bytes of a page of memory.
pub fn page_bytes() -> usize {
    // SAFETY: has no precondition.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// A number from the system's random source. Waits for that to be ready, which it is but for the first moments after boot.
///
/// # Panics
///
/// When there is no such source: a server whose hash can be guessed is not to start.
pub fn random_u64() -> u64 {
    let mut bytes = [0u8; 8];
    loop {
        // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(got) {
            Ok(got) if got == bytes.len() => return u64::from_ne_bytes(bytes),
            // So few come whole, or a signal came first.
            _ => assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted, "the system gives no random numbers"),
        }
    }
}

/// System, release and machine, as `uname` has them.
pub fn uname() -> String {
    let read = |what: &str| fs::read_to_string(format!("/proc/sys/kernel/{what}")).unwrap_or_default().trim().to_owned();
    format!("{} {} {}", read("ostype"), read("osrelease"), std::env::consts::ARCH)
}

/// The local time as Redis logs it: `20 Nov 2026 22:05:01.123`.
pub fn local_time() -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (tm, millis) = local_now();
    let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"???");
    format!("{:02} {month} {} {:02}:{:02}:{:02}.{millis:03}", tm.tm_mday, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec)
}

/// The local time as ISO 8601 has it, to the millisecond: `2026-11-20T22:05:01.123+01:00`.
pub fn local_time_iso() -> String {
    let (tm, millis) = local_now();
    let (sign, east_minutes) = if tm.tm_gmtoff < 0 { ('-', -tm.tm_gmtoff / 60) } else { ('+', tm.tm_gmtoff / 60) };
    let (year, month) = (tm.tm_year + 1900, tm.tm_mon + 1);
    let (hours, minutes) = (east_minutes / 60, east_minutes % 60);
    let date = format!("{year:04}-{month:02}-{:02}", tm.tm_mday);
    format!("{date}T{:02}:{:02}:{:02}.{millis:03}{sign}{hours:02}:{minutes:02}", tm.tm_hour, tm.tm_min, tm.tm_sec)
}

/// The local time in parts, and the milliseconds of its second.
fn local_now() -> (libc::tm, u32) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() as libc::time_t;
    let mut fields = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to values of ours that outlive the call; a zeroed `tm` is a valid one.
    let tm = unsafe {
        libc::localtime_r(&seconds, fields.as_mut_ptr());
        fields.assume_init()
    };
    (tm, now.subsec_millis())
}

//! Signals that say that something is broken get a report, and then the end that they have by default. So does SIGALRM without an end, which comes when
//! the loop has not come round for too long (`watchdog-period`). One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! What runs in a handler here is async-signal-safe: it locks nothing and allocates nothing, and has a stack of its own.
#![allow(unsafe_code)]

use super::report::{self, Report};
use crate::engine::last_command;
use libc::{SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, c_int, c_void, siginfo_t};
use std::{
    cell::RefCell,
    io, mem, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

/// Signals that end the process, and their names.
const FATAL: [(c_int, &str); 5] = [(SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGILL, "SIGILL"), (SIGFPE, "SIGFPE"), (SIGABRT, "SIGABRT")];
/// Bytes of the stack that a handler has: the processor's state takes up to some ten KiB of it, and unwinding some more.
const STACK_BYTES: usize = 64 << 10;

/// A report has been written: another signal on the way to the end gets none.
static REPORTED: AtomicBool = AtomicBool::new(false);
/// Names of commands by their numbers.
static COMMANDS: OnceLock<Vec<String>> = OnceLock::new();
/// Milliseconds for which the loop may stay away (0: forever), and when it last said that it is there.
static WATCHDOG_MS: AtomicU32 = AtomicU32::new(0);
static WOUND_AT_MS: AtomicU64 = AtomicU64::new(0);

/// Names the commands of which reports tell.
pub fn name_commands(names: Vec<String>) {
    let _ = COMMANDS.set(names);
}

/// The name of the command that was called last.
pub fn last_command() -> &'static str {
    last_command::get().and_then(|id| COMMANDS.get()?.get(usize::from(id))).map_or("none", String::as_str)
}

/// Has broken writes reported as errors: to a pipe that nobody reads, and to a file that may not be so large.
pub fn ignore_broken_writes() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// A stack for handlers, which its thread gives back at its end.
struct HandlerStack(Box<[u8]>);

impl HandlerStack {
    /// Has handlers on this thread run on it.
    fn install() -> Self {
        let mut memory = vec![0u8; STACK_BYTES].into_boxed_slice();
        let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: memory.len() };
        // SAFETY: the memory stays where it is until `drop` has taken it out of use, and nobody else uses it.
        unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
        Self(memory)
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: self.0.len() };
        // SAFETY: without such a stack a handler runs on the thread's own.
        unsafe { libc::sigaltstack(&none, ptr::null_mut()) };
    }
}

thread_local! {
    static HANDLER_STACK: RefCell<Option<HandlerStack>> = const { RefCell::new(None) };
}

/// Gives this thread a stack for handlers.
pub fn give_stack() {
    HANDLER_STACK.with_borrow_mut(|stack| {
        stack.get_or_insert_with(HandlerStack::install);
    });
}

/// Reports fatal signals from now on, or leaves them to the system.
pub fn watch(reports: bool) {
    report::prepare();
    for (signal, _) in FATAL {
        let handler = if reports { on_fatal as *const () as usize } else { libc::SIG_DFL };
        // A second signal of the kind, in the report itself, is the end.
        install(signal, handler, libc::SA_NODEFER | libc::SA_RESETHAND);
    }
    install(SIGALRM, on_alarm as *const () as usize, libc::SA_RESTART);
}

fn install(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: zeroed is a valid sigaction; the handlers installed here are of the type that SA_SIGINFO asks for, and async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags | libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

/// Touches memory that is not there.
pub fn segfault() {
    // SAFETY: no memory is ever mapped there, so nothing is written: the processor refuses, which ends the process.
    unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
}

/// Ends the process by SIGABRT without another report.
pub fn abort() -> ! {
    REPORTED.store(true, Ordering::Relaxed);
    std::process::abort()
}

extern "C" fn on_fatal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if !REPORTED.swap(true, Ordering::Relaxed) {
        // SAFETY: the kernel passes both, and they stay as long as the handler runs.
        unsafe { say_fatal(signal, &*info, context.cast()) };
    }
    // SAFETY: the pointer is the kernel's, as above. The handler is the default's again.
    unsafe {
        install(signal, libc::SIG_DFL, 0);
        // What an instruction has caused it causes again when we return, in the state that a core file is to show.
        if (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

/// # Safety
/// Both are what the kernel passes to a handler.
unsafe fn say_fatal(signal: c_int, info: &siginfo_t, context: *const libc::ucontext_t) {
    let name = FATAL.iter().find(|(number, _)| *number == signal).map_or("?", |(_, name)| name);
    let mut out = Report::begin();
    out.say(format_args!("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n"));
    out.say(format_args!("solod {} crashed by signal: {signal} ({name}), si_code: {}\n", env!("CARGO_PKG_VERSION"), info.si_code));
    out.say(format_args!("Build id: {}\n", report::build_id()));
    // SAFETY: a signal that a process has sent has its number and user, any other of these an address.
    unsafe {
        match info.si_code {
            ..=0 => out.say(format_args!("Killed by PID: {}, UID: {}\n", info.si_pid(), info.si_uid())),
            _ => out.say(format_args!("Accessing address: {:#x}\n", info.si_addr() as usize)),
        }
    }
    out.say(format_args!("Last command: {}\n", last_command()));
    out.say(format_args!("\n------ REGISTERS ------\n"));
    // SAFETY: the context is the kernel's.
    say_registers(&mut out, unsafe { &*context });
    // Last, since a broken stack may end it.
    out.say(format_args!("\n------ STACK TRACE ------\n"));
    out.say_calls();
    out.say(format_args!("\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n"));
}

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn say_registers(out: &mut Report, context: &libc::ucontext_t) {
    use libc::*;
    const NAMES: [(&str, c_int); 18] = [
        ("RIP", REG_RIP),
        ("RSP", REG_RSP),
        ("RBP", REG_RBP),
        ("RAX", REG_RAX),
        ("RBX", REG_RBX),
        ("RCX", REG_RCX),
        ("RDX", REG_RDX),
        ("RSI", REG_RSI),
        ("RDI", REG_RDI),
        ("R8 ", REG_R8),
        ("R9 ", REG_R9),
        ("R10", REG_R10),
        ("R11", REG_R11),
        ("R12", REG_R12),
        ("R13", REG_R13),
        ("R14", REG_R14),
        ("R15", REG_R15),
        ("EFL", REG_EFL),
    ];
    for (index, (name, register)) in NAMES.iter().enumerate() {
        let value = context.uc_mcontext.gregs[*register as usize];
        out.say(format_args!("{name}:{value:016x}{}", if index % 3 == 2 { "\n" } else { " " }));
    }
}

#[cfg(target_arch = "aarch64")]
fn say_registers(out: &mut Report, context: &libc::ucontext_t) {
    let machine = &context.uc_mcontext;
    out.say(format_args!("PC:{:016x} SP:{:016x} PSTATE:{:016x}\n", machine.pc, machine.sp, machine.pstate));
    for (index, value) in machine.regs.iter().enumerate() {
        out.say(format_args!("X{index:02}:{value:016x}{}", if index % 3 == 2 { "\n" } else { " " }));
    }
}

#[cfg(not(any(all(target_arch = "x86_64", target_env = "gnu"), target_arch = "aarch64")))]
fn say_registers(out: &mut Report, _: &libc::ucontext_t) {
    out.say(format_args!("unknown on this machine\n"));
}

extern "C" fn on_alarm(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the location is this thread's own, and the info the kernel's. What was interrupted finds its errno as it was.
    unsafe {
        let errno = *libc::__errno_location();
        let is_timer = (*info).si_code > 0;
        say_stuck(is_timer);
        *libc::__errno_location() = errno;
    }
}

fn say_stuck(is_timer: bool) {
    let mut out = Report::begin();
    out.say(format_args!("{}\n", if is_timer { "\n--- WATCHDOG TIMER EXPIRED ---" } else { "\nReceived SIGALRM" }));
    out.say(format_args!("Last command: {}\n\n------ STACK TRACE ------\n", last_command()));
    out.say_calls();
    out.say(format_args!("--------\n"));
}

/// Sets for how many milliseconds the loop may stay away before there is a report; 0: forever.
pub fn set_watchdog(period_ms: u32) {
    WATCHDOG_MS.store(period_ms, Ordering::Relaxed);
    wind(period_ms);
}

/// The loop is there. Cheap where there is no watchdog.
#[inline]
pub fn loop_came_round(now_ms: u64) {
    let period_ms = WATCHDOG_MS.load(Ordering::Relaxed);
    // A system call ten times a period at most.
    if period_ms != 0 && now_ms.saturating_sub(WOUND_AT_MS.load(Ordering::Relaxed)) >= u64::from(period_ms / 10) {
        WOUND_AT_MS.store(now_ms, Ordering::Relaxed);
        wind(period_ms);
    }
}

fn wind(period_ms: u32) {
    let once = libc::timeval { tv_sec: i64::from(period_ms / 1000), tv_usec: i64::from(period_ms % 1000 * 1000) };
    let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: once };
    // SAFETY: the pointer is to a struct of ours that outlives the call; SIGALRM has a handler from the start.
    if unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) } != 0 {
        log::warn!("Can't set the watchdog's timer: {}", io::Error::last_os_error());
    }
}

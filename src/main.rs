//! argv to settings to reactor; exit codes.

use solod::{
    acl::{RuleError, Users, UsersError},
    alloc::{self, Counting},
    commands::{Registry, TABLE, command::categories},
    config::{
        Config, DirectiveId, Environment, REDIS_VERSION, Sources, Supervised,
        cli::{self, Invocation},
        os_reason,
    },
    reactor::{
        Notifier, Reactor, check_tls, daemonize, ignore_broken_writes, init_logger, look_up_build_id, move_environment,
        remember_invocation, watch_crashes,
    },
    tools::{Tool, is_drop_in},
};
use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Files and directories as they are.
struct World {
    /// The commands, as the lines read so far name them.
    registry: Registry,
    /// The users of the lines read so far.
    users: Users,
}

impl World {
    fn new() -> Self {
        Self { registry: Registry::new(TABLE), users: Users::nobody(categories::NAMES, false) }
    }
}

impl Environment for World {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text)?;
        Ok(text)
    }

    fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let (Some(dir), Some(name)) = (pattern.parent(), pattern.file_name()) else { return Vec::new() };
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let wanted = |p: &PathBuf| {
            let file = p.file_name().map(|n| n.as_encoded_bytes()).unwrap_or_default();
            solod::data::glob::matches(name.as_encoded_bytes(), file, false)
        };
        let mut found: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).filter(wanted).collect();
        found.sort();
        found
    }

    fn check(&mut self, directive: DirectiveId, words: &[&[u8]]) -> Result<(), String> {
        match (directive, words) {
            (DirectiveId::rename_command, [from, to]) => self.registry.rename(from, to).map_err(str::to_owned),
            (DirectiveId::users, [name, rules @ ..]) => check_user(&mut self.users, &self.registry, name, rules),
            _ => Ok(()),
        }
    }

    fn enter_dir(&mut self, dir: &str) -> Result<String, String> {
        env::set_current_dir(dir).map_err(|error| os_reason(&error))?;
        env::current_dir().map(|d| d.to_string_lossy().into_owned()).map_err(|error| os_reason(&error))
    }
}

/// Checks a `user` line. The error is the one that Redis has for it.
fn check_user(users: &mut Users, registry: &Registry, name: &[u8], rules: &[&[u8]]) -> Result<(), String> {
    let wrong =
        |at: &[u8], error: &dyn std::fmt::Display| Err(format!("Error in user declaration '{}': {error}", String::from_utf8_lossy(at)));
    if users.find(name).is_some() {
        return wrong(name, &RuleError::Duplicate);
    }
    match users.set(name, rules, registry) {
        Ok(_) => Ok(()),
        Err(UsersError::Rule(rule, error)) => wrong(&rule, &error),
        Err(UsersError::Unmatched(rule)) => wrong(&rule, &"Unmatched parenthesis in selector"),
        Err(UsersError::BadName) => wrong(name, &RuleError::Syntax),
    }
}

fn main() -> ExitCode {
    if let Some(code) = run_tool() {
        return code;
    }
    remember_invocation();
    let is_drop_in = env::args_os().next().is_some_and(|program| is_drop_in(&program));
    let sources = match cli::parse(env::args_os().skip(1)) {
        Ok(Invocation::Help) => {
            print!("{}", cli::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Invocation::Version) => {
            println!("{}", if is_drop_in { redis_version() } else { cli::version() });
            return ExitCode::SUCCESS;
        }
        Ok(Invocation::CheckConfig(sources)) => {
            return match Config::load(&sources, &mut World::new()) {
                Ok(loaded) => match check_tls(&loaded.config) {
                    Ok(more) => {
                        loaded.warnings.iter().chain(&more).for_each(|warning| eprintln!("{warning}"));
                        println!("Configuration OK");
                        ExitCode::SUCCESS
                    }
                    Err(error) => fail(error),
                },
                Err(error) => fail(error),
            };
        }
        Ok(Invocation::Run(sources)) => sources,
        Err(error) => return fail(error),
    };
    serve(&sources, is_drop_in)
}

fn redis_version() -> String {
    // The linker's id has more digits than Redis shows.
    let build = look_up_build_id();
    cli::redis_version(&alloc::name(), build.get(..16).unwrap_or("0"))
}

/// Runs the program beside the server that our name, or the first argument, asks for.
fn run_tool() -> Option<ExitCode> {
    let mut args = env::args_os();
    let program = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    if let Some(tool) = Tool::of_program(&program) {
        return Some(tool.run(&program, &args));
    }
    let (option, rest) = args.split_first()?;
    let tool = Tool::of_option(option)?;
    let mut called = program;
    called.push(" ");
    called.push(option);
    Some(tool.run(&called, rest))
}

fn fail(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn serve(sources: &Sources, is_drop_in: bool) -> ExitCode {
    if let Err(error) = alloc::check() {
        return fail(error);
    }
    move_environment();
    ignore_broken_writes();
    let started_in = env::current_dir();
    let loaded = match Config::load(sources, &mut World::new()) {
        Ok(loaded) => loaded,
        Err(error) => return fail(error),
    };
    let mut config = loaded.config;
    if let Ok(dir) = env::current_dir() {
        config.dir = dir.to_string_lossy().into_owned();
    }
    let notify = env::var_os("NOTIFY_SOCKET").is_some();
    let supervised = notify && matches!(config.supervised, Supervised::Systemd | Supervised::Auto);
    if config.daemonize
        && !supervised
        && let Err(error) = daemonize()
    {
        return fail(format!("Can't go into the background: {error}"));
    }
    if let Err(error) = init_logger(&config) {
        return fail(format!(
            "Can't open the log ({}): {error}",
            if config.logfile.is_empty() { "standard output" } else { &config.logfile }
        ));
    }
    alloc::set_background_thread(config.jemalloc_bg_thread);
    watch_crashes(&config);
    let pid = std::process::id();
    if is_drop_in {
        log::warn!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
        log::warn!("Redis version={REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid={pid}, just started");
    } else {
        log::warn!("oO0OoO0OoO0Oo solod is starting oO0OoO0OoO0Oo");
    }
    log::warn!("solod version={}, bits=64, pid={pid}, just started", env!("CARGO_PKG_VERSION"));
    loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    // Relative to where we were started, as it was given: the settings may have changed directory since.
    let file = sources.file.as_ref().map(|f| started_in.map_or_else(|_| f.clone(), |d| d.join(f)).to_string_lossy().into_owned());
    match file {
        Some(_) => log::warn!("Configuration loaded"),
        None => log::warn!(
            "Warning: no config file specified, using the default config. In order to specify a config file use solod /path/to/redis.conf"
        ),
    }
    let pidfile = config.pidfile.clone().filter(|p| !p.is_empty()).or_else(|| config.daemonize.then(|| "/var/run/redis.pid".to_owned()));
    let port = if config.port == 0 { config.tls_port } else { config.port };
    // What waits for a server to come up may look for these words; a terminal's user wants to see them.
    let show_logo = config.always_show_logo || config.logfile.is_empty() && !config.syslog_enabled && io::stdout().is_terminal();
    let mut reactor = match Reactor::new(config, file, Notifier::new(supervised)) {
        Ok(reactor) => reactor,
        Err(error) => {
            log::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(path) = &pidfile
        && let Err(error) = fs::write(path, format!("{}\n", std::process::id()))
    {
        log::warn!("Failed to write PID file {path}: {error}");
    }
    if show_logo {
        log::info!("solod {}, 64 bit; Running in standalone mode; Port: {port}; PID: {}", env!("CARGO_PKG_VERSION"), std::process::id());
    } else if port != 0 {
        log::info!("Running mode=standalone, port={port}.");
    }
    log::info!("Server initialized");
    let code = reactor.run();
    if let Some(path) = &pidfile {
        let _ = fs::remove_file(path);
    }
    ExitCode::from(code as u8)
}

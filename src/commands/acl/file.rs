//! The file that users are kept in (`aclfile`).

use crate::{
    acl::{RuleError, Users, UsersError},
    commands::{Ctx, Registry, command::categories},
    config::os_reason,
    state::Server,
};

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then \
                       issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.";

pub(super) fn load(ctx: &mut Ctx) {
    if ctx.server.config.aclfile.is_empty() {
        return ctx.error(NO_FILE);
    }
    let conn = ctx.conn;
    match read_file(ctx.server, ctx.registry) {
        Ok(users) => {
            ctx.server.replace_users(users, conn);
            ctx.out.ok();
        }
        Err(text) => ctx.error(format!("ERR {text}")),
    }
}

/// The users of the file. The error says all that is wrong with it.
pub fn read_file(server: &Server, registry: &Registry) -> Result<Users, String> {
    let path = server.config.aclfile.clone();
    let text =
        server.host.read_config_file(&path).map_err(|error| format!("Error loading ACLs, opening file '{path}': {}", os_reason(&error)))?;
    read_users(&path, &text, registry, server.users.all_channels)
}

/// The users of a file's text. The error says all that is wrong with it.
pub fn read_users(path: &str, text: &[u8], registry: &Registry, all_channels: bool) -> Result<Users, String> {
    let mut users = Users::nobody(categories::NAMES, all_channels);
    let mut errors = String::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        read_user(&mut users, path, index + 1, line, registry, &mut errors);
    }
    if errors.is_empty() {
        return Ok(users);
    }
    Err(errors + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
}

fn read_user(users: &mut Users, path: &str, number: usize, line: &[u8], registry: &Registry, errors: &mut String) {
    // Words stand between single spaces; a file that a person has written may have more of them.
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty()).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let [b"user", name, rules @ ..] = &words[..] else {
        *errors += &format!("{path}:{number} should start with user keyword followed by the username. ");
        return;
    };
    if users.find(name).is_some() {
        *errors += &format!("WARNING: Duplicate user '{}' found on line {number}. ", text(name));
        return;
    }
    *errors += &match users.set(name, rules, registry) {
        Ok(_) => return,
        Err(UsersError::BadName) => format!("'{path}:{number}: username '{}' contains invalid characters. ", text(name)),
        Err(UsersError::Unmatched(_)) => format!("{path}:{number}: Unmatched parenthesis in selector definition."),
        // What else is wrong may be a password.
        Err(UsersError::Rule(rule, error @ RuleError::UnknownCommand)) => {
            format!("{path}:{number}: Error in applying operation '{}': {error}. ", text(&rule))
        }
        Err(UsersError::Rule(_, error)) => format!("{path}:{number}: {error}. "),
    };
}

pub(super) fn save(ctx: &mut Ctx) {
    if ctx.server.config.aclfile.is_empty() {
        return ctx.error(NO_FILE);
    }
    let path = ctx.server.config.aclfile.clone();
    let text: Vec<u8> = ctx.server.users.lines().into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    match ctx.server.host.replace_config_file(&path, &text) {
        Ok(()) => ctx.out.ok(),
        Err(error) => {
            log::warn!("Opening temp ACL file for ACL SAVE: {}", os_reason(&error));
            ctx.error("ERR There was an error trying to save the ACLs. Please check the server logs for more information");
        }
    }
}

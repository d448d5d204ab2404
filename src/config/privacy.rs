//! `hide-user-data-from-log`: whether keys, values and arguments may stand in the log. Known to the whole process, since every room logs.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

static IS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// Follows the setting.
pub fn hide_user_data(is_hidden: bool) {
    IS_HIDDEN.store(is_hidden, Ordering::Relaxed);
}

/// Bytes of users as they are logged: on one line, and not at all where they are to be hidden.
pub struct UserData<'a>(pub &'a [u8]);

impl fmt::Display for UserData<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if IS_HIDDEN.load(Ordering::Relaxed) {
            return formatter.write_str("*redacted*");
        }
        String::from_utf8_lossy(self.0).chars().try_for_each(|char| match char.is_control() {
            true => write!(formatter, "{}", char.escape_default()),
            false => fmt::Write::write_char(formatter, char),
        })
    }
}

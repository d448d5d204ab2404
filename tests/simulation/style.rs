//! In which of the ways there are a client keeps copies: what it says to be told of changes, and what it may keep then.

use super::wire::{Words, words};
use solod::data::rng::Rng;

/// Which keys the server tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    All,
    OptIn,
    OptOut,
    /// Keys with one of these prefixes; with all of them where there is none.
    Broadcast(&'static [&'static str]),
}

/// Prefixes that do not overlap.
const PREFIXES: [&[&str]; 4] = [&[], &["key:", "own:"], &["key:1", "key:2", "own:", "list:"], &["hash:", "k"]];

/// What one connection of a client is like.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub mode: Mode,
    /// It is not told of what it changes itself.
    pub no_loop: bool,
    pub resp3: bool,
    /// Another connection of its own is told in its place: then nothing says in which order answers and changes were.
    pub redirects: bool,
    /// The protocol of that one.
    pub listener_resp3: bool,
    /// The database that it uses.
    pub db: u64,
}

impl Style {
    pub fn new(rng: &mut Rng, dbs: u64) -> Self {
        let redirects = rng.below(2) == 0;
        Self {
            mode: Self::any_mode(rng),
            no_loop: rng.below(3) == 0,
            redirects,
            resp3: !redirects || rng.below(2) == 0,
            listener_resp3: rng.below(2) == 0,
            db: rng.below(dbs),
        }
    }

    fn any_mode(rng: &mut Rng) -> Mode {
        match rng.below(5) {
            0 | 1 => Mode::All,
            2 => Mode::OptIn,
            3 => Mode::OptOut,
            _ => Mode::Broadcast(PREFIXES[rng.below(PREFIXES.len() as u64) as usize]),
        }
    }

    /// Another mode for the same connection.
    pub fn change_mode(&mut self, rng: &mut Rng) {
        (self.mode, self.no_loop) = (Self::any_mode(rng), rng.below(3) == 0);
    }

    /// What asks for it. `listener` is the other connection's CLIENT ID.
    pub fn tracking(&self, listener: Option<&str>) -> Words {
        let mut line = "CLIENT TRACKING ON".to_owned();
        if let Some(id) = listener {
            line += &format!(" REDIRECT {id}");
        }
        match self.mode {
            Mode::All => (),
            Mode::OptIn => line += " OPTIN",
            Mode::OptOut => line += " OPTOUT",
            Mode::Broadcast(prefixes) => {
                line += " BCAST";
                prefixes.iter().for_each(|prefix| line += &format!(" PREFIX {prefix}"));
            }
        }
        if self.no_loop {
            line += " NOLOOP";
        }
        words(&line)
    }

    /// What has to be said in front of a command that is not as the others of this mode are: one whose keys are kept, or not.
    pub fn exception(&self) -> Option<&'static str> {
        match self.mode {
            Mode::OptIn => Some("YES"),
            Mode::OptOut => Some("NO"),
            Mode::All | Mode::Broadcast(_) => None,
        }
    }

    /// Whether what is read is kept, behind such an exception or not.
    pub fn keeps(&self, is_exception: bool) -> bool {
        (self.mode == Mode::OptIn) == is_exception
    }

    /// Whether the server tells of this key.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self.mode {
            Mode::Broadcast(prefixes) => prefixes.is_empty() || prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes())),
            _ => true,
        }
    }

    /// Whether answers and changes come in the order in which they were.
    pub fn is_ordered(&self) -> bool {
        !self.redirects && !matches!(self.mode, Mode::Broadcast(_))
    }
}

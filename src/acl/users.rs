//! All users.

use super::{
    CategoryNames, CommandNames, User,
    rules::{Reader, RuleError, has_blanks},
};
use std::{collections::BTreeMap, rc::Rc};

/// The user that clients are before they say who they are.
pub const DEFAULT: &[u8] = b"default";

/// Names a user for as long as it exists. The default user's never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(u64);

/// The users.
pub struct Users {
    by_name: BTreeMap<Box<[u8]>, UserId>,
    users: BTreeMap<UserId, Rc<User>>,
    next: u64,
    categories: CategoryNames,
    /// Whether those to come may use all channels (`acl-pubsub-default`).
    pub all_channels: bool,
    /// Whether the default user needs no password.
    open: bool,
}

/// Why users are not as somebody wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersError {
    /// The name could not be written to a file.
    BadName,
    /// A selector in parentheses has no end; this is how it begins.
    Unmatched(Vec<u8>),
    /// A rule, and why it is refused.
    Rule(Vec<u8>, RuleError),
}

impl Users {
    /// The default user, who may do everything without a password.
    pub fn new(categories: CategoryNames) -> Self {
        let mut users = Self { by_name: BTreeMap::new(), users: BTreeMap::new(), next: 0, categories, all_channels: false, open: true };
        users.insert(Rc::new(User::default_user()));
        users
    }

    /// No users at all: those of a file are to come.
    pub fn nobody(categories: CategoryNames, all_channels: bool) -> Self {
        Self { by_name: BTreeMap::new(), users: BTreeMap::new(), next: 1, categories, all_channels, open: false }
    }

    fn insert(&mut self, user: Rc<User>) -> UserId {
        let id = UserId(self.next);
        self.next += 1;
        self.by_name.insert(user.name.clone(), id);
        self.users.insert(id, user);
        id
    }

    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    /// A user, as long as it exists.
    pub fn get(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).map(Rc::as_ref)
    }

    /// A user as it is, for whoever asks it often: it does not change, but may be no more, or have other rules.
    pub fn get_shared(&self, id: UserId) -> Option<&Rc<User>> {
        self.users.get(&id)
    }

    /// The default user, who is always there.
    pub fn default_user(&self) -> &User {
        &self.users[&UserId::default()]
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, &User)> {
        self.by_name.values().filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// The user who has this name and password.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        self.find(name).filter(|id| self.users.get(id).is_some_and(|user| user.accepts(password)))
    }

    /// Sets rules of a user, who is made if it is not there: all of them, or none if one is refused. Returns the user and what it was.
    pub fn set(&mut self, name: &[u8], rules: &[&[u8]], commands: &impl CommandNames) -> Result<(UserId, Option<Rc<User>>), UsersError> {
        if has_blanks(name) {
            return Err(UsersError::BadName);
        }
        let old = self.find(name);
        let mut user = old.and_then(|id| self.get(id)).cloned().unwrap_or_else(|| User::new(name, self.all_channels));
        let reader = Reader { commands, categories: self.categories };
        for rule in merged(rules)? {
            user.apply(&rule, self.all_channels, reader).map_err(|error| UsersError::Rule(rule, error))?;
        }
        Ok(match old {
            Some(id) => (id, self.replace(id, Rc::new(user))),
            None => (self.insert(Rc::new(user)), None),
        })
    }

    fn replace(&mut self, id: UserId, user: Rc<User>) -> Option<Rc<User>> {
        if id == UserId::default() {
            self.open = user.is_enabled() && user.is_nopass();
        }
        self.users.insert(id, user)
    }

    /// Whether whoever has not said who it is may run commands: the default user is on and needs no password.
    #[inline(always)]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Puts others in the place of all users. Whoever has a name that is among them stays who it is, with new rules; the default user is as new if he is
    /// not among them. Returns who is no more.
    pub fn replace_all(&mut self, mut others: Users) -> Vec<UserId> {
        let mut gone = Vec::new();
        for (name, id) in self.by_name.clone() {
            match others.by_name.remove(&name).and_then(|other| others.users.remove(&other)) {
                Some(user) => _ = self.replace(id, user),
                None if id == UserId::default() => _ = self.replace(id, Rc::new(User::default_user())),
                None => {
                    self.remove(&name);
                    gone.push(id);
                }
            }
        }
        others.users.into_values().for_each(|user| _ = self.insert(user));
        gone
    }

    /// Has the default user have this password and no other, or need none where it is empty (`requirepass`).
    pub fn set_default_password(&mut self, password: &[u8]) {
        if let Some(default) = self.users.get_mut(&UserId::default()) {
            let default = Rc::make_mut(default);
            default.set_only_password(password);
            self.open = default.is_enabled() && default.is_nopass();
        }
    }

    /// A line for each user, as a file has them.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.iter().map(|(_, user)| [b"user ", user.name(), b" ", &user.describe()[..]].concat()).collect()
    }

    /// Removes a user. The default user stays.
    pub fn remove(&mut self, name: &[u8]) -> Option<UserId> {
        if name == DEFAULT {
            return None;
        }
        let id = self.by_name.remove(name)?;
        self.users.remove(&id);
        Some(id)
    }
}

/// The rules with each selector, whose rules may come as several arguments, as one.
fn merged(rules: &[&[u8]]) -> Result<Vec<Vec<u8>>, UsersError> {
    let (mut whole, mut open): (Vec<Vec<u8>>, Option<Vec<u8>>) = (Vec::new(), None);
    for rule in rules {
        let joined = match open.take() {
            Some(begun) => [&begun[..], b" ", rule].concat(),
            None => rule.to_vec(),
        };
        if joined.first() == Some(&b'(') && joined.last() != Some(&b')') {
            open = Some(joined);
        } else {
            whole.push(joined);
        }
    }
    match open {
        Some(begun) => {
            Err(UsersError::Unmatched(rules.iter().rev().find(|rule| rule.starts_with(b"(")).map_or(begun, |rule| rule.to_vec())))
        }
        None => Ok(whole),
    }
}

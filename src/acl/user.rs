//! A user: passwords, and what it may do.

use super::{
    CommandNames, Selector,
    password::PasswordHash,
    rules::{Reader, RuleError},
    selector::{Denied, Request},
};

/// Somebody who may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(super) name: Box<[u8]>,
    /// It may authenticate.
    enabled: bool,
    /// Any password will do.
    nopass: bool,
    /// What RESTORE is given by it is checked only as far as everybody's is.
    skips_sanitizing: bool,
    passwords: Vec<PasswordHash>,
    /// The first is the root selector.
    selectors: Vec<Selector>,
}

impl User {
    /// One that is off and may do nothing.
    pub fn new(name: &[u8], all_channels: bool) -> Self {
        Self {
            name: name.into(),
            enabled: false,
            nopass: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            selectors: vec![Selector::nothing(all_channels)],
        }
    }

    /// The default user as it is unless somebody says otherwise: it may do everything, and needs no password.
    pub(super) fn default_user() -> Self {
        let mut user = Self::new(super::DEFAULT, true);
        (user.enabled, user.nopass) = (true, true);
        user.selectors[0].allow_everything();
        user
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether it may authenticate.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether any password will do.
    pub fn is_nopass(&self) -> bool {
        self.nopass
    }

    /// Whether it may do everything.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::is_everything)
    }

    /// Its sets of rules, the root selector first.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The hashes of its passwords.
    pub fn passwords(&self) -> impl Iterator<Item = String> {
        self.passwords.iter().map(PasswordHash::to_string)
    }

    /// Whether it is this user who gives this password.
    pub fn accepts(&self, password: &[u8]) -> bool {
        // Every one is looked at, so that the time does not tell which one is right.
        let found = self.passwords.iter().fold(false, |found, hash| found | hash.is_of(password));
        self.enabled && (self.nopass || found)
    }

    /// Checks a request. Of several selectors' reasons it is told the one that came furthest.
    pub fn check(&self, request: &impl Request) -> Result<(), Denied> {
        let mut furthest = Denied::Database(0);
        for selector in &self.selectors {
            match selector.check(request) {
                Ok(()) => return Ok(()),
                Err(denied) => furthest = furthest.max(denied),
            }
        }
        Err(furthest)
    }

    /// Sets a rule of the user: one of its own, a selector in parentheses, or one of the root selector.
    pub(super) fn apply(&mut self, rule: &[u8], all_channels: bool, reader: Reader<'_, impl CommandNames>) -> Result<(), RuleError> {
        let lower = rule.to_ascii_lowercase();
        match &lower[..] {
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"nopass" => {
                self.nopass = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.nopass = false;
                self.passwords.clear();
            }
            b"skip-sanitize-payload" => self.skips_sanitizing = true,
            b"sanitize-payload" => self.skips_sanitizing = false,
            b"clearselectors" => self.selectors.truncate(1),
            b"reset" => *self = Self::new(&self.name, all_channels),
            _ => return self.apply_rest(rule, all_channels, reader),
        }
        Ok(())
    }

    fn apply_rest(&mut self, rule: &[u8], all_channels: bool, reader: Reader<'_, impl CommandNames>) -> Result<(), RuleError> {
        match rule.split_first() {
            Some((b'>', password)) => self.add_password(PasswordHash::of(password)),
            Some((b'#', digits)) => self.add_password(PasswordHash::parse(digits).ok_or(RuleError::BadHash)?),
            Some((b'<', password)) => return self.remove_password(&PasswordHash::of(password)),
            Some((b'!', digits)) => return self.remove_password(&PasswordHash::parse(digits).ok_or(RuleError::BadHash)?),
            Some((b'(', inside)) if inside.last() == Some(&b')') => {
                let mut selector = Selector::nothing(all_channels);
                let words = inside[..inside.len() - 1].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                for word in words {
                    // Read again, the selector would end there.
                    if word.ends_with(b")") {
                        return Err(RuleError::Syntax);
                    }
                    selector.apply(word, reader)?;
                }
                self.selectors.push(selector);
            }
            _ => return self.selectors[0].apply(rule, reader),
        }
        Ok(())
    }

    fn add_password(&mut self, hash: PasswordHash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.nopass = false;
    }

    /// Has it have this password only, or need none where that is empty.
    pub(super) fn set_only_password(&mut self, password: &[u8]) {
        self.passwords.clear();
        self.nopass = password.is_empty();
        if !password.is_empty() {
            self.passwords.push(PasswordHash::of(password));
        }
    }

    /// Whether it may use a channel, or a pattern of channels.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.selectors.iter().any(|rules| rules.allows_channel(channel, is_pattern))
    }

    /// Whether one of its selectors that allow a request lets it access every key so.
    pub fn allows_every_key(&self, request: &impl Request, access: u8) -> bool {
        self.selectors.iter().any(|selector| selector.check(request).is_ok() && selector.allows_every_key(access))
    }

    fn remove_password(&mut self, hash: &PasswordHash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|one| one == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// What it is but for its rules: words as they would be set.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        if self.nopass {
            flags.push("nopass");
        }
        flags.push(if self.skips_sanitizing { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// Everything that would have to be set to make it from nothing.
    pub fn describe(&self) -> Vec<u8> {
        self.describe_words().join(&b' ')
    }

    /// The same, a word each.
    pub fn describe_words(&self) -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()).collect();
        words.extend(self.passwords().map(|password| format!("#{password}").into_bytes()));
        for (index, selector) in self.selectors.iter().enumerate() {
            let rules = selector.describe();
            let rules = if index == 0 { rules } else { [b"(", &rules[..], b")"].concat() };
            // No rule has a blank in it.
            words.extend(rules.split(|byte| *byte == b' ').map(<[u8]>::to_vec));
        }
        words
    }

    /// Whether it is the default user as it is with this password, or with none where that is empty.
    pub fn is_plain_default(&self, password: &[u8]) -> bool {
        let mut plain = Self::default_user();
        plain.set_only_password(password);
        *self == plain
    }
}

//! Sessions that clients may come back to: so many, for so long (`tls-session-cache-size`, `tls-session-cache-timeout`). With them lie the certificates
//! that clients have shown, so their bytes are limited, too.

use rustls::server::StoresServerSessions;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Bytes of secrets, about, that are kept.
const BYTES_MAX: usize = 16 << 20;

#[derive(Default)]
struct Kept {
    /// The secrets by their names, and until when they are good.
    by_name: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// Names in the order of their coming. Some are no longer there.
    order: VecDeque<Vec<u8>>,
    /// Bytes of the secrets.
    bytes: usize,
}

impl Kept {
    fn remove(&mut self, name: &[u8]) -> Option<(Instant, Vec<u8>)> {
        let found = self.by_name.remove(name)?;
        self.bytes -= found.1.len();
        Some(found)
    }
}

/// The sessions that are kept.
pub struct Sessions {
    kept: Mutex<Kept>,
    /// How many there may be.
    most: usize,
    good_for: Duration,
}

impl Sessions {
    /// None yet. A size of 0 is no limit.
    pub fn new(size: u32, seconds: u32) -> Self {
        let most = if size == 0 { usize::MAX } else { size as usize };
        Self { kept: Mutex::default(), most, good_for: Duration::from_secs(u64::from(seconds)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // There is one thread.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never the secrets.
impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at most {} sessions", self.most)
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, name: Vec<u8>, secret: Vec<u8>) -> bool {
        let now = Instant::now();
        let mut guard = self.kept();
        let kept = &mut *guard;
        // Two at a time: those that are over go faster than others come.
        for _ in 0..2 {
            let is_over = match kept.order.front() {
                None => false,
                Some(oldest) => {
                    kept.order.len() >= self.most
                        || kept.bytes >= BYTES_MAX
                        || kept.by_name.get(oldest).is_none_or(|(until, _)| *until <= now)
                }
            };
            if is_over && let Some(oldest) = kept.order.pop_front() {
                kept.remove(&oldest);
            }
        }
        kept.bytes += secret.len();
        match kept.by_name.insert(name.clone(), (now + self.good_for, secret)) {
            None => kept.order.push_back(name),
            Some((_, before)) => kept.bytes -= before.len(),
        }
        true
    }

    fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept();
        let (until, secret) = kept.by_name.get(name)?;
        (*until > Instant::now()).then(|| secret.clone())
    }

    fn take(&self, name: &[u8]) -> Option<Vec<u8>> {
        let (until, secret) = self.kept().remove(name)?;
        (until > Instant::now()).then_some(secret)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_allowed_and_the_oldest_goes() {
        let sessions = Sessions::new(3, 300);
        for name in 0..10u8 {
            sessions.put(vec![name], vec![name; 2]);
            assert!(sessions.kept().by_name.len() <= 3);
        }
        assert_eq!((sessions.get(&[6]), sessions.get(&[7])), (None, Some(vec![7; 2])));
        assert_eq!((sessions.take(&[8]), sessions.take(&[8])), (Some(vec![8; 2]), None));
    }

    #[test]
    fn what_is_over_is_not_given() {
        let sessions = Sessions::new(0, 0);
        sessions.put(vec![1], vec![1]);
        assert_eq!((sessions.get(&[1]), sessions.take(&[1])), (None, None));
    }
}

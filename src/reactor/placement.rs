//! Where the kernel runs and keeps us: processors, huge pages, and who goes first when memory runs out. One of the rooms where `unsafe` is allowed (see
//! lib.rs).
#![allow(unsafe_code)]

use super::listen::reason;
use crate::config::{Config, OomScoreAdj};
use std::{fs, io, mem};

/// The score by which the kernel chooses whom to end when there is no memory left.
#[derive(Default)]
pub struct OomScore {
    /// What it was before we changed it, while it is changed.
    base: Option<i32>,
}

const OOM_FILE: &str = "/proc/self/oom_score_adj";

impl OomScore {
    /// Sets what the settings say for our role, or puts back what there was.
    pub fn apply(&mut self, config: &Config) -> Result<(), String> {
        let score = match config.oom_score_adj {
            OomScoreAdj::No => match self.base {
                None => return Ok(()),
                Some(base) => base,
            },
            relation => {
                let base = match self.base {
                    Some(base) => base,
                    None => fs::read_to_string(OOM_FILE)
                        .and_then(|text| text.trim().parse().map_err(io::Error::other))
                        .map_err(|error| failed("read", &error))?,
                };
                self.base = Some(base);
                let score = config.oom_score_adj_values[usize::from(config.replicaof.is_some())];
                if relation == OomScoreAdj::Relative { score + base } else { score }
            }
        };
        fs::write(OOM_FILE, score.clamp(-1000, 1000).to_string()).map_err(|error| failed("write", &error))?;
        if config.oom_score_adj == OomScoreAdj::No {
            self.base = None;
        }
        Ok(())
    }
}

fn failed(what: &str, error: &io::Error) -> String {
    log::warn!("Unable to {what} oom_score_adj: {}", reason(error));
    "Failed to set current oom_score_adj. Check server logs.".to_owned()
}

/// The processors that a thread may run on.
#[derive(Clone, Copy)]
pub struct Processors(libc::cpu_set_t);

impl Processors {
    /// Those of this thread.
    pub fn current() -> io::Result<Self> {
        // SAFETY: zeroed is an empty set, and the pointer is to one of this size that outlives the call; 0 is the calling thread.
        unsafe {
            let mut set: libc::cpu_set_t = mem::zeroed();
            match libc::sched_getaffinity(0, size_of_val(&set), &mut set) {
                0 => Ok(Self(set)),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Those of a list such as `0-3,8,10-20:2`, whose last part is every second one from 10 to 20. `None` for what is no such list.
    fn listed(list: &str) -> Option<Self> {
        // SAFETY: zeroed is an empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        for part in list.split(',').map(str::trim) {
            let (range, step) = part.split_once(':').unwrap_or((part, "1"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last, step): (usize, usize, usize) = (first.parse().ok()?, last.parse().ok()?, step.parse().ok()?);
            if first > last || last >= libc::CPU_SETSIZE as usize || step == 0 {
                return None;
            }
            // SAFETY: the number is below the set's size.
            (first..=last).step_by(step).for_each(|cpu| unsafe { libc::CPU_SET(cpu, &mut set) });
        }
        Some(Self(set))
    }

    /// Has this thread, and those that it will start, run on these only.
    pub fn take(&self) -> io::Result<()> {
        // SAFETY: the pointer is to a set of this size that outlives the call; 0 is the calling thread.
        match unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), &self.0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Has this thread run on the processors of a list, if there is one. One that cannot be had is warned of: the server serves all the same, as Redis does.
pub fn pin(directive: &str, list: Option<&str>) {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return };
    match Processors::listed(list).map(|processors| processors.take()) {
        Some(Ok(())) => (),
        Some(Err(error)) => log::warn!("{directive} {list} has no effect: {}", reason(&error)),
        None => log::warn!("{directive} {list} has no effect: it is no list of processors such as 0-3,8:2"),
    }
}

/// Turns huge pages off for this process where they are on for all memory, whether it asks for them or not. `false`: they stay on.
pub fn disable_huge_pages() -> bool {
    let mode = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    // SAFETY: this control takes numbers alone.
    if mode.contains("[always]") && unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
        log::warn!("Can't turn transparent huge pages off: {}", reason(&io::Error::last_os_error()));
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(list: &str) -> Option<Vec<usize>> {
        // SAFETY: the numbers are below the set's size.
        Processors::listed(list).map(|set| (0..64).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set.0) }).collect())
    }

    #[test]
    fn a_list_names_processors() {
        assert_eq!(members("0"), Some(vec![0]));
        assert_eq!(members("0,2,3"), Some(vec![0, 2, 3]));
        assert_eq!(members("0-3, 8-12:2"), Some(vec![0, 1, 2, 3, 8, 10, 12]));
        for wrong in ["", "a", "1-", "3-1", "1-2:0", "5000", "1,,2"] {
            assert_eq!(members(wrong), None, "{wrong:?}");
        }
    }
}

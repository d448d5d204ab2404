//! The libraries of functions that are loaded, and the names they are called by. How a library's code is run is the machine's part.

use super::RegisteredFunction;
use std::collections::{BTreeMap, HashMap};

/// A library: its code, and what that has registered.
pub struct Library {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its whole text, with the line that names it.
    pub code: Box<[u8]>,
    /// Its functions, as they were registered.
    pub functions: Vec<RegisteredFunction>,
}

impl Library {
    /// Bytes it takes beside the interpreter's.
    fn memory(&self) -> usize {
        let functions = self.functions.iter().map(|function| {
            size_of::<RegisteredFunction>() + 2 * function.name.len() + function.description.as_ref().map_or(0, |text| text.len())
        });
        size_of::<Self>() + 2 * self.name.len() + self.code.len() + functions.sum::<usize>()
    }
}

/// Where a function is: its library's name and its place there.
type Place = (Box<[u8]>, usize);

/// Functions are called by their names in any case.
fn lower(name: &[u8]) -> Box<[u8]> {
    name.to_ascii_lowercase().into()
}

/// Every library.
#[derive(Default)]
pub struct Functions {
    libraries: BTreeMap<Box<[u8]>, Library>,
    /// By the function's name in lower case.
    by_name: HashMap<Box<[u8]>, Place>,
    memory: usize,
}

impl Functions {
    /// The function of this name, whatever the case of its letters.
    pub fn find(&self, name: &[u8]) -> Option<&RegisteredFunction> {
        let (library, at) = match self.by_name.get(name) {
            Some(place) => place,
            None => self.by_name.get(&lower(name))?,
        };
        self.libraries.get(library)?.functions.get(*at)
    }

    /// The library of this name.
    pub fn library(&self, name: &[u8]) -> Option<&Library> {
        self.libraries.get(name)
    }

    /// All libraries, by name.
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = &Library> {
        self.libraries.values()
    }

    /// The code of all libraries.
    pub fn codes(&self) -> Vec<&[u8]> {
        self.libraries().map(|library| &library.code[..]).collect()
    }

    /// Number of libraries.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }

    /// Number of functions.
    pub fn function_count(&self) -> usize {
        self.by_name.len()
    }

    /// Bytes that they take beside the interpreter's.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Adds libraries, all of them or none. Those of the same names go if they may be replaced. What is not part of the whole any more comes back,
    /// with the error if there is one: its functions are to be let go of.
    pub fn add(&mut self, new: Vec<Library>, replace: bool) -> (Vec<Library>, Result<(), Vec<u8>>) {
        if let Some(taken) = new.iter().find(|library| !replace && self.libraries.contains_key(&library.name)) {
            let error = [b"ERR Library '", &taken.name[..], b"' already exists"].concat();
            return (new, Err(error));
        }
        let is_replaced = |library: &[u8]| new.iter().any(|other| *other.name == *library);
        // A name may be taken by a library that stays, or by another one of the new.
        let mut names = std::collections::HashSet::new();
        let taken = new.iter().flat_map(|library| &library.functions).find(|function| {
            let stays = self.by_name.get(&lower(&function.name)).is_some_and(|(library, _)| !is_replaced(library));
            stays || !names.insert(lower(&function.name))
        });
        if let Some(function) = taken {
            let error = [b"ERR Function ", &function.name[..], b" already exists"].concat();
            return (new, Err(error));
        }
        let old: Vec<_> = new.iter().map(|library| library.name.clone()).collect();
        let old = old.iter().filter_map(|name| self.remove(name)).collect();
        for library in new {
            self.memory += library.memory();
            for (at, function) in library.functions.iter().enumerate() {
                self.by_name.insert(lower(&function.name), (library.name.clone(), at));
            }
            self.libraries.insert(library.name.clone(), library);
        }
        (old, Ok(()))
    }

    /// Takes a library away.
    pub fn remove(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        self.memory -= library.memory();
        for function in &library.functions {
            self.by_name.remove(&lower(&function.name));
        }
        Some(library)
    }

    /// Takes all of them away.
    pub fn take_all(&mut self) -> Vec<Library> {
        let all = std::mem::take(self);
        all.libraries.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripting::{FunctionRef, ScriptFlags};

    fn library(name: &str, functions: &[&str]) -> Library {
        let function = |name: &&str| RegisteredFunction {
            name: name.as_bytes().into(),
            description: None,
            flags: ScriptFlags::default(),
            function: FunctionRef(0),
        };
        Library { name: name.as_bytes().into(), code: b"code"[..].into(), functions: functions.iter().map(function).collect() }
    }

    fn add(all: &mut Functions, new: Vec<Library>, replace: bool) -> Result<Vec<String>, String> {
        let (out, result) = all.add(new, replace);
        let names = out.iter().map(|library| String::from_utf8_lossy(&library.name).into_owned()).collect();
        result.map(|()| names).map_err(|text| String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn a_function_is_found_as_long_as_its_library_is_there() {
        let mut all = Functions::default();
        assert_eq!(add(&mut all, vec![library("l", &["f", "g"])], false), Ok(vec![]));
        assert!(all.find(b"g").is_some() && all.find(b"h").is_none() && all.find(b"G").is_some());
        assert_eq!((all.len(), all.function_count()), (1, 2));
        assert!(all.remove(b"l").is_some() && all.remove(b"l").is_none());
        assert!(all.find(b"g").is_none() && all.is_empty());
        assert_eq!(all.memory(), 0);
    }

    #[test]
    fn names_are_taken_once() {
        let mut all = Functions::default();
        assert_eq!(add(&mut all, vec![library("l", &["f"]), library("m", &["g"])], false), Ok(vec![]));
        assert_eq!(add(&mut all, vec![library("l", &["x"])], false), Err("ERR Library 'l' already exists".into()));
        assert_eq!(add(&mut all, vec![library("n", &["g"])], false), Err("ERR Function g already exists".into()));
        assert_eq!(add(&mut all, vec![library("l", &["g"])], true), Err("ERR Function g already exists".into()));
        assert_eq!(add(&mut all, vec![library("n", &["h"]), library("o", &["h"])], true), Err("ERR Function h already exists".into()));
        assert_eq!(add(&mut all, vec![library("l", &["f", "i"])], true), Ok(vec!["l".into()]));
        assert_eq!((all.len(), all.function_count()), (2, 3), "what failed has changed nothing");
    }
}

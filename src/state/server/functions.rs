//! Libraries of functions: what FUNCTION and snapshots have in common.

use super::Server;
use crate::scripting::functions::Library;

/// Nanoseconds that the code of a library may run.
const LOAD_NANOS: u64 = 500_000_000;

impl Server {
    /// Runs the code of a library. The error is what a client is answered with.
    pub fn run_library(&mut self, code: &[u8]) -> Result<Library, Vec<u8>> {
        let host = &self.host;
        let until = host.nanos().saturating_add(LOAD_NANOS);
        let loaded = self.scripting.load_library(code, &mut || host.nanos() >= until)?;
        Ok(Library { name: loaded.name, code: code.into(), functions: loaded.functions })
    }

    /// Runs the code of several libraries, all of them or none.
    pub fn run_libraries<C: AsRef<[u8]>>(&mut self, codes: &[C]) -> Result<Vec<Library>, Vec<u8>> {
        let mut new = Vec::with_capacity(codes.len());
        for code in codes {
            match self.run_library(code.as_ref()) {
                Ok(library) => new.push(library),
                Err(text) => {
                    self.release_libraries(new);
                    return Err(text);
                }
            }
        }
        Ok(new)
    }

    /// Adds libraries, and lets go of those that were replaced or not taken.
    pub fn add_libraries(&mut self, new: Vec<Library>, replace: bool) -> Result<(), Vec<u8>> {
        let (out, result) = self.functions.add(new, replace);
        self.release_libraries(out);
        result
    }

    /// Lets go of libraries that are not part of the whole any more.
    pub fn release_libraries(&mut self, libraries: Vec<Library>) {
        if !libraries.is_empty() {
            self.scripting.release(libraries.iter().flat_map(|library| &library.functions).map(|function| function.function));
        }
    }

    /// The libraries of a snapshot take their place: instead of all that were there (`alone`), or beside them, where they may replace
    /// those of the same names or not. The error is a reason, and leaves all as it was.
    pub fn adopt_libraries(&mut self, codes: Vec<Box<[u8]>>, alone: bool, replace: bool) -> Result<(), String> {
        let told = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
        let new = self.run_libraries(&codes).map_err(told)?;
        if alone {
            let old = self.functions.take_all();
            self.release_libraries(old);
        }
        self.add_libraries(new, replace).map_err(told)
    }
}

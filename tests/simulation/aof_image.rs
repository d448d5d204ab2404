//! What a directory of append-only files holds, read by the plain rules of its format.

use super::{filesystem::Filesystem, shadow::Shadow};

pub const DIRECTORY: &str = "appendonlydir";
pub const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

/// What would be loaded; `None` where nothing is. The error says why it cannot be.
pub fn read(disk: &Filesystem) -> Result<Option<Shadow>, String> {
    let Some(manifest) = disk.content(MANIFEST) else { return Ok(None) };
    let manifest = std::str::from_utf8(&manifest).map_err(|e| format!("the manifest: {e}"))?;
    let (mut base, mut increments) = (Vec::new(), Vec::new());
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        let ["file", name, "seq", number, "type", kind] = words[..] else { return Err(format!("a line of the manifest: {line}")) };
        let number: u64 = number.parse().map_err(|_| format!("a number in the manifest: {line}"))?;
        match kind {
            "b" => base.push(name),
            "i" => increments.push((number, name)),
            "h" => (),
            _ => return Err(format!("a kind in the manifest: {line}")),
        }
    }
    if base.len() > 1 || !increments.is_sorted() {
        return Err(format!("the manifest:\n{manifest}"));
    }
    let mut shadow = Shadow::new();
    let mut torn = None;
    for name in base.into_iter().chain(increments.into_iter().map(|(_, name)| name)) {
        if let Some(torn) = torn {
            return Err(format!("{torn} ends in the middle of a command, and {name} follows"));
        }
        let bytes = disk.content(&format!("{DIRECTORY}/{name}")).ok_or_else(|| format!("{name} is not there"))?;
        let loaded = match bytes.starts_with(b"REDIS") {
            true => shadow.load(&bytes),
            false => shadow.feed(&bytes, |_| ()),
        };
        loaded.map_err(|e| format!("{name}: {e}"))?;
        torn = (shadow.left_over() > 0).then_some(name);
    }
    shadow.forget_rest();
    Ok(Some(shadow))
}

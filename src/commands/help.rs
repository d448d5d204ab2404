//! The HELP subcommands, and the error that names them.

use super::Ctx;

/// Answers with a help text: a head that names the command, these lines (subcommands, and indented what they do), and HELP itself.
pub fn reply(ctx: &mut Ctx, lines: &[&str]) {
    let name = String::from_utf8_lossy(ctx.arg(0)).to_ascii_uppercase();
    // What can be called by a name that breaks the reply's line is not found in the table.
    ctx.out.array(lines.len() + 3);
    ctx.out.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| ctx.out.simple(line));
    ctx.out.simple("HELP");
    ctx.out.simple("    Print this help.");
}

/// The error for a subcommand that is not there, or has other arguments.
pub fn unknown_subcommand(ctx: &mut Ctx) {
    /// Bytes of the subcommand's name that the error repeats.
    const SHOWN_MAX: usize = 128;
    let word = ctx.arg(1);
    let shown = word.get(..SHOWN_MAX).unwrap_or(word);
    let id = ctx.registry.parent(ctx.command).unwrap_or(ctx.command);
    let name = ctx.registry.get(id).name.to_uppercase();
    ctx.error([b"ERR unknown subcommand or wrong number of arguments for '", shown, b"'. Try ", name.as_bytes(), b" HELP."].concat());
}

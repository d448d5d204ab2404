//! The HELP subcommands.

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

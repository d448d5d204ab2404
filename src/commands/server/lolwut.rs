//! LOLWUT: a picture, and the version below it. A random row is developed by one of the rules of elementary cellular automata.

use crate::{
    commands::{
        Command, Ctx,
        command::{Group, command, flags::*},
    },
    config::REDIS_VERSION,
    data::rng::Rng,
};

/// Cells of a row, and characters of height, when the client does not say.
const WIDTH: usize = 66;
const HEIGHT: usize = 16;
const WIDTH_MAX: usize = 160;
const HEIGHT_MAX: usize = 80;

/// Wolfram's numbers of rules that neither die out nor settle down soon.
const RULES: [u8; 8] = [18, 22, 30, 45, 60, 90, 105, 110];

/// The generation after `row`, on a ring: bit `4 left + 2 centre + right` of the rule says whether a cell lives.
fn next_generation(row: &[bool], rule: u8) -> Vec<bool> {
    let cell = |i: usize| u8::from(row[i % row.len()]);
    (0..row.len()).map(|i| rule >> (4 * cell(i + row.len() - 1) + 2 * cell(i) + cell(i + 1)) & 1 == 1).collect()
}

/// Two generations a line of text: half blocks.
fn carpet(width: usize, height: usize, rng: &mut Rng) -> String {
    let rule = RULES[rng.below(RULES.len() as u64) as usize];
    let mut row: Vec<bool> = (0..width).map(|_| rng.below(4) == 0).collect();
    let mut text = String::new();
    for _ in 0..height {
        let below = next_generation(&row, rule);
        text.extend(row.iter().zip(&below).map(|cells| match cells {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        text.push('\n');
        row = next_generation(&below, rule);
    }
    text + &format!("\nRule {rule}, from a row of chance. Redis ver. {REDIS_VERSION}\n")
}

fn lolwut(ctx: &mut Ctx) {
    let mut first = 1;
    if ctx.argc() >= 3 && ctx.is_word(1, "version") {
        // Every version has the same picture; a version that is not a number is refused.
        if ctx.int_arg(2).is_none() {
            return;
        }
        first = 3;
    }
    let mut size = [(WIDTH, WIDTH_MAX), (HEIGHT, HEIGHT_MAX)];
    for (i, (value, max)) in size.iter_mut().enumerate() {
        if ctx.argc() > first + i {
            let Some(n) = ctx.int_arg(first + i) else { return };
            *value = n.clamp(1, *max as i64) as usize;
        }
    }
    let [(width, _), (height, _)] = size;
    let text = carpet(width, height, &mut ctx.server.rng);
    ctx.out.verbatim("txt", text.as_bytes());
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("lolwut", lolwut, -1, READONLY | FAST)
    .since(Group::Server, "5.0.0")
    .doc("Draws a picture and tells the version.", "O(N) where N is the number of characters drawn")
    .args("[VERSION version:integer]")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_90_draws_the_triangle() {
        let row = [false, false, true, false, false];
        assert_eq!(next_generation(&row, 90), [false, true, false, true, false]);
        assert_eq!(next_generation(&[true], 90), [false]);
    }

    #[test]
    fn a_picture_has_the_size_asked_for_and_ends_in_the_version() {
        let text = carpet(10, 3, &mut Rng::new(7));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[..3].iter().all(|line| line.chars().count() == 10));
        assert!(text.ends_with("Redis ver. 7.2.5\n"));
    }
}

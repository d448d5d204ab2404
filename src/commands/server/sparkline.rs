//! A row of numbers as a picture in characters, each column with its label written downwards: what LATENCY GRAPH shows, as Redis draws it.

/// Columns before the picture goes on below.
pub const COLUMNS: usize = 80;
/// Characters of height, and the steps that one character can show.
const ROWS: usize = 4;
const STEPS: [u8; 3] = *b"_o#";

/// Draws the numbers with their labels (ASCII), scaled between the least and the greatest of all.
pub fn draw(samples: &[(u32, String)]) -> String {
    let values = || samples.iter().map(|(value, _)| u64::from(*value));
    let least = values().min().unwrap_or(0);
    let range = (values().max().unwrap_or(0) - least).max(1);
    let step = |value: u32| {
        let all = ROWS * STEPS.len();
        (((u64::from(value) - least) * all as u64 / range) as usize).min(all - 1)
    };
    let mut text = String::new();
    for (i, columns) in samples.chunks(COLUMNS).enumerate() {
        if i > 0 {
            text.push('\n');
        }
        let mut line = |column: &dyn Fn(&(u32, String)) -> u8| {
            text.extend(columns.iter().map(|sample| char::from(column(sample))));
            text.push('\n');
        };
        for below in (0..ROWS).rev().map(|row| row * STEPS.len()) {
            line(&|(value, _)| match step(*value).checked_sub(below) {
                None => b' ',
                Some(within) => STEPS.get(within).copied().unwrap_or(b'|'),
            });
        }
        line(&|_| b' ');
        let label_len_max = columns.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
        for at in 0..label_len_max {
            line(&|(_, label)| label.as_bytes().get(at).copied().unwrap_or(b' '));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_high_as_its_number_and_has_its_label_below() {
        let samples: Vec<_> = [(10, "3m"), (40, "12s"), (25, "1s")].map(|(value, label)| (value, label.to_owned())).into();
        assert_eq!(draw(&samples), " # \n |_\n ||\n_||\n   \n311\nm2s\n s \n");
    }

    #[test]
    fn equal_numbers_lie_flat_and_many_go_on_below() {
        assert_eq!(draw(&[(5, "1s".into())]), " \n \n \n_\n \n1\ns\n");
        let many = vec![(7, "1d".to_owned()); COLUMNS + 1];
        assert_eq!(draw(&many).lines().map(str::len).collect::<Vec<_>>(), [[80; 7].as_slice(), &[0], &[1; 7]].concat());
        assert_eq!(draw(&[]), "");
    }
}
